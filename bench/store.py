"""Jobs through a whole life, 16 at a time, with a vendor and a chat that answer at once: what our own books cost.

`python bench/store.py [--jobs 1000]`. Real store, worker, shelf and video room. The limit in the same run: plain
sqlite3 in this very process doing as many commits of one update and one insert, `synchronous = FULL` as ours.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import event

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import instant, media, tables
from bot.domain.job import EffectStarted, Event, Job, Retried
from bot.domain.line import Line
from bot.engine.worker import Worker
from bot.media.films import Clip
from bot.store.sqlite import Store
from providers.contract import ModelSpec, Ticket

AT_ONCE = 16
SPEC = ModelSpec("toy", "toy", typical_seconds=0.1, poll_floor=0)


@dataclass
class Timed:
    """The store, with a stop-watch on `record`."""

    store: Store
    took: list[float] = field(default_factory=list)  # milliseconds

    async def record(self, job: Job, happened: Event) -> Job:
        began = time.perf_counter()
        try:
            return await self.store.record(job, happened)
        finally:
            self.took.append((time.perf_counter() - began) * 1000)

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        return await self.store.take_place(job, started, places)

    async def extend(self, job: Job, until: float) -> Job:
        return await self.store.extend(job, until)

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        return await self.store.adopt(job_id, ticket)


class Ready:
    """Takes every video as it is: looking at one costs a child process, which is not what is measured here."""

    async def prepare(self, path: Path) -> Clip:  # noqa: ARG002 - every video is alike here
        return Clip(1, 1.0, 64, 64, 0, "h264", None, True, True, False, False, False)

    async def fit(self, path: Path, limit: int, into: Path) -> Clip:  # noqa: ARG002 - nothing here is too big
        return await self.prepare(path)


@dataclass(frozen=True)
class Lives:
    jobs: int
    seconds: float
    cpu: float
    commits: int
    records: Sequence[float]  # milliseconds


async def live(folder: Path, count: int) -> Lives:
    media.clip(folder / "clip.mp4")
    store = await Store.open(folder / "zoetrope.db")
    commits = 0

    @event.listens_for(store._engine.sync_engine, "commit")
    def committed(_: object) -> None:
        nonlocal commits
        commits += 1

    timed, vendor = Timed(store), instant.Vendor(folder / "clip.mp4")
    tools = replace(instant.tools(store, folder, vendor, SPEC), store=timed, video=Ready())
    worker = Worker(store, tools, steps_at_once=AT_ONCE)
    working = asyncio.create_task(worker.run())
    began, cpu = time.perf_counter(), time.process_time()
    names = iter([f"j{number}" for number in range(count)])
    still = media.still()

    async def people() -> None:
        for name in names:
            await asyncio.to_thread(tools.files.keep, name, still)  # type: ignore[attr-defined]  # a step needs less
            await store.add(instant.asked(name, time.time()))
            worker.ring()

    await asyncio.gather(*(people() for _ in range(AT_ONCE)))
    while await store.next_due(["toy"]) is not None:  # noqa: ASYNC110 - as an operator would look
        await asyncio.sleep(0.02)
    took = time.perf_counter() - began
    worker.stop()
    await working
    await store.close()
    return Lives(count, took, time.process_time() - cpu, commits, timed.took)


async def alone(folder: Path, times: int) -> list[float]:
    """Time `record` with nobody else there, in milliseconds."""
    store = await Store.open(folder / "alone.db")
    timed = Timed(store)
    await store.add(instant.asked("j", time.time()))
    [job] = await store.claim(time.time() + 600, ["toy"], [], 1)
    for _ in range(times):
        job = await timed.record(job, EffectStarted(job.due))
        job = await timed.record(job, Retried(time.time() + 600, "again"))
    await store.close()
    return timed.took


def raw(file: Path, commits: int) -> float:
    """Return the seconds that as many commits take with nothing between us and SQLite."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, words TEXT)")
        database.execute("CREATE TABLE history (job INTEGER, words TEXT)")
        database.executemany("INSERT INTO jobs VALUES (?, ?)", [(number, "x" * 600) for number in range(1000)])
        began = time.perf_counter()
        for number in range(commits):
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE jobs SET words = ? WHERE id = ?", (f"{number:600}", number % 1000))
            database.execute("INSERT INTO history VALUES (?, ?)", (number % 1000, "y" * 100))
            database.execute("COMMIT")
        return time.perf_counter() - began


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--jobs", type=int, default=1000)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lives = asyncio.run(live(folder, asked.jobs))
        limit = raw(folder / "raw.db", lives.commits)
        single = asyncio.run(alone(folder, 250))
    each = lives.commits / lives.jobs
    tables.show(
        f"{lives.jobs} whole lives, {AT_ONCE} at a time; {os.cpu_count()} cores",
        [
            tables.at_least("jobs through a whole life", lives.jobs / lives.seconds, 150, "jobs/s"),
            tables.Figure("limit: the same commits, plain sqlite3", f"{lives.jobs / limit:.3g} jobs/s"),
            tables.Figure("commits of a life (shared by those at work)", f"{each:.2g}"),
            tables.Figure("records of a life", f"{len(lives.records) / lives.jobs:.2g}"),
            tables.Figure("CPU of a life", f"{lives.cpu / lives.jobs * 1000:.3g} ms"),
            tables.Figure("record() among them, p50", f"{tables.percentile(lives.records, 50):.3g} ms"),
            tables.at_most("record() among them, p99", tables.percentile(lives.records, 99), 25, "ms"),
            tables.Figure("record() alone, p50", f"{tables.percentile(single, 50):.3g} ms"),
            tables.at_most("record() alone, p99", tables.percentile(single, 99), 5, "ms"),
        ],
    )


if __name__ == "__main__":
    main()
