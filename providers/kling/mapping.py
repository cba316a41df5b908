"""Puts a request into the JSON of either of Kling's APIs, and declines what the chosen one would ignore.

Kling's pages on image to video, of API 2.0 and before, read 2026-11-20. API 2.0 ignores a field that it does not know:
it has no negative prompt, guidance, camera control or masks, so what asks for one must not go out.
"""

import base64
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from providers.contract import AnimationRequest, Audio, Picture, Reason, Refused

Api = Literal["2.0", "legacy"]
IMAGE_TO_VIDEO = "/v1/videos/image2video"
MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}
# Where API 2.0 takes what is sent beside the usual.
PLACES = {"multi_shot": "settings", "audio": "settings", "watermark_info": "options"}
FIELDS = {"multi_shot", "shot_type", "multi_prompt", "voice_list", "element_list", "watermark_info"}
FIELDS_OF_V1 = {"camera_control", "static_mask", "dynamic_masks"}  # the older API's; and no model after v1


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's `wire` table. `endpoint` is its path in API 2.0."""

    legacy: str | None = None  # its name in the older API; None: only API 2.0 has it
    send: dict[str, Any] = {}  # fields of Kling's, always sent


def to_wire(api: Api, request: AnimationRequest, names: Names, key: str) -> tuple[str, dict[str, Any]]:
    """Return path and body of a submission. Raises `Refused` for what that API would ignore."""
    if api == "legacy" and names.legacy is None:
        raise Refused(Reason.UNSUPPORTED, f"only Kling's API 2.0 has {request.model.name}")
    if ignored := list(find_ignored(api, request, names)):
        raise Refused(Reason.UNSUPPORTED, f"Kling's API {api} would ignore: {', '.join(ignored)}")
    put = _in_2 if api == "2.0" else _in_legacy
    return put(request, names, key)


def find_ignored(api: Api, request: AnimationRequest, names: Names) -> Iterator[str]:
    """Yield what is asked for and has no place in Kling's JSON."""
    v1 = api == "legacy" and str(names.legacy).startswith("kling-v1")
    for name, absent in (
        ("negative prompt", request.negative_prompt is None or api == "legacy"),
        ("guidance", request.guidance is None or v1),
        ("seed", request.seed is None),
        ("shape", request.aspect is None),  # it is the picture's
        ("sound", not request.audio or request.model.audio is not Audio.NEVER),
        ("fraction of a second", float(request.seconds).is_integer()),
        ("resolution", request.resolution is None or request.resolution in MODES),
    ):
        if not absent:
            yield name
    known = PLACES.keys() if api == "2.0" else FIELDS | FIELDS_OF_V1 if v1 else FIELDS
    yield from sorted(names.send.keys() - known)


def _in_2(request: AnimationRequest, names: Names, key: str) -> tuple[str, dict[str, Any]]:
    contents = [{"type": "prompt", "text": request.prompt}, {"type": "first_frame", "url": _raw(request.first)}]
    if request.last is not None:
        contents.append({"type": "last_frame", "url": _raw(request.last)})
    body: dict[str, Any] = {
        "contents": contents,
        "settings": {"duration": int(request.seconds)},
        "options": {"external_task_id": key},
    }
    if request.resolution is not None:
        body["settings"]["resolution"] = request.resolution
    if request.model.audio is Audio.OPTIONAL:
        body["settings"]["audio"] = "native" if request.audio else "off"
    for name, value in names.send.items():
        body[PLACES[name]][name] = value
    return f"/{request.model.endpoint}", body


def _in_legacy(request: AnimationRequest, names: Names, key: str) -> tuple[str, dict[str, Any]]:
    body = {
        "model_name": names.legacy,
        "image": _raw(request.first),
        "image_tail": request.last and _raw(request.last),
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "cfg_scale": request.guidance,
        "mode": MODES.get(request.resolution or ""),
        "duration": f"{request.seconds:g}",
        "external_task_id": key,
    }
    if request.model.audio is Audio.OPTIONAL:
        body["sound"] = "on" if request.audio else "off"
    filled = {name: value for name, value in body.items() if value is not None}
    return IMAGE_TO_VIDEO, filled | names.send


def _raw(picture: Picture) -> str:
    """Return the bytes as Kling wants them: base64 without `data:` before it."""
    return base64.b64encode(picture.data).decode()
