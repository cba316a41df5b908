"""Pictures drawn for the tests of the local provider. No test lives here."""

import io
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from providers.contract import AnimationRequest, ModelSpec, Picture
from tests.providers.orders import inputs


def drawn(size: tuple[int, int], seed: int = 1) -> Picture:
    """Soft bright blotches: never darker than 120, so that a black border shows."""
    dice = Random(seed)  # noqa: S311 - the same picture every time, no secret
    grains = Image.frombytes("RGB", (24, 16), bytes(120 + value // 2 for value in dice.randbytes(24 * 16 * 3)))
    into = io.BytesIO()
    grains.resize(size, Image.Resampling.BICUBIC).save(into, "JPEG", quality=92)
    return Picture(into.getvalue(), "image/jpeg", *size)


@pytest.fixture(scope="session")
def picture() -> Picture:
    return drawn((640, 400))


@pytest.fixture(scope="session")
def other() -> Picture:
    return drawn((500, 500), seed=2)


@pytest.fixture
def picture_file(picture: Picture, tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(picture.data)
    return path


@pytest.fixture
def request_of(picture: Picture) -> "RequestOf":
    return RequestOf(picture)


class RequestOf:
    """Makes small requests: `request_of("zoom in", seconds=2)`."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __call__(
        self,
        prompt: str = "zoom in",
        *,
        seconds: float = 2,
        resolution: str = "160p",
        first: Picture | None = None,
        last: Picture | None = None,
        aspect: str | None = None,
    ) -> AnimationRequest:
        return AnimationRequest(
            prompt=prompt,
            inputs=inputs(first or self._picture, last),
            model=ModelSpec("local", "local"),
            seconds=seconds,
            resolution=resolution,
            aspect=aspect,
        )
