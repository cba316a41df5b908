"""Videos: look at one by its atoms, make it playable, fit it under a limit. Codecs run in a sandbox, never here."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
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
    """What an MP4 says of itself."""

    size: int  # bytes
    seconds: float
    width: int  # pixels as shown
    height: int
    frames: int  # 0: not said
    video: str  # fourcc: "avc1", "hvc1", ...
    audio: str | None  # fourcc: "mp4a", ...
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


def probe(path: Path, limits: Limits = _STANDARD) -> Clip:
    """Read the index of an MP4: milliseconds, at most 32 MiB of it, nothing decoded. Raises `BadVideo`.

    A file that lost its end still has a clip if its index is whole: see `Clip.truncated`.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise BadVideo(Problem.EMPTY)
        if size > limits.max_bytes:
            raise BadVideo(Problem.TOO_LARGE, size=size, limit=limits.max_bytes)
        try:
            film = boxes.read(file)
        except boxes.Broken as error:
            raise BadVideo(_PROBLEM_OF[error.flaw], words=str(error)) from error
    return _clip(film)


_PROBLEM_OF = {
    boxes.Flaw.FOREIGN: Problem.NOT_A_VIDEO,
    boxes.Flaw.CUT: Problem.TRUNCATED,
    boxes.Flaw.BROKEN: Problem.CORRUPT,
}


def _clip(film: boxes.Film) -> Clip:
    shown = next((track for track in film.tracks if track.kind == b"vide"), None)
    heard = next((track for track in film.tracks if track.kind == b"soun"), None)
    if shown is None:
        raise BadVideo(Problem.NO_PICTURE)
    strays = len(film.tracks) > (1 if heard is None else 2)
    return Clip(
        size=film.size,
        seconds=film.seconds or shown.seconds,
        width=shown.width,
        height=shown.height,
        frames=shown.samples,
        video=shown.codec,
        audio=heard.codec if heard else None,
        plain=shown.plain and (heard is None or heard.plain),
        faststart=film.faststart,
        metadata=film.talks or strays,
        fragmented=film.fragmented,
        truncated=film.cut,
    )


async def prepare(path: Path, *, limits: Limits = _STANDARD, slots: process.Slots | None = None) -> Clip:
    """Make sure that `path` is a playable, faststart H.264 MP4 without metadata, and on the disk for good.

    A file that is so already is not touched; one that needs only a new container keeps every frame bit for bit;
    pixels or sound that not every player knows are encoded anew. Raises `BadVideo`, `NoSpace`; then `path` is as
    it was.
    """
    clip = await _whole(path, limits)
    if clip.is_ready:
        await asyncio.to_thread(_sync, path)
        return clip
    async with _replacing(path) as part:
        return await _made(_Task(path, part, clip, limits, slots), {"do": "prepare"})


async def fit(
    path: Path, limit_bytes: int, into: Path, *, limits: Limits = _STANDARD, slots: process.Slots | None = None
) -> Clip:
    """Write `into`, a file of at most `limit_bytes`: the same video if it is small enough, else a smaller one.

    Raises `BadVideo` (`TOO_LONG_FOR_LIMIT` when it can't be had at a bearable quality) and `NoSpace`; then
    `into` is as it was.
    """
    clip = await _whole(path, limits)
    async with _replacing(into) as part:
        return await _small(_Task(path, part, clip, limits, slots), limit_bytes)


@dataclass(frozen=True, slots=True)
class _Task:
    source: Path
    part: Path
    clip: Clip
    limits: Limits
    slots: process.Slots | None


@contextlib.asynccontextmanager
async def _replacing(path: Path) -> AsyncIterator[Path]:
    """Give a name to write to; put what is there in the place of `path` if all went well, else remove it."""
    part = atomic.part_of(path)
    try:
        yield part
        await asyncio.to_thread(atomic.settle, part, path)
    finally:
        part.unlink(missing_ok=True)


async def _whole(path: Path, limits: Limits) -> Clip:
    clip = await asyncio.to_thread(probe, path, limits)
    if clip.truncated:
        raise BadVideo(Problem.TRUNCATED)
    return clip


async def _small(task: _Task, limit: int) -> Clip:
    if task.clip.size <= limit:
        if task.clip.is_ready:
            await asyncio.to_thread(_copy, task.source, task.part)
            return task.clip
        made = await _made(task, {"do": "prepare"})
        if made.size <= limit:
            return made
    made = await _made(task, {"do": "fit", "limit": limit})
    if made.size > limit:  # the sandbox has looked too, but this is the promise
        seconds = round(task.clip.seconds)
        raise BadVideo(Problem.TOO_LONG_FOR_LIMIT, size=made.size, limit=limit, seconds=seconds)
    return made


async def _made(task: _Task, request: Mapping[str, Any]) -> Clip:
    """Have a sandbox write the part, and look whether it is whole: a codec's word is not enough."""
    await _work(task, request)
    return await _whole(task.part, task.limits)


async def _work(task: _Task, request: Mapping[str, Any]) -> None:
    answer = await process.run("video", {**request, **_files(task)}, _allowed(task), slots=task.slots)
    if answer.problem == "no_space":
        raise atomic.NoSpace(task.part.parent)
    if answer.problem is not None:
        raise BadVideo(Problem(answer.problem), **answer.facts)


def _files(task: _Task) -> dict[str, str]:
    return {"source": str(task.source.absolute()), "part": str(task.part.absolute())}


def _allowed(task: _Task) -> process.Limits:
    clip, limits = task.clip, task.limits
    cpu = limits.most_cpu_seconds
    if clip.frames:
        work = clip.frames * clip.width * clip.height // limits.pixels_per_cpu_second
        cpu = min(cpu, limits.least_cpu_seconds + work)
    return process.Limits(limits.memory_bytes, cpu, wall_seconds=2 * cpu, file_bytes=limits.max_bytes)


def _copy(path: Path, part: Path) -> None:
    """Give the same bytes a second name, or copy them where the file system can't. Nobody writes into a kept video."""
    with atomic.writing_in(part.parent):
        atomic.link_or_copy(path, part)


def _sync(path: Path) -> None:
    atomic.sync(path)
    atomic.sync(path.parent)
