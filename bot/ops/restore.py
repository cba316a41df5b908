"""Brings a backup back: everything is checked on a copy, then one rename. What was there is put aside.

A backup is older than the world. What its rows call unfinished may have been paid and posted since, so each open job
comes back in doubt (`Store.mark_restored`): asked for before it is submitted, looked for before it is posted.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.job import Job
from bot.files.folder import Folder
from bot.ops.backup import checksum_of, digest
from bot.store import copies, locks
from bot.store.contract import StoreBroken, StoreBusy
from bot.store.sqlite import Store
from providers import atomic
from providers.atomic import NoSpace
from providers.contract import Picture, Role

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
    except (StoreBroken, StoreBusy) as error:
        raise CantRestore(f"{file} can't be restored: {error}") from error


async def _restored(file: Path, data_dir: Path, new: Path, now: float) -> Restored:
    database, files = data_dir / "zoetrope.db", Folder(data_dir / "jobs")
    checked = _fetched(file, database, new)
    with _told():
        copies.check(file, new)
    _bring_files(file, new, files)
    open_jobs = await _mark_restored(new, files)
    jobs, newest = _bring_pictures(new, files, open_jobs)
    aside = _swapped(new, database, files, now)
    return Restored(jobs, open_jobs, newest, aside, checked)


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold what every working process holds, so that none runs and none starts."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.hold(data_dir / "zoetrope.lock"))
        except BlockingIOError as error:
            raise CantRestore(f"Zoetrope is running on {data_dir}. Stop it, then restore again.") from error
        for left in data_dir.glob(f"{_SCRATCH}*"):  # by one that was killed
            shutil.rmtree(left)
        yield


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Let the operator read what the store says as it is."""
    try:
        yield
    except (StoreBroken, StoreBusy) as error:
        raise CantRestore(str(error)) from error


def _fetched(file: Path, database: Path, new: Path) -> bool:
    """Copy the file to where it can be worked on; True when its checksum was there, and right."""
    if database.exists() and file.resolve() == database.resolve():
        raise CantRestore(f"{file} is the database itself. Name a backup.")
    with _told():
        copies.check_alone(file)
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


def _bring_files(file: Path, new: Path, files: Folder) -> None:
    """Bring what an earlier restore put aside with the file: this one takes that back."""
    beside = file.parent / "jobs"
    if beside.is_dir() and not beside.samefile(files.root):
        for job in (Folder(beside).names() & copies.jobs(new)) - files.names():
            files.adopt(job, beside / job)


async def _mark_restored(new: Path, files: Folder) -> list[Job]:
    store = await Store.open(new, time.time)  # migrates it too
    try:
        return await store.mark_restored(lambda job: files.video(job).is_file())
    finally:
        await store.close()


def _bring_pictures(new: Path, files: Folder, open_jobs: list[Job]) -> tuple[int, float | None]:
    """Give every open job its folder again. Returns how many jobs there are, and the last's time.

    Folders before rows: a row can trust that its pictures are there.
    """

    def place(job: str, kept: Mapping[Role, Picture]) -> None:
        if Role.FIRST in kept and not files.has(job):
            files.keep(job, kept[Role.FIRST], kept.get(Role.LAST))
        else:
            files.keep_place(job)

    return copies.unpack(new, [job.id for job in open_jobs], place)


def _swapped(new: Path, database: Path, files: Folder, now: float) -> Path | None:
    """Put `new` in the place of the database, which is never missing meanwhile; return where what was there is."""
    atomic.sync(new)
    if database.exists():
        with _told():
            copies.fold(database)
    aside = database.parent / datetime.fromtimestamp(now, UTC).strftime("before-restore-%Y%m%dT%H%M%SZ")
    aside.mkdir(mode=0o700)
    logs = copies.logs(database)  # there only if it is damaged
    for path in (path for path in (database, *logs) if path.exists()):
        with atomic.writing_in(aside):
            atomic.link_or_copy(path, aside / path.name)
    atomic.sync(aside)
    for path in logs:
        path.unlink(missing_ok=True)
    new.replace(database)
    atomic.sync(database.parent)
    _set_aside(database, files, aside / "jobs")
    if any(aside.iterdir()):
        return aside
    aside.rmdir()
    return None


def _set_aside(database: Path, files: Folder, folder: Path) -> None:
    """Save the files of jobs that the backup does not know: else they would be swept as nobody's."""
    unknown = files.names() - copies.jobs(database)
    if unknown:
        folder.mkdir(mode=0o700)
    for name in unknown:
        shutil.move(files.root / name, folder / name)
