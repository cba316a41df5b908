"""What MiniMax's models take, and what they say of anything else: a code and words. No server and no clock here.

From MiniMax's documentation of both APIs as read on 2026-11-20. How it meets an unknown field is not documented: here
it is noted, and does nothing.
"""

import base64
import binascii
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

Complaint = tuple[int, str]
MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
HAILUO = {"768P": (6, 10), "1080P": (6,)}
V1_FIELDS = {"model", "prompt", "first_frame_image", "last_frame_image", "prompt_optimizer", "fast_pretreatment"}
V1_FIELDS |= {"duration", "resolution", "callback_url", "aigc_watermark", "subject_reference"}
V2_FIELDS = {"model", "content", "resolution", "duration", "ratio", "callback_url", "aigc_watermark", "extra"}
COMMANDS = {"Truck left", "Truck right", "Pan left", "Pan right", "Push in", "Pull out", "Pedestal up"}
COMMANDS |= {"Pedestal down", "Tilt up", "Tilt down", "Zoom in", "Zoom out", "Shake", "Tracking shot", "Static shot"}


@dataclass(frozen=True, slots=True)
class Model:
    """`lengths` by resolution; empty: it refuses to be told either."""

    api: str = "v1"
    lengths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    last_frame: bool = False
    commands: bool = False


MODELS = {
    "MiniMax-Hailuo-2.3": Model(lengths=HAILUO, commands=True),
    "MiniMax-Hailuo-2.3-Fast": Model(lengths=HAILUO, commands=True),
    "MiniMax-Hailuo-02": Model(lengths={"512P": (6, 10), **HAILUO}, last_frame=True, commands=True),
    "I2V-01": Model(),
    "I2V-01-live": Model(),
    "I2V-01-Director": Model(commands=True),
    "MiniMax-H3": Model("v2", dict.fromkeys(("768P", "2K"), tuple(range(4, 16))), last_frame=True),
    "MiniMax-H3-Max": Model("v2", dict.fromkeys(("480P", "768P"), tuple(range(5, 16))), last_frame=True),
}


def unknown(api: str, body: Mapping[str, Any]) -> set[str]:
    """Return the fields that the API does not know."""
    return set(body) - (V1_FIELDS if api == "v1" else V2_FIELDS)


def complaints(api: str, body: Mapping[str, Any]) -> Iterator[Complaint]:
    """Yield what the API says of a body, worst first; nothing: it takes it."""
    model = MODELS.get(str(body.get("model")))
    if model is None or model.api != api:
        yield 2013, "invalid params, model is not supported"
        return
    yield from _of_v1(model, body) if api == "v1" else _of_v2(model, body)


def _of_v1(model: Model, body: Mapping[str, Any]) -> Iterator[Complaint]:
    prompt = body.get("prompt", "")
    if not isinstance(prompt, str) or len(prompt) > 2000:
        yield 2013, "invalid params, prompt must be at most 2000 characters"
    elif model.commands and (odd := _odd_commands(prompt)):
        yield 2013, f"invalid params, prompt holds the command {odd}"
    if "first_frame_image" not in body and not (model.last_frame and "last_frame_image" in body):
        yield 2013, "invalid params, first_frame_image is required"
    if "last_frame_image" in body and not model.last_frame:
        yield 2013, "invalid params, last_frame_image is not supported by this model"
    if "last_frame_image" in body and body.get("resolution") == "512P":
        yield 2013, "invalid params, last_frame_image does not go with 512P"
    if not model.lengths and body.keys() & {"duration", "resolution"}:
        yield 2013, "invalid params, duration and resolution are fixed"
    if model.lengths:
        yield from _of_length(model, body.get("resolution", "768P"), body.get("duration", 6))
    for name in ("first_frame_image", "last_frame_image"):
        if name in body:
            yield from _of_picture(
                name, body[name], sides=(301, 100_000), most=20_000_000, kinds={"JPEG", "PNG", "WEBP"}
            )


def _of_v2(model: Model, body: Mapping[str, Any]) -> Iterator[Complaint]:
    content = body.get("content")
    items = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    texts = [item.get("text") for item in items if item.get("type") == "text"]
    if not any(isinstance(text, str) and 0 < len(text.strip()) <= 7000 for text in texts):
        yield 2013, "invalid params, content needs a text of at most 7000 characters"
    if not body.keys() >= {"resolution", "duration"}:
        yield 2013, "invalid params, resolution and duration are required"
    yield from _of_length(model, body.get("resolution"), body.get("duration"))
    frames = [item for item in items if item.get("type") == "image_url"]
    roles = [item.get("role") for item in frames]
    if not set(roles) <= {"first_frame", "last_frame"} or len(set(roles)) < len(roles):
        yield 2013, "invalid params, role"
    if body.get("ratio") != "adaptive":
        yield 2013, "invalid params, ratio must be adaptive for a picture"
    for item in frames:
        url = (item.get("image_url") or {}).get("url")
        yield from _of_picture(str(item.get("role")), url, sides=(256, 5760), most=30_000_000, kinds=set(MIMES))


def _of_length(model: Model, resolution: Any, duration: Any) -> Iterator[Complaint]:
    if type(duration) is not int or duration not in model.lengths.get(str(resolution), ()):
        yield 2013, f"invalid params, duration {duration!r} is not supported at {resolution}"


def _of_picture(name: str, url: Any, *, sides: tuple[int, int], most: int, kinds: set[str]) -> Iterator[Complaint]:
    start, _, data = url.partition(";base64,") if isinstance(url, str) else ("", "", "")
    try:
        picture = base64.b64decode(data, validate=True)
        with Image.open(io.BytesIO(picture)) as image:
            image.load()
            kind, (width, height) = image.format, image.size
    except (binascii.Error, OSError):
        yield 2013, f"invalid params, {name} is no image"
        return
    if kind not in kinds or start != f"data:{MIMES[kind]}":
        yield 2013, f"invalid params, {name} is not of the type that it says"
    if len(picture) >= most:
        yield 2013, f"invalid params, {name} is too large"
    if min(width, height) < sides[0] or max(width, height) > sides[1] or not 0.4 <= width / height <= 2.5:
        yield 2013, f"invalid params, {name} has a size that is not supported"


def _odd_commands(prompt: str) -> str | None:
    """Return the contents of a bracket that are no commands."""
    for bracket in re.findall(r"\[([^]]*)\]", prompt):
        said = [command.strip() for command in bracket.split(",")]
        if len(said) > 3 or not COMMANDS.issuperset(said):
            return str(bracket)
    return None
