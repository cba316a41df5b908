"""Limits, reservation and row are one step: no two requests, and no two processes, spend the same money."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chats.contract import Address
from bot.domain.job import Closed, Job, Outcome, Settled
from bot.domain.policy import DAY, Broken, Limits, Rule
from bot.store.sqlite import Store
from tests.store.test_store import CLOCK, HERE, a_job

DOLLAR = 1_000_000
PROCESS = """
import asyncio, sys
from pathlib import Path
from bot.domain.job import Job
from bot.domain.policy import Limits
from bot.store.sqlite import Store
from tests.store.test_store import a_job

async def main():
    store = await Store.open(Path(sys.argv[1]))
    sys.stdin.readline()
    limits = Limits(open_per_person=3, per_person_per_day=None)
    found = [await store.admit(a_job(f"{sys.argv[2]}{n}"), limits) for n in range(4)]
    print(sum(isinstance(one, Job) for one in found))
    await store.close()

asyncio.run(main())
"""


async def opened(folder: Path) -> Store:
    return await Store.open(folder / "zoetrope.db", CLOCK.now)


async def test_four_processes_accept_as_many_as_one_would(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.close()
    root = Path(__file__).parents[2]
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROCESS,
            str(tmp_path / "zoetrope.db"),
            name,
            cwd=root,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(root)},
        )
        for name in "abcd"
    ]
    said = await asyncio.gather(*(child.communicate(b"go\n") for child in children))

    assert sum(int(out) for out, _ in said) == 3


@pytest.mark.parametrize("limits", [Limits(spend_per_day=5 * DOLLAR), Limits(spend_per_person_per_day=5 * DOLLAR)])
async def test_a_refund_of_yesterday_is_no_credit_today(tmp_path: Path, limits: Limits) -> None:
    store = await opened(tmp_path)
    yesterday = CLOCK.now() - DAY - 1
    old = a_job("old", price=5 * DOLLAR, created=yesterday)
    assert isinstance(await store.admit(old, limits), Job)
    [old] = await store.claim(CLOCK.now() + 30, HERE, [], 1)
    await store.record(old, Settled(Outcome.CANCELLED, {}, 0))

    assert isinstance(await store.admit(a_job("one", price=5 * DOLLAR), limits), Job)
    broken = await store.admit(a_job("two", price=5 * DOLLAR), limits)

    assert isinstance(broken, Broken)
    assert broken.used == 5 * DOLLAR
    await store.close()


async def test_requests_in_one_transaction_see_each_other(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    limits = Limits(open_per_person=None, spend_per_day=2 * DOLLAR)

    found = await asyncio.gather(*(store.admit(a_job(f"j{n}", price=DOLLAR), limits) for n in range(5)))

    assert sum(isinstance(one, Job) for one in found) == 2
    assert {one.rule for one in found if isinstance(one, Broken)} == {Rule.TOTAL_SPEND}
    await store.close()


async def test_the_same_act_is_the_older_job_even_when_the_limit_is_reached(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    limits = Limits(open_per_person=1)
    first = await store.admit(a_job("one"), limits)

    assert await store.admit(replace(a_job("other"), key="key one"), limits) == first
    assert isinstance(await store.admit(a_job("two"), limits), Broken)
    await store.close()


async def test_reserved_money_is_one_number_in_the_metrics_and_in_the_ledger(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    for number, price in enumerate((DOLLAR, 2 * DOLLAR, 4 * DOLLAR)):
        await store.add(a_job(f"j{number}", price=price, address=Address("toy", {})))
    jobs = await store.claim(CLOCK.now() + 30, HERE, [], 2)
    await store.record(await store.record(jobs[0], Settled(Outcome.REFUSED, {}, 0)), Closed("x"))
    await store.record(jobs[1], Settled(Outcome.RENDERED, {}, DOLLAR // 2))

    totals = await store.totals()
    spent = (await store.usage("me", CLOCK.now() - DAY)).spent_by_all

    assert sum(total.reserved + total.spent for total in totals) == spent
    await store.close()
