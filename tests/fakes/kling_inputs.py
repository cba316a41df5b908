"""What Kling takes in either of its APIs, what it says of anything else, and what it costs. No server and no clock.

From Kling's pages on image to video, its capability map and its error codes as read on 2026-11-20. A field that it does
not know is ignored without a word, as at Kling: it is reported in `Wish.ignored`, so that a test can see it.
"""

import base64
import binascii
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

STATUS = {
    **dict.fromkeys((1000, 1001, 1002, 1003, 1004), 401),
    **dict.fromkeys((1100, 1101, 1102, 1302, 1303, 1304), 429),
    **dict.fromkeys((1200, 1201, 1300, 1301), 400),
    1103: 403, 1202: 404, 1203: 404, 5000: 500, 5001: 503, 5002: 504,
}  # fmt: skip
HD, UHD = ("720p", "1080p"), ("720p", "1080p", "4k")
MODES = {"std": "720p", "pro": "1080p", "4k": "4k"}


class Wrong(Exception):
    """Kling's no: its code and what it says."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Model:
    """`units`: what a second costs, by resolution; with " native" behind it for sound."""

    units: Mapping[str, float]
    seconds: range | tuple[int, ...] = (5, 10)
    last: tuple[str, ...] = ()  # resolutions that take an end picture
    shots: bool = False  # has multi_shot, which is true unless said
    audio: bool = False  # may be told to be silent, though no price of sound is stated
    types: tuple[str, ...] = ("prompt", "first_frame", "last_frame")

    @property
    def has_sound(self) -> bool:
        return self.audio or any(key.endswith("native") for key in self.units)


TURBO_2_5 = Model({"720p": 0.3, "1080p": 0.5}, last=("1080p",))
V2_6 = Model({"720p": 0.3, "1080p": 0.5, "1080p native": 1.0}, last=("1080p",))
V3 = Model(
    {"720p": 0.6, "1080p": 0.8, "4k": 3.0, "720p native": 0.9, "1080p native": 1.2, "4k native": 3.0},
    range(3, 16), last=UHD, shots=True,
)  # fmt: skip
TURBO_3 = Model({"720p": 0.8, "1080p": 1.0}, range(3, 16))
O1 = Model({"720p": 0.6, "1080p": 0.8}, last=HD, shots=True, audio=True)
MODELS = {
    "image-to-video/kling-2.5-turbo": TURBO_2_5,
    "image-to-video/kling-2.6": V2_6,
    "image-to-video/kling-3.0": V3,
    "image-to-video/kling-3.0-turbo": TURBO_3,
    "omni-video/kling-o1": O1,
}
LEGACY = {"kling-v2-5-turbo": TURBO_2_5, "kling-v2-6": V2_6, "kling-v3": V3}


@dataclass(frozen=True, slots=True)
class Wish:
    """A submission that Kling takes."""

    model: str
    key: str  # the caller's own id of it; "" for none
    units: float
    ignored: tuple[str, ...] = field(default=())


def wish_of_2(path: str, body: Mapping[str, Any]) -> Wish:
    """Read a body of API 2.0. Raises `Wrong`."""
    model = MODELS.get(path)
    if model is None:
        raise Wrong(1203, f"The model {path} is not exist")
    ignored = [*_beside(body, {"contents", "settings", "options"})]
    parts = {part.get("type"): part for part in body.get("contents", [])}
    ignored += [f"contents.{kind}" for kind in parts.keys() - {"prompt", "first_frame", "last_frame"}]
    settings, options = body.get("settings", {}), body.get("options", {})
    known = {
        "resolution",
        "duration",
        *(["audio"] if model.has_sound else []),
        *(["multi_shot"] if model.shots else []),
    }
    ignored += [*_beside(settings, known, "settings."), *_beside(options, {"external_task_id", "watermark_info"})]
    _check_text(parts.get("prompt", {}).get("text"), 3072)
    _check_picture(parts.get("first_frame", {}).get("url"), "first_frame", 50_000_000)
    resolution, sound = settings.get("resolution", "720p"), settings.get("audio", "off")
    _one_of("resolution", resolution, [key for key in model.units if " " not in key])
    if type(settings.get("duration", 5)) is not int:
        raise Wrong(1201, "duration must be an integer")
    _one_of("duration", settings.get("duration", 5), model.seconds)
    _one_of("audio", sound, ("native", "off"))
    if "last_frame" in parts:
        _one_of("resolution for last_frame", resolution, model.last)
        _check_picture(parts["last_frame"].get("url"), "last_frame", 50_000_000)
    units = _units(model, resolution, settings.get("duration", 5), sound=sound == "native")
    return Wish(path, options.get("external_task_id", ""), units, tuple(ignored))


LEGACY_FIELDS = {
    *("model_name", "image", "image_tail", "prompt", "negative_prompt", "mode", "duration", "sound", "multi_shot"),
    *("shot_type", "multi_prompt", "element_list", "voice_list", "watermark_info", "callback_url", "external_task_id"),
}  # fmt: skip


def wish_of_legacy(body: Mapping[str, Any]) -> Wish:
    """Read a body of the older API. Raises `Wrong`."""
    name = body.get("model_name", "kling-v1")
    model = LEGACY.get(name)
    if model is None:
        raise Wrong(1203, f"The model {name} is not exist")
    _check_text(body.get("prompt", ""), 2500)
    _check_text(body.get("negative_prompt", ""), 2500)
    _check_picture(body.get("image"), "image", 10_000_000)
    _one_of("mode", body.get("mode", "std"), MODES)
    resolution, sound = MODES[body.get("mode", "std")], body.get("sound", "off")
    _one_of("mode", resolution, [key for key in model.units if " " not in key])
    _one_of("duration", body.get("duration", "5"), [str(seconds) for seconds in model.seconds])
    _one_of("sound", sound, ("on", "off"))
    if "image_tail" in body:
        _one_of("mode for image_tail", resolution, model.last)
        _check_picture(body["image_tail"], "image_tail", 10_000_000)
    ignored = [*_beside(body, LEGACY_FIELDS)] + (["sound"] if "sound" in body and not model.has_sound else [])
    units = _units(model, resolution, int(body.get("duration", "5")), sound=sound == "on")
    return Wish(name, body.get("external_task_id", ""), units, tuple(ignored))


def _units(model: Model, resolution: str, seconds: int, *, sound: bool) -> float:
    key = f"{resolution} native" if sound else resolution
    if key not in model.units:
        raise Wrong(1201, f"audio is not supported at {resolution}")
    return round(model.units[key] * seconds, 3)


def _beside(given: Mapping[str, Any], known: set[str], before: str = "") -> Iterator[str]:
    yield from (before + name for name in given if name not in known)


def _one_of(name: str, value: Any, choices: Any) -> None:
    if value not in choices:
        raise Wrong(1201, f"{name} value {str(value)[:20]!r} is invalid")


def _check_text(text: Any, most: int) -> None:
    if not isinstance(text, str) or len(text) > most:
        raise Wrong(1201, f"prompt is missing or longer than {most} characters")


def _check_picture(url: Any, name: str, most: int) -> None:
    """Check a picture as Kling does: plain base64 of a JPEG or PNG. Addresses are out of this server's reach."""
    if not isinstance(url, str) or not url:
        raise Wrong(1201, f"{name} is empty")
    try:
        data = base64.b64decode(url, validate=True)
        with Image.open(io.BytesIO(data)) as image:
            kind, (width, height) = image.format, image.size
    except (binascii.Error, OSError):
        raise Wrong(1201, f"{name}: File is not in a valid base64 format") from None
    if kind not in {"JPEG", "PNG"} or len(data) > most:
        raise Wrong(1201, f"{name}: Image format or size is not supported")
    if min(width, height) < 300:
        raise Wrong(1201, f"{name}: Image pixel is invalid")
    if not 0.4 <= width / height <= 2.5:
        raise Wrong(1201, f"{name}: Image aspect ratio is invalid")
