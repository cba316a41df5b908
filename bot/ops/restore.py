"""Brings a backup back: everything is checked on a copy, then one rename. What was there is put aside.

A backup is older than the world. What its rows call unfinished may have been paid and posted since, so each open job
comes back in doubt (`Store.mark_restored`): asked for before it is submitted, looked for before it is posted.
"""

import contextlib
import fcntl
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.job import Job
from bot.files.folder import Folder
from bot.ops.backup import check_whole, checksum_of, digest, opened
from bot.store import migrations
from bot.store.contract import StoreBroken, StoreBusy
from bot.store.sqlite import Store
from providers import atomic
from providers.atomic import NoSpace
from providers.contract import Picture

_MAGIC = b"SQLite format 3\0"
_NEEDED = {"jobs", "history", "ledger", "alembic_version"}
_SCRATCH = ".restoring-"
_LINE = 200  # bytes of a checksum's file that matter


class CantRestore(Exception):
    """Nothing was changed. The text tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What is there now, and where what was there went."""

    jobs: int
    open_jobs: list[Job]  # as the backup had them
    newest: float | None  # when the backup's last job was asked for, in Unix seconds
    aside: Path | None
    checked: bool  # there was a checksum, and it is right


async def restore(file: Path, data_dir: Path, now: float) -> Restored:
    """Put the backup in the place of the database. Blocks; nothing else may run. Raises `CantRestore`."""
    try:
        with _alone(data_dir), tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=data_dir) as folder:
            return await _restored(file, data_dir, Path(folder) / "zoetrope.db", now)
    except NoSpace as error:
        raise CantRestore(str(error)) from error
    except OSError as error:
        where, why = error.filename or data_dir, error.strerror or error
        raise CantRestore(f"{where} can't be used ({why}). Mend that, then restore again.") from error
    except (sqlite3.Error, StoreBroken, StoreBusy) as error:
        raise CantRestore(f"{file} can't be restored: {error}") from error


async def _restored(file: Path, data_dir: Path, new: Path, now: float) -> Restored:
    database, files = data_dir / "zoetrope.db", Folder(data_dir / "jobs")
    checked = _fetched(file, database, new)
    _check(file, new)
    _bring_files(file, new, files)
    open_jobs = await _mark_restored(new, files)
    jobs, newest = _bring_pictures(new, files, open_jobs)
    aside = _swapped(new, database, files, now)
    return Restored(jobs, open_jobs, newest, aside, checked)


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold what every working process holds, so that none runs and none starts."""
    with (data_dir / "zoetrope.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CantRestore(f"Zoetrope is running on {data_dir}. Stop it, then restore again.") from error
        for left in data_dir.glob(f"{_SCRATCH}*"):  # by one that was killed
            shutil.rmtree(left)
        yield


def _fetched(file: Path, database: Path, new: Path) -> bool:
    """Copy the file to where it can be worked on; True when its checksum was there, and right."""
    if database.exists() and file.resolve() == database.resolve():
        raise CantRestore(f"{file} is the database itself. Name a backup.")
    wal = file.with_name(f"{file.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise CantRestore(f"{file} is not whole without {wal.name}. Make a backup of it with `zoetrope backup`.")
    with file.open("rb") as source:
        if source.read(len(_MAGIC)) != _MAGIC:
            raise CantRestore(f"{file} is no backup of Zoetrope, or it is damaged. Choose another.")
    with atomic.writing_in(new.parent):
        shutil.copyfile(file, new)
    new.chmod(0o600)
    beside = checksum_of(file)
    if not beside.exists():
        return False
    with beside.open("rb") as line:
        told = line.read(_LINE).decode(errors="replace").partition(" ")[0].strip()
    if told != digest(new):
        raise CantRestore(f"{file} is damaged: it does not match {beside.name}. Choose another backup.")
    return True


def _check(file: Path, new: Path) -> None:
    try:
        with opened(new) as db:
            check_whole(db)
            kinds = db.execute("SELECT type, name FROM sqlite_master").fetchall()
            version = _version(db) if ("table", "alembic_version") in kinds else None
    except sqlite3.DatabaseError as error:
        raise CantRestore(f"{file} is damaged. Choose another backup.") from error
    tables = {name for kind, name in kinds if kind == "table"}
    if version is None or not tables >= _NEEDED or {kind for kind, _ in kinds} & {"trigger", "view"}:
        raise CantRestore(f"{file} is a database, but none of Zoetrope's. Choose another file.")
    if version not in migrations.KNOWN:
        raise CantRestore(
            f"{file} was made by a newer Zoetrope (its version is {version}, this one knows {migrations.HEAD}). "
            "Update Zoetrope, then restore again."
        )


def _version(db: sqlite3.Connection) -> str | None:
    found: tuple[str] | None = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return found and found[0]


def _bring_files(file: Path, new: Path, files: Folder) -> None:
    """Bring what an earlier restore put aside with the file: this one takes that back."""
    beside = file.parent / "jobs"
    if beside.is_dir() and not beside.samefile(files.root):
        for job in (Folder(beside).names() & _jobs(new)) - files.names():
            files.adopt(job, beside / job)


def _jobs(database: Path) -> set[str]:
    with opened(database, "ro") as db:
        return {job for (job,) in db.execute("SELECT id FROM jobs")}


async def _mark_restored(new: Path, files: Folder) -> list[Job]:
    store = await Store.open(new, time.time)  # migrates it too
    try:
        return await store.mark_restored(lambda job: files.video(job).is_file())
    finally:
        await store.close()


def _bring_pictures(new: Path, files: Folder, open_jobs: list[Job]) -> tuple[int, float | None]:
    """Give every open job its folder again; leave one plain file. Returns how many jobs there are, and the last's time.

    Folders before rows: a row can trust that its pictures are there.
    """
    with opened(new) as db:
        has_pictures = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_pictures'").fetchone()
        for job in open_jobs:
            kept = dict(_pictures(db, job.id)) if has_pictures and not files.has(job.id) else {}
            if "first" in kept:
                files.keep(job.id, kept["first"], kept.get("last"))
            else:
                files.keep_place(job.id)
        db.execute("DROP TABLE IF EXISTS kept_pictures")
        db.commit()
        db.execute("PRAGMA journal_mode = DELETE")
        counted: tuple[int, float | None] = db.execute("SELECT count(*), max(created) FROM jobs").fetchone()
    return counted


def _pictures(db: sqlite3.Connection, job: str) -> Iterator[tuple[str, Picture]]:
    rows = "SELECT place, data, mime, width, height FROM kept_pictures WHERE job = ?"
    yield from ((place, Picture(*picture)) for place, *picture in db.execute(rows, (job,)))


def _swapped(new: Path, database: Path, files: Folder, now: float) -> Path | None:
    """Put `new` in the place of the database, which is never missing meanwhile; return where what was there is."""
    atomic.sync(new)
    if database.exists():
        _fold(database)
    aside = database.parent / datetime.fromtimestamp(now, UTC).strftime("before-restore-%Y%m%dT%H%M%SZ")
    aside.mkdir(mode=0o700)
    logs = [database.with_name(f"{database.name}-{end}") for end in ("wal", "shm")]  # there only if it is damaged
    for path in (path for path in (database, *logs) if path.exists()):
        with atomic.writing_in(aside):
            atomic.link_or_copy(path, aside / path.name)
    atomic.sync(aside)
    for path in logs:
        path.unlink(missing_ok=True)  # SQLite would play the old one's into the new one
    new.replace(database)
    atomic.sync(database.parent)
    _set_aside(database, files, aside / "jobs")
    if any(aside.iterdir()):
        return aside
    aside.rmdir()
    return None


def _fold(database: Path) -> None:
    """Bring what SQLite still has in its log into the file. A damaged one stays as it is."""
    try:
        with opened(database) as db:
            db.execute("PRAGMA busy_timeout = 1000")
            db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise CantRestore("Some program has the database open. Close it, then restore again.") from error


def _set_aside(database: Path, files: Folder, folder: Path) -> None:
    """Save the files of jobs that the backup does not know: else they would be swept as nobody's."""
    unknown = files.names() - _jobs(database)
    if unknown:
        folder.mkdir(mode=0o700)
    for name in unknown:
        shutil.move(files.root / name, folder / name)
