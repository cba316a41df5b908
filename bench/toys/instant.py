"""A vendor and a chat that answer at once, in this very process, and count: only our own costs are left."""

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.chats.contract import Address, Desk, Reply, Status
from bot.domain.job import Job, State
from bot.domain.options import ResolvedOptions
from bot.engine.tools import Times, Tools
from bot.engine.worker import Habits, Time
from bot.files.folder import Folder
from bot.media import films
from bot.store.rows import from_job
from bot.store.sql import ADD
from bot.store.sqlite import Store
from providers.contract import (
    AnimationRequest,
    Cancelled,
    Finished,
    ModelSpec,
    Progress,
    Recovery,
    Rendering,
    Ticket,
    VideoProvider,
)

Look = Callable[[Ticket], Awaitable[Progress]]


@dataclass
class Vendor:
    """`look` answers `check`; by default everything is finished at once."""

    clip: Path
    look: Look | None = None
    calls: Counter[str] = field(default_factory=Counter)
    recovery: Recovery = Recovery.RESEND

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - any picture will do
        self.calls["submit"] += 1
        return Ticket(key)

    async def check(self, ticket: Ticket) -> Progress:
        self.calls["check"] += 1
        return Finished("clip") if self.look is None else await self.look(ticket)

    async def fetch(self, source: str, into: Path) -> None:  # noqa: ARG002 - always the same clip
        shutil.copyfile(self.clip, into)

    async def cancel(self, ticket: Ticket) -> Cancelled:  # noqa: ARG002 - nobody asks
        return Cancelled.FREE

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - it keeps no list
        return None

    async def ping(self) -> str:
        return "fine"

    async def close(self) -> None:
        pass


@dataclass
class Chat:
    name: str = "toy"
    edit_every: float = 5
    connected: bool = True
    posts: Counter[str] = field(default_factory=Counter)

    async def listen(self, desk: Desk) -> None:
        raise NotImplementedError

    async def show(self, address: Address, status: Status) -> None:
        pass

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:  # noqa: ARG002 - it counts
        self.posts[key] += 1
        return key

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - the same everywhere
        return None

    async def ping(self) -> str:
        return "fine"


def tools(store: Store, folder: Path, vendor: VideoProvider, spec: ModelSpec, times: Times | None = None) -> Tools:
    return Tools(
        store=store,
        providers={"toy": vendor},
        chats={"toy": Chat()},
        spec=lambda _: spec,
        habit=Habits(store, Time()).of,
        files=Folder(folder / "jobs"),
        video=films,
        clock=Time(),
        times=times or Times(),
        idle_polls=[],
    )


def asked(name: str, now: float) -> Job:
    """Return a new job that is due now."""
    options = ResolvedOptions()
    return Job(
        name, f"act {name}", Address("toy", {"channel": "1"}), "me", "en", "it moves", "toy", "toy", options, 0, now
    )


def rendering(name: str, now: float, due: float, *, claimed: bool = False) -> Job:
    """Return a job that is at the vendor, whose ticket is its name, and to be looked at when due."""
    job = replace(asked(name, now), state=State.RENDERING, ticket=Ticket(name), ticketed=now, rendering_started=now)
    return replace(job, progress=Rendering(), shown=now, due=due, claimed=claimed)


async def seed(store: Store, jobs: Sequence[Job]) -> None:
    """Write many jobs at once, without history or ledger."""
    async with store._engine.begin() as connection:
        for start in range(0, len(jobs), 1000):
            await connection.execute(ADD, [from_job(job) for job in jobs[start : start + 1000]])
