"""Counts and logs at the doors to providers, chats and rows. Changes no answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from bot.chats.contract import Address, Chat, ChatBusy, ChatUnsure, Desk, Reply, Status
from bot.domain.job import EffectStarted, Event, Job, State
from bot.domain.line import Line
from bot.engine.lease import Rows
from bot.ops.counters import Counters
from bot.ops.outages import Outages
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Misconfigured,
    Progress,
    ProviderError,
    Recovery,
    Refused,
    Ticket,
    Unsure,
    VideoProvider,
)

REMEDIES = (Busy, Refused, Unsure, Misconfigured)
_NO_ANSWER = "no answer in time"  # whoever waited gave up; so it is for a call that our own stop cuts off
_log = logging.getLogger("zoetrope.job")
T = TypeVar("T")


class WatchedProvider:
    """Counts polls and errors. A refusal is an answer; everything else that goes wrong is trouble."""

    def __init__(self, name: str, provider: VideoProvider, counters: Counters, outages: Outages) -> None:
        self._name = name
        self._provider = provider
        self._counters = counters
        self._outages = outages

    @property
    def recovery(self) -> Recovery:
        return self._provider.recovery

    @property
    def places(self) -> int | None:
        return getattr(self._provider, "places", None)  # an adapter from elsewhere may say nothing of it

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        return await self._seen("submit", self._provider.submit(request, key))

    async def check(self, ticket: Ticket) -> Progress:
        self._counters.polls[self._name] += 1
        return await self._seen("check", self._provider.check(ticket))

    async def fetch(self, source: str, into: Path) -> None:
        await self._seen("fetch", self._provider.fetch(source, into))

    async def cancel(self, ticket: Ticket) -> Cancelled:
        return await self._seen("cancel", self._provider.cancel(ticket))

    async def find(self, key: str, since: float) -> Ticket | None:
        return await self._seen("find", self._provider.find(key, since))

    async def ping(self) -> str:
        return await self._provider.ping()

    async def close(self) -> None:
        await self._provider.close()

    async def _seen(self, what: str, call: Awaitable[T]) -> T:
        try:
            answer = await call
        except ProviderError as error:
            self._failed(what, error)
            raise
        except asyncio.CancelledError:
            self._failed(what, Unsure(_NO_ANSWER) if what == "submit" else Busy(_NO_ANSWER))
            raise
        self._outages.worked(self._name, what)
        return answer

    def _failed(self, what: str, error: ProviderError) -> None:
        remedy = next(kind.__name__.lower() for kind in REMEDIES if isinstance(error, kind))
        self._counters.errors[self._name, remedy] += 1
        if isinstance(error, Refused):
            self._outages.worked(self._name, what)
        else:
            self._outages.failed(self._name, what, f"{type(error).__name__}: {error}")


class WatchedChat:
    """Notices when posts fail. A place that is gone, or a limit on files, is an answer."""

    def __init__(self, chat: Chat, outages: Outages) -> None:
        self.name = chat.name
        self.edit_every = chat.edit_every
        self._chat = chat
        self._outages = outages

    @property
    def connected(self) -> bool:
        return self._chat.connected

    async def listen(self, desk: Desk) -> None:
        await self._chat.listen(desk)

    async def show(self, address: Address, status: Status) -> None:
        await self._chat.show(address, status)

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        return await self._seen("deliver", self._chat.deliver(address, reply, key, again=again))

    async def upload_limit(self, address: Address) -> int | None:
        return await self._seen("upload_limit", self._chat.upload_limit(address))

    async def ping(self) -> str:
        return await self._chat.ping()

    async def _seen(self, what: str, call: Awaitable[T]) -> T:
        try:
            answer = await call
        except (ChatBusy, ChatUnsure) as error:
            self._outages.failed(self.name, what, f"{type(error).__name__}: {error}")
            raise
        except asyncio.CancelledError:
            self._outages.failed(self.name, what, _NO_ANSWER)
            raise
        except Exception:
            self._outages.worked(self.name, what)
            raise
        self._outages.worked(self.name, what)
        return answer


class WatchedStore:
    """Logs one line for each event of a job, once it is on disk, and counts it."""

    def __init__(self, rows: Rows, counters: Counters) -> None:
        self._rows = rows
        self._counters = counters

    async def record(self, job: Job, happened: Event) -> Job:
        return self._seen(job, happened, await self._rows.record(job, happened))

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        answer = await self._rows.take_place(job, started, places)
        return answer if isinstance(answer, Line) else self._seen(job, started, answer)

    def _seen(self, job: Job, happened: Event, after: Job) -> Job:
        self._counters.moved(after, happened)
        facts: dict[str, object] = {"job": job.id, "provider": job.provider, "model": job.model}
        facts |= {"was": job.state, "state": after.state}
        if after.outcome is not None:
            facts["outcome"] = after.outcome
        if after.state is not State.CLOSED:
            facts |= {"attempt": after.attempts, "due_in": max(0.0, round(after.due - time.time(), 1))}
        _log.info(type(happened).__name__, extra=facts)
        return after

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        return await self._rows.adopt(job_id, ticket)

    async def extend(self, job: Job, until: float) -> Job:
        return await self._rows.extend(job, until)
