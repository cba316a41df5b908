"""The worker's loop with the real clock, the real store and steps that answer at once."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.toys import instant, media
from bot.domain.job import EffectStarted, Event, Fallback, Job, Outcome, State, Ticketed
from bot.domain.line import Line
from bot.domain.options import ResolvedOptions
from bot.engine import pacing
from bot.engine.worker import Habits, Worker
from bot.store.contract import StoreBroken, StoreBusy
from bot.store.sqlite import Store
from bot.text import sentences
from providers.contract import (
    AnimationRequest,
    Busy,
    Misconfigured,
    ModelSpec,
    Picture,
    Progress,
    Recovery,
    Rendering,
    Ticket,
    Unsure,
)
from tests.fakes.memory import Now

SPEC = ModelSpec("toy", "toy", typical_seconds=1, poll_floor=0.1)


class Durations:
    """A store that knows past durations, or can't be read."""

    def __init__(self) -> None:
        self.past: list[float] | Exception = [50.0] * 20
        self.reads = 0

    async def durations(self, provider: str, model: str) -> list[float]:  # noqa: ARG002 - one model
        self.reads += 1
        if isinstance(self.past, Exception):
            raise self.past
        return self.past


@pytest.mark.parametrize("error", [StoreBusy("locked"), StoreBroken("damaged")])
async def test_a_habit_that_can_not_be_read_never_keeps_a_ticket_from_being_written(error: Exception) -> None:
    store, clock = Durations(), Now()
    habits = Habits(store, clock)  # type: ignore[arg-type]  # nothing else of them is asked
    store.past = error
    assert await habits.of(SPEC) == pacing.habit([], SPEC.typical_seconds)

    store.past, clock.time = [50.0] * 20, clock.time + 61
    learned = await habits.of(SPEC)
    store.past, clock.time = error, clock.time + 61
    assert await habits.of(SPEC) == learned != pacing.habit([], SPEC.typical_seconds)


async def test_a_habit_is_read_once_a_minute_at_most() -> None:
    store, clock = Durations(), Now()
    habits = Habits(store, clock)  # type: ignore[arg-type]  # the same
    for _ in range(10):
        await habits.of(SPEC)
    clock.time += 61
    await habits.of(SPEC)

    assert store.reads == 2


def a_clip(folder: Path) -> Path:
    media.clip(folder / "clip.mp4")
    return folder / "clip.mp4"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "zoetrope.db")
    yield store
    await store.close()


async def closed(store: Store, worker: Worker, jobs: int) -> list[Job]:
    """Let the worker run until so many jobs are closed."""
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while len(found := await store.jobs(State.CLOSED)) < jobs:
            await asyncio.wait({working}, timeout=0.02)
            assert not working.done()
    worker.stop()
    await working
    return found


async def test_jobs_are_taken_through_their_life_and_the_loop_ends_when_told(store: Store, tmp_path: Path) -> None:
    tools = instant.tools(store, tmp_path, instant.Vendor(a_clip(tmp_path)), SPEC)
    for name in ("a", "b", "c"):
        tools.files.keep(name, Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
        await store.add(instant.asked(name, time.time()))

    assert {job.outcome for job in await closed(store, Worker(store, tools), 3)} == {Outcome.RENDERED}


async def test_a_worker_for_one_job_leaves_the_others_alone(store: Store, tmp_path: Path) -> None:
    tools = instant.tools(store, tmp_path, instant.Vendor(a_clip(tmp_path)), SPEC)
    for name in ("a", "b"):
        tools.files.keep(name, Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
        await store.add(instant.asked(name, time.time()))
    [job] = await closed(store, Worker(store, tools, only="b"), 1)

    assert job.id == "b"
    assert [job.id for job in await store.jobs(State.QUEUED)] == ["a"]


class Unpaid(instant.Vendor):
    error: Exception = Misconfigured("the account is empty")

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        await super().submit(request, key)
        raise self.error


async def asked_of_two(store: Store, folder: Path, first: Unpaid) -> tuple[Job, instant.Vendor]:
    """Let a job be done that the other vendor would make too, with a note of it in the books."""
    other = instant.Vendor(a_clip(folder))
    tools = instant.tools(store, folder, first, SPEC)
    tools = replace(tools, providers={"toy": first, "other": other})
    tools.files.keep("a", Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
    fallback = Fallback("other", "toy", ResolvedOptions(), 300_000)
    await store.add(replace(instant.asked("a", time.time()), fallbacks=(fallback,)))
    [done] = await closed(store, Worker(store, tools), 1)
    return done, other


@pytest.mark.parametrize(
    ("error", "asked"),
    [(Misconfigured("the account is empty"), 1), (Busy("full", 0), 2), (Busy("in an hour", 3600), 1)],
)
async def test_a_maker_that_can_not_take_a_job_is_passed_over_and_that_is_said(
    store: Store, tmp_path: Path, error: Exception, asked: int
) -> None:
    first = Unpaid(a_clip(tmp_path))
    first.error = error
    job, other = await asked_of_two(store, tmp_path, first)

    assert (job.outcome, job.provider, job.price) == (Outcome.RENDERED, "other", 300_000)
    assert other.calls["submit"] == 1
    assert first.calls["submit"] == asked, "busy once may be over in a moment"
    assert "It was not taken by toy just now, so other makes it, for $0.30." in sentences.answer(job)


async def test_a_maker_whose_answer_was_lost_is_never_passed_over(store: Store, tmp_path: Path) -> None:
    first = Unpaid(a_clip(tmp_path), recovery=Recovery.NONE)
    first.error = Unsure("the line was cut")
    job, other = await asked_of_two(store, tmp_path, first)

    assert (job.outcome, job.provider) == (Outcome.INTERRUPTED, "toy")
    assert other.calls["submit"] == 0


async def test_a_bug_in_a_step_stops_neither_the_loop_nor_the_other_jobs(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def look(ticket: Ticket) -> Progress:
        if ticket == "a":
            raise ZeroDivisionError
        return Rendering()

    vendor = instant.Vendor(a_clip(tmp_path))
    tools = instant.tools(store, tmp_path, vendor, SPEC)
    vendor.look = look
    await instant.seed(store, [instant.rendering("a", 0, 0)])
    tools.files.keep("b", Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
    await store.add(replace(instant.asked("b", 0), cancel_asked=1.0))
    [job] = await closed(store, Worker(store, tools), 1)

    assert (job.id, job.outcome) == ("b", Outcome.CANCELLED)
    assert "job a: a bug" in caplog.text


class Full:
    """The rows on a disk that has no room for a ticket."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tried = asyncio.Event()

    async def record(self, job: Job, happened: Event) -> Job:
        if isinstance(happened, Ticketed):
            self.tried.set()
            raise StoreBusy("The disk is full.")
        return await self._store.record(job, happened)

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        return await self._store.take_place(job, started, places)

    async def extend(self, job: Job, until: float) -> Job:
        return await self._store.extend(job, until)


async def test_a_ticket_that_a_stop_keeps_from_being_written_is_in_the_log(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = Full(store)
    tools = replace(instant.tools(store, tmp_path, instant.Vendor(a_clip(tmp_path)), SPEC), store=full)
    tools.files.keep("bought", Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
    await store.add(instant.asked("bought", time.time()))
    worker = Worker(store, tools)
    working = asyncio.create_task(worker.run(grace=0))
    await asyncio.wait_for(full.tried.wait(), 60)
    worker.stop()
    await working

    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "Ticketed(ticket='bought'" in line
