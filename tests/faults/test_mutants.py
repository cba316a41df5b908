"""The test of the tests: every guard taken away, one at a time, must turn the fault enumeration red."""

import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from types import ModuleType

import pytest

import bot.hold
import bot.step
from bot.jobs import IllegalMove
from bot.step import Step
from providers.contract import Recovery
from tests.faults.test_faults import TWISTS, excused, faults_after, flaws
from tests.faults.world import Dedupe, Story, World, judge


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
        "a job is sent again after a lost answer, whoever the vendor is",
        bot.step,
        """if provider.recovery is Recovery.NONE or self._gave_up():
            return await self._settle(Outcome.INTERRUPTED, self.job.price)""",
        """if provider.recovery is Recovery.NONE:
            return await self._record(Stumbled(now, "again"))""",
    ),
    Mutant(
        "the vendor's list is not searched",
        bot.step,
        "ticket = await self._look(lambda: provider.find(self.job.id, began))",
        "ticket = None; now += 1000",
    ),
    Mutant(
        "the vendor's list is believed at once",
        bot.step,
        "elif now < max(began, self.job.restored or 0) + self._times.submit + self._times.appears_within:",
        "elif False:",
    ),
    Mutant(
        "the intent to submit is not written down",
        bot.step,
        "await self._begin(self._times.submit)\n        await self._submit(",
        "self.job = replace(self.job, state=State.SUBMITTING, began=now())\n        await self._submit(",
    ),
    Mutant(
        "the intent to post is not written down",
        bot.step,
        "await self._begin(self._times.post)\n            try:\n                return await self._post(",
        "try:\n                return await self._post(",
    ),
    Mutant("a post is repeated without looking for it", bot.hold, "key, again=again)", "key, again=False)"),
    Mutant(
        "a lost answer to a post is taken for a no",
        bot.step,
        "except ChatUnsure as error:\n            return await self._stumble(error, unsure=True)",
        "except ChatUnsure as error:\n            return await self._stumble(error, unsure=again)",
    ),
    Mutant(
        "a job is closed before it is told",
        bot.step,
        "            receipt = await self._tell(again=again)\n",
        """            await self._record(Closed("first"))
            receipt = await self._tell(again=again)
            return None
""",
    ),
    Mutant(
        "a lease is not checked before an effect",
        bot.hold,
        "if self._clock.monotonic() + seconds > self._end:\n            raise StandDown",
        "pass",
        alone=False,
    ),
    Mutant(
        "a lease does not cover the call made under it",
        bot.hold,
        "await self._record(Began(self._clock.now() + until))",
        "await self._record(Began(self.job.due))",
    ),
    Mutant(
        "an event that could not be written is forgotten",
        bot.hold,
        "await self._clock.sleep(1)",
        "raise",
    ),
    Mutant(
        "a bad look at a paid job fails it",
        bot.step,
        "return await (self._overrun() if self._overran() else self._stumble(error))",
        'return await self._settle(Outcome.REFUSED, reason="failed", charged=False)',
    ),
    Mutant(
        "a cancel forgets that the vendor may have the job",
        bot.step,
        "if fresh and job.to_cancel:",
        "if job.to_cancel:",
    ),
    Mutant(
        "a busy answer to a repeated submission forgets the first one",
        bot.step,
        "await self._stumble(busy, unsure=not fresh)",
        "await self._stumble(busy)",
    ),
    Mutant(
        "another maker is asked although the first may have it",
        bot.step,
        "unsure=unsure, alone=True",
        "unsure=unsure",
    ),
    Mutant(
        "a late video is not waited for",
        bot.step,
        "await self._record(Overran(now + 60))",
        "await self._record(Overran(now)); await self._record(Closed())",
    ),
    Mutant(
        "being late is told without looking for the earlier post",
        bot.step,
        'f"{self.job.id}-late", again=True)',
        'f"{self.job.id}-late", again=False)',
    ),
    Mutant(
        "a stopped and charged job is booked as free",
        bot.step,
        "self.job.price if charged else 0, charged=charged)",
        "0, charged=charged)",
    ),
    Mutant(
        "a failed download is the end of the job",
        bot.step,
        "return await (self._overrun() if self._overran() and not overdue else self._stumble(error))",
        'return await self._settle(Outcome.REFUSED, 0, reason="failed", charged=False)',
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
    if mutant.module is bot.hold:
        hold = loaded("bot.hold", source.replace(mutant.old, mutant.new))
        return loaded("bot.step", inspect.getsource(bot.step), hold).Step  # type: ignore[no-any-return]
    return loaded("bot.step", source.replace(mutant.old, mutant.new)).Step  # type: ignore[no-any-return]


def loaded(name: str, source: str, hold: ModuleType | None = None) -> ModuleType:
    spec = importlib.util.spec_from_loader(f"{name}_mutant", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    real = sys.modules["bot.hold"]
    try:
        sys.modules["bot.hold"] = hold or real
        exec(  # noqa: S102 - our own source, one line changed
            compile("from dataclasses import replace\nfrom time import time as now\n" + source, name, "exec"),
            module.__dict__,
        )
    finally:
        sys.modules["bot.hold"] = real
    return module
