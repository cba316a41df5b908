"""Providers with few places: who waits, waits in one line, with the real worker and the real store."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench.toys import instant, media
from bot.chats.contract import Address
from bot.domain.job import Job, Outcome, State
from bot.engine import places
from bot.engine.step import Step
from bot.engine.tools import Times, Tools
from bot.engine.worker import Worker
from bot.files.folder import Folder
from bot.store.sqlite import Store
from bot.text import sentences
from providers.contract import (
    AnimationRequest,
    Busy,
    Finished,
    ModelSpec,
    Picture,
    Progress,
    Rendering,
    Ticket,
    Waiting,
)

SPEC = ModelSpec("toy", "toy", typical_seconds=0.1, poll_floor=0.05)
HOUR = 3600.0


@dataclass
class Narrow(instant.Vendor):
    """Works on so many at once and says Busy beyond; each is finished at its second poll."""

    places: int = 2
    working: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    refused: int = 0

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        if len(self.working) >= self.places:
            self.refused += 1
            raise Busy("all places are taken")
        self.working.add(key)
        self.taken.append(key)
        return await super().submit(request, key)

    async def check(self, ticket: Ticket) -> Progress:
        if ticket not in self.seen:
            self.seen.add(ticket)
            return Rendering()
        self.working.discard(ticket)
        return Finished("clip")


class Still(Folder):
    """Has one picture for every job."""

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]:  # noqa: ARG002 - the same for all
        return Picture(b"jpeg", "image/jpeg", 8, 8), None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "zoetrope.db")
    yield store
    await store.close()


@pytest.fixture
def provider(tmp_path: Path) -> Narrow:
    media.clip(tmp_path / "clip.mp4")
    return Narrow(tmp_path / "clip.mp4")


def made(store: Store, folder: Path, provider: Narrow, known: int | None) -> Tools:
    return replace(
        instant.tools(store, folder, provider, SPEC, Times(per_poll=0.001)), places={"toy": known} if known else {}
    )


async def ask(store: Store, tools: Tools, *names: str) -> None:
    for name in names:
        tools.files.keep(name, Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
        await store.add(replace(instant.asked(name, now := time.time()), due=now))


async def closed(store: Store, jobs: int, *workers: Worker) -> list[Job]:
    """Let the workers run until so many jobs are closed."""
    working = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        async with asyncio.timeout(60):
            while len(found := await store.jobs(State.CLOSED)) < jobs:
                await asyncio.wait(working, timeout=0.02)
                assert not any(task.done() for task in working)
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*working)
    return found


async def test_a_provider_is_never_given_more_than_its_places_and_the_oldest_goes_first(
    store: Store, tmp_path: Path, provider: Narrow
) -> None:
    names = [f"{number:02}" for number in range(8)]
    tools = made(store, tmp_path, provider, 2)
    await ask(store, tools, *names)
    jobs = await closed(store, 8, Worker(store, tools))

    assert {job.outcome for job in jobs} == {Outcome.RENDERED}
    assert provider.refused == 0, "it was never given too many"
    assert all(abs(provider.taken.index(name) - names.index(name)) < 2 for name in names), provider.taken


async def test_two_workers_on_one_database_share_the_places(store: Store, tmp_path: Path, provider: Narrow) -> None:
    tools = made(store, tmp_path, provider, 2)
    second = await Store.open(tmp_path / "zoetrope.db")
    await ask(store, tools, *(f"{number:02}" for number in range(8)))
    other = replace(tools, store=second, idle_polls=[])
    jobs = await closed(store, 8, Worker(store, tools), Worker(second, other))
    await second.close()

    assert {job.outcome for job in jobs} == {Outcome.RENDERED}
    assert provider.refused == 0


async def test_behind_a_provider_that_says_busy_a_line_forms_and_a_finished_job_calls_the_next(
    store: Store, tmp_path: Path, provider: Narrow
) -> None:
    provider.places = 1
    tools = made(store, tmp_path, provider, None)
    await ask(store, tools, *"abcdef")
    jobs = await closed(store, 6, Worker(store, tools))

    assert {job.outcome for job in jobs} == {Outcome.RENDERED}
    assert provider.refused < 20, "a line asks once at its head, not once for everybody"


async def test_who_waits_in_line_has_spent_nothing_is_told_where_and_can_cancel(
    store: Store, tmp_path: Path, provider: Narrow
) -> None:
    tools = made(store, tmp_path, provider, 1)
    now = time.time()
    await instant.seed(store, [instant.rendering("first", now, now + HOUR)])
    await ask(store, tools, "second", "third")
    for job in await store.claim(now + 30, ["toy"], [], 9):
        await Step(tools, job, time.monotonic() + 30).take()
    waiting = await store.get("third")
    assert waiting is not None
    assert (waiting.state, waiting.progress, waiting.effect_started) == (State.QUEUED, Waiting(1), None)
    assert "1 before yours" in sentences.status(waiting, now).words

    await store.ask_cancel("third")
    [job] = await closed(store, 1, Worker(store, tools))
    assert (job.id, job.outcome, job.cost) == ("third", Outcome.CANCELLED, 0)
    assert provider.calls["submit"] == 0


@pytest.mark.parametrize(("moved", "state"), [(HOUR / 2, State.QUEUED), (2 * HOUR, State.REPLYING)])
async def test_patience_counts_from_when_the_line_last_moved(
    store: Store, tmp_path: Path, provider: Narrow, moved: float, state: State
) -> None:
    tools, now = made(store, tmp_path, provider, 1), time.time()
    old = instant.asked("old", now - 3 * HOUR)
    waits = replace(old, progress=Waiting(2), shown=now - moved, due=now)
    await instant.seed(store, [instant.rendering("first", now, now + HOUR), waits])
    tools.files.keep("old", Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
    [job] = await store.claim(now + 30, ["toy"], [], 9)
    await Step(tools, job, time.monotonic() + 30).take()

    after = await store.get("old")
    assert after is not None
    assert after.state is state


async def test_a_job_that_nobody_works_on_any_more_stands_in_nobodys_way(
    store: Store, tmp_path: Path, provider: Narrow
) -> None:
    tools, now = made(store, tmp_path, provider, 1), time.time()
    gone = replace(instant.rendering("gone", now - HOUR, now - HOUR), address=Address("a chat that was taken away", {}))
    left = replace(instant.asked("left", now - HOUR), address=Address("a chat that was taken away", {}))
    await instant.seed(store, [gone, replace(left, due=now - HOUR)])
    await ask(store, tools, "mine")
    [job] = await closed(store, 1, Worker(store, tools))

    assert (job.id, job.outcome) == ("mine", Outcome.RENDERED)


async def test_ten_thousand_in_a_full_providers_line_do_not_keep_another_provider_waiting(
    store: Store, tmp_path: Path, provider: Narrow
) -> None:
    tools, now = made(store, tmp_path, provider, 1), time.time()
    tools = replace(tools, providers={"toy": provider, "other": provider}, files=Still(tmp_path / "jobs"))
    line = [
        replace(instant.asked(f"w{n}", now - 60 + n / 1000), progress=Waiting(min(n, 500)), shown=now)
        for n in range(10_000)
    ]
    line = [replace(job, due=now + places.pause(n) * (n % 97) / 97) for n, job in enumerate(line)]
    await instant.seed(store, [instant.rendering("first", now, now + HOUR), *line])
    tools.files.keep("mine", Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]
    await store.add(replace(instant.asked("mine", now), provider="other", due=now))
    asked = time.monotonic()
    [job] = await closed(store, 1, Worker(store, tools))

    assert (job.id, job.outcome) == ("mine", Outcome.RENDERED)
    assert time.monotonic() - asked < 60, "seconds on a quiet machine"


def test_the_operators_number_goes_before_the_providers_own() -> None:
    providers = {"a": Narrow(Path(), places=3), "b": Narrow(Path(), places=3), "c": instant.Vendor(Path())}

    assert places.declared(providers, {"b": 5}) == {"a": 3, "b": 5}
