"""Look at a video, make it playable, fit it under a limit. Codecs run in a sandbox, never here."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.media import boxes
from bot.media.sandbox import process
from providers import atomic


class Problem(StrEnum):
    """Why a video can't be used, with the facts that come along."""

    EMPTY = "empty"
    NOT_A_VIDEO = "not_a_video"  # words
    NO_PICTURE = "no_picture"  # sound only
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"  # words
    TOO_LARGE = "too_large"  # size, limit: bytes
    TOO_LONG_FOR_LIMIT = "too_long_for_limit"  # size, limit: bytes; seconds
    TOO_HARD = "too_hard"  # why: "cpu", "memory", "time", "size", "answer", "crash"


class BadVideo(Exception):
    """The video can't be used so; `text.sentences` makes the sentence from `problem` and `facts`."""

    def __init__(self, problem: Problem, **facts: int | str) -> None:
        super().__init__(f"{problem} {facts}")
        self.problem = problem
        self.facts: dict[str, int | str] = facts


@dataclass(frozen=True, slots=True)
class Clip:
    """What a video is."""

    size: int  # bytes
    seconds: float
    width: int  # pixels as shown
    height: int
    frames: int  # 0: not said
    video: str  # codec: "h264", "hevc", ...
    audio: str | None  # codec: "aac", ...
    plain: bool  # known to every player: H.264 with 8-bit 4:2:0 limited pixels; AAC or silent
    faststart: bool
    metadata: bool  # carries words, or tracks beside one picture and one sound
    fragmented: bool
    truncated: bool

    @property
    def is_ready(self) -> bool:
        """Nothing is left to do for it to play everywhere and tell nothing."""
        whole = self.faststart and not (self.metadata or self.fragmented or self.truncated)
        return whole and self.plain


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int = 2**30
    memory_bytes: int = 3 * 2**29
    least_cpu_seconds: int = 60
    most_cpu_seconds: int = 3600
    pixels_per_cpu_second: int = 4_000_000  # of all frames; a tenth of what a slow core does


_STANDARD = Limits()


async def probe(path: Path, *, limits: Limits = _STANDARD, slots: process.Slots | None = None) -> Clip:
    """Look at a video. Raises `BadVideo`.

    A file that lost its end still has a clip if its index is whole: see `Clip.truncated`.
    """
    mp4 = await asyncio.to_thread(_read, path, limits)
    return _clip(mp4, await _ask("probe", _Task(path, path, None, limits, slots)))


async def prepare(path: Path, *, limits: Limits = _STANDARD, slots: process.Slots | None = None) -> Clip:
    """Make sure that `path` is a playable, faststart H.264 MP4 without metadata, and on the disk for good.

    A file that is so already is not touched; one that needs only a new container keeps every frame bit for bit;
    pixels or sound that not every player knows are encoded anew. Raises `BadVideo`, `NoSpace`; then `path` is as
    it was.
    """
    return await _made(_Task(path, path, None, limits, slots))


async def fit(
    path: Path, limit_bytes: int, into: Path, *, limits: Limits = _STANDARD, slots: process.Slots | None = None
) -> Clip:
    """Write `into`, a file of at most `limit_bytes`: the same video if it is small enough, else a smaller one.

    Raises `BadVideo` (`TOO_LONG_FOR_LIMIT` when it can't be had at a bearable quality) and `NoSpace`; then
    `into` is as it was.
    """
    return await _made(_Task(path, into, limit_bytes, limits, slots))


@dataclass(frozen=True, slots=True)
class _Task:
    source: Path
    into: Path
    limit: int | None  # bytes
    limits: Limits
    slots: process.Slots | None


async def _made(task: _Task) -> Clip:
    """Keep what is ready as it is; of all else have a sandbox write what is needed."""
    mp4 = await asyncio.to_thread(_whole, task.source, task.limits)
    part = atomic.part_of(task.into)
    try:
        clip = await _ready(task, mp4) or await _transcoded(task, part)
        await asyncio.to_thread(_keep, task, part)
    finally:
        part.unlink(missing_ok=True)
    return clip


async def _ready(task: _Task, mp4: boxes.Mp4) -> Clip | None:
    if not mp4.is_clean or (task.limit is not None and mp4.size > task.limit):
        return None
    clip = _clip(mp4, await _ask("probe", task))
    return clip if clip.is_ready else None


async def _transcoded(task: _Task, part: Path) -> Clip:
    """Have a sandbox write `part`, and look whether it is whole and small: a codec's word is not enough."""
    facts = await _ask("transcode", task, part)
    mp4 = await asyncio.to_thread(_whole, part, task.limits)
    if task.limit is not None and mp4.size > task.limit:
        seconds = round(facts["seconds"])
        raise BadVideo(Problem.TOO_LONG_FOR_LIMIT, size=mp4.size, limit=task.limit, seconds=seconds)
    return _clip(mp4, facts)


def _keep(task: _Task, part: Path) -> None:
    """Put in its place, for good, what was made or else the same bytes. Nobody writes into a kept video."""
    if not part.exists():
        if task.into == task.source:
            atomic.sync(task.into)
            return atomic.sync(task.into.parent)
        with atomic.writing_in(part.parent):
            atomic.link_or_copy(task.source, part)
    atomic.settle(part, task.into)


def _read(path: Path, limits: Limits) -> boxes.Mp4:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise BadVideo(Problem.EMPTY)
        if size > limits.max_bytes:
            raise BadVideo(Problem.TOO_LARGE, size=size, limit=limits.max_bytes)
        try:
            return boxes.read(file)
        except boxes.Broken as error:
            raise BadVideo(_PROBLEM_OF[error.flaw], words=str(error)) from error


def _whole(path: Path, limits: Limits) -> boxes.Mp4:
    mp4 = _read(path, limits)
    if mp4.truncated:
        raise BadVideo(Problem.TRUNCATED)
    return mp4


_PROBLEM_OF = {
    boxes.Flaw.FOREIGN: Problem.NOT_A_VIDEO,
    boxes.Flaw.CUT: Problem.TRUNCATED,
    boxes.Flaw.BROKEN: Problem.CORRUPT,
}


async def _ask(work: str, task: _Task, part: Path | None = None) -> dict[str, Any]:
    """Have a sandbox do the work, and return what it says of the video that it looked at or made."""
    limits = task.limits
    cpu = limits.most_cpu_seconds if work == "transcode" else limits.least_cpu_seconds
    allowed = process.Limits(limits.memory_bytes, cpu, wall_seconds=2 * cpu, file_bytes=limits.max_bytes)
    answer = await process.run(work, _request(task, part), allowed, slots=task.slots)
    if answer.problem == "no_space":
        raise atomic.NoSpace(task.into.parent)
    if answer.problem is not None:
        raise BadVideo(Problem(answer.problem), **answer.facts)
    return answer.facts


def _request(task: _Task, part: Path | None) -> dict[str, Any]:
    limits = task.limits
    return {
        "source": str(task.source.absolute()),
        "part": part and str(part.absolute()),
        "limit": task.limit,
        "least_cpu_seconds": limits.least_cpu_seconds,
        "most_cpu_seconds": limits.most_cpu_seconds,
        "pixels_per_cpu_second": limits.pixels_per_cpu_second,
    }


def _clip(mp4: boxes.Mp4, facts: Mapping[str, Any]) -> Clip:
    return Clip(
        size=mp4.size,
        seconds=facts["seconds"],
        width=facts["width"],
        height=facts["height"],
        frames=facts["frames"],
        video=facts["video"],
        audio=facts["audio"],
        plain=facts["plain"],
        faststart=mp4.faststart,
        metadata=mp4.words or facts["strays"],
        fragmented=mp4.fragmented,
        truncated=mp4.truncated,
    )
