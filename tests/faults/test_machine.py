"""Hypothesis plays with the same step: faults, time and cancels in any order, and at the end the books must balance."""

import logging
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.job import State
from providers.contract import Recovery
from tests.fakes.memory import MemoryStore
from tests.faults.test_faults import excused, flaws
from tests.faults.world import Dedupe, Fault, Story, World, finish, judge


class Life(RuleBasedStateMachine):
    """One job; processes that come, go, freeze and wake; a person who may cancel; a vendor that may be slow or busy."""

    world: World

    @initialize(
        recovery=st.sampled_from(list(Recovery)),
        dedupe=st.sampled_from(list(Dedupe)),
        takes=st.sampled_from([0.0, 20.0, 150.0]),
        refuses=st.booleans(),
        alone=st.booleans(),
        thaw_late=st.booleans(),
        faults=st.dictionaries(st.integers(0, 45), st.sampled_from(list(Fault)), min_size=1, max_size=3),
    )
    def begin(self, faults: dict[int, Fault], **values: Any) -> None:
        logging.disable(logging.CRITICAL)
        self.faults = dict(faults)
        self.world = World(Story("any", **values), self.faults)

    @rule(ahead=st.integers(0, 12), fault=st.sampled_from(list(Fault)))
    def plan_a_fault(self, ahead: int, fault: Fault) -> None:
        self.faults[self.world.power.passed + ahead] = fault

    @rule(seconds=st.sampled_from([0.5, 10.0, 100.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.clock.time += seconds

    @rule(seconds=st.sampled_from([5.0, 60.0]))
    def make_the_vendor_busy(self, seconds: float) -> None:
        self.world.vendor.busy_until = self.world.clock.time + seconds

    @precondition(lambda self: self.world.vendor.charges and self.world.job.state is not State.CLOSED)
    @rule()
    def cancel(self) -> None:
        finish(MemoryStore(self.world.rows, self.world.clock).ask_cancel("job"))

    @rule(rounds=st.integers(1, 4))
    def work(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.turn()

    @invariant()
    def nobody_pays_twice_and_nothing_is_told_twice(self) -> None:
        now = flaws(judge(self.world)) & {"double_charge", "double_post", "double_late"}
        assert not now - excused(self.world), self.world.power.struck

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.run()
            assert not flaws(judge(self.world)) - excused(self.world), (self.world.power.struck, self.world.rows.events)
        logging.disable(logging.NOTSET)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=1500,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,  # the same examples on every machine; the enumeration is the proof
    suppress_health_check=[HealthCheck.too_slow],
)
