"""Claims due jobs and gives each one step: the only clock and the only retry."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol, TypeVar

from bot.domain.job import Job, State
from bot.engine import pacing
from bot.engine.lease import Clock, Rows
from bot.engine.step import Step
from bot.engine.tools import Tools
from bot.store.contract import StoreBroken, StoreBusy
from providers.contract import ModelSpec

JUMP = 15.0  # seconds within one round; a clock that is set right in small steps jumps by less

log = logging.getLogger("zoetrope.worker")
T = TypeVar("T")


class Time:
    """The real clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        async with asyncio.timeout(seconds):
            return await call


class Queue(Rows, Protocol):
    """What the worker needs of the store."""

    async def claim(
        self, until: float, chats: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]: ...
    async def make_due(self) -> int: ...
    async def wait(self, polls: Sequence[tuple[Job, float]]) -> None: ...
    async def next_due(self, chats: Collection[str], only: str | None = None) -> float | None: ...
    async def durations(self, provider: str, model: str) -> list[float]: ...


class Habits:
    """How long each model usually takes, asked of the store once a minute at most."""

    def __init__(self, store: Queue, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[float, pacing.Habit]] = {}

    async def of(self, spec: ModelSpec) -> pacing.Habit:
        """Return the model's habit. Never raises: a ticket in hand must be written down, whatever happens."""
        name = f"{spec.provider}/{spec.name}"
        asked, habit = self._known.get(name, (-math.inf, pacing.habit([], spec.typical_seconds)))
        if self._clock.monotonic() - asked > 60:
            try:
                habit = pacing.habit(await self._store.durations(spec.provider, spec.name), spec.typical_seconds)
            except (StoreBusy, StoreBroken) as error:
                log.warning("how long %s usually takes can't be read now: %s", name, error)
            self._known[name] = (self._clock.monotonic(), habit)
        return habit


class Worker:
    """Gives steps to the due jobs whose chats this process serves, or to `only` one job."""

    def __init__(self, store: Queue, tools: Tools, *, steps_at_once: int = 64, only: str | None = None) -> None:
        self._store = store
        self._tools = tools
        self._clock = tools.clock
        self._most = steps_at_once
        self._only = only
        self._bell = asyncio.Event()
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._ahead = self._clock.now() - self._clock.monotonic()  # of the wall clock, seconds
        self.ticked = self._clock.monotonic()  # when it last looked for work

    def ring(self) -> None:
        """Say that something is due now."""
        self._bell.set()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what has begun is over, or its grace time is."""
        self._stopping = True
        self._bell.set()

    async def run(self, grace: float = 8) -> None:
        try:
            while not self._stopping:
                self._bell.clear()
                pause = await self._round()
                self.ticked = self._clock.monotonic()
                with contextlib.suppress(TimeoutError):
                    await self._clock.within(pause, self._bell.wait())
        finally:
            await self._end(grace)

    async def _notice_jump(self) -> None:
        """Make all jobs due again when the wall clock jumped: their times were read from another clock, as it were."""
        ahead = self._clock.now() - self._clock.monotonic()
        jump, self._ahead = ahead - self._ahead, ahead
        if abs(jump) > JUMP:
            log.warning("the clock jumped by %+.0f s; all open jobs are polled again", jump)
            await self._store.make_due()

    async def _round(self) -> float:
        """Claim what is due and start its steps; return how long nothing more will be due, in seconds."""
        try:
            await self._notice_jump()
            await self._write_idle_polls()
            await self._claim()
            due = await self._store.next_due(self._tools.chats, self._only)
        except StoreBusy as error:
            log.warning("the database is busy: %s", error)
            return 1
        longest = 0.1 if self._steps else 1.0  # steps end and leave idle polls; other processes add jobs
        return longest if due is None else min(max(due - self._clock.now(), 0.1), longest)

    async def _write_idle_polls(self) -> None:
        polls = self._tools.idle_polls[:]
        if polls:
            await self._store.wait(polls)
            del self._tools.idle_polls[: len(polls)]

    async def _claim(self) -> None:
        free = self._most - len(self._steps)
        if free <= 0:
            return
        lease = self._tools.times.lease
        lease_end = self._clock.monotonic() + lease
        jobs = await self._store.claim(self._clock.now() + lease, self._tools.chats, self._steps, free, self._only)
        for job in jobs:
            step = Step(self._tools, job, lease_end)
            self._steps[job.id] = asyncio.create_task(self._take(step), name=f"step {job.id}")

    async def _take(self, step: Step) -> None:
        full = len(self._steps) >= self._most
        try:
            await step.take()
        except Exception:
            log.exception("job %s: a bug; it is tried again when its lease ends", step.job.id)
        finally:
            del self._steps[step.job.id]
            if full or (step.job.state is not State.CLOSED and step.job.due <= self._clock.now()):
                self._bell.set()

    async def _end(self, grace: float) -> None:
        steps = list(self._steps.values())
        if steps:
            _, late = await asyncio.wait(steps, timeout=grace)
            for step in late:  # as if the power had gone: the next start takes them up
                step.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            await self._write_idle_polls()
        except StoreBusy as error:
            log.warning("the database is busy; the last polls are repeated at the next start: %s", error)
