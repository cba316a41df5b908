"""A long effect under a lease: it is renewed while the effect runs, and the effect ends with it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import pytest

from bench.toys import instant
from bot.domain.job import EffectStarted, Event, Job
from bot.domain.line import Line
from bot.engine.lease import KEPT, Lease, StandDown
from bot.store.contract import Lost, StoreBusy
from tests.fakes.memory import Now

T = TypeVar("T")


class Hurried(Now):
    """Waits no time at all: a call that is not done by the next turn of the loop has run out of it."""

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        work = asyncio.ensure_future(call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if work.done():
            return work.result()
        work.cancel()
        self.time += seconds
        raise TimeoutError


class Rows:
    """Extends a lease, or raises what it was told to from some extension on."""

    def __init__(self, error: Exception | None = None, good: int = 1) -> None:
        self.ends: list[float] = []
        self._error = error
        self._good = good

    async def record(self, job: Job, happened: Event) -> Job:
        raise NotImplementedError

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        raise NotImplementedError

    async def extend(self, job: Job, until: float) -> Job:
        if self._error is not None and len(self.ends) >= self._good:
            raise self._error
        self.ends.append(until)
        return replace(job, due=until)


class Download:
    """Goes on until `seconds` have passed on the clock."""

    def __init__(self, clock: Now, seconds: float) -> None:
        self._clock = clock
        self._until = clock.now() + seconds
        self.cut = False

    async def run(self) -> str:
        try:
            while self._clock.now() < self._until:  # noqa: ASYNC110 - a pushed clock rings no bell
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cut = True
            raise
        return "all bytes"


def leased(rows: Rows, clock: Now) -> Lease:
    return Lease(rows, clock, instant.asked("a", clock.now()), clock.monotonic())


async def test_a_download_of_ten_leases_is_kept_to_its_end() -> None:
    clock, rows = Hurried(), Rows()
    start = clock.now()
    assert await leased(rows, clock).keep(Download(clock, 10 * KEPT).run) == "all bytes"

    assert max(rows.ends) > start + 10 * KEPT
    assert all(end > before + KEPT / 4 for before, end in zip(rows.ends, rows.ends[1:], strict=False))


async def test_a_download_ends_when_somebody_else_has_the_job() -> None:
    clock = Hurried()
    download = Download(clock, 10 * KEPT)
    with pytest.raises(Lost):
        await leased(Rows(Lost("a")), clock).keep(download.run)

    assert download.cut


async def test_a_database_that_is_busy_for_a_moment_cuts_no_download_and_one_that_stays_busy_does() -> None:
    clock, start = Hurried(), Now().now()
    download = Download(clock, 10 * KEPT)
    with pytest.raises(StandDown):
        await leased(Rows(StoreBusy("locked")), clock).keep(download.run)

    assert download.cut
    assert start + KEPT / 3 < clock.now() <= start + KEPT, "not at the first refusal, and before the lease's end"


async def test_an_error_of_the_download_is_its_own() -> None:
    async def fail() -> None:
        raise OSError("no space left")

    clock = Hurried()
    with pytest.raises(OSError, match="no space"):
        await leased(Rows(), clock).keep(fail)
