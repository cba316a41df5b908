"""Keeps the rows in one SQLite file, for any number of processes of one machine.

One writer connection, because SQLite has one writer anyway. `sqlite_engine` is SQLite's own too; `sql`, `rows` and
`writer` are any engine's.
"""

import fcntl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from sqlalchemy import TextClause
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.chats.contract import Address
from bot.domain.job import (
    ADOPTED,
    Closed,
    EffectStarted,
    Event,
    FellBack,
    Job,
    Outcome,
    Redelivered,
    Settled,
    State,
    Ticketed,
    Usage,
    Waited,
    moved,
)
from bot.domain.line import Line
from bot.domain.policy import DAY, UNLIMITED, Broken, Limits, may_ask
from bot.store import sql
from bot.store.contract import NEVER, UNDER_WAY, Entry, Lost, StoreBroken, Total
from bot.store.identity import Identity, identify
from bot.store.rows import from_job, json_text, to_job, told, wordless
from bot.store.sqlite_engine import engine, explain, migrate
from bot.store.writer import Transaction, Writer
from providers.contract import Ticket

ALIVE = 120.0  # seconds that a job may be due and not claimed before it counts as nobody's
LATELY = 3600.0  # seconds after which a late video stands in nobody's way
FARTHEST = 500  # whoever waits behind more is told as many
MAKES_WAY = (Ticketed, Settled, Closed, FellBack)  # a place or the head of a line is free


class Store:
    """What `bot.store.contract.Store` promises, by SQLite."""

    def __init__(self, file: Path, engine: AsyncEngine, lock: IO[bytes], clock: Callable[[], float]) -> None:
        self._file = file
        self._opened = 0  # the inode that our connection has
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._writer = Writer(engine, explain)

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
            raise explain(error) from error
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        await self._writer.close()
        self._lock.close()

    async def join(self) -> bool:
        """Lock by the kernel: that ends with its process, however it ends."""
        now = self._clock()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            self._check_same()
            return False
        self._check_same()
        times = {"now": now, "soon": now + UNDER_WAY, "never": now + NEVER}
        await self._writer.do(lambda batch: batch.change(sql.RELEASE_CLAIMS, times))
        fcntl.flock(self._lock, fcntl.LOCK_SH)  # not in one go: a restore may have had it in between
        self._check_same()
        return True

    def _check_same(self) -> None:
        if _inode(self._file) != self._opened:
            raise StoreBroken("The database was restored while this started. Start it again.")

    async def mark_restored(self, has_video: Callable[[str], bool]) -> list[Job]:
        return await self._writer.do(lambda batch: self._mark_restored(batch, has_video))

    async def recognise(self, has_video: Callable[[str], bool]) -> list[Job] | None:
        here = identify(self._file)

        async def work(batch: Transaction) -> list[Job] | None:
            recorded = [Identity(**row) for row in await batch.rows(sql.IDENTITY, {})]
            if any(one.is_foreign_to(here) for one in recorded):
                return await self._mark_restored(batch, has_video)
            if [one.machine for one in recorded] != [here.machine]:
                await _sign(batch, here)
            return None

        return await self._writer.do(work)

    async def _mark_restored(self, batch: Transaction, has_video: Callable[[str], bool]) -> list[Job]:
        now = self._clock()
        found = [to_job(row) for row in await batch.rows(sql.LIST_OPEN, {})]
        await batch.change(sql.MARK_RESTORED, {"now": now, "soon": now + UNDER_WAY})
        for job in found:
            batch.note(job.id, now, "Restored", job.state, {})
            if job.outcome is Outcome.RENDERED and not has_video(job.id):
                await batch.change(sql.UNFETCHED, {"id": job.id, "due": now + UNDER_WAY})
        await _sign(batch, identify(self._file))
        return found

    async def refetch(self, job_id: str) -> bool:
        now = self._clock()

        async def work(batch: Transaction) -> bool:
            changed = await batch.change(sql.UNFETCHED, {"id": job_id, "due": now})
            if changed:
                [row] = await batch.rows(sql.BY_ID, {"id": job_id})
                batch.note(job_id, now, "VideoLost", State(row["state"]), {})
            return bool(changed)

        return await self._writer.do(work)

    async def open_jobs(self) -> list[Job]:
        return [to_job(row) for row in await self._read(sql.LIST_OPEN)]

    async def admit(self, job: Job, limits: Limits) -> Job | Broken:
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
        admitted = await self.admit(job, UNLIMITED)
        if isinstance(admitted, Broken):
            raise TypeError("no limit can break what is unlimited")
        return admitted

    async def claim(
        self, until: float, chats: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]:
        values: dict[str, Any] = {"until": until, "now": self._clock(), "most": most, "only": only, "busy": list(busy)}
        values["chats"] = list(chats)
        return [to_job(row) for row in await self._writer.do(lambda batch: batch.rows(sql.CLAIM, values))]

    async def record(self, job: Job, happened: Event) -> Job:
        now = self._clock()
        after = moved(job, happened, now)
        return await self._writer.do(lambda batch: _record(batch, job, happened, after, now))

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        now = self._clock()
        after = moved(job, started, now)
        values = {"provider": job.provider, "id": job.id, "created": job.created, "places": places or 0}
        values |= {"alive": now - ALIVE, "lately": now - LATELY, "most": FARTHEST}

        async def work(batch: Transaction) -> Job | Line:
            line = Line(**(await batch.rows(sql.LINE, values))[0])
            return await _record(batch, job, started, after, now) if line.admits(places) else line

        return await self._writer.do(work)

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        now = self._clock()
        values = [{"id": job.id, "fence": job.fence, "due": due, **_hurry(job, now, hurry=True)} for job, due in looks]
        await self._writer.do(lambda batch: batch.change_all(sql.WAIT, values))

    async def extend(self, job: Job, until: float) -> Job:
        values = {"id": job.id, "fence": job.fence, "until": until}
        if await self._writer.do(lambda batch: batch.change(sql.EXTEND, values)) == 0:
            raise Lost(job.id)
        return replace(job, due=until)

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        now = self._clock()

        async def work(batch: Transaction) -> bool:
            rows = await batch.rows(sql.BY_ID, {"id": job_id})
            notices = json_text([*(to_job(rows[0]).notices if rows else ()), ADOPTED])
            values = {"id": job_id, "ticket": ticket, "now": now, "notices": notices}
            if await batch.change(sql.ADOPT, values) == 0:
                return False
            await batch.change(sql.UNBOOK, {"id": job_id})
            batch.note(job_id, now, "Adopted", State.RENDERING, {"ticket": ticket})
            return True

        return await self._writer.do(work)

    async def make_due(self) -> int:
        return await self._writer.do(lambda batch: batch.change(sql.DUE_AGAIN, {"now": self._clock()}))

    async def ask_cancel(self, job_id: str) -> bool:
        now = self._clock()

        async def work(batch: Transaction) -> bool:
            rows = await batch.rows(sql.CANCEL, {"id": job_id, "now": now})
            for row in rows:
                batch.note(job_id, now, "CancelAsked", State(row["state"]), {})
            return bool(rows)

        return await self._writer.do(work)

    async def redeliver(self, job_id: str, address: Address | None = None) -> Job | None:
        now = self._clock()

        async def work(batch: Transaction) -> Job | None:
            found = [to_job(row) for row in await batch.rows(sql.BY_ID, {"id": job_id})]
            if not found or found[0].state is not State.CLOSED or found[0].outcome is not Outcome.RENDERED:
                return None
            after = moved(found[0], Redelivered(now, address), now)
            await batch.change(sql.REDELIVER, from_job(after))
            batch.note(job_id, now, Redelivered.__name__, after.state, {"chat": after.chat})
            return after

        return await self._writer.do(work)

    async def next_due(self, chats: Collection[str], only: str | None = None) -> float | None:
        due: float | None = (await self._read(sql.NEXT_DUE, chats=list(chats), only=only))[0]["due"]
        return due

    async def get(self, job_id: str) -> Job | None:
        rows = await self._read(sql.BY_ID, id=job_id)
        return to_job(rows[0]) if rows else None

    async def by_key(self, key: str) -> Job | None:
        rows = await self._read(sql.BY_KEY, key=key)
        return to_job(rows[0]) if rows else None

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> list[Job]:
        return [to_job(row) for row in await self._read(sql.LIST, state=state, requester=requester, most=most)]

    async def history(self, job_id: str) -> list[Entry]:
        rows = await self._read(sql.STORY, job=job_id)
        return [Entry(row["at"], row["event"], row["state"], row["detail"]) for row in rows]

    async def usage(self, requester: str, since: float) -> Usage:
        return Usage(**(await self._read(sql.USAGE, who=requester, since=since))[0])

    async def durations(self, provider: str, model: str) -> list[float]:
        return [row["seconds"] for row in await self._read(sql.DURATIONS, provider=provider, model=model)]

    async def totals(self) -> list[Total]:
        return [Total(**row) for row in await self._read(sql.TOTALS)]

    async def due_now(self) -> int:
        due: int = (await self._read(sql.DUE_NOW, now=self._clock()))[0]["jobs"]
        return due

    async def check(self) -> None:
        """Take the write lock and leave it; a file that was taken away still answers, so look whether it is there."""
        await self._read(sql.NOTHING)
        if _inode(self._file) != self._opened:
            raise StoreBroken("The database file was taken away or replaced. Start Zoetrope again.")

    async def known(self) -> set[str]:
        return {row["id"] for row in await self._read(sql.IDS)}

    async def closed_before(self, before: float) -> set[str]:
        return {row["id"] for row in await self._read(sql.CLOSED_BEFORE, before=before)}

    async def undelivered(self, most: int = 50) -> list[Job]:
        return [to_job(row) for row in await self._read(sql.UNDELIVERED, most=most)]

    async def undelivered_now(self) -> int:
        jobs: int = (await self._read(sql.COUNT_UNDELIVERED))[0]["jobs"]
        return jobs

    async def give_up(self, before: float) -> int:
        return await self._writer.do(lambda batch: batch.change(sql.GIVE_UP, {"before": before}))

    async def forget_words(self, before: float) -> int:
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


async def _record(batch: Transaction, job: Job, happened: Event, after: Job, now: float) -> Job:
    hurry = isinstance(happened, Waited) and not happened.cancel_answered
    if await batch.change(sql.RECORD, {**from_job(after), **_hurry(job, now, hurry=hurry)}) == 0:
        raise Lost(job.id)
    batch.note(job.id, now, type(happened).__name__, after.state, told(happened))
    if after.reserved != job.reserved:
        await batch.change(sql.RESERVE_ANEW, {"job": job.id, "amount": after.reserved})
    if after.cost is not None and job.cost is None:
        batch.money(after, now, "release", -after.reserved)
        batch.money(after, now, "settle", after.cost)
    if isinstance(happened, MAKES_WAY) and job.outcome is None:
        await batch.change(sql.WAKE_NEXT, {"provider": job.provider, "now": now})
    return after


async def _sign(batch: Transaction, here: Identity) -> None:
    """Record that the database is this very file."""
    await batch.change(sql.FORGET_IDENTITY, {})
    await batch.change(sql.WRITE_IDENTITY, asdict(here))


def _inode(file: Path) -> int:
    """Return the number of the file that has this name now; 0 for none."""
    return file.stat().st_ino if file.exists() else 0


def _hurry(seen: Job, now: float, *, hurry: bool) -> dict[str, Any]:
    return {"saw_cancel": int(seen.to_cancel), "hurry": int(hurry), "now": now}
