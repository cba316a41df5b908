"""Questions that are asked together go out together, and each gets its own answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from providers.batch import Batch
from providers.contract import Busy, Reason, Refused


@dataclass
class Vendor:
    """Answers every key with its upper case, once `open` is set."""

    asked: list[list[str]] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)
    error: Exception | None = None
    bad: str | None = None  # a request with this key is refused as a whole
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def many(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(keys))
        self.reached.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        if self.bad in keys:
            raise Refused(Reason.UNSUPPORTED)
        return {key: key.upper() for key in keys if key not in self.lacks}

    def batch(self, *, most: int = 10, within: float = 0.01, held: bool = False) -> Batch[str]:
        if not held:
            self.open.set()
        return Batch(self.many, most=most, within=within)


async def test_what_is_asked_within_a_moment_is_one_request_and_everybody_gets_their_own_answer() -> None:
    vendor = Vendor()
    batch = vendor.batch()
    assert await asyncio.gather(*map(batch.one, "abc")) == ["A", "B", "C"]
    assert await batch.one("d") == "D"
    assert vendor.asked == [["a", "b", "c"], ["d"]]


async def test_no_request_is_larger_than_allowed_and_a_full_one_does_not_wait() -> None:
    vendor = Vendor()
    batch = vendor.batch(most=2, within=3600)
    async with asyncio.timeout(60):
        assert await asyncio.gather(*map(batch.one, "abcd")) == ["A", "B", "C", "D"]
    assert vendor.asked == [["a", "b"], ["c", "d"]]


async def test_the_same_key_asked_twice_goes_out_once() -> None:
    vendor = Vendor()
    batch = vendor.batch()
    assert await asyncio.gather(batch.one("a"), batch.one("a")) == ["A", "A"]
    assert vendor.asked == [["a"]]


async def test_a_key_that_the_answer_lacks_is_forgotten_and_the_others_are_not() -> None:
    vendor = Vendor(lacks={"b"})
    batch = vendor.batch()
    answers = await asyncio.gather(*map(batch.one, "abc"), return_exceptions=True)
    assert (answers[0], answers[2]) == ("A", "C")
    assert isinstance(answers[1], Refused)
    assert answers[1].reason is Reason.FORGOTTEN


@pytest.mark.parametrize("error", [Busy("later", 7), ValueError("a bug")])
async def test_a_request_that_fails_fails_for_all_who_wait_and_the_next_one_is_fresh(error: Exception) -> None:
    vendor = Vendor(error=error)
    batch = vendor.batch()
    answers = await asyncio.gather(*map(batch.one, "ab"), return_exceptions=True)
    assert answers == [error, error]

    vendor.error = None
    assert await batch.one("a") == "A"


async def test_a_refusal_of_several_is_narrowed_down_to_the_one_that_it_is_about() -> None:
    vendor = Vendor(bad="c")
    batch = vendor.batch()
    *fine, bad = await asyncio.gather(*map(batch.one, "abdec"), return_exceptions=True)
    assert fine == ["A", "B", "D", "E"]
    assert isinstance(bad, Refused)
    assert bad.reason is Reason.UNSUPPORTED


async def test_one_who_gives_up_hurts_no_other() -> None:
    vendor = Vendor()
    batch = vendor.batch(held=True)
    one, other = asyncio.create_task(batch.one("a")), asyncio.create_task(batch.one("b"))
    await asyncio.wait_for(vendor.reached.wait(), 60)
    one.cancel()
    vendor.open.set()
    assert await other == "B"
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    vendor = Vendor()
    batch = vendor.batch(within=0.05)
    one = asyncio.create_task(batch.one("a"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one, 0.01)
    assert await batch.one("b") == "B"
    assert vendor.asked == [["b"]]


async def test_closing_asks_nothing_more_and_leaves_nobody_waiting() -> None:
    vendor = Vendor()
    batch = vendor.batch(held=True, most=2, within=3600)
    asked = [asyncio.create_task(batch.one(key)) for key in "ab"]
    await asyncio.wait_for(vendor.reached.wait(), 60)
    waiting = asyncio.create_task(batch.one("c"))
    await asyncio.wait({waiting}, timeout=0.01)
    async with asyncio.timeout(60):
        await batch.close()
        answers = await asyncio.gather(*asked, waiting, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
    assert vendor.asked == [["a", "b"]]
