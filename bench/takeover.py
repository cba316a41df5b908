"""After kill -9: how soon another process has a dead one's jobs, and how soon a restart has looked at all of its own.

`python bench/takeover.py [--lease 10]`. First: two processes on one SQLite file, one is killed with 20 jobs in hand.
Then: one is killed with 1,000 jobs in hand and started anew, `python` from the shell, imports and all; the vendor
answers on loopback.
"""

import argparse
import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import instant, media, tables, vendor
from bench.toys.processes import Child, nobody_left
from bot.engine.tools import Times
from bot.engine.worker import Worker
from bot.files.folder import Folder
from bot.store.sqlite import Store
from providers.contract import ModelSpec, Progress, Rendering, Ticket

IN_HAND, OPEN = 20, 1000
SPEC = ModelSpec("toy", "toy", typical_seconds=1, poll_floor=10, deadline_seconds=1e9)


async def work(folder: Path, lease: float, look: str, at_once: int) -> None:
    """Be a worker: `look` is "hangs", "finished", or the port of a vendor that is asked over HTTP."""
    store = await Store.open(folder / "zoetrope.db")
    toy = instant.Vendor(folder / "clip.mp4", _never if look == "hangs" else None)
    if look.isdigit():
        toy.look = _over_http(int(look), folder)
    times = Times(lease=lease, look=lease * 0.8)
    worker = Worker(store, instant.tools(store, folder, toy, SPEC, times), steps_at_once=at_once)
    await store.join()
    (folder / f"joined-{look}").touch()
    await worker.run()


def be(folder: Path, lease: float, look: str, at_once: int) -> None:
    asyncio.run(work(folder, lease, look, at_once))


async def _never(_: Ticket) -> Progress:
    await asyncio.Event().wait()
    raise AssertionError


def _over_http(port: int, folder: Path) -> instant.Look:
    from providers import http  # noqa: PLC0415 - only this worker uses it

    caller = http.client({})
    seen = (folder / "seen").open("a", buffering=1)

    async def look(ticket: Ticket) -> Progress:
        (await caller.get(f"http://127.0.0.1:{port}/{ticket}")).raise_for_status()
        seen.write(f"{ticket} {time.time()}\n")
        return Rendering()

    return look


def seed(folder: Path, jobs: int) -> None:
    """Write the jobs down, due now, with pictures for none: they are at the vendor already."""

    async def write() -> None:
        store = await Store.open(folder / "zoetrope.db")
        names, now = [f"j{number}" for number in range(jobs)], time.time()
        await instant.seed(store, [instant.rendering(name, now, now) for name in names])
        for name in names[:IN_HAND]:
            await asyncio.to_thread(Folder(folder / "jobs").keep, name, media.still())
        await store.close()

    media.clip(folder / "clip.mp4")
    asyncio.run(write())


def rows(folder: Path, what: str) -> list[tuple[float, ...]]:
    with closing(sqlite3.connect(folder / "zoetrope.db", timeout=10)) as database:
        return database.execute(what).fetchall()


def until(reached: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError("it takes too long; look at the output above")
        time.sleep(0.02)


def claimed(folder: Path, jobs: int) -> bool:
    return rows(folder, "SELECT count(*) FROM jobs WHERE claimed = 1") == [(jobs,)]


def in_a_child(children: list[Child], name: str, do: Callable[[], object]) -> Child:
    child = Child(name, do)
    children.append(child)
    return child


def victim(children: list[Child], folder: Path, lease: float, jobs: int) -> Child:
    """Start a worker that has all the jobs in hand and waits for the vendor's answers."""
    in_a_child(children, "seed", partial(seed, folder, jobs)).wait(60)
    doomed = in_a_child(children, "doomed", partial(be, folder, lease, "hangs", jobs))
    until(lambda: claimed(folder, jobs), 60)
    return doomed


def taken_over(folder: Path, lease: float) -> Sequence[float]:
    """Return, for each of the dead one's jobs, the seconds from the kill until it was delivered."""
    with nobody_left() as children:
        doomed = victim(children, folder, lease, IN_HAND)
        in_a_child(children, "heir", partial(be, folder, lease, "finished", 64))
        until((folder / "joined-finished").exists, 30)
        killed = time.time()
        doomed.signal(signal.SIGKILL)
        until(lambda: rows(folder, "SELECT count(*) FROM jobs WHERE state <> 'closed'") == [(0,)], lease + 60)
        return [closed - killed for (closed,) in rows(folder, "SELECT closed FROM jobs")]


def restarted(folder: Path) -> tuple[float, Sequence[float]]:
    """Return the seconds from the new process's start until it had joined, and until each job had been looked at."""
    with nobody_left() as children:
        listening = socket.create_server(("127.0.0.1", 0))
        port = str(listening.getsockname()[1])
        in_a_child(children, "vendor", partial(vendor.serve, listening))
        listening.close()
        victim(children, folder, 600, OPEN).end()
        began = time.time()
        new = subprocess.Popen([sys.executable, __file__, "--be", str(folder), "--look", port])
        try:
            until(lambda: len(looked_at(folder)) == OPEN, 60)
        finally:
            new.kill()
            new.wait()
        joined = (folder / f"joined-{port}").stat().st_mtime
        return joined - began, [at - began for at in looked_at(folder).values()]


def looked_at(folder: Path) -> dict[str, float]:
    seen = folder / "seen"
    lines = [line.split() for line in seen.read_text().splitlines()] if seen.exists() else []
    return {line[0]: float(line[1]) for line in reversed(lines) if len(line) == 2}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--lease", type=float, default=10)
    words.add_argument("--be", type=Path, help=argparse.SUPPRESS)
    words.add_argument("--look", help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.be:
        be(asked.be, 30, asked.look, 64)
        return
    lease = asked.lease
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        moved = taken_over(Path(one), lease)
        joined, looked = restarted(Path(other))
    tables.show(
        f"kill -9; a lease is {lease:g} s; {os.cpu_count()} cores",
        [
            tables.at_most(f"delivered by another process, last of {len(moved)}", max(moved), lease + 5, "s"),
            tables.Figure(f"delivered by another process, first of {len(moved)}", f"{min(moved):.2f} s"),
            tables.Figure("restart: imports, database open, leases of the dead void", f"{joined:.2f} s"),
            tables.at_most(f"restart: all of {len(looked)} open jobs looked at", max(looked), 2, "s"),
        ],
    )


if __name__ == "__main__":
    main()
