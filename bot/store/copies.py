"""Copies a database into one file while others write, reads such a file, and says what is in it: SQLite's own ways.

The copy is made by SQLite itself (`VACUUM INTO` reads one snapshot; in WAL mode nobody waits for a reader). It is a
database too, with a table more: the pictures that open jobs need.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from bot.store import migrations
from bot.store.contract import StoreBroken, StoreBusy
from bot.store.sqlite_engine import remedy
from providers.atomic import NoSpace
from providers.contract import Picture, Role

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
_MAGIC = b"SQLite format 3\0"
_NEEDED = {"jobs", "history", "ledger", "alembic_version"}
_PRIVATE = 0o600


def write(database: Path, into: Path, pictures: Callable[[str], Mapping[Role, Picture]]) -> tuple[int, int]:
    """Copy all rows, and what `pictures` gives for open jobs, to a new file. Returns how many jobs, and open ones.

    Raises `NoSpace`, `StoreBusy`, `StoreBroken`.
    """
    into.touch(_PRIVATE, exist_ok=False)  # SQLite takes an empty file, and leaves its mode alone
    try:
        with _opened(database) as db:
            db.execute("VACUUM INTO ?", (str(into),))
        with _opened(into) as copy:
            return _filled(copy, pictures)
    except sqlite3.Error as error:
        raise _explain(error, into.parent) from error


def check(file: Path, new: Path) -> None:
    """Raise `StoreBroken` unless `new`, a copy of `file`, is whole and a database that this program can use."""
    try:
        with _opened(new) as db:
            _check_whole(db)
            kinds = db.execute("SELECT type, name FROM sqlite_master").fetchall()
            version = _version(db) if ("table", "alembic_version") in kinds else None
    except sqlite3.DatabaseError as error:
        raise StoreBroken(f"{file} is damaged. Choose another backup.") from error
    tables = {name for kind, name in kinds if kind == "table"}
    if version is None or not tables >= _NEEDED or {kind for kind, _ in kinds} & {"trigger", "view"}:
        raise StoreBroken(f"{file} is a database, but none of Zoetrope's. Choose another file.")
    if version not in migrations.KNOWN:
        raise StoreBroken(
            f"{file} was made by a newer Zoetrope (its version is {version}, this one knows {migrations.HEAD}). "
            "Update Zoetrope, then restore again."
        )


def check_alone(file: Path) -> None:
    """Raise `StoreBroken` for a file that is no database, or not a whole one without what lies beside it."""
    wal = file.with_name(f"{file.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreBroken(f"{file} is not whole without {wal.name}. Make a backup of it with `zoetrope backup`.")
    with file.open("rb") as source:
        if source.read(len(_MAGIC)) != _MAGIC:
            raise StoreBroken(f"{file} is no backup of Zoetrope, or it is damaged. Choose another.")


def jobs(database: Path) -> set[str]:
    """Return the ids of all jobs in it. Raises `StoreBroken`, `StoreBusy`."""
    with _explained(), _opened(database, "ro") as db:
        return {job for (job,) in db.execute("SELECT id FROM jobs")}


def unpack(
    copy: Path, open_jobs: Collection[str], place: Callable[[str, Mapping[Role, Picture]], None]
) -> tuple[int, float | None]:
    """Hand out each open job's pictures, then leave one plain file without them.

    Returns how many jobs there are, and when the last was asked for. Raises `StoreBroken`, `StoreBusy`.
    """
    with _explained(), _opened(copy) as db:
        has_pictures = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_pictures'").fetchone()
        for job in open_jobs:
            place(job, _pictures(db, job) if has_pictures else {})
        db.execute("DROP TABLE IF EXISTS kept_pictures")
        db.commit()
        db.execute("PRAGMA journal_mode = DELETE")
        counted: tuple[int, float | None] = db.execute("SELECT count(*), max(created) FROM jobs").fetchone()
    return counted


def fold(database: Path) -> None:
    """Bring what SQLite still has in its log into the file; a damaged one stays as it is. Raises `StoreBusy`."""
    try:
        with _opened(database) as db:
            db.execute("PRAGMA busy_timeout = 1000")
            db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise StoreBusy("Some program has the database open. Close it, then restore again.") from error


def logs(database: Path) -> list[Path]:
    """Return the files beside a database that SQLite would play into whatever bears its name."""
    return [database.with_name(f"{database.name}-{end}") for end in ("wal", "shm")]


def examine(database: Path) -> tuple[str, int]:
    """Take the write lock and leave it. Returns version and number of open jobs. Raises `StoreBusy`, `StoreBroken`."""
    with _explained(), _opened(database) as db:
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0]
        db.execute("UPDATE alembic_version SET version_num = version_num")
        open_jobs = db.execute("SELECT count(*) FROM jobs WHERE state <> 'closed'").fetchone()[0]
        db.execute("ROLLBACK")
    return version, open_jobs


def undelivered(database: Path) -> int:
    """Count the jobs that are over with a video that could not be posted; 0 where that is not known."""
    try:
        with _opened(database, "ro") as db:
            [[jobs]] = db.execute("SELECT count(*) FROM jobs WHERE undelivered_since IS NOT NULL AND state = 'closed'")
    except sqlite3.Error:  # none yet, or of an older version, or what `examine` says
        return 0
    return int(jobs)


@contextlib.contextmanager
def _opened(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """Open a database file that is there. Raises `sqlite3.Error`."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as db:
        yield db


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise remedy(str(error)) from error


def _explain(error: sqlite3.Error, folder: Path) -> Exception:
    words = str(error)
    if "disk is full" in words or "disk I/O" in words:
        return NoSpace(folder)
    if "malformed" in words or "not a database" in words:
        return remedy(words)
    return StoreBusy(f"The database can't be copied ({words}). Try again, or restart Zoetrope.")


def _filled(copy: sqlite3.Connection, pictures: Callable[[str], Mapping[Role, Picture]]) -> tuple[int, int]:
    copy.execute("PRAGMA synchronous = OFF")  # it is synced whole, once
    copy.execute(KEPT)
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'identity'").fetchone():
        copy.execute("UPDATE identity SET inode = 0")  # whoever copies it over a database by hand is noticed
    open_jobs = [job for (job,) in copy.execute("SELECT id FROM jobs WHERE state <> 'closed'")]
    for job in open_jobs:
        for role, picture in pictures(job).items():
            row = (job, role, picture.mime, picture.width, picture.height, picture.data)
            copy.execute("INSERT INTO kept_pictures VALUES (?, ?, ?, ?, ?, ?)", row)
    copy.commit()
    _check_whole(copy)
    [[all_jobs]] = copy.execute("SELECT count(*) FROM jobs")
    return all_jobs, len(open_jobs)


def _check_whole(db: sqlite3.Connection) -> None:
    """Read every page. Raises `sqlite3.DatabaseError`."""
    [[found]] = db.execute("PRAGMA integrity_check(1)")
    if found != "ok":
        raise sqlite3.DatabaseError(f"malformed: {found}")


def _version(db: sqlite3.Connection) -> str | None:
    found: tuple[str] | None = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return found and found[0]


def _pictures(db: sqlite3.Connection, job: str) -> dict[Role, Picture]:
    rows = "SELECT place, data, mime, width, height FROM kept_pictures WHERE job = ?"
    return {Role(place): Picture(*picture) for place, *picture in db.execute(rows, (job,))}
