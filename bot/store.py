"""The database: every row is written here and nowhere else. Knows no chat and no vendor; whole SQL statements only.

One writer connection, because SQLite has one writer anyway. The same statements run on PostgreSQL.
"""

import asyncio
import fcntl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import TextClause, event
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot import schema
from bot.jobs import Event, Job, State, Usage, Waited, moved
from bot.schema import statements as sql
from bot.schema.rows import from_job, json_text, to_job, told


class StoreBusy(Exception):
    """The database can't be written now (locked, or the disk is full): nothing was changed; try again."""


class StoreBroken(Exception):
    """The database can't be used at all. The text tells the operator what to do."""


class Lost(Exception):
    """Somebody else has the job now: stand down."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a job's history."""

    at: float
    event: str
    state: str
    detail: str


T = TypeVar("T")


class _Batch:
    """One open transaction that several callers share; history and money go in with it, at its end."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._notes: list[dict[str, Any]] = []
        self._money: list[dict[str, Any]] = []

    async def change(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        return (await self._connection.execute(statement, values)).rowcount

    async def change_all(self, statement: TextClause, values: Sequence[Mapping[str, Any]]) -> None:
        await self._connection.execute(statement, values)

    async def rows(self, statement: TextClause, values: Mapping[str, Any]) -> list[RowMapping]:
        return list((await self._connection.execute(statement, values)).mappings())

    def note(self, job: str, at: float, name: str, state: State, detail: Mapping[str, Any]) -> None:
        self._notes.append({"job": job, "at": at, "event": name, "state": state, "detail": json_text(detail)})

    def money(self, job: Job, at: float, kind: str, amount: int) -> None:
        values = {"job": job.id, "kind": kind, "amount": amount, "requester": job.requester, "at": at}
        self._money.append(values)

    async def finish(self) -> None:
        if self._notes:
            await self._connection.execute(sql.HISTORY, self._notes)
        if self._money:
            await self._connection.execute(sql.LEDGER, self._money)


class Store:
    """All the rows. What a method changes is on disk when it returns.

    Every method may raise `StoreBusy` with nothing changed, and `StoreBroken`.
    """

    def __init__(self, engine: AsyncEngine, lock: IO[bytes], clock: Callable[[], float]) -> None:
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._queue: list[tuple[Callable[[_Batch], Awaitable[Any]], asyncio.Future[Any]]] = []
        self._draining: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, file: Path, clock: Callable[[], float] = time.time) -> "Store":
        """Open the database, making or migrating it. Raises `StoreBroken` for one that a newer version wrote."""
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = file.with_suffix(".lock").open("ab")
        except OSError as error:
            raise StoreBroken(
                f"The data folder {file.parent} can't be written ({error.strerror}). Choose another with data_dir, "
                "or give this user the right to write there."
            ) from error
        store = cls(_engine(file), lock, clock)
        try:
            async with store._engine.begin() as connection:
                await connection.run_sync(_migrate)
        except DatabaseError as error:
            await store.close()
            raise _ours(error) from error
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        if self._draining is not None:
            await self._draining
        await self._engine.dispose()
        self._lock.close()

    async def join(self) -> bool:
        """Become one of the processes that work on these rows; True when it is the only one.

        The lock is the kernel's: it ends with its process, however that ends. Whoever is alone knows that every lease
        belongs to a dead process, so all claimed jobs are due at once.
        """
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            return False
        await self._do(lambda batch: batch.change(sql.VOID, {"now": self._clock()}))
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        return True

    async def add(self, job: Job) -> Job:
        """Write a new job down and reserve its price; an older one with the same key is returned instead."""

        async def work(batch: _Batch) -> Job:
            if await batch.change(sql.ADD, from_job(job)) == 0:
                return to_job((await batch.rows(sql.BY_KEY, {"key": job.key}))[0])
            batch.note(job.id, job.created, "Asked", job.state, {"model": job.model, "price": job.price})
            batch.money(job, job.created, "reserve", job.price)
            return job

        return await self._do(work)

    async def claim(
        self, until: float, surfaces: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]:
        """Take up to `most` due jobs until then: nobody else gets them before, and their fence has grown."""
        values: dict[str, Any] = {"until": until, "now": self._clock(), "most": most, "only": only, "busy": list(busy)}
        values["surfaces"] = list(surfaces)
        return [to_job(row) for row in await self._do(lambda batch: batch.rows(sql.CLAIM, values))]

    async def record(self, job: Job, happened: Event) -> Job:
        """Write down what happened: the only change of a state, with its history and its money. Raises `Lost`."""
        now = self._clock()
        after = moved(job, happened, now)
        hurry = isinstance(happened, Waited) and not happened.cancel_answered
        values = {**from_job(after), **_hurry(job, now, hurry=hurry)}

        async def work(batch: _Batch) -> Job:
            if await batch.change(sql.RECORD, values) == 0:
                raise Lost(job.id)
            batch.note(job.id, now, type(happened).__name__, after.state, told(happened))
            if after.cost is not None and job.cost is None:
                batch.money(after, now, "release", -after.price)
                batch.money(after, now, "settle", after.cost)
            return after

        return await self._do(work)

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        """Give jobs back that have nothing new, each with the time of its next look. A lost one is left alone."""
        now = self._clock()
        values = [{"id": job.id, "fence": job.fence, "due": due, **_hurry(job, now, hurry=True)} for job, due in looks]
        await self._do(lambda batch: batch.change_all(sql.WAIT, values))

    async def extend(self, job: Job, until: float) -> Job:
        """Keep a claimed job longer. Raises `Lost`."""
        values = {"id": job.id, "fence": job.fence, "until": until}
        if await self._do(lambda batch: batch.change(sql.EXTEND, values)) == 0:
            raise Lost(job.id)
        return replace(job, due=until)

    async def ask_cancel(self, job_id: str) -> bool:
        """Ask for a stop; False when there is no such job or nothing left to stop."""
        now = self._clock()

        async def work(batch: _Batch) -> bool:
            rows = await batch.rows(sql.CANCEL, {"id": job_id, "now": now})
            for row in rows:
                batch.note(job_id, now, "CancelAsked", State(row["state"]), {})
            return bool(rows)

        return await self._do(work)

    async def next_due(self, surfaces: Collection[str], only: str | None = None) -> float | None:
        due: float | None = (await self._read(sql.NEXT_DUE, surfaces=list(surfaces), only=only))[0]["due"]
        return due

    async def get(self, job_id: str) -> Job | None:
        rows = await self._read(sql.BY_ID, id=job_id)
        return to_job(rows[0]) if rows else None

    async def by_key(self, key: str) -> Job | None:
        """Return the job that this act of a person made already."""
        rows = await self._read(sql.BY_KEY, key=key)
        return to_job(rows[0]) if rows else None

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> list[Job]:
        """Newest first."""
        return [to_job(row) for row in await self._read(sql.LIST, state=state, requester=requester, most=most)]

    async def history(self, job_id: str) -> list[Entry]:
        rows = await self._read(sql.STORY, job=job_id)
        return [Entry(row["at"], row["event"], row["state"], row["detail"]) for row in rows]

    async def usage(self, requester: str, since: float) -> Usage:
        return Usage(**(await self._read(sql.USAGE, who=requester, since=since))[0])

    async def durations(self, provider: str, model: str) -> list[float]:
        """Seconds from accepted to finished of the model's last videos, newest first, at most 200."""
        return [row["seconds"] for row in await self._read(sql.DURATIONS, provider=provider, model=model)]

    async def known(self) -> set[str]:
        """Ids of all jobs there are."""
        return {row["id"] for row in await self._read(sql.IDS)}

    async def _read(self, statement: TextClause, **values: Any) -> list[RowMapping]:
        return await self._do(lambda batch: batch.rows(statement, values))

    async def _do(self, work: Callable[[_Batch], Awaitable[T]]) -> T:
        """Run the work in a transaction; what is asked for while one runs shares the next, and its one fsync."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for it
                if len(batch) == 1:
                    _fail(batch[0][1], error)
                    continue
                for one in batch:  # each alone, so that one caller's trouble is not everybody's
                    try:
                        await self._commit([one])
                    except Exception as own:  # noqa: BLE001 - the same
                        _fail(one[1], own)

    async def _commit(self, works: Sequence[tuple[Callable[[_Batch], Awaitable[Any]], asyncio.Future[Any]]]) -> None:
        answers: list[Any] = []
        async with self._engine.begin() as connection:
            batch = _Batch(connection)
            for work, _ in works:
                try:
                    answers.append(await work(batch))
                except Lost as lost:  # changed nothing
                    answers.append(lost)
            await batch.finish()
        for (_, done), answer in zip(works, answers, strict=True):
            if not done.done():
                done.set_exception(answer) if isinstance(answer, Lost) else done.set_result(answer)


def _fail(done: "asyncio.Future[Any]", error: Exception) -> None:
    if not done.done():
        done.set_exception(_ours(error) if isinstance(error, DatabaseError) else error)


def _engine(file: Path) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}", poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0, pool_timeout=600
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads first and then finds the write lock taken would fail, not wait
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(connection: Connection) -> None:
    version = _version(connection)
    if version == schema.HEAD:
        return
    if version is not None and version not in schema.KNOWN:
        raise StoreBroken(
            f"The database was written by a newer Zoetrope (its version is {version}, this one knows {schema.HEAD}). "
            "Install that newer Zoetrope, or restore a backup made before the upgrade."
        )
    from alembic import command, config  # noqa: PLC0415 - 100 ms and 15 MiB that only a migration needs

    steps = config.Config()
    steps.set_main_option("script_location", str(schema.FOLDER))
    steps.attributes["connection"] = connection
    command.upgrade(steps, "head")


def _version(connection: Connection) -> str | None:
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.dialect.name == "sqlite" and not connection.exec_driver_sql(tables).scalar():
        return None
    version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return version


def _ours(error: DatabaseError) -> Exception:
    words = str(error.orig)
    if "locked" in words or "busy" in words:
        return StoreBusy("The database is locked by another program. Close it, or wait.")
    if "full" in words:
        return StoreBusy("The disk is full. Make room: nothing is lost, and work goes on by itself.")
    if "malformed" in words or "not a database" in words:
        return StoreBroken("The database file is damaged. Stop Zoetrope and restore the newest backup over it.")
    if "readonly" in words or "unable to open" in words:
        return StoreBroken("The database can't be opened for writing. Give this user the right to write in data_dir.")
    return StoreBroken(f"The database can't be used: {words}")


def _hurry(seen: Job, now: float, *, hurry: bool) -> dict[str, Any]:
    return {"saw_cancel": int(seen.to_cancel), "hurry": int(hurry), "now": now}
