"""The database: every row is written here and nowhere else. Knows no chat and no vendor; whole SQL statements only.

One writer connection, because SQLite has one writer anyway.
"""

import fcntl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from sqlalchemy import TextClause
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.domain.job import Event, Job, Outcome, State, Usage, Waited, moved
from bot.domain.policy import DAY, UNLIMITED, Broken, Limits, may_ask
from bot.store import sql
from bot.store.opening import engine, migrate
from bot.store.rows import from_job, to_job, told, wordless
from bot.store.writer import Lost, StoreBroken, StoreBusy, Transaction, Writer, ours

__all__ = ["UNDER_WAY", "Entry", "Lost", "Store", "StoreBroken", "StoreBusy", "Total"]

UNDER_WAY = 5.0  # seconds that a post of a dead process may take to show up
NEVER = 6 * 3600.0  # seconds; nobody waits so long for a next look, but a clock that was wrong may have said so


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a job's history."""

    at: float
    event: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Total:
    """All jobs that stand alike. Money is micro-dollars."""

    state: str
    outcome: str | None
    jobs: int
    reserved: int  # for those whose cost is not known yet
    spent: int


class Store:
    """All the rows. What a method changes is on disk when it returns.

    Every method may raise `StoreBusy` with nothing changed, and `StoreBroken`.
    """

    def __init__(self, file: Path, engine: AsyncEngine, lock: IO[bytes], clock: Callable[[], float]) -> None:
        self._file = file
        self._opened = 0  # the inode that our connection has
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._writer = Writer(engine)

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
        store = cls(file, engine(file), lock, clock)
        try:
            async with store._engine.begin() as connection:
                await connection.run_sync(migrate)
            store._opened = _inode(file)
        except DatabaseError as error:
            await store.close()
            raise ours(error) from error
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        await self._writer.close()
        self._lock.close()

    async def join(self) -> bool:
        """Become one of the processes that work on these rows; True when it is the only one.

        The lock is the kernel's: it ends with its process, however that ends. Whoever is alone knows that every lease
        belongs to a dead process, so all claimed jobs are due at once, and those that a wrong clock put off; a post
        that the dead one sent may still be under way, so it is looked for a little later.
        """
        now = self._clock()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            self._check_same()
            return False
        self._check_same()
        times = {"now": now, "soon": now + UNDER_WAY, "never": now + NEVER}
        await self._writer.do(lambda batch: batch.change(sql.VOID, times))
        fcntl.flock(self._lock, fcntl.LOCK_SH)  # not in one go: a restore may have had it in between
        self._check_same()
        return True

    def _check_same(self) -> None:
        if _inode(self._file) != self._opened:
            raise StoreBroken("The database was restored while this started. Start it again.")

    async def distrust(self, has_video: Callable[[str], bool]) -> list[Job]:
        """Take every open job for one that may have gone further than its row knows: these rows are of a backup.

        It may have been submitted since, so that is asked of its maker; it may have been posted, so that is looked for.
        A video that is not here is fetched once more. Returns these jobs as they were.
        """
        now = self._clock()

        async def work(batch: Transaction) -> list[Job]:
            found = [to_job(row) for row in await batch.rows(sql.LIST_OPEN, {})]
            await batch.change(sql.DISTRUST, {"now": now, "soon": now + UNDER_WAY})
            for job in found:
                batch.note(job.id, now, "Restored", job.state, {})
                if job.outcome is Outcome.RENDERED and not has_video(job.id):
                    await batch.change(sql.UNFETCHED, {"id": job.id})
            return found

        return await self._writer.do(work)

    async def admit(self, job: Job, limits: Limits) -> Job | Broken:
        """Write a new job down and reserve what it may cost, or return the first limit that it would break.

        Limits, reservation and row are one transaction, so that no two processes overdraw what one could not. The same
        act delivered again is the older job, whatever the limits say by now.
        """

        async def work(batch: Transaction) -> Job | Broken:
            known = await batch.rows(sql.BY_KEY, {"key": job.key})
            if known:
                return to_job(known[0])
            await batch.finish()  # what others reserved in this very transaction counts
            used = await batch.rows(sql.USAGE, {"who": job.requester, "since": job.created - DAY})
            broken = may_ask(Usage(**used[0]), limits, job.reserved)
            if broken is not None:
                return broken
            await batch.change(sql.ADD, from_job(job))
            batch.note(job.id, job.created, "Asked", job.state, {"model": job.model, "price": job.price})
            batch.money(job, job.created, "reserve", job.reserved)
            return job

        return await self._writer.do(work)

    async def add(self, job: Job) -> Job:
        """Write a new job down whatever it costs; an older one with the same key is returned instead."""
        admitted = await self.admit(job, UNLIMITED)
        if isinstance(admitted, Broken):
            raise TypeError("no limit can break what is unlimited")
        return admitted

    async def claim(
        self, until: float, chats: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]:
        """Take up to `most` due jobs until then: nobody else gets them before, and their fence has grown."""
        values: dict[str, Any] = {"until": until, "now": self._clock(), "most": most, "only": only, "busy": list(busy)}
        values["chats"] = list(chats)
        return [to_job(row) for row in await self._writer.do(lambda batch: batch.rows(sql.CLAIM, values))]

    async def record(self, job: Job, happened: Event) -> Job:
        """Write down what happened: the only change of a state, with its history and its money. Raises `Lost`."""
        now = self._clock()
        after = moved(job, happened, now)
        hurry = isinstance(happened, Waited) and not happened.cancel_answered
        values = {**from_job(after), **_hurry(job, now, hurry=hurry)}

        async def work(batch: Transaction) -> Job:
            if await batch.change(sql.RECORD, values) == 0:
                raise Lost(job.id)
            batch.note(job.id, now, type(happened).__name__, after.state, told(happened))
            if after.reserved != job.reserved:
                await batch.change(sql.RESERVE_ANEW, {"job": job.id, "amount": after.reserved})
            if after.cost is not None and job.cost is None:
                batch.money(after, now, "release", -after.reserved)
                batch.money(after, now, "settle", after.cost)
            return after

        return await self._writer.do(work)

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        """Give jobs back that have nothing new, each with the time of its next look. A lost one is left alone."""
        now = self._clock()
        values = [{"id": job.id, "fence": job.fence, "due": due, **_hurry(job, now, hurry=True)} for job, due in looks]
        await self._writer.do(lambda batch: batch.change_all(sql.WAIT, values))

    async def extend(self, job: Job, until: float) -> Job:
        """Keep a claimed job longer. Raises `Lost`."""
        values = {"id": job.id, "fence": job.fence, "until": until}
        if await self._writer.do(lambda batch: batch.change(sql.EXTEND, values)) == 0:
            raise Lost(job.id)
        return replace(job, due=until)

    async def ask_cancel(self, job_id: str) -> bool:
        """Ask for a stop; False when there is no such job or nothing left to stop."""
        now = self._clock()

        async def work(batch: Transaction) -> bool:
            rows = await batch.rows(sql.CANCEL, {"id": job_id, "now": now})
            for row in rows:
                batch.note(job_id, now, "CancelAsked", State(row["state"]), {})
            return bool(rows)

        return await self._writer.do(work)

    async def next_due(self, chats: Collection[str], only: str | None = None) -> float | None:
        due: float | None = (await self._read(sql.NEXT_DUE, chats=list(chats), only=only))[0]["due"]
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
        """Seconds from begun to finished of the model's last videos, newest first, at most 200."""
        return [row["seconds"] for row in await self._read(sql.DURATIONS, provider=provider, model=model)]

    async def totals(self) -> list[Total]:
        """Count all jobs and their money, from an index alone."""
        return [Total(**row) for row in await self._read(sql.TOTALS)]

    async def due_now(self) -> int:
        """Count the jobs that wait for a worker."""
        due: int = (await self._read(sql.DUE_NOW, now=self._clock()))[0]["jobs"]
        return due

    async def check(self) -> None:
        """Take the write lock and leave it; a file that was taken away still answers, so look whether it is there."""
        await self._read(sql.NOTHING)
        if _inode(self._file) != self._opened:
            raise StoreBroken("The database file was taken away or replaced. Start Zoetrope again.")

    async def known(self) -> set[str]:
        """Ids of all jobs there are."""
        return {row["id"] for row in await self._read(sql.IDS)}

    async def closed_before(self, before: float) -> set[str]:
        """Ids of the jobs that have been over since before that time."""
        return {row["id"] for row in await self._read(sql.CLOSED_BEFORE, before=before)}

    async def forget_words(self, before: float) -> int:
        """Blank what people wrote for jobs that have been over since before that time; how many, at most 500."""

        async def work(batch: Transaction) -> int:
            old = [to_job(row) for row in await batch.rows(sql.WORDY, {"before": before})]
            rows = [from_job(wordless(job)) for job in old]
            if rows:
                await batch.change_all(
                    sql.UNWORD, [{name: row[name] for name in ("id", "options", "fallbacks")} for row in rows]
                )
            return len(rows)

        return await self._writer.do(work)

    async def _read(self, statement: TextClause, **values: Any) -> list[RowMapping]:
        return await self._writer.do(lambda batch: batch.rows(statement, values))


def _inode(file: Path) -> int:
    """Return the number of the file that has this name now; 0 for none."""
    return file.stat().st_ino if file.exists() else 0


def _hurry(seen: Job, now: float, *, hurry: bool) -> dict[str, Any]:
    return {"saw_cancel": int(seen.to_cancel), "hurry": int(hurry), "now": now}
