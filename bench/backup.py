"""How long a write waits while the database is copied: `python bench/backup.py [--jobs 10000]`.

In both halves one job is written to again and again, each write synced; in the second half a backup is made meanwhile.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import tables
from bot.chats.contract import Address
from bot.domain.job import Job, Outcome, State, Waited
from bot.domain.options import ResolvedOptions
from bot.files.folder import Folder
from bot.ops import backup
from bot.store.sqlite import Store
from providers.contract import Picture, Ticket

OPEN = 100
ALONE_SECONDS = 2
PICTURE = Picture(bytes(200_000), "image/jpeg", 1024, 768)
WORDS = "a calm sea under a low sun, slow zoom in " * 3


def a_job(name: str, state: State) -> Job:
    closed = state is State.CLOSED
    outcome, ticket = Outcome.RENDERED if closed else None, Ticket(f'{{"id": "{name}", "endpoint": "maker/model"}}')
    place = {"guild": "1" * 18, "channel": "2" * 18, "status": "3" * 18}
    return Job(name, f"key {name}", Address("toy", place), "4" * 18, "en", WORDS, "m", "p", ResolvedOptions(), 280_000,
               time.time(), state=state, outcome=outcome, ticket=ticket,
               closed=time.time() if closed else None)  # fmt: skip


async def fill(store: Store, files: Folder, jobs: int) -> Job:
    """Write that many jobs down, the first `OPEN` of them open with a picture; return the one to be written to."""
    states = [State.RENDERING] * OPEN + [State.CLOSED] * (jobs - OPEN)
    await asyncio.gather(*(store.add(a_job(f"job{number}", state)) for number, state in enumerate(states)))
    for number in range(OPEN):
        files.keep(f"job{number}", PICTURE)
    return a_job("job0", State.RENDERING)


async def writes(store: Store, job: Job, until: "asyncio.Task[object]") -> list[float]:
    """Return how long each write took, until that task was over, in milliseconds."""
    took = []
    while not until.done():
        began = time.perf_counter()
        await store.record(job, Waited(time.time() + 1))
        took.append((time.perf_counter() - began) * 1000)
    return took


async def main(jobs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, files = await Store.open(folder / "zoetrope.db"), Folder(folder / "jobs")
        job = await fill(store, files, jobs)
        alone = await writes(store, job, asyncio.create_task(asyncio.sleep(ALONE_SECONDS)))
        make = partial(backup.make, folder / "zoetrope.db", files, folder / "backups", time.time())
        copy = asyncio.create_task(asyncio.to_thread(make))
        beside = await writes(store, job, copy)
        made = await copy
        await store.close()
    figures = [tables.Figure("backup", f"{made.size / 1e6:.1f} MB in {made.seconds:.2f} s")]
    for told, took in (("nothing else going on", alone), ("a backup going on", beside)):
        figures.append(tables.Figure(f"median of {len(took)} writes, {told}", f"{tables.percentile(took, 50):.2f} ms"))
        figures.append(tables.Figure(f"longest, {told}", f"{max(took):.1f} ms"))
    tables.show(f"{jobs:,} jobs, {OPEN} of them open, each with a picture of 200 kB", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    asyncio.run(main(parser.parse_args().jobs))
