"""Several jobs and one provider with few places, under every single fault: never more than its places, oldest first."""

import importlib.util
import inspect
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import bot.domain.line
from bot.domain.job import Job, Outcome, State
from bot.domain.line import Line
from bot.engine.tools import Tools
from providers.contract import AnimationRequest, Busy, Recovery, Ticket
from tests.faults.test_faults import faults_after
from tests.faults.world import START, Dedupe, Fault, FaultyStore, Story, Vendor, World

JOBS = ("c", "b", "a")  # by age: what is older does not come first in the alphabet
STORY = Story("crowd", Recovery.RESEND, Dedupe.NONCE, takes=20)


@dataclass
class Narrow(Vendor):
    """Makes so many videos at once. It notes when it was given more; it says Busy, if it is one that says so."""

    places: int = 1
    says_busy: bool = False
    most: int = 0
    refused: list[str] = field(default_factory=list)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        working = sum(
            self.clock.now() < at + self.takes and str(number) not in self.stopped
            for number, (known, at) in enumerate(self.charges)
            if known != key
        )
        if self.says_busy and working >= self.places:
            self.refused.append(key)
            raise Busy("all places are taken")
        ticket = await super().submit(request, key)
        self.most = max(self.most, working + 1)
        return ticket


class Crowd(World):
    """A world with several jobs, and what is asked of all of them."""

    turns = 1500

    def __init__(self, faults: dict[int, Fault], *, story: Story = STORY, says_busy: bool = False) -> None:
        super().__init__(story, faults)
        self.narrow = Narrow(story.recovery, self.clock, self.power, story.takes, says_busy=says_busy)
        self.vendor = self.narrow
        self._known = {} if says_busy else {"toy": 1}
        job = self.rows.jobs.pop("job")
        for number, name in enumerate(JOBS):
            made = replace(job, id=name, key=name, created=START + number, due=START + number)
            self.rows.jobs[name] = made

    @property
    def job(self) -> Job:
        """The job that something happens to next: whichever is due first."""
        jobs = self.rows.jobs.values()
        return min(jobs, key=lambda job: (job.state is State.CLOSED, job.due))

    def tools(self, store: FaultyStore) -> Tools:
        return replace(super().tools(store), places=self._known)

    def order(self) -> Sequence[str]:
        """Return who was taken, in that order."""
        return list(dict.fromkeys(key for key, _ in self.vendor.charges))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def harmed(world: Crowd) -> str | None:
    """Say what went wrong in a run, if something did."""
    world.run()
    if world.narrow.most > 1:
        return "more than its places"
    still = any(fault is Fault.FREEZE for _, fault in world.power.struck)  # for minutes nobody served the oldest
    if overtaken(world) and not still:
        return f"taken in the order {world.order()}"
    rendered = all(job.outcome is Outcome.RENDERED for job in world.rows.jobs.values())
    return None if rendered and len(world.chat.posts) == len(JOBS) else "somebody has no video"


def overtaken(world: Crowd) -> bool:
    """Say whether somebody was taken while an older one waited; where refusals tell, one that had been refused."""
    last = {} if world.narrow.says_busy else dict.fromkeys(JOBS, "Waited")
    for job, event in world.rows.events:
        if last.get(job) != "Ticketed":
            last[job] = event
        if event == "Ticketed" and any(last.get(older) in {"Waited", "Retried"} for older in JOBS[: JOBS.index(job)]):
            return True
    return False


def runs(**settings: Any) -> Iterator[Crowd]:
    """Every run with one fault."""
    for alone in (True, False):
        story = replace(STORY, alone=alone)
        for point, fault in faults_after(Crowd({}, story=story, **settings).run()):
            yield Crowd({point: fault}, story=story, **settings)


@pytest.mark.parametrize("says_busy", [False, True], ids=["a known number", "found out by refusals"])
def test_whatever_fails_places_and_order_are_kept(says_busy: bool) -> None:
    number = 0
    for world in runs(says_busy=says_busy):
        wrong = harmed(world)
        assert wrong is None, (wrong, world.power.struck, world.rows.events)
        number += 1
    assert number > 100


def test_a_line_behind_a_refusal_asks_little() -> None:
    world = Crowd({}, says_busy=True)
    assert harmed(world) is None
    assert len(world.narrow.refused) < 10


MUTANTS = {
    "a provider is given more than its places": ("self.held + self.ahead < places", "self.ahead < places", False),
    "a newcomer takes the place of who came first": ("self.held + self.ahead < places", "self.held < places", False),
    "a newcomer overtakes who was refused for now": ("if self.waiting:", "if False:", True),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_without_this_guard_of_the_line_there_is_harm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, says_busy = MUTANTS[name]
    monkeypatch.setattr(Line, "admits", mutated(old, new).admits)

    assert any(harmed(world) for world in runs(says_busy=says_busy)), "the guard is not tested"


def mutated(old: str, new: str) -> type[Line]:
    source = inspect.getsource(bot.domain.line)
    assert source.count(old) == 1
    spec = importlib.util.spec_from_loader("line_mutant", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatched = source.replace(old, new).replace("slots=True", "slots=False")
    exec(compile(monkeypatched, "line", "exec"), module.__dict__)  # noqa: S102 - our own source, one line changed
    return module.Line  # type: ignore[no-any-return]
