"""What a render leaves on disk: one folder per job, the line of those waiting, and locks. Nothing is rendered here.

    jobs/<key>/   request.json first [last] lock   written whole, then renamed into place
                  starts progress log              while it renders
                  video.mp4 | failed | cancelled   how it ended
    line/<time>-<key>                              who waits, in order
    slots/<n>                                      locked by each running child

A lock is the kernel's (`flock`): the child inherits it open and it ends with the child, however that dies.
"""

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from providers.local.moves import Move

REQUEST, FIRST, LAST, LOCK = "request.json", "first", "last", "lock"
STARTS, PROGRESS, LOG = "starts", "progress", "log"
VIDEO, FAILED, CANCELLED = "video.mp4", "failed", "cancelled"
_REQUEST_BYTES = 10_000
_BUILDING = ".new-"
_PLACE = re.compile(r"[0-9]{20}-[a-z0-9-]{1,64}")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do. Holds no prompt: only what was read out of it."""

    move: Move
    note: str
    frames: int
    size: tuple[int, int]
    seed: int
    cross: bool


class Failure(msgspec.Struct, frozen=True):
    """Why it can't be rendered, ever."""

    why: str
    which: str | None = None  # the input at fault


def read_request(job: Path) -> Request:
    """Read what to do. Raises OSError or msgspec.DecodeError."""
    with (job / REQUEST).open("rb") as file:
        return msgspec.json.decode(file.read(_REQUEST_BYTES), type=Request)


def read_failure(job: Path) -> Failure | None:
    try:
        with (job / FAILED).open("rb") as file:
            return msgspec.json.decode(file.read(_REQUEST_BYTES), type=Failure)
    except FileNotFoundError:
        return None


def write_failure(job: Path, failure: Failure) -> None:
    write(job / FAILED, msgspec.json.encode(failure))


def read_progress(job: Path) -> float | None:
    """Read the part done, 0..1; None before the first frame."""
    try:
        with (job / PROGRESS).open("rb") as file:
            return float(file.read(16))
    except (FileNotFoundError, ValueError):  # ValueError: caught before its first bytes
        return None


def build(jobs: Path, key: str, request: Request, pictures: Iterable[tuple[str, bytes]]) -> bool:
    """Make a job's folder, whole or not at all. False: it is there already. Raises OSError."""
    job = jobs / key
    if job.exists():
        return False
    new = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=jobs))
    try:
        for name, data in ((REQUEST, msgspec.json.encode(request)), (LOCK, b""), *pictures):
            write(new / name, data)
        sync(new)
        new.rename(job)
        sync(jobs)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if job.exists():  # another process was quicker with the same key
            return False
        raise
    return True


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is whole after a power cut, or not there."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    sync(part)
    part.replace(path)


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(path: Path) -> int | None:
    """Take a lock; an open file descriptor, or None when somebody else holds it. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        raise
    return handle


def begin(job: Path) -> None:
    """Count one more start; nothing is done yet."""
    (job / PROGRESS).unlink(missing_ok=True)
    with (job / STARTS).open("ab") as file:
        file.write(b".")


def count_starts(job: Path) -> int:
    with suppress(FileNotFoundError):
        return (job / STARTS).stat().st_size
    return 0


def is_over(job: Path) -> bool:
    return any((job / name).exists() for name in (VIDEO, FAILED, CANCELLED))


def drop_pictures(job: Path) -> None:
    """Save room: the video has been fetched and only it may be asked for again."""
    for name in (FIRST, LAST):
        (job / name).unlink(missing_ok=True)


def sweep(jobs: Path, *, fetched: float, others: float) -> None:
    """Throw away folders older than so many seconds, but nothing that is being rendered."""
    for entry in list(jobs.iterdir()):
        kept = others if (entry / FIRST).exists() else fetched
        with suppress(FileNotFoundError, NotADirectoryError):  # another process sweeps too
            if time.time() - entry.stat().st_mtime > kept:
                _throw_away(entry)


def _throw_away(job: Path) -> None:
    held = lock(job / LOCK)
    if held is not None:
        shutil.rmtree(job, ignore_errors=True)  # what is left is tried again next time
        os.close(held)


class Line:
    """Who waits, first come first: empty files named by time, so that one listing tells the order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def join(self, key: str) -> None:
        (self._folder / f"{time.time_ns():020d}-{key}").touch()

    def leave(self, key: str) -> None:
        for place in self._places():
            if _key(place) == key:
                (self._folder / place).unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        """List the keys, first in line first."""
        return [_key(place) for place in self._places()]

    def _places(self) -> list[str]:
        return sorted(place.name for place in self._folder.iterdir() if _PLACE.fullmatch(place.name))


def _key(place: str) -> str:
    return place.partition("-")[2]
