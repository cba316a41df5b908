"""A video maker that does what its settings say, at once: adapter = "tests.fakes.toy". For tests alone."""

import time
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import msgspec
from PIL import Image

from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    Unsure,
)

Script = Literal["makes", "refuses", "is misconfigured", "is busy", "loses the answer"]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    script: Script = "makes"
    takes: float = 0  # seconds from accepted to finished
    cancellable: bool = True
    recovery: Recovery = Recovery.NONE


class Provider:
    """Its ticket is the time of the submission, so that any process can go on; `charges` are lines of a file."""

    name = "toy"

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.recovery = settings.recovery
        self._settings = settings
        self._charges = folder / "charges"
        folder.mkdir(parents=True, exist_ok=True)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - any picture will do
        match self._settings.script:
            case "refuses":
                raise Refused(Reason.POLICY, which="prompt")
            case "is misconfigured":
                raise Misconfigured("The key of toy is wrong.")
            case "is busy":
                raise Busy("come back later")
        if self.recovery is Recovery.RESEND and (known := await self.find(key, 0)):
            return known
        ticket = Ticket(str(time.time()))
        with self._charges.open("a") as file:
            file.write(f"{key} {ticket}\n")
        if self._settings.script == "loses the answer":
            raise Unsure("the answer was lost")
        return ticket

    async def check(self, ticket: Ticket) -> Progress:
        try:
            age = time.time() - float(ticket)
        except ValueError as error:
            raise Refused(Reason.FORGOTTEN) from error
        return Finished("clip", 280_000) if age >= self._settings.takes else Rendering(age / self._settings.takes)

    async def fetch(self, source: str, into: Path) -> None:  # noqa: ARG002 - always the same clip
        clip(into)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        over = isinstance(await self.check(ticket), Finished)
        return Cancelled.TOO_LATE if over or not self._settings.cancellable else Cancelled.CHARGED

    async def find(self, key: str, since: float) -> Ticket | None:
        if self.recovery is Recovery.NONE or not self._charges.exists():
            return None
        ticket = dict(line.split() for line in self._charges.read_text().splitlines()).get(key)
        return None if ticket is None or float(ticket) < since else Ticket(ticket)

    async def ping(self) -> str:
        return "toy: fine"

    async def close(self) -> None:
        pass


def clip(into: Path, seconds: float = 1) -> None:
    """Write a small real MP4."""
    with av.open(str(into), "w", format="mp4", options={"movflags": "faststart"}) as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(round(seconds * 24)):
            frame = av.VideoFrame.from_image(Image.new("RGB", (160, 96), (5 * number % 256, 90, 30)))  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, 24)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
