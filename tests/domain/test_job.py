"""The table of states: every legal move moves, every blank cell refuses, and the README draws the same table."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

from bot.chats.contract import Address
from bot.domain.job import (
    NEXT,
    Closed,
    EffectStarted,
    Event,
    Fallback,
    FellBack,
    IllegalMove,
    Job,
    Outcome,
    Redelivered,
    ReportedOverdue,
    Retried,
    Settled,
    State,
    Ticketed,
    Waited,
    moved,
)
from bot.domain.options import ResolvedOptions
from providers.contract import Rendering, Ticket, Waiting

NOW = 2_000.0
EVENTS: dict[type[Any], Event] = {
    EffectStarted: EffectStarted(NOW + 90),
    Ticketed: Ticketed(Ticket("7"), NOW + 5),
    Waited: Waited(NOW + 5),
    Retried: Retried(NOW + 5, "busy"),
    FellBack: FellBack(NOW, Fallback("other", "m", ResolvedOptions(), 25)),
    ReportedOverdue: ReportedOverdue(NOW + 5),
    Settled: Settled(Outcome.RENDERED, {"bytes": 9}, 12),
    Closed: Closed("message 1"),
    Redelivered: Redelivered(NOW),
}
JOB = Job(
    "a",
    "k",
    Address("toy", {}),
    "me",
    "en",
    "it moves",
    "m",
    "p",
    ResolvedOptions(),
    20,
    1_000.0,
    due=1_030.0,
    fence=3,
    claimed=True,
)


def test_every_event_has_a_case_here() -> None:
    assert set(EVENTS) == set(get_args(Event))


@pytest.mark.parametrize(("state", "event"), NEXT, ids=lambda x: getattr(x, "__name__", x))
def test_a_legal_move_leads_where_the_table_says(state: State, event: type[Any]) -> None:
    assert moved(replace(JOB, state=state), EVENTS[event], NOW).state is NEXT[state, event]


@pytest.mark.parametrize(
    ("state", "event"),
    [cell for cell in product(State, EVENTS) if cell not in NEXT],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_a_blank_cell_refuses(state: State, event: type[Any]) -> None:
    with pytest.raises(IllegalMove, match=f"{event.__name__} can't happen to a job that is {state}"):
        moved(replace(JOB, state=state), EVENTS[event], NOW)


def test_only_an_announcement_keeps_the_claim() -> None:
    for state, event in NEXT:
        assert moved(replace(JOB, state=state), EVENTS[event], NOW).claimed is (event is EffectStarted)


def test_the_first_announcement_counts_until_the_answer_is_known() -> None:
    began = moved(JOB, EffectStarted(NOW + 90), NOW)
    again = moved(moved(began, Retried(NOW, "lost", unsure=True), NOW), EffectStarted(NOW + 90), NOW + 50)

    assert (began.effect_started, again.effect_started) == (NOW, NOW)
    assert moved(began, Retried(NOW, "busy"), NOW).effect_started is None
    assert moved(began, Ticketed(Ticket("7"), NOW), NOW).effect_started is None


def test_waiting_uses_up_no_attempt_and_forgives_the_earlier_ones() -> None:
    job = replace(JOB, state=State.RENDERING, attempts=4)

    assert moved(job, Retried(NOW, "busy"), NOW).attempts == 5
    assert moved(job, Waited(NOW), NOW).attempts == 0


def test_rendering_is_counted_from_its_start_not_from_the_queue() -> None:
    queued = moved(replace(JOB, state=State.RENDERING), Waited(NOW, Waiting(3)), NOW)
    started = moved(queued, Waited(NOW + 60, Rendering()), NOW + 50)
    on = moved(started, Waited(NOW + 70, Rendering(0.5)), NOW + 60)

    assert (queued.rendering_started, started.rendering_started, on.rendering_started) == (None, NOW + 50, NOW + 50)


def test_a_job_that_nobody_saw_waiting_began_when_it_was_accepted() -> None:
    job = replace(JOB, state=State.RENDERING, ticketed=NOW - 30)

    assert moved(job, Waited(NOW + 60, Rendering()), NOW).rendering_started == NOW - 30


def test_a_settled_job_is_due_at_once_with_its_books_closed() -> None:
    job = moved(replace(JOB, state=State.RENDERING), Settled(Outcome.REFUSED, {"reason": "policy"}, 0), NOW)

    assert (job.due, job.outcome, job.cost, job.settled) == (NOW, Outcome.REFUSED, 0, NOW)


def test_an_overdue_job_that_nobody_finishes_is_told_before_it_is_closed() -> None:
    job = moved(replace(JOB, state=State.OVERDUE), Settled(Outcome.TIMED_OUT, {}, JOB.price), NOW)

    assert (job.state, job.outcome, job.cost) == (State.REPLYING, Outcome.TIMED_OUT, JOB.price)
    with pytest.raises(IllegalMove):
        moved(replace(JOB, state=State.OVERDUE), Closed(), NOW)


def test_the_diagram_in_the_readme_is_the_table() -> None:
    drawn = set()
    for line in Path("README.md").read_text().splitlines():
        if "-->" in line:
            start, _, rest = line.strip().partition(" --> ")
            end, _, events = rest.partition(": ")
            drawn |= {(start, event.strip(), end) for event in events.split(",")}
    table = {(str(start), event.__name__, str(end)) for (start, event), end in NEXT.items()}
    assert drawn == table
