"""What the tests order of every vendor: a noisy picture and a few words, for any model. Nothing is asserted here."""

import functools
from dataclasses import replace
from typing import Any

from PIL import Image

from providers.contract import AnimationRequest, ModelSpec, Picture, Role
from tests.media.pictures import as_bytes


@functools.cache
def picture(width: int = 640, height: int = 480, kind: str = "JPEG") -> Picture:
    grain = Image.effect_noise((width, height), 60).convert("RGB")
    return Picture(as_bytes(grain, kind, quality=92), f"image/{kind.lower()}", width, height)


def inputs(first: Picture, last: Picture | None = None) -> dict[Role, Picture]:
    return {Role.FIRST: first} if last is None else {Role.FIRST: first, Role.LAST: last}


def order(spec: ModelSpec, *, last: Picture | None = None, **changes: Any) -> AnimationRequest:
    resolution = spec.resolutions[0] if spec.resolutions else None
    pictures = inputs(picture(), last)
    usual = AnimationRequest("she turns and smiles", pictures, spec, seconds=spec.seconds[0], resolution=resolution)
    return replace(usual, **changes)
