"""Every single fault and every pair of faults, at every point of a job's life: nobody pays twice, no video is lost."""

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from bot.domain.job import Outcome, State
from providers.contract import Busy, Progress, Reason, Recovery, Refused, Ticket
from tests.faults.world import SLOW_CALLS, START, Dedupe, Fault, Story, Verdict, World, judge

KINDS = list(product(Recovery, Dedupe))
TWISTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "the vendor is busy at first": {"busy_until": 100.0},
    "the vendor refuses": {"refuses": True},
    "the vendor is busy, and another takes it": {"fallback": True, "busy_until": 1000.0},
    "the vendor takes it, is busy then, and another could": {"fallback": True, "busy_after": 1000.0},
    "the video comes after its deadline": {"takes": 150.0},
    "the person cancels before it is sent": {"cancel_at": 0.0},
    "the person cancels while it renders": {"cancel_at": 15.0},
    "the vendor takes it, is busy then, and the person cancels": {"busy_after": 50.0, "cancel_at": 20.0},
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def excused(world: World) -> set[str]:
    """What no design can avoid, given what this vendor and this chat can be asked."""
    story, struck = world.story, set(world.power.struck)
    gone = {name for name, fault in struck if fault in {Fault.KILL, Fault.FREEZE}}
    frozen = {name for name, fault in struck if fault is Fault.FREEZE}
    lost = {name for name, fault in struck if fault is Fault.TROUBLE and name.endswith(":after")}
    flaws = set()
    unknowable = {"EffectStarted:after", "submit:before", "submit:after", "Ticketed:before", "Retried:before"}
    unknowable.add("FellBack:before")  # no second maker is asked while the first may have taken it
    if "EffectStarted:after" in lost:  # written, the answer lost, and gone before it was written again
        unknowable.add("EffectStarted:before")
    if story.recovery is Recovery.NONE and (gone & unknowable or "submit:after" in lost):
        flaws.add("unknown")
    if story.recovery is Recovery.FIND and "submit:before" in frozen:  # frozen between its own check and the call
        flaws |= {"double_charge", "lost", "wrong_bill"}
    if story.dedupe is Dedupe.HISTORY and "deliver:before" in frozen:
        flaws |= {"double_post", "double_late"}
    if story.dedupe is Dedupe.NONE and (
        gone & {"deliver:after", "Closed:before", "ReportedOverdue:before"}
        or "deliver:before" in frozen
        or "deliver:after" in lost
    ):
        flaws |= {"double_post", "double_late"}
    return flaws


def flaws(verdict: Verdict) -> set[str]:
    return {name for name in Verdict.__dataclass_fields__ if getattr(verdict, name)}


def check(story: Story, faults: dict[int, Fault]) -> World:
    world = World(story, faults).run()
    wrong = flaws(judge(world)) - excused(world)
    assert not wrong, (wrong, story, faults, world.power.struck, world.rows.events)
    return world


def settings(story: Story) -> Iterator[Story]:
    for alone, thaw_late in product((True, False), (True, False)):
        yield replace(story, alone=alone, thaw_late=thaw_late)


def faults_after(world: World, start: int = 0) -> Iterator[tuple[int, Fault]]:
    """Every fault that could strike that very run from its point `start` on."""
    for point, name in enumerate(world.power.names[start:], start):
        for fault in Fault:
            if fault is not Fault.SLOW or name in SLOW_CALLS:
                yield point, fault


@pytest.mark.parametrize("twist", TWISTS)
@pytest.mark.parametrize(("recovery", "dedupe"), KINDS)
def test_any_single_fault_costs_nobody_twice_and_loses_nothing(twist: str, recovery: Recovery, dedupe: Dedupe) -> None:
    for story in settings(Story(twist, recovery, dedupe, **TWISTS[twist])):
        for point, fault in faults_after(check(story, {})):
            check(story, {point: fault})


@pytest.mark.parametrize(("recovery", "dedupe"), KINDS)
def test_any_pair_of_faults_costs_nobody_twice_and_loses_nothing(recovery: Recovery, dedupe: Dedupe) -> None:
    schedules = 0
    story = Story("plain", recovery, dedupe)
    for one in (story, replace(story, alone=False, thaw_late=True)):
        for first, fault in faults_after(check(one, {})):
            for second, other in faults_after(check(one, {first: fault}), first + 1):
                check(one, {first: fault, second: other})
                schedules += 1
    assert schedules >= 11_200, "nine of these are to make more than 100,000"


@pytest.mark.parametrize(
    ("recovery", "dedupe"), [k for k in KINDS if k[0] is not Recovery.NONE and k[1] is not Dedupe.NONE]
)
def test_while_processes_only_die_all_is_zero(recovery: Recovery, dedupe: Dedupe) -> None:
    """Crashes alone, with a vendor and a chat that can be asked: no excuse is taken."""
    for twist, values in TWISTS.items():
        story = Story(twist, recovery, dedupe, **values)
        for first in range(World(story, {}).run().power.passed):
            for second in range(first + 1, World(story, {first: Fault.KILL}).run().power.passed, 3):
                world = World(story, {first: Fault.KILL, second: Fault.KILL}).run()
                assert not flaws(judge(world)), (story, world.power.struck, world.rows.events)


def test_a_job_whose_vendor_is_taken_away_while_its_answer_is_lost_is_told_in_the_end() -> None:
    world = World(Story("gone", Recovery.FIND, Dedupe.NONCE), {})
    world.tools = lambda store: replace(World.tools(world, store), providers={})  # type: ignore[method-assign]
    job = world.rows.jobs["job"]
    world.rows.jobs["job"] = replace(job, state=State.SUBMITTING, effect_started=job.created)

    assert world.run().job.outcome is Outcome.INTERRUPTED
    assert len(world.chat.posts) == 1


@pytest.mark.parametrize("recovery", Recovery)
def test_a_restored_job_that_another_maker_may_have_by_now_is_not_sent_again(recovery: Recovery) -> None:
    world = World(Story("restored", recovery, Dedupe.NONCE, fallback=True), {})
    doubt = {"state": State.SUBMITTING, "effect_started": START, "restored": START}
    world.rows.jobs["job"] = replace(world.rows.jobs["job"], **doubt)  # type: ignore[arg-type]

    assert world.run().job.outcome is Outcome.INTERRUPTED
    assert not world.vendor.charges
    assert not world.other.charges


def test_no_other_maker_is_asked_once_an_answer_was_lost_though_a_search_finds_nothing() -> None:
    story = Story("blind", Recovery.FIND, Dedupe.NONCE, fallback=True, busy_after=1000.0)
    lost = World(story, {}).run().power.names.index("submit:after")
    world = World(story, {lost: Fault.TROUBLE})
    world.vendor.lag = math.inf
    world.run()

    assert world.power.struck == [("submit:after", Fault.TROUBLE)]
    assert not world.other.charges


@pytest.mark.parametrize(("times", "outcome"), [(1, Outcome.RENDERED), (45, Outcome.RENDERED), (46, Outcome.REFUSED)])
def test_a_ticket_that_is_forgotten_once_after_an_outage_is_not_given_up(times: int, outcome: Outcome) -> None:
    world = World(Story("outage", Recovery.FIND, Dedupe.NONCE), {})
    check, busy = world.vendor.check, Busy("bad gateway")
    answers = [busy] * 7 + [Refused(Reason.FORGOTTEN)] * times

    async def look(ticket: Ticket) -> Progress:
        if answers:
            raise answers.pop(0)
        return await check(ticket)

    world.vendor.check = look  # type: ignore[method-assign]

    assert world.run().job.outcome is outcome


def test_a_chat_that_is_closed_for_weeks_is_tried_all_the_same() -> None:
    world = World(Story("weeks", Recovery.FIND, Dedupe.NONCE), {})
    detail = {"reason": "policy", "charged": False}
    told = {"state": State.REPLYING, "outcome": Outcome.REFUSED, "detail": detail, "cost": 0}
    world.rows.jobs["job"] = replace(world.rows.jobs["job"], attempts=5000, **told)  # type: ignore[arg-type]
    names = World(Story("calm", Recovery.FIND, Dedupe.NONCE), {})
    names.rows.jobs["job"] = world.rows.jobs["job"]
    deliver = names.run().power.names.index("deliver:before")
    world.power._faults = {deliver: Fault.TROUBLE}

    world.run()
    assert world.power.struck == [("deliver:before", Fault.TROUBLE)]
    assert world.job.state is State.CLOSED
