"""The test of the tests: every guard taken away, one at a time, must turn the fault enumeration red."""

import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from types import ModuleType

import pytest

import bot.engine.lease
import bot.engine.step
import bot.engine.worker
from bot.chats.contract import ChatBusy
from bot.domain.job import IllegalMove, Outcome, State
from bot.engine.step import Step
from bot.engine.worker import Worker
from providers.contract import Busy, Recovery
from tests.faults.test_faults import TWISTS, excused, faults_after, flaws
from tests.faults.test_weather import HOUR, PASSES, at, harms, thawed, under, without_tasks
from tests.faults.world import Absence, Dedupe, Jump, Spell, Story, World, judge


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands exactly once in the module, becomes `new`."""

    name: str
    module: ModuleType
    old: str
    new: str
    alone: bool = True


MUTANTS = [
    Mutant(
        "a job is sent again after a lost answer, whoever the provider is",
        bot.engine.step,
        """if provider.recovery is Recovery.NONE:
            return await self._settle(Outcome.INTERRUPTED, self.job.price)""",
        """if provider.recovery is Recovery.NONE:
            return await self._lease.record(Retried(now, "again"))""",
    ),
    Mutant(
        "the provider's list is not searched",
        bot.engine.step,
        "ticket = await self._poll(lambda: provider.find(self.job.id, began))",
        "ticket = None; now += 1000",
    ),
    Mutant(
        "the provider's list is believed at once",
        bot.engine.step,
        "elif self._may_yet_appear(began, now):",
        "elif False:",
    ),
    Mutant(
        "the intent to submit is not written down",
        bot.engine.step,
        "line = await self._take_place(fresh=fresh)",
        "line = None; self._lease.job = replace(self.job, state=State.SUBMITTING, effect_started=now())",
    ),
    Mutant(
        "the intent to post is not written down",
        bot.engine.step,
        "await self._lease.start_effect(self._times.post)\n            try:\n                receipt =",
        "try:\n                receipt =",
    ),
    Mutant("a post is repeated without looking for it", bot.engine.step, "key, again=again)", "key, again=False)"),
    Mutant(
        "a lost answer to a post is taken for a no",
        bot.engine.step,
        "except ChatUnsure as error:\n            return await self._retry(error, unsure=True)",
        "except ChatUnsure as error:\n            return await self._retry(error, unsure=again)",
    ),
    Mutant(
        "a job is closed before it is told",
        bot.engine.step,
        "            receipt, undelivered = await self._tell(again=again)\n",
        """            await self._lease.record(Closed("first"))
            receipt, undelivered = await self._tell(again=again)
            return None
""",
    ),
    Mutant(
        "a lease is not checked before an effect",
        bot.engine.lease,
        "if self._clock.monotonic() + seconds > self._end:\n            raise StandDown",
        "pass",
        alone=False,
    ),
    Mutant(
        "a lease does not last for the call made under it",
        bot.engine.lease,
        "EffectStarted(self._clock.now() + until)",
        "EffectStarted(self.job.due)",
    ),
    Mutant(
        "an event that could not be written is forgotten",
        bot.engine.lease,
        "await self._clock.sleep(1)",
        "raise",
    ),
    Mutant(
        "a bad poll of a paid job fails it",
        bot.engine.step,
        "            return await self._retry_or_report(error)\n        if isinstance(progress",
        """            return await self._settle(Outcome.REFUSED, reason="failed", charged=False)
        if isinstance(progress""",
    ),
    Mutant(
        "a cancel forgets that the provider may have the job",
        bot.engine.step,
        "if fresh and job.to_cancel:",
        "if job.to_cancel:",
    ),
    Mutant(
        "a busy answer to a repeated submission forgets the first one",
        bot.engine.step,
        "await self._retry(busy, unsure=not fresh)",
        "await self._retry(busy)",
    ),
    Mutant(
        "another provider is asked although the first may have it",
        bot.engine.step,
        "unsure=unsure, pinned=True",
        "unsure=unsure",
    ),
    Mutant(
        "a late video is not waited for",
        bot.engine.step,
        "await self._lease.record(ReportedOverdue(now + 60))",
        "await self._lease.record(ReportedOverdue(now)); await self._lease.record(Closed())",
    ),
    Mutant(
        "being late is told without looking for the earlier post",
        bot.engine.step,
        'f"{self.job.id}-late", again=True)',
        'f"{self.job.id}-late", again=False)',
    ),
    Mutant(
        "a stopped and charged job is booked as free",
        bot.engine.step,
        "self.job.price if charged else 0, charged=charged)",
        "0, charged=charged)",
    ),
    Mutant(
        "a failed download is the end of the job",
        bot.engine.step,
        "            return await self._retry_or_report(error)\n        size =",
        """            return await self._settle(Outcome.REFUSED, 0, reason="failed", charged=False)
        size =""",
    ),
]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_this_guard_the_enumeration_finds_harm(mutant: Mutant) -> None:
    assert harm(mutated(mutant), alone=mutant.alone), "no schedule went wrong: the guard is not tested"


@pytest.mark.parametrize("fenced", [True, False])
def test_without_the_fence_a_sleeper_overwrites_what_others_did(fenced: bool) -> None:
    assert harm(Step, alone=False, fenced=fenced) is not fenced


SLOW_SEARCH = (Spell("find", Busy("bad gateway"), 75),)

# The guards of the weather: what stands in `step.py`, what without the guard, and whether a run shows harm.
WEATHER_MUTANTS: dict[str, tuple[str, str, Callable[[type[Step]], bool]]] = {
    "a place is believed to be gone at once": (
        "not self._is_gone_for_good()",
        "False",
        lambda step: bool(harms(under((PASSES["the chat says for 8 s that it is gone"],), step=step))),
    ),
    "a ticket is believed to be forgotten after a few answers": (
        "self.job.forgotten < FORGOTTEN_ENOUGH",
        "self.job.forgotten < 6",
        lambda step: bool(harms(under((PASSES["the provider does not know the ticket for two hours"],), step=step))),
    ),
    "a late video is given up by the clock alone": (
        "self.job.polls >= OVERDUE_ENOUGH and now > asked",
        "now > asked",
        lambda step: bool(harms(under(faults=at("check:before", Jump.DAYS_ON), takes=HOUR, step=step))),
    ),
    "a submission is given up by its age without a search": (
        "asked >= DOUBTED_ENOUGH and self._clock.now()",
        "self._clock.now()",
        lambda step: bool(harms(under(SLOW_SEARCH, at("submit:after", Absence(67 * 60.0)), step=step))),
    ),
    "a ticket that comes late is dropped": (
        "if await self._tools.store.adopt(self.job.id, ticket):",
        "if False:",
        lambda step: thawed("submit:after", step).job.outcome is not Outcome.RENDERED,
    ),
    "pauses grow beyond ten minutes": (
        "LONGEST_PAUSE = 300.0",
        "LONGEST_PAUSE = 5000.0",
        lambda step: any(harms(under((spell,), step=step)) for spell in PASSES.values()),
    ),
    "words are never posted after hours of refusal": (
        "if self.job.attempts >= WORDS_AFTER:",
        "if False:",
        lambda step: (
            under((Spell("upload", ChatBusy("internal error")),), step=step, turns=500).job.state is not State.CLOSED
        ),
    ),
}


@pytest.mark.parametrize("name", WEATHER_MUTANTS)
def test_without_this_guard_the_weather_does_harm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_tasks(monkeypatch)
    old, new, harmful = WEATHER_MUTANTS[name]

    assert not harmful(Step), "it is harmful with the guard"
    assert harmful(mutated(Mutant(name, bot.engine.step, old, new)))


def test_a_clock_that_jumps_back_unnoticed_keeps_a_video_waiting() -> None:
    source = inspect.getsource(bot.engine.worker)
    assert source.count("await self._store.make_due()") == 1
    deaf: type[Worker] = loaded("bot.engine.worker", source.replace("await self._store.make_due()", "pass")).Worker
    faults = at("Ticketed:after", Jump.HOUR_BACK)

    assert not harms(under(faults=faults))
    assert "late" in harms(under(faults=faults, worker=deaf))


def harm(step: type[Step], *, alone: bool, fenced: bool = True) -> bool:
    """Say whether some single fault now does unexcused harm."""
    for (twist, values), recovery, dedupe in product(TWISTS.items(), Recovery, Dedupe):
        for thaw_late in (False, True):
            story = Story(twist, recovery, dedupe, **values, alone=alone, thaw_late=thaw_late, fenced=fenced)
            try:
                points = faults_after(World(story, {}, step).run())
                if any(goes_wrong(World(story, {point: fault}, step)) for point, fault in points):
                    return True
            except IllegalMove:  # the table of states noticed
                return True
    return False


def goes_wrong(world: World) -> bool:
    return bool(flaws(judge(world.run())) - excused(world))


def mutated(mutant: Mutant) -> type[Step]:
    """Return `Step` from source text in which the guard is gone."""
    source = inspect.getsource(mutant.module)
    assert source.count(mutant.old) == 1, f"{mutant.old!r} stands {source.count(mutant.old)} times"
    if mutant.module is bot.engine.lease:
        lease = loaded("bot.engine.lease", source.replace(mutant.old, mutant.new))
        return loaded("bot.engine.step", inspect.getsource(bot.engine.step), lease).Step  # type: ignore[no-any-return]
    return loaded("bot.engine.step", source.replace(mutant.old, mutant.new)).Step  # type: ignore[no-any-return]


def loaded(name: str, source: str, lease: ModuleType | None = None) -> ModuleType:
    spec = importlib.util.spec_from_loader(f"{name}_mutant", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    real = sys.modules["bot.engine.lease"]
    try:
        sys.modules["bot.engine.lease"] = lease or real
        exec(  # noqa: S102 - our own source, one line changed
            compile("from dataclasses import replace\nfrom time import time as now\n" + source, name, "exec"),
            module.__dict__,
        )
    finally:
        sys.modules["bot.engine.lease"] = real
    return module
