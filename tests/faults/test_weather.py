"""Trouble that is no crash, anywhere in a job's life: a paid job ends by evidence, in time and never in silence."""

import logging
import math
from collections.abc import Iterator

import pytest

from bot.chats.contract import ChatBusy, ChatGone, ChatUnsure, TooBig
from bot.domain.job import Outcome, State
from bot.engine.lease import Lease
from bot.engine.step import Step
from bot.engine.worker import Worker
from providers.contract import Busy, Reason, Recovery, Refused
from tests.faults.test_faults import excused, faults_after, flaws
from tests.faults.world import START, Absence, Dedupe, Fault, Jump, Spell, Story, Strike, World, judge

HOUR = 3600.0
DAY = 24 * HOUR
SOON = 600.0  # seconds; whatever waited for the end of a trouble has its video by then

PASSES = {
    "the chat says for 8 s that it is gone": Spell("deliver", ChatGone("unknown channel"), 8),
    "the chat says for hours that it is gone": Spell("deliver", ChatGone("unknown channel"), 3 * HOUR),
    "the chat is busy for half an hour": Spell("deliver", ChatBusy("internal error"), HOUR / 2),
    "the chat loses its answers for half an hour": Spell("deliver", ChatUnsure("bad gateway"), HOUR / 2),
    "the provider does not know the ticket for 65 s": Spell("check", Refused(Reason.FORGOTTEN), 65),
    "the provider does not know the ticket for two hours": Spell("check", Refused(Reason.FORGOTTEN), 2 * HOUR),
    "the provider is busy for six hours": Spell("check", Busy("bad gateway"), 6 * HOUR),
    "the video can't be fetched for six hours": Spell("fetch", Busy("bad gateway"), 6 * HOUR),
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def under(
    weather: tuple[Spell, ...] = (),
    faults: dict[int, Strike] | None = None,
    *,
    recovery: Recovery = Recovery.FIND,
    step: type[Step] = Step,
    worker: type[Worker] = Worker,
    takes: float = 20,
    turns: int = 10_000,
) -> World:
    """Run a job through that weather to its end."""
    world = World(Story("weather", recovery, Dedupe.NONCE, takes=takes, weather=weather), faults or {}, step, worker)
    world.turns = turns
    return world.run()


def at(call: str, strike: Strike, weather: tuple[Spell, ...] = ()) -> dict[int, Strike]:
    """Return the strike at the first point of that name."""
    return {under(weather).power.names.index(call): strike}


def harms(world: World) -> set[str]:
    """Say which laws a job broke whose trouble has passed: it has its video, once, soon after, for one charge.

    A job that nobody was paid for may have ended unmade, and said so.
    """
    found, excuses = flaws(judge(world)), excused(world)
    charges = world.vendor.charges
    ready = charges[-1][1] + world.vendor.takes if charges else 0
    if world.clock.elapsed() > max(world.power.last_trouble, ready) + SOON:
        found.add("late")
    if charges and not any(reply.video is not None for _, reply in world.chat.posts):
        found.add("kept back")
    return found - excuses


def check(world: World) -> None:
    assert not harms(world), (harms(world), world.story, world.power.struck, world.rows.events)


@pytest.mark.parametrize("weather", PASSES)
@pytest.mark.parametrize("recovery", [Recovery.FIND, Recovery.RESEND])
def test_trouble_that_passes_costs_no_video_though_a_crash_joins_it_anywhere(weather: str, recovery: Recovery) -> None:
    spell = (PASSES[weather],)
    calm = under(spell, recovery=recovery)
    check(calm)
    names = calm.power.names
    for point, fault in faults_after(calm):
        if names[point] not in names[:point][:-8]:  # the same call over and over fails the same way
            check(under(spell, {point: fault}, recovery=recovery))


FORWARD = "known: one empty search is believed when the clock went days on while the submission's process died"


@pytest.mark.parametrize(
    ("jump", "recovery"),
    [
        pytest.param(Jump.DAYS_ON, Recovery.FIND, marks=pytest.mark.xfail(strict=True, reason=FORWARD)),
        (Jump.DAYS_ON, Recovery.RESEND),
        *(
            (jump, recovery)
            for jump in (Jump.HOUR_BACK, Jump.DAYS_BACK)
            for recovery in (Recovery.FIND, Recovery.RESEND)
        ),
    ],
)
def test_a_clock_that_jumps_anywhere_costs_no_video_though_a_crash_follows(jump: Jump, recovery: Recovery) -> None:
    for point in range(under(recovery=recovery).power.passed):
        jumped = under(faults={point: jump}, recovery=recovery)
        check(jumped)
        for later in range(point + 1, jumped.power.passed, 5):
            check(under(faults={point: jump, later: Fault.KILL}, recovery=recovery))


@pytest.mark.parametrize("seconds", [67 * 60.0, 3 * DAY])
@pytest.mark.parametrize("recovery", [Recovery.FIND, Recovery.RESEND])
def test_an_absence_of_hours_or_days_costs_no_video_though_the_provider_is_busy_then(
    seconds: float, recovery: Recovery
) -> None:
    for weather in ((), (Spell("check", Busy("bad gateway"), 75),), (Spell("find", Busy("bad gateway"), 75),)):
        for point in range(under(weather, recovery=recovery).power.passed):
            check(under(weather, {point: Absence(seconds)}, recovery=recovery))


def thawed(call: str, step: type[Step] = Step) -> World:
    """Freeze the process in its submission until another one has told the job as interrupted."""
    story = Story("late ticket", Recovery.NONE, Dedupe.NONCE, alone=False, thaw_late=True)
    point = World(story, {}).run().power.names.index(call)
    return World(story, {point: Fault.FREEZE}, step).run()


def test_a_ticket_that_comes_after_its_job_was_told_as_interrupted_brings_its_video() -> None:
    for call in ("submit:before", "submit:after"):
        world = thawed(call)
        assert world.job.outcome is Outcome.RENDERED
        assert [key for key, _ in world.chat.posts] == ["job", "job-adopted"]
        assert len(world.vendor.charges) == 1


def without_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a video smaller without a task of its own: this world has no event loop."""
    monkeypatch.setattr(Lease, "keep", lambda _, call: call())


FOR_GOOD = {
    "the chat is gone": (Spell("deliver", ChatGone("unknown channel")), Outcome.RENDERED, DAY),
    "no upload is taken": (Spell("upload", ChatBusy("internal error")), Outcome.RENDERED, HOUR),
    "every size is too big": (Spell("upload", TooBig(1000)), Outcome.RENDERED, 0.0),
    "the provider does not know the ticket": (Spell("check", Refused(Reason.FORGOTTEN)), Outcome.REFUSED, 2 * HOUR),
}


@pytest.mark.parametrize("weather", FOR_GOOD)
def test_trouble_for_good_ends_by_evidence_of_hours_and_with_a_word(
    weather: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_tasks(monkeypatch)
    spell, outcome, least = FOR_GOOD[weather]
    world = under((spell,))
    job = world.job

    assert (job.state, job.outcome) == (State.CLOSED, outcome)
    assert world.clock.elapsed() - START >= least
    assert world.chat.posts or job.undelivered_since is not None, "nobody knows"
    assert (job.undelivered_since is not None) is (outcome is Outcome.RENDERED), "the video is kept and listed"
    if outcome is Outcome.REFUSED:
        assert job.detail["unsure"], "nobody can know whether it was charged"


def test_a_video_that_never_comes_is_told_after_two_days_of_asking() -> None:
    world = under(takes=math.inf)

    assert world.job.outcome is Outcome.TIMED_OUT
    assert world.clock.elapsed() - START > 2 * DAY
    assert [key for key, _ in world.chat.posts] == ["job-late", "job"]


def test_a_clock_that_jumps_does_not_end_a_late_video_that_comes_an_hour_after() -> None:
    faults = at("check:before", Jump.DAYS_ON)
    check(under(faults=faults, takes=HOUR))
