"""What becomes of a video that could not be posted: it is counted, listed, and posted once more when somebody asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chats.contract import Address
from bot.domain.job import Closed, EffectStarted, Outcome, State
from bot.store.sqlite import Store
from tests.store.test_store import CLOCK, a_job

OVER: dict[str, object] = {"state": State.CLOSED, "outcome": Outcome.RENDERED, "cost": 280_000, "receipt": "gone"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "zoetrope.db", CLOCK.now)
    yield store
    await store.close()


def undelivered(ago: float = 0) -> dict[str, object]:
    return OVER | {"closed": CLOCK.now() - ago, "undelivered_since": CLOCK.now() - ago - 86400}


async def test_only_what_is_over_and_was_not_posted_is_undelivered(store: Store) -> None:
    await store.add(a_job("old", **undelivered(ago=100)))
    await store.add(a_job("new", **undelivered(ago=10)))
    await store.add(a_job("tried", state=State.REPLYING, outcome=Outcome.RENDERED, undelivered_since=CLOCK.now()))
    await store.add(a_job("delivered", **OVER | {"receipt": "7"}, closed=CLOCK.now()))

    assert [job.id for job in await store.undelivered()] == ["new", "old"]
    assert await store.undelivered_now() == 2
    assert await store.give_up(CLOCK.now() - 50) == 1
    assert [job.id for job in await store.undelivered()] == ["new"]


async def test_a_video_is_posted_once_more_where_it_belongs_and_looked_for_first(store: Store) -> None:
    await store.add(a_job("a", **undelivered()))
    put_back = await store.redeliver("a")
    [job] = await store.claim(CLOCK.now() + 60, ["toy"], [], 1)

    assert put_back is not None
    assert (job.state, job.receipt, job.closed, job.undelivered_since) == (State.REPLYING, None, None, None)
    assert job.effect_started == CLOCK.now()
    assert (await store.history("a"))[-1].event == "Redelivered"
    assert await store.undelivered_now() == 0
    begun = await store.record(job, EffectStarted(CLOCK.now() + 60))
    over = await store.record(begun, Closed("message 7"))
    assert (over.receipt, over.cost) == ("message 7", 280_000)
    assert await store.redeliver("a") is not None, "once more, for whoever asks"


async def test_elsewhere_nothing_of_an_earlier_try_is_looked_for(store: Store) -> None:
    await store.add(a_job("a", **undelivered()))
    await store.redeliver("a", Address("other", {"channel": "2"}))
    [job] = await store.claim(CLOCK.now() + 60, ["other"], [], 1)

    assert job.address == Address("other", {"channel": "2"})
    assert job.effect_started is None


async def test_what_is_open_or_has_no_video_stays_as_it_is(store: Store) -> None:
    jobs = [
        a_job("open", state=State.REPLYING, outcome=Outcome.RENDERED),
        a_job("refused", state=State.CLOSED, outcome=Outcome.REFUSED, closed=CLOCK.now()),
    ]
    for job in jobs:
        await store.add(job)

    assert [await store.redeliver(name) for name in ("open", "refused", "nobody")] == [None] * 3
    assert [await store.get(job.id) for job in jobs] == jobs


async def test_who_worked_on_it_before_has_lost_it(store: Store) -> None:
    await store.add(a_job("a", **undelivered(), fence=4))
    put_back = await store.redeliver("a")

    found = await store.get("a")
    assert put_back is not None
    assert found is not None
    assert found.fence == 5
