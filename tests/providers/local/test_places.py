"""The local renderer behind the engine: who waits for a place waits there, and no two render at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench.toys import instant
from bot.domain.job import Job, Outcome, State
from bot.domain.options import ResolvedOptions
from bot.engine import places
from bot.engine.tools import Times, Tools
from bot.engine.worker import Worker
from bot.store.sqlite import Store
from providers.contract import ModelSpec, Picture
from providers.local import Provider, Settings

SPEC = ModelSpec("toy", "toy", typical_seconds=0.5, poll_floor=0.05)
SMALL = ResolvedOptions(seconds=2, resolution="160p")
NAMES = ["job-1", "job-2", "job-3", "job-4"]


async def process(world: AsyncExitStack, folder: Path) -> Tools:
    """Open what one process has: its own way to the database, and its own provider on the same folder."""
    store = await Store.open(folder / "zoetrope.db")
    world.push_async_callback(store.close)
    provider = Provider(Settings(), folder / "local")
    tools = instant.tools(store, folder, provider, SPEC, Times(per_poll=0.001))
    return replace(tools, places=places.declared({"toy": provider}, {}))


@pytest.fixture
async def world() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def ask(store: Store, tools: Tools, picture: Picture) -> None:
    now = time.time()
    for number, name in enumerate(NAMES):
        tools.files.keep(name, picture, None)  # type: ignore[attr-defined]
        created = now + number / 1000
        await store.add(replace(instant.asked(name, created), options=SMALL, due=created))


async def closed(store: Store, *workers: Worker) -> list[Job]:
    working = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        async with asyncio.timeout(120):
            while len(found := await store.jobs(State.CLOSED)) < len(NAMES):
                await asyncio.wait(working, timeout=0.02)
                assert not any(task.done() for task in working)
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*working)
    return found


@pytest.mark.parametrize("processes", [1, 2])
async def test_renders_for_one_place_happen_one_after_the_other_oldest_first(
    world: AsyncExitStack, tmp_path: Path, picture: Picture, processes: int
) -> None:
    all_tools = [await process(world, tmp_path) for _ in range(processes)]
    stores = [tools.store for tools in all_tools]
    await ask(stores[0], all_tools[0], picture)
    jobs = await closed(stores[0], *(Worker(tools.store, tools) for tools in all_tools))

    assert {job.outcome for job in jobs} == {Outcome.RENDERED}
    folders = [tmp_path / "local/jobs" / name for name in NAMES]
    assert all((folder / "starts").read_bytes() == b"." for folder in folders)
    moments = [(folder / name).stat().st_mtime for folder in folders for name in ("request.json", "video.mp4")]
    assert moments == sorted(moments), "each is submitted once the one before it is done"
