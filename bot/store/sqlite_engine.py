"""Opens a SQLite file, brings it up to date, and says in our words what goes wrong with it."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.store import migrations
from bot.store.contract import StoreBroken, StoreBusy

_TRIES = 20  # to switch to the log


def engine(file: Path) -> AsyncEngine:
    made = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=600,
        hide_parameters=True,  # an error's text would hold prompts
    )

    @event.listens_for(made.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            _use_wal(connection)
            for pragma in ("synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise

    @event.listens_for(made.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads first and then finds the write lock taken would fail, not wait
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made


def _use_wal(connection: Any) -> None:
    """Switch to the write-ahead log. SQLite does not wait for somebody who does that just now, but for a write lock."""
    for _ in range(_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        else:
            return


def migrate(connection: Connection) -> None:
    version = _version(connection)
    if version == migrations.HEAD:
        return
    if version is not None and version not in migrations.KNOWN:
        raise StoreBroken(
            f"The database was written by a newer Zoetrope (its version is {version}, this one knows "
            f"{migrations.HEAD}). Install that newer Zoetrope, or restore a backup made before the upgrade."
        )
    from alembic import command, config  # noqa: PLC0415 - 100 ms and 15 MiB that only a migration needs

    steps = config.Config()
    steps.set_main_option("script_location", str(migrations.FOLDER))
    steps.attributes["connection"] = connection
    command.upgrade(steps, "head")


def _version(connection: Connection) -> str | None:
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.dialect.name == "sqlite" and not connection.exec_driver_sql(tables).scalar():
        return None
    version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return version


def explain(error: DatabaseError) -> Exception:
    return remedy(str(error.orig))


def remedy(words: str) -> StoreBusy | StoreBroken:
    """Return what SQLite's words mean for us."""
    if "locked" in words or "busy" in words:
        return StoreBusy("The database is locked by another program. Close it, or wait.")
    if "full" in words or "disk I/O" in words:
        return StoreBusy("The disk is full, or can't be written. Make room there: nothing is lost.")
    if "malformed" in words or "not a database" in words:
        return StoreBroken("The database file is damaged. Stop Zoetrope and restore the newest backup over it.")
    if "readonly" in words or "unable to open" in words:
        return StoreBroken("The database can't be opened for writing. Give this user the right to write in data_dir.")
    return StoreBroken(f"The database can't be used: {words}")
