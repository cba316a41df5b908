"""A maker whose every video is one ready file: adapter = "bench.toys.film". It notes when it said "finished"."""

import shutil
import time
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import msgspec

from providers.contract import AnimationRequest, Cancelled, Finished, Progress, Recovery, Rendering, Ticket


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    takes: float
    clip: Path


class Provider:
    name = "film"
    recovery: ClassVar[Recovery] = Recovery.NONE

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - any wish will do
        return Ticket(str(time.time()))

    async def check(self, ticket: Ticket) -> Progress:
        if time.time() - float(ticket) < self._settings.takes:
            return Rendering()
        (self._folder / ticket).write_text(str(time.time()))
        return Finished("clip")

    async def fetch(self, source: str, into: Path) -> None:  # noqa: ARG002 - always the same clip
        shutil.copyfile(self._settings.clip, into)

    async def cancel(self, ticket: Ticket) -> Cancelled:  # noqa: ARG002 - always the same
        return Cancelled.TOO_LATE

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - it keeps no list
        return None

    async def ping(self) -> str:
        return "film: fine"

    async def close(self) -> None:
        pass


def noisy(into: Path, size: int) -> None:
    """Write a real H.264 MP4 of about `size` bytes: five seconds of noise, which does not compress."""
    import av  # noqa: PLC0415 - an idle process must not carry it
    from PIL import Image  # noqa: PLC0415 - the same

    with av.open(str(into), "w", format="mp4", options={"movflags": "faststart"}) as clip:
        stream = clip.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", size * 8 // 5
        for number in range(120):
            frame = av.VideoFrame.from_image(Image.effect_noise((640, 360), 80).convert("RGB"))  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
            frame.pts, frame.time_base = number, Fraction(1, 24)
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode(None))
