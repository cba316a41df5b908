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

import bot.engine.lease
import bot.engine.step
from bot.domain.job import IllegalMove
from bot.engine.step import Step
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
        "a job is sent again after a lost answer, whoever the provider is",
        bot.engine.step,
        """if provider.recovery is Recovery.NONE or self._gave_up():
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
        "elif now < max(began, self.job.restored or 0) + self._times.submit + self._times.appears_within:",
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
        "await self._lease.start_effect(self._times.post)\n            try:\n                return await self._post(",
        "try:\n                return await self._post(",
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
        "            receipt = await self._tell(again=again)\n",
        """            await self._lease.record(Closed("first"))
            receipt = await self._tell(again=again)
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
        "return await (self._report_overdue() if self._past_deadline() else self._retry(error))",
        'return await self._settle(Outcome.REFUSED, reason="failed", charged=False)',
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
        "return await (self._report_overdue() if self._past_deadline() and not overdue else self._retry(error))",
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
