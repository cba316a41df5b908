"""What a step makes of a job that nobody can be asked about for long."""

from dataclasses import replace

import pytest

from bot.domain.job import State
from bot.engine import step
from providers.contract import Recovery, Ticket
from tests.faults.world import START, Dedupe, Story, World

DAY = 86_400.0


def test_a_late_video_whose_provider_is_not_configured_is_no_evidence_that_it_never_comes() -> None:
    world = World(Story("orphan", Recovery.RESEND, Dedupe.NONCE), {})
    world.clock.time += 10 * DAY
    late = replace(world.job, state=State.OVERDUE, ticket=Ticket("1"), ticketed=START, detail={"polls": 10_000})
    world.rows.jobs["job"] = replace(late, provider="nobody")
    for _ in range(3):
        world.turn()

    assert (world.job.state, world.job.outcome) == (State.OVERDUE, None)


@pytest.mark.parametrize("tries", [0, 1, 9, 10, 5_000])
def test_a_pause_grows_and_ends_at_the_longest(tries: int) -> None:
    pauses = [step._pause(2.0, tries), step._pause(30.0, tries)]

    assert all(0 < pause <= step.LONGEST_PAUSE for pause in pauses)
    assert step._pause(2.0, tries) <= step._pause(2.0, tries + 1)
