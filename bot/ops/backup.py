"""Makes a backup: one SQLite file with every row and the pictures of open jobs. `restore` brings it back.

The copy is made by SQLite itself while others write (`VACUUM INTO` reads one snapshot; in WAL mode nobody waits for a
reader). No videos go in: whoever made one is asked for it again, by the ticket in its row.
"""

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.files.folder import Folder, Missing
from providers import atomic
from providers.atomic import NoSpace

KEPT = """
CREATE TABLE kept_pictures (
    job     TEXT NOT NULL,
    place   TEXT NOT NULL CHECK (place IN ('first', 'last')),
    mime    TEXT NOT NULL,
    width   BIGINT NOT NULL,
    height  BIGINT NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (job, place)
)
"""
_TIMED = "zoetrope-%Y%m%dT%H%M%SZ.db"
_NAME = re.compile(r"zoetrope-\d{8}T\d{6}Z\.db")
_PART = re.compile(r"\.zoetrope-\d{8}T\d{6}Z\.db\.[0-9a-f]{8}\.part(-journal)?")
_PRIVATE = 0o600
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


def make(database: Path, files: Folder, target: Path, now: float, spare: int = 0) -> Made:
    """Copy the database to `target`: a new file, or a folder that gets one named by the time. Blocks for seconds.

    `spare` bytes of the disk are left free. Beside the file lies its checksum, as sha256sum writes it. Raises
    `CantBackUp`.
    """
    began = time.monotonic()
    if not database.is_file():
        raise CantBackUp(f"There is no database {database} yet, so there is nothing to back up. Check data_dir.")
    path = _file_of(target, now)
    part = atomic.part_of(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _need_room(path.parent, database.stat().st_size + spare)
        jobs, open_jobs = _copied(database, files, part, spare)
        _write_checksum(part, path)
        atomic.settle(part, path)
    except (OSError, NoSpace, sqlite3.Error) as error:
        raise CantBackUp(_sentence(error, path.parent)) from error
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


@contextlib.contextmanager
def opened(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """Open a database file that is there. Raises `sqlite3.Error`."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as db:
        yield db


def check_whole(db: sqlite3.Connection) -> None:
    """Read every page. Raises `sqlite3.DatabaseError`."""
    [[found]] = db.execute("PRAGMA integrity_check(1)")
    if found != "ok":
        raise sqlite3.DatabaseError(f"malformed: {found}")


def _file_of(target: Path, now: float) -> Path:
    if target.is_dir() or target.suffix == "":
        return named(target, now)
    if target.exists():
        raise CantBackUp(f"{target} is there already. Name another file, or a folder.")
    return target


def _need_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise NoSpace(folder)


def _copied(database: Path, files: Folder, part: Path, spare: int) -> tuple[int, int]:
    part.touch(_PRIVATE, exist_ok=False)  # SQLite takes an empty file, and leaves its mode alone
    with opened(database) as db:
        db.execute("VACUUM INTO ?", (str(part),))
    with opened(part) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # it is synced whole, once
        copy.execute(KEPT)
        open_jobs = [job for (job,) in copy.execute("SELECT id FROM jobs WHERE state <> 'closed'")]
        for job in open_jobs:
            _need_room(part.parent, spare)
            with contextlib.suppress(Missing):  # told and removed since the copy was made
                _keep_pictures(copy, files, job)
        copy.commit()
        check_whole(copy)
        [[jobs]] = copy.execute("SELECT count(*) FROM jobs")
    return jobs, len(open_jobs)


def _keep_pictures(copy: sqlite3.Connection, files: Folder, job: str) -> None:
    for place, picture in zip(("first", "last"), files.pictures(job), strict=True):
        if picture is not None:
            row = (job, place, picture.mime, picture.width, picture.height, picture.data)
            copy.execute("INSERT INTO kept_pictures VALUES (?, ?, ?, ?, ?, ?)", row)


def _write_checksum(part: Path, path: Path) -> None:
    with checksum_of(path).open("w") as file:
        file.write(f"{digest(part)}  {path.name}\n")
        file.flush()
        os.fsync(file.fileno())


def _sentence(error: Exception, folder: Path) -> str:
    words = str(error)
    full = "disk is full" in words or "disk I/O" in words
    if full or isinstance(error, NoSpace) or (isinstance(error, OSError) and atomic.is_full(error)):
        return f"There is no room for a backup in {folder}. Free some there, or choose another folder."
    if isinstance(error, OSError):
        return f"The backup can't be written to {folder} ({error.strerror}). Mend that, or choose another folder."
    if "malformed" in words or "not a database" in words:
        return "The database file is damaged. Stop Zoetrope and restore the newest backup over it."
    return f"The database can't be copied ({words}). Try again, or restart Zoetrope."


def _made(path: Path) -> float:
    return datetime.strptime(path.name, _TIMED).replace(tzinfo=UTC).timestamp()


def _all(folder: Path) -> list[Path]:
    """Return the backups in a folder that are named by their times, oldest first."""
    return sorted(path for path in folder.glob("zoetrope-*.db") if _NAME.fullmatch(path.name))
