"""Holds a claimed job: what happened is written down under it, and effects happen only while it surely lasts."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bot.domain.job import EffectStarted, Event, Job
from bot.domain.line import Line
from bot.store.contract import StoreBroken, StoreBusy
from providers.contract import Ticket

MARGIN = 2.0  # seconds that a lease lasts longer than the call made under it
KEPT = 30.0  # seconds for which a long effect renews it, three times as often as it must

log = logging.getLogger("zoetrope.job")
T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        """Await the call; raises `TimeoutError` after that time."""


class Rows(Protocol):
    """What a lease needs of the store."""

    async def record(self, job: Job, happened: Event) -> Job: ...
    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line: ...
    async def extend(self, job: Job, until: float) -> Job: ...
    async def adopt(self, job_id: str, ticket: Ticket) -> bool: ...


class StandDown(Exception):
    """The lease may end before the work does: somebody else will do it."""


class Lease:
    """A claimed job in this process's hands. `end` is on our own monotonic clock: past it, it may be somebody else's.

    Every method that writes may raise `Lost`: it is somebody else's already.
    """

    def __init__(self, store: Rows, clock: Clock, job: Job, end: float) -> None:
        self.job = job
        self._store = store
        self._clock = clock
        self._end = end

    async def record(self, happened: Event) -> None:
        """Write down what happened. It must not be forgotten, so a busy database is waited for."""
        self.job = await self._write(happened, lambda: self._store.record(self.job, happened))

    async def _write(self, happened: Event, call: Callable[[], Awaitable[T]]) -> T:
        try:
            while True:
                try:
                    return await call()
                except StoreBusy as error:
                    name = type(happened).__name__
                    log.warning("job %s: %s waits to be written down: %s", self.job.id, name, error)
                    await self._clock.sleep(1)
        except (StoreBroken, asyncio.CancelledError):  # the second when a stop won't wait for the disk
            log.critical("job %s: this could not be written down: %s", self.job.id, happened)  # a ticket, perhaps
            raise

    async def start_effect(self, seconds: float) -> None:
        """Announce what must not be done twice, and make the lease last for it."""
        end, started = self._starting(seconds)
        await self.record(started)
        self._end = end

    async def take_place(self, seconds: float, places: int | None) -> Line | None:
        """Announce a submission if its provider has a place for it and nobody older waits; else return the line."""
        end, started = self._starting(seconds)
        answer = await self._write(started, lambda: self._store.take_place(self.job, started, places))
        if isinstance(answer, Line):
            return answer
        self.job, self._end = answer, end
        return None

    def _starting(self, seconds: float) -> tuple[float, EffectStarted]:
        """Return when the lease for an effect ends, on our clock and on everybody's."""
        until = seconds + MARGIN
        return self._clock.monotonic() + until, EffectStarted(self._clock.now() + until)

    async def extend(self, seconds: float) -> None:
        """Make the lease last for a call of that length."""
        before, until = self._clock.monotonic(), seconds + MARGIN
        if before + seconds <= self._end:
            return
        self.job = await self._store.extend(self.job, self._clock.now() + until)
        self._end = before + until

    async def within(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T:
        """Touch the outside world, only while the job is ours for as long as that may take. Raises `StandDown`."""
        if self._clock.monotonic() + seconds > self._end:
            raise StandDown
        return await self._clock.within(seconds, call())

    async def keep(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do what may take any time: the lease is renewed meanwhile, and with the lease the call ends.

        Raises `StandDown`. What the call may take without a sign of life is its own to limit.
        """
        await self.extend(KEPT)
        work = asyncio.ensure_future(call())
        try:
            while not work.done():
                with contextlib.suppress(TimeoutError):
                    await self._clock.within(KEPT / 3, asyncio.wait({work}))
                if not work.done():
                    await self._renew()
        finally:
            work.cancel()
            await asyncio.wait({work})
        return work.result()

    async def _renew(self) -> None:
        """Extend the lease; a busy database may answer next time, if there is a next time before the end."""
        try:
            await self.extend(KEPT)
        except StoreBusy as error:
            if self._clock.monotonic() + KEPT / 3 > self._end:
                raise StandDown from error
