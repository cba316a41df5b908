"""Keeps renders on disk: one folder per job, made whole or not at all, and locked while it is rendered.

    jobs/<key>/   request.json first [last] lock   written whole, then renamed into place
                  starts progress log              while it renders
                  video.mp4 | failed | cancelled   how it ended

A lock is the kernel's (`flock`): the child inherits it open and it ends with the child, however that dies.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from providers import atomic
from providers.local.moves import Move

REQUEST, FIRST, LAST, LOCK = "request.json", "first", "last", "lock"
STARTS, PROGRESS, LOG = "starts", "progress", "log"
VIDEO, FAILED, CANCELLED = "video.mp4", "failed", "cancelled"
_REQUEST_BYTES = 10_000
_BUILDING = ".new-"


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
    part = atomic.part_of(job / FAILED)
    atomic.write_synced(part, msgspec.json.encode(failure))
    atomic.settle(part, job / FAILED)


def read_progress(job: Path) -> float | None:
    """Read the part done, 0..1; None before the first frame."""
    try:
        with (job / PROGRESS).open("rb") as file:
            return float(file.read(16))
    except (FileNotFoundError, ValueError):  # ValueError: caught before its first bytes
        return None


def build(job: Path, request: Request, pictures: Iterable[tuple[str, bytes]]) -> bool:
    """Make a job's folder, whole or not at all. False: it is there already. Raises OSError."""
    if job.exists():
        return False
    new = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=job.parent))
    try:
        for name, data in ((REQUEST, msgspec.json.encode(request)), (LOCK, b""), *pictures):
            atomic.write_synced(new / name, data)
        atomic.sync(new)
        new.rename(job)
        atomic.sync(job.parent)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if job.exists():  # another process was quicker with the same key
            return False
        raise
    return True


@contextmanager
def locked(job: Path) -> Iterator[int | None]:
    """Take a job's lock, as an open file that a child may inherit; None when somebody has it. Raises OSError."""
    handle = os.open(job / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield handle if _lock(handle) else None
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def count_locked(jobs: Path) -> int:
    """Count the jobs that are being rendered, or about to be."""
    return sum(_is_locked(job) for job in jobs.iterdir() if not job.name.startswith(_BUILDING))


def _is_locked(job: Path) -> bool:
    if is_over(job):
        return False
    try:
        with locked(job) as held:
            return held is None
    except (FileNotFoundError, NotADirectoryError):  # swept meanwhile, or none of ours
        return False


def count_start(job: Path) -> None:
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
    with locked(job) as held:
        if held is not None:
            shutil.rmtree(job, ignore_errors=True)  # what is left is tried again next time
