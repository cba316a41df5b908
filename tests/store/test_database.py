"""What is SQL's own: processes side by side, sudden death, a full disk, a locked file, books that sqlite3 can read."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from bot.domain.job import Closed, EffectStarted, Job, Outcome, Settled, State, Ticketed
from bot.store import migrations
from bot.store.contract import Lost, StoreBroken, StoreBusy
from bot.store.sqlite import Store
from providers.contract import Ticket
from tests.store.test_store import CLOCK, HERE, a_job, claimed


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "zoetrope.db", CLOCK.now)
    yield store
    await store.close()


async def test_whoever_is_alone_voids_the_leases_of_the_dead(tmp_path: Path) -> None:
    first = await Store.open(tmp_path / "z.db", CLOCK.now)
    second = await Store.open(tmp_path / "z.db", CLOCK.now)
    try:
        assert await first.join()
        await first.add(a_job())
        assert len(await claimed(first)) == 1
        assert not await second.join(), "the first one lives and may be at work"
        assert await claimed(second) == []
        await first.close()
        third = await Store.open(tmp_path / "z.db", CLOCK.now)
        assert not await third.join(), "the second one lives"
        await second.close()
        await third.close()
        fourth = await Store.open(tmp_path / "z.db", CLOCK.now)
        assert await fourth.join()
        assert [job.fence for job in await claimed(fourth)] == [2]
        await fourth.close()
    finally:
        await first.close()
        await second.close()


async def test_a_start_forgets_times_that_a_clock_set_wrong(real: Store) -> None:
    await real.add(a_job("soon", due=CLOCK.now() + 600))
    await real.add(a_job("never", due=CLOCK.now() + 365 * 86400))
    assert await real.join()

    assert [job.id for job in await claimed(real)] == ["never"]


async def test_several_connections_never_claim_the_same_job(tmp_path: Path) -> None:
    stores = [await Store.open(tmp_path / "z.db", CLOCK.now) for _ in range(4)]
    for number in range(200):
        await stores[0].add(a_job(f"j{number}"))

    async def claim_all(store: Store) -> list[str]:
        mine: list[str] = []
        while jobs := await store.claim(CLOCK.now() + 30, HERE, [], 7):
            mine += [job.id for job in jobs]
        return mine

    taken = [name for names in await asyncio.gather(*map(claim_all, stores)) for name in names]
    for store in stores:
        await store.close()
    assert sorted(taken) == sorted(f"j{number}" for number in range(200))


async def test_history_and_ledger_tell_the_whole_story_to_sqlite3(real: Store, tmp_path: Path) -> None:
    await real.add(a_job())
    [job] = await claimed(real)
    for happened in (
        EffectStarted(CLOCK.now() + 90),
        Ticketed(Ticket("7"), CLOCK.now()),
        Settled(Outcome.RENDERED, {}, 250_000),
        EffectStarted(CLOCK.now() + 90),
        Closed("message 1"),
    ):
        job = await real.record(job, happened)

    with closing(sqlite3.connect(tmp_path / "zoetrope.db")) as db:
        story = db.execute("SELECT n, event, state FROM history WHERE job = 'a' ORDER BY n").fetchall()
        books = db.execute("SELECT kind, amount FROM ledger WHERE job = 'a' ORDER BY amount").fetchall()
    assert story == [
        (1, "Asked", "queued"),
        (2, "EffectStarted", "submitting"),
        (3, "Ticketed", "rendering"),
        (4, "Settled", "replying"),
        (5, "EffectStarted", "replying"),
        (6, "Closed", "closed"),
    ]
    assert books == [("release", -280_000), ("settle", 250_000), ("reserve", 280_000)]
    assert [entry.event for entry in await real.history("a")][-1] == "Closed"


async def test_one_callers_trouble_in_a_shared_transaction_is_his_alone(real: Store) -> None:
    await real.add(a_job())
    [job] = await claimed(real)
    bad = a_job("bad", state="nonsense")
    soon = EffectStarted(CLOCK.now() + 90)
    works = (real.record(job, soon), real.add(bad), real.add(a_job("good")), real.record(replace(job, fence=99), soon))
    answers = await asyncio.gather(*works, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Job, StoreBroken, Job, Lost]
    assert {row.id for row in await real.jobs()} == {"a", "good"}


async def test_durations_are_those_of_rendered_jobs_from_accepted_to_finished(real: Store) -> None:
    done = {"state": State.CLOSED, "ticketed": 100.0, "settled": 130.0}
    await real.add(a_job("a", **done, outcome=Outcome.RENDERED))
    await real.add(a_job("b", **done, outcome=Outcome.REFUSED))
    await real.add(a_job("c", **done, outcome=Outcome.RENDERED, model="other"))

    assert await real.durations("p", "m") == [30.0]


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "z.db"
    await (await Store.open(file)).close()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreBroken, match=f"newer Zoetrope .its version is 9999, this one knows {migrations.HEAD}"):
        await Store.open(file)


async def test_two_processes_may_make_the_same_database_at_once(tmp_path: Path) -> None:
    for folder in map(str, range(20)):  # one such pair of twenty failed where SQLite does not wait
        stores = await asyncio.gather(*(Store.open(tmp_path / folder / "z.db") for _ in range(2)))
        for store in stores:
            await store.close()


async def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "z.db").write_bytes(b"this is no database, it is a sentence" * 200)

    with pytest.raises(StoreBroken, match=r"damaged\. Stop Zoetrope and restore the newest backup"):
        await Store.open(tmp_path / "z.db")


async def test_a_data_folder_that_can_not_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreBroken, match=r"can't be written .* data_dir"):
        await Store.open(tmp_path / "file" / "z.db")


async def test_a_locked_database_is_busy_and_nothing_is_changed(real: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "zoetrope.db", isolation_level=None)) as other:
        await pragma(real, "busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="locked"):
            await real.add(a_job())
        other.execute("ROLLBACK")
    assert await real.jobs() == []
    await real.add(a_job())
    assert [job.id for job in await real.jobs(State.QUEUED, "me")] == ["a"]


async def pragma(store: Store, words: str) -> list[RowMapping]:
    return await store._writer.do(lambda batch: batch.rows(text(f"PRAGMA {words}"), {}))


async def test_a_full_disk_is_busy_and_work_goes_on_when_there_is_room(real: Store) -> None:
    [row] = await pragma(real, "page_count")
    await pragma(real, f"max_page_count = {row['page_count']}")
    with pytest.raises(StoreBusy, match="disk is full"):
        await fill(real)
    kept = {job.id for job in await real.jobs(most=500)}
    await pragma(real, "max_page_count = 100000")
    await real.add(a_job("after"))
    assert {job.id for job in await real.jobs(most=500)} == kept | {"after"}


async def fill(store: Store) -> None:
    for number in range(200):
        await store.add(a_job(f"j{number}", prompt="x" * 2000))


DIE = """
import asyncio, os, sys
from pathlib import Path
from bot.store import Store
from tests.store.test_store import CLOCK, a_job
async def main():
    store = await Store.open(Path(sys.argv[1]), CLOCK.now)
    for number in range(10_000):
        await store.add(a_job(f"j{number}"))
        print(number, flush=True)
asyncio.run(main())
"""


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    file = tmp_path / "z.db"
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        [sys.executable, "-c", DIE, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    last = -1
    for line in child.stdout:
        last = int(line)
        if last == 60:
            child.kill()
    child.wait()
    child.stdout.close()
    store = await Store.open(file)
    ids = {job.id for job in await store.jobs(most=20_000)}
    await store.close()
    assert {f"j{number}" for number in range(last + 1)} <= ids


async def test_a_copy_of_the_folder_opens_as_it_was(real: Store, tmp_path: Path) -> None:
    await real.add(a_job())
    (tmp_path / "copy").mkdir()
    for file in tmp_path.glob("zoetrope.db*"):
        shutil.copy(file, tmp_path / "copy" / file.name)
    copy = await Store.open(tmp_path / "copy" / "zoetrope.db")
    assert [job.id for job in await copy.jobs()] == ["a"]
    await copy.close()


async def test_the_data_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    await (await Store.open(tmp_path / "data" / "z.db")).close()

    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
