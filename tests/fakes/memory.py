"""The store in memory, as `bot.store.contract.JobStore` promises: all answers sit the same exam. For tests alone."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bot.domain.job import ADOPTED, EffectStarted, Event, Job, Outcome, State, Usage, Waited, moved
from bot.domain.line import Line
from bot.domain.policy import DAY, Broken, Limits, may_ask
from bot.store.contract import NEVER, UNDER_WAY, Lost
from bot.store.sqlite import ALIVE, LATELY, MAKES_WAY
from providers.contract import Ticket


class Rows:
    """The database itself: what outlives the processes that work on it."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.events: list[tuple[str, str]] = []


class MemoryStore:
    """One process's way to the rows. `fenced=False` breaks it on purpose."""

    def __init__(self, rows: Rows, clock: "Now", *, fenced: bool = True) -> None:
        self.rows = rows
        self._clock = clock
        self._fenced = fenced

    async def by_key(self, key: str) -> Job | None:
        return next((job for job in self.rows.jobs.values() if job.key == key), None)

    async def admit(self, job: Job, limits: Limits) -> Job | Broken:
        known = await self.by_key(job.key)
        if known is not None:
            return known
        broken = may_ask(await self.usage(job.requester, job.created - DAY), limits, job.reserved)
        return broken or await self.add(job)

    async def add(self, job: Job) -> Job:
        known = await self.by_key(job.key)
        if known is not None:
            return known
        self.rows.jobs[job.id] = job
        self.rows.events.append((job.id, "Asked"))
        return job

    async def claim(
        self, until: float, chats: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]:
        now = self._clock.now()
        due = [
            job
            for job in self.rows.jobs.values()
            if job.state is not State.CLOSED
            and job.due <= now
            and job.chat in chats
            and job.id not in busy
            and only in {None, job.id}
        ]
        claimed = [
            replace(job, due=until, fence=job.fence + 1, claimed=True)
            for job in sorted(due, key=lambda j: j.due)[:most]
        ]
        self.rows.jobs |= {job.id: job for job in claimed}
        return claimed

    async def record(self, job: Job, happened: Event) -> Job:
        now = self._clock.now()
        after = moved(job, happened, now)
        row = self._ours(job)
        hurry = isinstance(happened, Waited) and not happened.cancel_answered
        cancelled = row.cancel_asked is not None and not after.cancel_answered
        due = now if cancelled and not job.to_cancel and hurry else after.due
        self.rows.jobs[job.id] = replace(after, due=due, cancel_asked=row.cancel_asked, fence=row.fence)
        self.rows.events.append((job.id, type(happened).__name__))
        if isinstance(happened, MAKES_WAY) and job.outcome is None:
            self._wake_next(job.provider)
        return after

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        line = self._line(job, places or 0)
        return await self.record(job, started) if line.admits(places) else line

    def _line(self, job: Job, places: int) -> Line:
        now = self._clock.now()
        others = [
            other
            for other in self.rows.jobs.values()
            if other.provider == job.provider and other.id != job.id and other.due > now - ALIVE
        ]
        held = [
            other
            for other in others
            if other.state in {State.SUBMITTING, State.RENDERING}
            or (other.state is State.QUEUED and other.effect_started is not None)
            or (other.state is State.OVERDUE and (other.ticketed or 0) > now - LATELY)
        ]
        queued = [other for other in others if other.state is State.QUEUED]
        older = [other for other in queued if (other.created, other.id) < (job.created, job.id)]
        return Line(min(len(held), places), len(older), sum(bool(other.attempts or other.progress) for other in older))

    def _wake_next(self, provider: str) -> None:
        now = self._clock.now()
        jobs = self.rows.jobs.values()
        line = [job for job in jobs if (job.provider, job.state, job.claimed) == (provider, State.QUEUED, False)]
        line = [job for job in line if job.due > now]
        if line:
            first = min(line, key=lambda job: (job.created, job.id))
            self.rows.jobs[first.id] = replace(first, due=now)

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        now = self._clock.now()
        for job, due in looks:
            row = self.rows.jobs[job.id]
            if row.fence == job.fence and row.claimed:
                at = now if row.to_cancel and not job.to_cancel else due
                self.rows.jobs[job.id] = replace(row, claimed=False, attempts=0, due=at)

    async def extend(self, job: Job, until: float) -> Job:
        self.rows.jobs[job.id] = replace(self._ours(job), due=until)
        return replace(job, due=until)

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        row, now = self.rows.jobs[job_id], self._clock.now()
        if row.outcome is not Outcome.INTERRUPTED or row.ticket is not None:
            return False
        bare = replace(row, outcome=None, detail={}, cost=None, settled=None, receipt=None, closed=None, claimed=False)
        bare = replace(bare, effect_started=None, attempts=0, late=True, fence=row.fence + 1, due=now)
        notices = (*row.notices, ADOPTED)
        self.rows.jobs[job_id] = replace(bare, state=State.RENDERING, ticket=ticket, ticketed=now, notices=notices)
        self.rows.events.append((job_id, "Adopted"))
        return True

    async def make_due(self) -> int:
        now = self._clock.now()
        for job in self.rows.jobs.values():
            if not job.claimed and job.state is not State.CLOSED:
                self.rows.jobs[job.id] = replace(job, due=min(job.due, now))
        return 0

    async def ask_cancel(self, job_id: str) -> bool:
        row, now = self.rows.jobs.get(job_id), self._clock.now()
        if row is None or row.state in {State.REPLYING, State.CLOSED}:
            return False
        due = row.due if row.claimed else now
        self.rows.jobs[job_id] = replace(row, cancel_asked=now, cancel_answered=False, due=due)
        self.rows.events.append((job_id, "CancelAsked"))
        return True

    async def join(self) -> bool:
        now = self._clock.now()
        for job in self.rows.jobs.values():
            if (job.claimed or job.due > now + NEVER) and job.state is not State.CLOSED:
                posting = job.state is State.REPLYING and job.effect_started is not None
                due = min(job.due, now + UNDER_WAY) if posting else now
                self.rows.jobs[job.id] = replace(job, due=due, claimed=False)
        return True

    async def next_due(self, chats: Collection[str], only: str | None = None) -> float | None:
        return min(
            (
                job.due
                for job in self.rows.jobs.values()
                if job.state is not State.CLOSED and job.chat in chats and only in {None, job.id}
            ),
            default=None,
        )

    async def get(self, job_id: str) -> Job | None:
        return self.rows.jobs.get(job_id)

    async def usage(self, requester: str, since: float) -> Usage:
        mine = [job for job in self.rows.jobs.values() if job.requester == requester]
        recent = [job for job in mine if job.created >= since]
        done = {State.REPLYING, State.CLOSED}
        spent = sum(job.reserved if job.cost is None else job.cost for job in recent)
        return Usage(sum(job.state not in done for job in mine), len(recent), spent, spent)

    async def durations(self, provider: str, model: str) -> list[float]:
        return [
            job.settled - (job.rendering_started or job.ticketed)
            for job in self.rows.jobs.values()
            if (job.provider, job.model) == (provider, model) and job.settled is not None and job.ticketed is not None
        ]

    def _ours(self, job: Job) -> Job:
        row = self.rows.jobs[job.id]
        if self._fenced and row.fence != job.fence:
            raise Lost(job.id)
        return row


class Now:
    """A clock that only moves when pushed. The wall and the monotonic time differ, as they do."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - 777.0
