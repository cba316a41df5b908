"""Short real MP4 files for the tests, made with PyAV. Nothing is asserted here."""

import asyncio
import hashlib
import math
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import ColorRange
from PIL import Image

from bot.media import films

RATE = 24
SOUND_RATE = 44_100
SECRET = "a secret prompt about otters"  # noqa: S105 - no password


def clip(
    path: Path,
    *,
    seconds: float = 1,
    size: tuple[int, int] = (320, 180),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: str | None = None,
    says: str | None = None,
    options: dict[str, str] | None = None,
    movflags: str = "+faststart",
    noisy: Callable[[float], bool] = lambda _: False,
) -> Path:
    """Write a clip of a turning ramp, or of noise where `noisy(0..1)` says so; `says` becomes its comment."""
    flags = {"fflags": "+bitexact"} | ({"movflags": movflags} if movflags else {})
    with av.open(str(path), "w", format="mp4", options=flags) as film:
        if says:
            film.metadata["comment"] = says
        settings = {"preset": "ultrafast", "x265-params": "log-level=none"} | (options or {})
        video = film.add_stream(codec, rate=RATE, options=settings)
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.color_range = ColorRange.JPEG if pixels.startswith("yuvj") else ColorRange.MPEG
        audio = film.add_stream(sound, rate=SOUND_RATE, layout="stereo") if sound else None
        for frame in _frames(round(seconds * RATE), size, noisy):
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if audio:
            for heard in _tone(seconds):
                film.mux(audio.encode(heard))
            film.mux(audio.encode(None))
    return path


def _frames(count: int, size: tuple[int, int], noisy: Callable[[float], bool]) -> Iterator[av.VideoFrame]:
    for index in range(count):
        if noisy(index / count):
            data = random.Random(index).randbytes(size[0] * size[1] * 3)  # noqa: S311 - noise
            picture = Image.frombytes("RGB", size, data)
        else:
            picture = Image.linear_gradient("L").resize(size).rotate(index).convert("RGB")
        frame = av.VideoFrame.from_image(picture)
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        yield frame


def _tone(seconds: float) -> Iterator[av.AudioFrame]:
    wave = struct.pack("1024f", *(math.sin(at * 0.06) * 0.3 for at in range(1024)))
    for index in range(int(seconds * SOUND_RATE / 1024)):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, index * 1024, Fraction(1, SOUND_RATE)
        for plane in frame.planes:
            plane.update(wave)
        yield frame


def turned(path: Path) -> Path:
    """Make a player show the clip turned by a quarter, as phones do: by the matrix of its track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one, minus = 1 << 16, -1 << 16
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, minus, 0, 0, 180 << 16, 0, 1 << 30)
    path.write_bytes(data)
    return path


def decoded(path: Path) -> tuple[str, list[float]]:
    """Return a fingerprint of all decoded pixels, and the frames' times in seconds."""
    pixels, times = hashlib.sha256(), []
    with av.open(str(path), format="mp4") as film:
        for frame in film.decode(film.streams.video[0]):
            times.append(float(frame.time or 0))
            for plane in frame.planes:
                pixels.update(bytes(plane))
    return pixels.hexdigest(), times


def facts(path: Path) -> dict[str, Any]:
    """Return what PyAV, not our own code, says of a file."""
    with av.open(str(path), format="mp4") as film:
        video = film.streams.video[0]
        seconds = max(float(frame.time or 0) for frame in film.decode(video))
        return {
            "codec": video.codec_context.name,
            "pixels": video.codec_context.pix_fmt,
            "sound": film.streams.audio[0].codec_context.name if film.streams.audio else None,
            "seconds": seconds + 1 / RATE,
            "says": dict(film.metadata),
        }


def probed(path: Path) -> films.Clip:
    """Return what we say of a file ourselves, where no loop runs."""
    return asyncio.run(films.probe(path))
