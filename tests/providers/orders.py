"""What the tests order of every vendor: a noisy picture and a few words, for any model. Nothing is asserted here."""

import functools
from dataclasses import replace
from typing import Any

from PIL import Image

from providers.contract import AnimationRequest, ModelSpec, Picture
from tests.media.pictures import as_bytes


@functools.cache
def picture(width: int = 640, height: int = 480, kind: str = "JPEG") -> Picture:
    grain = Image.effect_noise((width, height), 60).convert("RGB")
    return Picture(as_bytes(grain, kind, quality=92), f"image/{kind.lower()}", width, height)


def order(spec: ModelSpec, **changes: Any) -> AnimationRequest:
    resolution = spec.resolutions[0] if spec.resolutions else None
    first = AnimationRequest("she turns and smiles", picture(), spec, seconds=spec.seconds[0], resolution=resolution)
    return replace(first, **changes)
