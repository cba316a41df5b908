"""Makes a backup: one file with every row and the pictures of open jobs. `restore` brings it back.

No videos go in: whoever made one is asked for it again, by the ticket in its row.
"""

import contextlib
import hashlib
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.files.contract import Files, Missing
from bot.store import copies
from bot.store.contract import StoreBroken, StoreBusy
from providers import atomic
from providers.atomic import NoSpace
from providers.contract import Picture, Role

_TIMED = "zoetrope-%Y%m%dT%H%M%SZ.db"
_NAME = re.compile(r"zoetrope-\d{8}T\d{6}Z\.db")
_PART = re.compile(r"\.zoetrope-\d{8}T\d{6}Z\.db\.[0-9a-f]{8}\.part(-journal)?")
_ABANDONED = 24 * 3600.0  # seconds after which a half-written backup has nobody who writes it


class CantBackUp(Exception):
    """No backup was made, and nothing was changed. The text tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is whole and on the disk."""

    path: Path
    size: int  # bytes
    jobs: int
    open_jobs: int
    seconds: float


def make(database: Path, files: Files, target: Path, now: float, spare: int = 0) -> Made:
    """Copy the database to `target`: a new file, or a folder that gets one named by the time. Blocks for seconds.

    `spare` bytes of the disk are left free. Beside the file lies its checksum, as sha256sum writes it. Raises
    `CantBackUp`.
    """
    began = time.monotonic()
    if not database.is_file():
        raise CantBackUp(f"There is no database {database} yet, so there is nothing to back up. Check data_dir.")
    path = _file_of(target, now)
    part = atomic.part_of(path)

    def pictures(job: str) -> Mapping[Role, Picture]:
        _need_room(path.parent, spare)
        return _pictures(files, job)

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _need_room(path.parent, database.stat().st_size + spare)
        jobs, open_jobs = copies.write(database, part, pictures)
        _write_checksum(part, path)
        atomic.settle(part, path)
    except (OSError, NoSpace) as error:
        raise CantBackUp(_sentence(error, path.parent)) from error
    except (StoreBusy, StoreBroken) as error:
        raise CantBackUp(str(error)) from error
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
    return Made(path, path.stat().st_size, jobs, open_jobs, time.monotonic() - began)


def named(folder: Path, now: float) -> Path:
    """Return the place in a folder of a backup that is made now."""
    return folder / datetime.fromtimestamp(now, UTC).strftime(_TIMED)


def newest(folder: Path, now: float) -> float | None:
    """Return when the newest backup in a folder was made, in Unix seconds. One of the future says nothing."""
    return max((at for at in map(_made, _all(folder)) if at <= now), default=None)


def prune(folder: Path, keep: int, now: float) -> list[Path]:
    """Remove all but the newest `keep` backups, and what broken-off ones left. Returns the removed backups.

    One of the future counts as the oldest: else it would push out each new one until its time comes.
    """
    old = sorted(_all(folder), key=lambda path: (_made(path) <= now, path))[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
        checksum_of(path).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _PART.fullmatch(path.name) and path.stat().st_mtime < now - _ABANDONED:
            path.unlink(missing_ok=True)
    return old


def checksum_of(path: Path) -> Path:
    """Return the file beside a backup that holds its checksum."""
    return path.with_name(f"{path.name}.sha256")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_of(target: Path, now: float) -> Path:
    if target.is_dir() or target.suffix == "":
        return named(target, now)
    if target.exists():
        raise CantBackUp(f"{target} is there already. Name another file, or a folder.")
    return target


def _need_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise NoSpace(folder)


def _pictures(files: Files, job: str) -> Mapping[Role, Picture]:
    try:
        first, last = files.pictures(job)
    except Missing:  # told and removed since the copy was made
        return {}
    return {Role.FIRST: first} if last is None else {Role.FIRST: first, Role.LAST: last}


def _write_checksum(part: Path, path: Path) -> None:
    beside = checksum_of(path)
    beside.unlink(missing_ok=True)  # of a backup that is no more
    atomic.write_synced(beside, f"{digest(part)}  {path.name}\n".encode())


def _sentence(error: OSError | NoSpace, folder: Path) -> str:
    if isinstance(error, NoSpace) or atomic.is_full(error):
        return f"There is no room for a backup in {folder}. Free some there, or choose another folder."
    return f"The backup can't be written to {folder} ({error.strerror}). Mend that, or choose another folder."


def _made(path: Path) -> float:
    return datetime.strptime(path.name, _TIMED).replace(tzinfo=UTC).timestamp()


def _all(folder: Path) -> list[Path]:
    """Return the backups in a folder that are named by their times, oldest first."""
    return sorted(path for path in folder.glob("zoetrope-*.db") if _NAME.fullmatch(path.name))
