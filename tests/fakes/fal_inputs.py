"""What some models at fal take, and what they say of anything else. No server and no clock lives here.

From fal's model pages as read on 2026-11-20. How fal meets an unknown field is not documented: here it is refused.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

Load = Callable[[str], bytes | None]
"""Bytes behind an address or a data URI; None: it can't be reached."""


@dataclass(frozen=True, slots=True)
class Field:
    kind: type  # str, int, float, bool; Image.Image for the address of a picture
    required: bool = False
    one_of: tuple[str | int, ...] = ()
    least: float | None = None
    most: float | None = None  # of a text: characters


@dataclass(frozen=True, slots=True)
class Model:
    """One endpoint. `tells` are the keys of its answer beside the video; `measures`: the video says its own size."""

    fields: Mapping[str, Field]
    min_side: int = 300  # pixels
    max_bytes: int = 10_000_000
    tells: tuple[str, ...] = ()
    measures: bool = False


TEXT, WHOLE, FLAG = Field(str), Field(int), Field(bool)
PROMPT = Field(str, required=True)
PICTURE, END = Field(Image.Image, required=True), Field(Image.Image)
UNIT = Field(float, least=0, most=1)
SHAPES = ("16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
START = {"prompt": PROMPT, "image_url": PICTURE}


def choice(*words: str | int) -> Field:
    return Field(type(words[0]), one_of=words)


KLING = START | {"duration": choice("5", "10"), "negative_prompt": TEXT, "cfg_scale": UNIT}
VEO = START | {
    "duration": choice("4s", "6s", "8s"),
    "aspect_ratio": choice("auto", "16:9", "9:16"),
    "resolution": choice("720p", "1080p", "4k"),
    "generate_audio": FLAG,
    "negative_prompt": TEXT,
    "seed": WHOLE,
    "auto_fix": FLAG,
    "safety_tolerance": choice("1", "2", "3", "4", "5", "6"),
}
MODELS = {
    "fal-ai/kling-video/v2.1/standard/image-to-video": Model(KLING),
    "fal-ai/kling-video/v2.1/pro/image-to-video": Model(KLING | {"tail_image_url": END}),
    "fal-ai/kling-video/v2.1/master/image-to-video": Model(KLING),
    "fal-ai/kling-video/v2.6/pro/image-to-video": Model(
        {"prompt": PROMPT, "start_image_url": PICTURE, "end_image_url": END, "duration": choice("5", "10")}
        | {"negative_prompt": TEXT, "generate_audio": FLAG}
    ),
    "fal-ai/wan-i2v": Model(
        START
        | {
            "negative_prompt": TEXT,
            "num_frames": Field(int, least=81, most=100),
            "frames_per_second": Field(int, least=5, most=24),
            "seed": WHOLE,
            "resolution": choice("480p", "720p"),
            "num_inference_steps": WHOLE,
            "guide_scale": Field(float),
            "shift": Field(float),
            "enable_safety_checker": FLAG,
            "enable_prompt_expansion": FLAG,
            "acceleration": choice("none", "regular"),
            "aspect_ratio": choice("auto", "16:9", "9:16", "1:1"),
        },
        min_side=64,
        tells=("seed",),
    ),
    "fal-ai/wan-pro/image-to-video": Model(START | {"seed": WHOLE, "enable_safety_checker": FLAG}),
    "fal-ai/vidu/image-to-video": Model(
        {"prompt": Field(str, required=True, most=1500), "image_url": PICTURE, "seed": WHOLE}
        | {"movement_amplitude": choice("auto", "small", "medium", "large")}
    ),
    "fal-ai/vidu/q3/image-to-video": Model(
        {
            "prompt": Field(str, most=2000),
            "image_url": PICTURE,
            "end_image_url": END,
            "duration": Field(int, least=1, most=16),
            "resolution": choice("360p", "540p", "720p", "1080p"),
            "audio": FLAG,
            "seed": WHOLE,
        }
    ),
    "fal-ai/luma-dream-machine/ray-2/image-to-video": Model(
        {"prompt": PROMPT, "image_url": END, "end_image_url": END, "loop": FLAG, "aspect_ratio": choice(*SHAPES)}
        | {"resolution": choice("540p", "720p", "1080p"), "duration": choice("5s", "9s")}
    ),
    "fal-ai/veo3.1/image-to-video": Model(VEO, min_side=720),
    "fal-ai/veo3.1/fast/image-to-video": Model(VEO, min_side=720),
    "fal-ai/ltx-2.3/image-to-video": Model(
        START
        | {
            "end_image_url": END,
            "duration": choice(6, 8, 10),
            "resolution": choice("1080p", "1440p", "2160p"),
            "aspect_ratio": choice("auto", "16:9", "9:16"),
            "fps": choice(24, 25, 48, 50),
            "generate_audio": FLAG,
        },
        measures=True,
    ),
    "fal-ai/minimax/hailuo-02/standard/image-to-video": Model(
        START
        | {"duration": choice("6", "10"), "resolution": choice("512P", "768P")}
        | {"prompt_optimizer": FLAG, "end_image_url": END}
    ),
}


def complaints(model: Model, body: Mapping[str, Any], load: Load) -> list[dict[str, Any]]:
    """Return what the model says of its input, in the form of fal's `detail`; empty: nothing."""
    found = [
        _said(name, "extra_forbidden", "Extra inputs are not permitted", body) for name in body.keys() - model.fields
    ]
    for name, wanted in model.fields.items():
        if body.get(name) is None and (name not in body or not wanted.required):
            found += [_said(name, "missing", "Field required", {name: dict(body)})] if wanted.required else []
        elif wanted.kind is Image.Image:
            found += _of_picture(model, name, body, load)
        else:
            found += _of_value(wanted, name, body)
    return found


def _of_value(wanted: Field, name: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    value = body[name]
    if wanted.one_of and (type(value) is not wanted.kind or value not in wanted.one_of):
        expected = " or ".join(repr(word) for word in wanted.one_of)
        yield _said(name, "literal_error", f"Input should be {expected}", body, expected=expected)
    elif not _is(value, wanted.kind):
        word = {str: "string", int: "int", float: "float", bool: "bool"}[wanted.kind]
        yield _said(name, f"{word}_type", f"Input should be a valid {word}", body)
    elif isinstance(value, str):
        if wanted.most is not None and len(value) > wanted.most:
            yield _said(name, "sequence_too_long", f"At most {wanted.most} characters", body, max_length=wanted.most)
    elif wanted.least is not None and value < wanted.least:
        yield _said(name, "greater_than_equal", f"Input should be at least {wanted.least}", body, ge=wanted.least)
    elif wanted.most is not None and value > wanted.most:
        yield _said(name, "less_than_equal", f"Input should be at most {wanted.most}", body, le=wanted.most)


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind | int if kind is float else kind) and (kind is bool or not isinstance(value, bool))


def _of_picture(model: Model, name: str, body: Mapping[str, Any], load: Load) -> Iterator[dict[str, Any]]:
    if not isinstance(body[name], str):
        yield _said(name, "string_type", "Input should be a valid string", body)
        return
    data = load(body[name])
    if data is None:
        yield _said(name, "file_download_error", "Failed to download the file", body)
    elif len(data) > model.max_bytes:
        yield _said(name, "file_too_large", "The file is too large", body, max_size=model.max_bytes)
    elif (size := _size(data)) is None:
        yield _said(name, "image_load_error", "Failed to load the image", body)
    elif min(size) < model.min_side:
        least = {"min_height": model.min_side, "min_width": model.min_side}
        yield _said(name, "image_too_small", "The image is too small", body, **least)


def _size(data: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.size
    except OSError:
        return None


def _said(name: str, kind: str, words: str, body: Mapping[str, Any], **ctx: Any) -> dict[str, Any]:
    """Return one entry; as at fal it repeats the input, a whole data URI if need be."""
    entry: dict[str, Any] = {"loc": ["body", name], "msg": words, "type": kind, "input": body[name]}
    return entry | {"url": f"https://docs.fal.ai/errors#{kind}"} | ({"ctx": ctx} if ctx else {})
