"""The store's exam, sat by every answer to its contract: each database, and the memory that the fault tests use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chats.contract import Address
from bot.domain.job import (
    Closed,
    EffectStarted,
    Event,
    Fallback,
    FellBack,
    IllegalMove,
    Job,
    Outcome,
    Relation,
    ReportedOverdue,
    Retried,
    Settled,
    State,
    Ticketed,
    Waited,
)
from bot.domain.line import Line
from bot.domain.options import ResolvedOptions
from bot.store import sqlite
from bot.store.contract import UNDER_WAY, JobStore, Lost
from providers.contract import Rendering, Ticket, Waiting
from tests.fakes.memory import MemoryStore, Now, Rows

CLOCK = Now()
HERE = ["toy"]
FALLBACK = Fallback("other", "n", ResolvedOptions(), 300_000)


def a_job(name: str = "a", **changes: object) -> Job:
    now = CLOCK.now()
    job = Job(
        name,
        f"key {name}",
        Address("toy", {"channel": "1"}),
        "me",
        "en",
        "it moves",
        "m",
        "p",
        ResolvedOptions(),
        280_000,
        now,
        due=now,
    )
    return replace(job, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[JobStore]:
    store = await sqlite.Store.open(folder / "zoetrope.db", CLOCK.now)
    yield store
    await store.close()


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[JobStore]:
    yield MemoryStore(Rows(), CLOCK)


ANSWERS = {"sqlite": in_sqlite, "memory": in_memory}


@pytest.fixture(params=ANSWERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobStore]:
    async with ANSWERS[request.param](tmp_path) as answer:
        yield answer


async def claimed(store: JobStore, seconds: float = 30) -> list[Job]:
    return await store.claim(CLOCK.now() + seconds, HERE, [], 10)


async def test_a_job_comes_back_as_it_was_written(store: JobStore) -> None:
    job = a_job(
        locale="de",
        address=Address("toy", {"channel": "1", "thread": "7"}),
        options=ResolvedOptions.of({"seconds": 5.5, "not known yet": [1]}),
        notices=("first.x",),
        fallbacks=(FALLBACK,),
        passed_providers=("third",),
        parent="z",
        relation=Relation.EDIT,
    )
    await store.add(job)

    assert await store.get("a") == job
    assert await store.by_key("key a") == job
    assert await store.get("b") is None


async def test_the_same_act_twice_is_one_job(store: JobStore) -> None:
    first = await store.add(a_job("a"))

    assert await store.add(a_job("b", key="key a")) == first
    assert await store.get("b") is None


async def test_a_claimed_job_is_nobody_elses_until_its_lease_ends(store: JobStore) -> None:
    await store.add(a_job())
    [job] = await claimed(store)

    assert (job.fence, job.claimed, job.due) == (1, True, CLOCK.now() + 30)
    assert await claimed(store) == []
    CLOCK.time += 31
    assert [job.fence for job in await claimed(store)] == [2]


async def test_only_due_jobs_of_our_chats_that_are_not_in_hand_are_claimed(store: JobStore) -> None:
    for job in (
        a_job("a"),
        a_job("b", address=Address("other", {})),
        a_job("c", due=CLOCK.now() + 5),
        a_job("d"),
        a_job("e"),
    ):
        await store.add(job)

    assert [job.id for job in await store.claim(CLOCK.now() + 30, HERE, ["d"], 10, only=None)] == ["a", "e"]
    assert await store.claim(CLOCK.now() + 30, HERE, [], 10, only="zzz") == []
    assert [job.id for job in await store.claim(CLOCK.now() + 30, HERE, [], 10, only="d")] == ["d"]


async def test_what_happened_is_written_only_while_the_job_is_ours(store: JobStore) -> None:
    await store.add(a_job())
    [mine] = await claimed(store)
    CLOCK.time += 31
    [theirs] = await claimed(store)

    with pytest.raises(Lost):
        await store.record(mine, EffectStarted(CLOCK.now() + 90))
    with pytest.raises(Lost):
        await store.extend(mine, CLOCK.now() + 99)
    await store.wait([(mine, CLOCK.now() + 999)])
    assert await store.get("a") == theirs
    assert (await store.record(theirs, EffectStarted(CLOCK.now() + 90))).state is State.SUBMITTING


LIFE: list[Event] = [
    EffectStarted(0),
    Retried(0, "lost", unsure=True),
    EffectStarted(0),
    Ticketed(Ticket('{"id": "x"}'), 0),
    Waited(0, Waiting(4)),
    Waited(0, Rendering(0.25)),
    ReportedOverdue(0),
    Settled(Outcome.RENDERED, {"bytes": 9, "note": "Zoom."}, 250_000),
    EffectStarted(0),
    Closed("message 1"),
]


async def test_a_whole_life_is_the_same_in_every_store(store: JobStore) -> None:
    twin = MemoryStore(Rows(), CLOCK)
    for one in (store, twin):
        await one.add(a_job())
    for happened in LIFE:
        CLOCK.time += 1
        done = []
        for one in (store, twin):
            [job] = await claimed(one, 5) or [await one.get("a")]
            assert job is not None
            done.append(
                await one.record(job, replace(happened, due=CLOCK.now()) if hasattr(happened, "due") else happened)
            )
        assert done[0] == done[1]
        assert await store.get("a") == await twin.get("a")
        CLOCK.time += 6


async def test_an_illegal_move_writes_nothing(store: JobStore) -> None:
    await store.add(a_job())
    [job] = await claimed(store)

    with pytest.raises(IllegalMove):
        await store.record(job, Closed("no"))
    assert await store.get("a") == job


async def test_a_look_with_nothing_new_gives_the_job_back(store: JobStore) -> None:
    await store.add(a_job(state=State.RENDERING, ticket="7", attempts=3))
    [job] = await claimed(store)
    await store.wait([(job, CLOCK.now() + 12)])
    after = await store.get("a")

    assert after is not None
    assert (after.due, after.claimed, after.attempts) == (CLOCK.now() + 12, False, 0)


async def test_an_idle_job_that_is_to_be_cancelled_is_due_at_once(store: JobStore) -> None:
    await store.add(a_job(due=CLOCK.now() + 500))

    assert await store.ask_cancel("a")
    assert [job.to_cancel for job in await claimed(store)] == [True]


async def test_a_cancel_does_not_break_a_lease_and_is_seen_right_after_it(store: JobStore) -> None:
    for name in ("a", "b"):
        await store.add(a_job(name, state=State.RENDERING, ticket="7"))
    [one, two] = await claimed(store)
    for name in ("a", "b"):
        assert await store.ask_cancel(name)

    assert await claimed(store) == []
    await store.record(one, Waited(CLOCK.now() + 60))
    await store.wait([(two, CLOCK.now() + 60)])
    assert [job.to_cancel for job in await claimed(store)] == [True, True]


async def test_a_cancel_that_has_been_seen_waits_for_its_turn_like_anything_else(store: JobStore) -> None:
    await store.add(a_job(state=State.RENDERING, ticket="7"))
    await store.ask_cancel("a")
    [job] = await claimed(store)
    await store.record(job, Retried(CLOCK.now() + 60, "busy"))

    assert await claimed(store) == []


@pytest.mark.parametrize("state", [State.REPLYING, State.CLOSED])
async def test_there_is_nothing_to_cancel_once_the_end_is_known(store: JobStore, state: State) -> None:
    await store.add(a_job(state=state, outcome=Outcome.RENDERED))

    assert not await store.ask_cancel("a")
    assert not await store.ask_cancel("nothing")


async def test_the_next_due_time_looks_at_our_open_jobs_only(store: JobStore) -> None:
    assert await store.next_due(HERE) is None
    await store.add(a_job("a", state=State.CLOSED, outcome=Outcome.RENDERED))
    await store.add(a_job("b", due=CLOCK.now() + 7))
    await store.add(a_job("c", address=Address("other", {})))

    assert await store.next_due(HERE) == CLOCK.now() + 7
    assert await store.next_due(HERE, only="c") is None


async def test_a_place_is_given_while_there_is_one_and_nobody_older_waits(store: JobStore) -> None:
    for number, name in enumerate(("old", "young")):
        await store.add(a_job(name, created=CLOCK.now() + number))
    young, old = sorted(await claimed(store), key=lambda job: job.id, reverse=True)
    started = EffectStarted(CLOCK.now() + 90)
    assert await store.take_place(young, started, 1) == Line(held=0, ahead=1, waiting=0)

    taken = await store.take_place(old, started, 1)
    assert isinstance(taken, Job)
    assert taken.state is State.SUBMITTING
    assert await store.take_place(young, started, 1) == Line(held=1, ahead=0, waiting=0)
    refused = await store.record(taken, Retried(CLOCK.now() + 60, "Busy"))
    assert await store.take_place(young, started, None) == Line(held=0, ahead=1, waiting=1)
    assert refused.state is State.QUEUED


async def test_who_makes_way_wakes_the_oldest_that_waits(store: JobStore) -> None:
    for number, name in enumerate(("first", "old", "young")):
        await store.add(a_job(name, created=CLOCK.now() + number))
    jobs = {job.id: job for job in await claimed(store)}
    first = await store.record(jobs["first"], EffectStarted(CLOCK.now() + 90))
    await store.wait([(jobs["young"], CLOCK.now() + 500), (jobs["old"], CLOCK.now() + 500)])
    await store.record(first, Settled(Outcome.REFUSED))

    old, young = await store.get("old"), await store.get("young")
    assert old is not None
    assert young is not None
    assert (old.due, young.due) == (CLOCK.now(), CLOCK.now() + 500)


async def test_usage_counts_open_and_recent_jobs_and_the_money_reserved_and_spent(store: JobStore) -> None:
    since = CLOCK.now()
    for name in ("a", "b"):
        await store.add(a_job(name))
    [one, _] = await claimed(store)
    await store.record(
        await store.record(one, EffectStarted(CLOCK.now() + 90)), Settled(Outcome.INTERRUPTED, {}, 250_000)
    )
    usage = await store.usage("me", since)

    assert (usage.open_jobs, usage.recent_jobs, usage.spent, usage.spent_by_all) == (1, 2, 530_000, 530_000)
    assert (await store.usage("you", since)).recent_jobs == 0


async def test_a_job_that_is_passed_on_reserves_the_price_of_its_new_maker(store: JobStore) -> None:
    since = CLOCK.now()
    await store.add(a_job(fallbacks=(FALLBACK,)))
    [job] = await claimed(store)
    job = await store.record(job, EffectStarted(CLOCK.now() + 90))
    job = await store.record(job, FellBack(CLOCK.now(), FALLBACK))

    assert (job.provider, job.model, job.effect_started, job.attempts) == ("other", "n", None, 0)
    assert (job.fallbacks, job.passed_providers) == ((), ("p",))
    assert await store.get("a") == replace(job, claimed=False)
    assert (await store.usage("me", since)).spent == 300_000
    [job] = await claimed(store)
    await store.record(job, Settled(Outcome.REFUSED, {}, 0))
    assert (await store.usage("me", since)).spent == 0


async def test_a_job_reserves_the_price_of_the_dearest_maker_until_one_has_taken_it(store: JobStore) -> None:
    since = CLOCK.now()
    for name in ("a", "b"):
        await store.add(a_job(name, fallbacks=(replace(FALLBACK, price=350_000),)))
    assert (await store.usage("me", since)).spent == 700_000

    one, other = await claimed(store)
    one = await store.record(
        await store.record(one, EffectStarted(CLOCK.now() + 90)), Ticketed(Ticket("t"), CLOCK.now())
    )
    assert (await store.usage("me", since)).spent == 280_000 + 350_000
    await store.record(await store.record(other, EffectStarted(CLOCK.now() + 90)), Settled(Outcome.REFUSED, {}, 0))
    assert (await store.usage("me", since)).spent == 280_000
    await store.record(one, Settled(Outcome.RENDERED, {}, 270_000))
    assert (await store.usage("me", since)).spent == 270_000


async def test_the_claims_of_the_dead_are_released_but_a_post_may_still_be_under_way(store: JobStore) -> None:
    for name in ("a", "b"):
        await store.add(a_job(name))
    await store.add(a_job("c", state=State.REPLYING, outcome=Outcome.REFUSED))
    for job in await claimed(store):
        if job.id in {"b", "c"}:
            await store.record(job, EffectStarted(CLOCK.now() + 90))
    await store.join()

    assert sorted(job.id for job in await claimed(store)) == ["a", "b"]
    CLOCK.time += UNDER_WAY
    assert [job.id for job in await claimed(store)] == ["c"]
