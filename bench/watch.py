"""Many waiting jobs in one process, each looked at every 10 s: CPU, memory, loop lag, and how late the looks are.

`python bench/watch.py [--jobs 10000] [--seconds 20] [--full]`; `--full` adds 50,000 jobs. Five runs, each in a process
of its own: with no HTTP (the engine alone), with Kling's many looks in one request, with the client that vendors get,
and with its peers, aiohttp and httpx.
The vendor answers on loopback from another process. CPU, lag and lateness are those of a window after the start has
settled.
"""

import argparse
import asyncio
import json
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import instant, tables, vendor
from bench.toys.processes import Child, nobody_left
from bot.domain.job import Job
from bot.engine.worker import Worker
from bot.store.sqlite import Store
from providers.contract import ModelSpec, Progress, Rendering, Ticket

PACE = 10.0
SETTLING = 6.0  # seconds before the window
TICK = 0.005
SPEC = ModelSpec("toy", "toy", typical_seconds=1, poll_floor=PACE, deadline_seconds=1e9)
Look = Callable[[Ticket], Awaitable[None]]


@dataclass
class Watched:
    """The store's door for looks with nothing new: notes when each job is to be looked at next."""

    store: Store
    due: dict[str, float]

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        self.due.update((job.id, due) for job, due in looks)
        await self.store.wait(looks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@dataclass
class Eye:
    """Answers `check` and notes how late the look was."""

    due: dict[str, float]
    look: Look
    late: list[float] = field(default_factory=list)  # seconds

    async def check(self, ticket: Ticket) -> Progress:
        self.late.append(time.time() - self.due[ticket])
        await self.look(ticket)
        return Rendering()


async def _nothing(_: Ticket) -> None:
    pass


async def _httpx(port: int, stack: AsyncExitStack) -> Look:
    import httpx  # noqa: PLC0415 - each process carries its own client alone

    # at its best: its pool looks through all connections for each request, 64 of them cost 2.3 ms, 8 cost 0.7
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    caller = await stack.enter_async_context(httpx.AsyncClient(timeout=10, limits=limits))

    async def look(ticket: Ticket) -> None:
        (await caller.get(f"http://127.0.0.1:{port}/{ticket}")).json()

    return look


async def _ours(port: int, stack: AsyncExitStack) -> Look:
    from providers import http  # noqa: PLC0415 - the same

    caller = await stack.enter_async_context(http.client({}))

    async def look(ticket: Ticket) -> None:
        (await caller.get(f"http://127.0.0.1:{port}/{ticket}")).json()

    return look


async def _aiohttp(port: int, stack: AsyncExitStack) -> Look:
    import aiohttp  # noqa: PLC0415 - the same

    caller = await stack.enter_async_context(aiohttp.ClientSession())

    async def look(ticket: Ticket) -> None:
        async with caller.get(f"http://127.0.0.1:{port}/{ticket}") as answer:
            await answer.json()

    return look


async def _kling(port: int, stack: AsyncExitStack) -> Look:
    from providers.contract import Secret  # noqa: PLC0415 - the same
    from providers.kling import Provider, Settings  # noqa: PLC0415 - the same

    kling = Provider(Settings(api_key=Secret("none"), base_url=f"http://127.0.0.1:{port}"), Path())
    stack.push_async_callback(kling.close)

    async def look(ticket: Ticket) -> None:
        await kling.check(Ticket(f'{{"api": "2.0", "id": "{ticket}"}}'))

    return look


CLIENTS = {
    "no HTTP": None,
    "Kling, in batches": _kling,
    "our wire": _ours,
    "aiohttp alone": _aiohttp,
    "httpx alone": _httpx,
}


async def watch(folder: Path, jobs: int, seconds: float, name: str, port: int) -> dict[str, float]:
    store = await Store.open(folder / "zoetrope.db")
    start = time.time() + jobs / 10_000  # seeding takes so long
    due = {f"j{number}": start + PACE * number / jobs for number in range(jobs)}
    await instant.seed(store, [instant.rendering(name, start - 60, due[name]) for name in due])
    async with AsyncExitStack() as stack:
        client = CLIENTS[name]
        eye = Eye(due, await client(port, stack) if client else _nothing)
        tools = instant.tools(store, folder, instant.Vendor(folder / "none"), SPEC)
        tools = replace(tools, providers={"toy": eye})  # type: ignore[dict-item]  # nobody asks it for more
        worker = Worker(Watched(store, due), tools)
        working = asyncio.create_task(worker.run())
        await asyncio.sleep(SETTLING)
        figures = await _window(seconds, eye)
        worker.stop()
        await working
    await store.close()
    return figures


async def _window(seconds: float, eye: Eye) -> dict[str, float]:
    eye.late.clear()
    lags: list[float] = []
    cpu, until = time.process_time(), time.perf_counter() + seconds
    began = time.perf_counter()
    while (now := time.perf_counter()) < until:
        await asyncio.sleep(TICK)
        lags.append((time.perf_counter() - now - TICK) * 1000)
    took, late = time.perf_counter() - began, list(eye.late)
    return {
        "cpu": (time.process_time() - cpu) / took * 100,
        "polls": len(late) / took,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "lag": tables.percentile(lags, 99),
        **{f"late{part}": tables.percentile(late, part) for part in (50, 99, 100)},
    }


def run(jobs: int, seconds: float, name: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary, nobody_left() as children:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        children.append(Child("vendor", partial(vendor.serve, listening)))
        listening.close()
        into = Path(temporary, "figures.json")

        def measure() -> None:
            into.write_text(json.dumps(asyncio.run(watch(Path(temporary), jobs, seconds, name, port))))

        watching = Child(name, measure)
        children.append(watching)
        if not watching.wait(seconds + jobs / 1000 + 60) or watching.code:
            raise RuntimeError(f"watching with {name} failed")
        figures: dict[str, float] = json.loads(into.read_text())
        return figures


def table(jobs: int, name: str, found: dict[str, float], *, goals: bool) -> None:
    core = 25 if goals else 100
    rows = [
        tables.at_most("CPU of the watching process", found["cpu"], core, "% of a core"),
        tables.Figure("looks", f"{found['polls']:.0f} /s", f"due: {jobs / PACE:.0f} /s"),
        tables.Figure("CPU of a look", f"{found['cpu'] * 10_000 / max(found['polls'], 1):.0f} us"),
        tables.at_most("memory (most ever)", found["rss"], 100, "MiB") if goals
        else tables.Figure("memory (most ever)", f"{found['rss']:.0f} MiB"),
        tables.at_most("loop lag p99", found["lag"], 20, "ms"),
        tables.Figure("lateness of a look p50 / p99", f"{found['late50']:.3f} / {found['late99']:.3f} s"),
        tables.at_most("lateness of a look, most", found["late100"], 1, "s"),
    ]  # fmt: skip
    tables.show(f"{jobs} jobs waiting, a look every {PACE:g} s, {name}; {os.cpu_count()} cores", rows)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--jobs", type=int, default=10_000)
    words.add_argument("--seconds", type=float, default=20)
    words.add_argument("--only", choices=list(CLIENTS))
    words.add_argument("--full", action="store_true", help="50,000 jobs too")
    asked = words.parse_args()
    with suppress(BrokenPipeError):
        for jobs in (asked.jobs, 50_000) if asked.full else (asked.jobs,):
            for name in [asked.only] if asked.only else CLIENTS:
                table(jobs, name, run(jobs, asked.seconds, name), goals=jobs <= 10_000)


if __name__ == "__main__":
    main()
