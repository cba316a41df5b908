"""Every file that wants to cost, confuse or betray us is declined by name, in time and inside the sandbox's limits."""

import io
import random
import resource
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.media.pictures import BadPicture, Limits, Looked, Problem, normalise
from tests.media.pictures import (
    as_bytes,
    avif_claiming,
    chunk,
    flat_png,
    four_corners,
    heic,
    noise,
    scan_bomb,
    webp_claiming,
)

HUGE_TEXT = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(60_000_000), 1))
JPEG = as_bytes(noise((200, 200)), "JPEG")
PNG_HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0))
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'


def slow() -> bytes:
    return scan_bomb((6000, 6000), 600)


ATTACKS: dict[str, tuple[Callable[[], bytes], Problem]] = {
    "a png bomb of 2500 megapixels": (lambda: PNG_HEAD + chunk(b"IDAT", bytes(99)), Problem.TOO_MANY_PIXELS),
    "a png of 13000 by 13000 bits": (lambda: flat_png(13_000, 13_000, 1, 0), Problem.TOO_MANY_PIXELS),
    "a png of 9000 by 9000": (lambda: flat_png(9000, 9000, 8, 0), Problem.TOO_MANY_PIXELS),
    "an avif of 16000 by 11000": (lambda: avif_claiming(16_000, 11_000), Problem.TOO_MANY_PIXELS),
    "a webp of 16383 by 16383": (lambda: webp_claiming(16_383, 16_383), Problem.TOO_MANY_PIXELS),
    "a jpeg of 2000 scans": (lambda: scan_bomb((600, 600), 2000), Problem.TOO_HARD),
    "a jpeg of 200 scans with restarts": (
        lambda: scan_bomb((160, 160), 200, restart_marker_blocks=3),
        Problem.TOO_HARD,
    ),
    "a png with 60 MB of text": (lambda: flat_png(99, 99, 8, 0, HUGE_TEXT), Problem.CORRUPT),
    "half a jpeg": (lambda: JPEG[: len(JPEG) // 2], Problem.CORRUPT),
    "the head of a jpeg": (lambda: JPEG[:200], Problem.CORRUPT),
    "half a png": (lambda: as_bytes(noise((99, 99)), "PNG")[:9000], Problem.CORRUPT),
    "half a webp": (lambda: as_bytes(noise((99, 99)), "WEBP", lossless=True)[:9000], Problem.CORRUPT),
    "half an avif": (lambda: as_bytes(noise((99, 99)), "AVIF")[:1500], Problem.CORRUPT),
    "half a heic": (lambda: heic(four_corners((256, 128)))[:400], Problem.CORRUPT),
    "a gif without pixels": (lambda: b"GIF89a" + bytes(20), Problem.CORRUPT),
    "zeros": (lambda: bytes(50_000), Problem.UNSUPPORTED),
    "random bytes": (lambda: random.Random(3).randbytes(50_000), Problem.UNSUPPORTED),  # noqa: S311 - noise
    "one byte": (lambda: b"x", Problem.UNSUPPORTED),
    "an eps": (lambda: EPS, Problem.UNSUPPORTED),
    "a tiff": (lambda: as_bytes(four_corners(), "TIFF"), Problem.UNSUPPORTED),
    "a jpeg 2000": (lambda: as_bytes(four_corners(), "JPEG2000"), Problem.UNSUPPORTED),
    "a bmp": (lambda: as_bytes(four_corners(), "BMP"), Problem.UNSUPPORTED),
    "an ico": (lambda: as_bytes(four_corners(), "ICO"), Problem.UNSUPPORTED),
    "an svg": (lambda: SVG, Problem.UNSUPPORTED),
    "a pdf": (lambda: as_bytes(four_corners(), "PDF"), Problem.UNSUPPORTED),
    "a web page": (lambda: b"<!DOCTYPE html><title>Sign in</title>", Problem.UNSUPPORTED),
    "a video": (lambda: b"\0\0\0\x18ftypisom\0\0\0\0isommp42", Problem.UNSUPPORTED),
    "1 by 60000": (lambda: as_bytes(Image.new("L", (1, 60_000)), "PNG"), Problem.ABSURD_SHAPE),
    "65000 by 20": (lambda: as_bytes(Image.new("L", (65_000, 20)), "JPEG"), Problem.ABSURD_SHAPE),
    "20001 by 3000": (lambda: flat_png(20_001, 3000, 1, 0), Problem.ABSURD_SHAPE),
    "1 by 1": (lambda: as_bytes(Image.new("L", (1, 1)), "GIF"), Problem.TOO_SMALL),
    "63 by 63": (lambda: as_bytes(Image.new("L", (63, 63)), "WEBP"), Problem.TOO_SMALL),
}


def busy_seconds() -> float:
    """Return the processor's time of this process and its ended sandboxes: no other program's load is in it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_declined_by_name(name: str) -> None:
    make, problem = ATTACKS[name]
    data = make()
    began = busy_seconds()
    with pytest.raises(BadPicture) as caught:
        await normalise(data)
    assert caught.value.problem is problem
    assert busy_seconds() - began < 3
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2**20  # KiB: the sandbox's memory limit


async def test_the_numbers_for_the_sentence_come_along() -> None:
    with pytest.raises(BadPicture) as shape:
        await normalise(as_bytes(Image.new("L", (1000, 70)), "PNG"))
    assert shape.value.facts == {"width": 1000, "height": 70, "limit": 10, "limit_side": 20_000}
    with pytest.raises(BadPicture) as large:
        await normalise(bytes(2001), Limits(max_bytes=2000))
    assert (large.value.problem, large.value.facts) == (Problem.TOO_LARGE, {"size": 2001, "limit": 2000})
    with pytest.raises(BadPicture) as foreign:
        await normalise(SVG)
    assert foreign.value.facts == {"found": "svg"}


async def test_an_honest_progressive_jpeg_is_taken() -> None:
    assert isinstance(await normalise(as_bytes(noise((400, 400)), "JPEG", progressive=True)), Looked)


@pytest.mark.parametrize(
    ("make", "limits", "why"),
    [
        (slow, Limits(max_scans=10**6, cpu_seconds=1), "cpu"),
        (slow, Limits(max_scans=10**6, cpu_seconds=60, wall_seconds=1), "time"),
        (lambda: flat_png(6000, 6000, 8, 2), Limits(memory_bytes=150 * 2**20), "memory"),
    ],
)
async def test_a_sandbox_over_its_limits_is_ended_and_the_picture_called_too_hard(
    make: Callable[[], bytes], limits: Limits, why: str
) -> None:
    data = make()
    with pytest.raises(BadPicture) as caught:
        await normalise(data, limits)
    assert (caught.value.problem, caught.value.facts) == (Problem.TOO_HARD, {"why": why})


GOOD = [as_bytes(four_corners((80, 70)), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "MPO")]


@settings(max_examples=40, deadline=None, database=None)
@given(
    whole=st.sampled_from(GOOD),
    cut=st.integers(0, 400),
    spoils=st.lists(st.tuples(st.integers(4, 5000), st.binary(min_size=1, max_size=8)), max_size=6),
)
async def test_spoiled_bytes_give_a_picture_or_a_reason_and_nothing_else(
    whole: bytes, cut: int, spoils: list[tuple[int, bytes]]
) -> None:
    data = bytearray(whole[: len(whole) - cut])
    for at, bad in spoils:
        data[at % max(len(data), 1) : at % max(len(data), 1) + len(bad)] = bad
    try:
        looked = await normalise(bytes(data))
    except BadPicture as no:
        assert no.problem in Problem  # noqa: PT017 - either answer is right, a third is not
    else:
        assert Image.open(io.BytesIO(looked.picture.data)).size == (looked.picture.width, looked.picture.height)
