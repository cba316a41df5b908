"""Who acts in the chaos walk: workers, the people who ask and cancel, and somebody who locks the database.

Their clock runs ten times as fast as ours, so that minutes of back-off and of overdue videos fit into a test.
"""

import asyncio
import contextlib
import logging
import math
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection

from bench.toys import media
from bench.toys.clients import Chat, Vendor, client
from bench.toys.processes import TryLater
from bot.chats.contract import Address
from bot.domain.job import Job, State
from bot.domain.options import ResolvedOptions
from bot.engine.tools import Times, Tools
from bot.engine.worker import Habits, Time, Worker
from bot.files.folder import Folder
from bot.media import films
from bot.store.contract import StoreBusy
from bot.store.sqlite import Store
from providers.contract import ModelSpec, Price, Recovery

T = TypeVar("T")
SPEED = 10  # our seconds per real second
LEASE = 25  # all of these in our seconds
TIMES = Times(lease=LEASE, submit=16, poll=16, fetch=24, fit=50, post=16, show=3, appears_within=18)
PRICE = Price(per_clip=280_000)
CANCELLED = 0.25  # of all jobs


class FastTime(Time):
    """`SPEED` seconds pass in every second."""

    def now(self) -> float:
        return super().now() * SPEED

    def monotonic(self) -> float:
        return super().monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / SPEED)

    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        return await super().within(seconds / SPEED, call)


CLOCK = FastTime()


@dataclass(frozen=True)
class Scene:
    """Where they act."""

    folder: Path
    port: int
    kinds: tuple[tuple[Recovery, str], ...]  # vendor and chat

    @property
    def database(self) -> Path:
        return self.folder / "zoetrope.db"

    @property
    def disk_is_full(self) -> Path:
        """A file that is there while the disk has no room."""
        return self.folder / "full"

    @property
    def bugs(self) -> Path:
        """What went wrong in a worker that should not."""
        return self.folder / "bugs.log"

    def files(self) -> Folder:
        return Folder(self.folder / "jobs")


def spec_of(job: Job) -> ModelSpec:
    return ModelSpec(job.model, job.provider, typical_seconds=8, deadline_seconds=25, poll_floor=1, price=PRICE)


def work(scene: Scene) -> None:
    """Be a worker until SIGTERM."""
    handler = logging.FileHandler(scene.bugs, delay=True)
    handler.setLevel(logging.ERROR)
    logging.getLogger("zoetrope").addHandler(handler)
    logging.getLogger("zoetrope").propagate = False
    try:
        asyncio.run(_work(scene))
    except StoreBusy as error:
        raise TryLater from error
    except Exception:
        logging.getLogger("zoetrope").exception("a worker ended")
        raise


async def _work(scene: Scene) -> None:
    store = await Store.open(scene.database, CLOCK.now)
    _let_disk_be_full(store, scene.disk_is_full)
    async with client(scene.port) as http:
        tools = Tools(
            store=store,
            providers={kind: Vendor(http, kind, scene.disk_is_full.exists) for kind in Recovery},
            chats={name: Chat(http, name) for name in ("nonce", "history")},
            spec=spec_of,
            habit=Habits(store, Time()).of,
            files=scene.files(),
            video=films,
            clock=CLOCK,
            times=TIMES,
            idle_polls=[],
        )
        worker = Worker(store, tools, steps_at_once=12)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await store.join()
        await worker.run(grace=20)
    await store.close()


def _let_disk_be_full(store: Store, flag: Path) -> None:
    """Have SQLite itself say "database or disk is full" whenever it needs another page while the flag is there."""
    was_full = False

    @event.listens_for(store._engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        nonlocal was_full
        if flag.exists() != was_full:
            was_full = not was_full
            connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if was_full else 2**30}")


def ask(scene: Scene, jobs: int, seconds: float, seed: int) -> None:
    """Be the people: ask for that many jobs in that time, some acts twice; cancel some in whatever state they are.

    On a slow machine they stop asking after half as long again.
    """
    asyncio.run(_People(scene, jobs, seconds, random.Random(seed)).live())


class _People:
    def __init__(self, scene: Scene, jobs: int, seconds: float, dice: random.Random) -> None:
        self._scene = scene
        self._jobs = jobs
        self._seconds = seconds
        self._dice = dice
        self._shelf = scene.files()
        self._still = media.still()
        self._asked = 0
        self._cancelled: set[str] = set()

    async def live(self) -> None:
        store = await _patiently(lambda: Store.open(self._scene.database, CLOCK.now))
        start = time.monotonic()
        while self._asked < self._jobs and (age := time.monotonic() - start) < 1.5 * self._seconds:
            await asyncio.sleep(0.02)
            wanted = math.ceil(self._jobs * min(age / self._seconds, 1))
            for _ in range(min(wanted - self._asked, 8)):
                await self._ask(store)
            if len(self._cancelled) < CANCELLED * self._asked:
                await self._cancel(store)
        await store.close()

    async def _ask(self, store: Store) -> None:
        name, now = f"j{self._asked}", CLOCK.now()
        vendor, chat = self._scene.kinds[self._asked % len(self._scene.kinds)]
        await asyncio.to_thread(self._shelf.keep, name, self._still)
        place, options = {"channel": "1"}, ResolvedOptions()
        job = Job(
            name, f"act {name}", Address(chat, place), "me", "en", "it moves", "toy", vendor, options, 280_000, now
        )
        for _ in range(self._dice.choice((1, 1, 1, 2))):  # a platform may bring the same act twice
            await _patiently(lambda: store.add(job))
        self._asked += 1

    async def _cancel(self, store: Store) -> None:
        state = self._dice.choice([State.QUEUED, State.SUBMITTING, State.RENDERING, State.OVERDUE, State.REPLYING])
        found = await _patiently(lambda: store.jobs(state))
        fresh = [job.id for job in found if job.id not in self._cancelled]
        if fresh:
            chosen = self._dice.choice(fresh)
            self._cancelled.add(chosen)
            await _patiently(lambda: store.ask_cancel(chosen))


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        with contextlib.suppress(StoreBusy):
            return await call()


def lock(scene: Scene, seed: int, long_after: float | None) -> None:
    """Hold the write lock now and then until killed; once, if asked, for longer than anybody waits for it."""
    dice, start = random.Random(seed), time.monotonic()
    while True:
        time.sleep(dice.uniform(0.5, 2))
        hold = dice.uniform(0.05, 0.6)
        if long_after is not None and time.monotonic() - start > long_after:
            hold, long_after = 5.6, None
        with closing(sqlite3.connect(scene.database, timeout=10, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                print(f"the database could not be locked: {error}", file=sys.stderr)
                continue
            time.sleep(hold)
            database.execute("ROLLBACK")
