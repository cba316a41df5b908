"""Puts a request into a vendor's JSON, by the names in its model's `wire` table."""

from typing import Any, Literal

import msgspec

from providers.contract import AnimationRequest


class Length(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model's wire says a length: "5", "5s", 5, or a number of frames."""

    name: str
    form: Literal["text", "text_s", "number", "frames"]
    fps: int = 0
    fps_name: str | None = None
    extra_frames: int = 0

    def to_wire(self, seconds: float) -> dict[str, object]:
        match self.form:
            case "text":
                return {self.name: f"{seconds:g}"}
            case "text_s":
                return {self.name: f"{seconds:g}s"}
            case "number":
                return {self.name: int(seconds) if float(seconds).is_integer() else seconds}
            case "frames":
                rate: dict[str, object] = {} if self.fps_name is None else {self.fps_name: self.fps}
                return {self.name: round(seconds * self.fps) + self.extra_frames, **rate}


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word for something, where the vendor's differs from ours. `own`: its word for the picture's own shape."""

    name: str
    values: dict[str, str] = {}
    own: str | None = None

    def to_wire(self, ours: str | None) -> dict[str, object]:
        theirs = self.own if ours is None else self.values.get(ours, ours)
        return {} if theirs is None else {self.name: theirs}


class Ends(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The endpoint that takes a start and an end picture, where it is another one."""

    endpoint: str
    first: str
    last: str


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's `wire` table. What has no name here is not sent."""

    first: str = "image_url"
    last: str | None = None
    prompt: str = "prompt"
    seconds: Length | None = None
    resolution: Choice | None = None
    aspect: Choice | None = None
    negative_prompt: str | None = None
    guidance: str | None = None
    seed: str | None = None
    audio: str | None = None
    options: dict[str, str] = {}  # choices that have no field of their own: our name, theirs
    send: dict[str, Any] = {}
    data_uri: bool = False
    with_last: Ends | None = None
    unit: int | None = None  # micro-dollars per billable unit


def to_wire(request: AnimationRequest, names: Names) -> dict[str, Any]:
    """Return the request as its model's wire has it, pictures aside."""
    body: dict[str, Any] = {**names.send, names.prompt: request.prompt}
    if names.seconds is not None:
        body |= names.seconds.to_wire(request.seconds)
    if names.resolution is not None and request.resolution is not None:
        body |= names.resolution.to_wire(request.resolution)
    if names.aspect is not None:
        body |= names.aspect.to_wire(request.aspect)
    for name, value in (
        (names.negative_prompt, request.negative_prompt),
        (names.guidance, request.guidance),
        (names.seed, request.seed),
        (names.audio, request.audio),
    ):
        if name is not None and value is not None:
            body[name] = value
    return body | {theirs: request.options[ours] for ours, theirs in names.options.items() if ours in request.options}
