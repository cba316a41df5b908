"""A claimed job in one process's hands: its lease, what is done under it, what is written down. No move stands here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from bot.chats.contract import Address, Chat, ChatError, ChatUnsure, Reply, Status
from bot.domain.job import EffectStarted, Event, Job, Outcome, Retried, Settled, State
from bot.engine import pacing
from bot.media.films import Clip
from bot.store.sqlite import StoreBroken, StoreBusy
from bot.text import sentences
from providers.contract import Busy, ModelSpec, Picture, Progress, ProviderError, VideoProvider, Waiting

log = logging.getLogger("zoetrope.job")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Times:
    """How long each thing may take, in seconds. A lease always covers the call made under it."""

    lease: float = 30
    submit: float = 90
    look: float = 25
    fetch: float = 90
    fit: float = 90
    post: float = 120
    show: float = 5
    margin: float = 2
    per_look: float = pacing.SECONDS_PER_LOOK  # delay accepted to save one look
    queue_patience: float = 3600  # waiting to be accepted
    appears_within: float = 30  # a lost submission shows up in the vendor's list by then
    forgotten_after: float = 48 * 3600  # nobody keeps a video longer


class Clock(Protocol):
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        """Await the call; raises `TimeoutError` after that time."""


class Rows(Protocol):
    """What a step needs of the store."""

    async def record(self, job: Job, happened: Event) -> Job: ...
    async def extend(self, job: Job, until: float) -> Job: ...


class Files(Protocol):
    """What a step needs of the files."""

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]: ...
    def video(self, job_id: str) -> Path: ...
    def fitted(self, job_id: str, limit: int) -> Path: ...


class Films(Protocol):
    """What a step needs done to a video."""

    async def prepare(self, path: Path) -> Clip: ...
    async def fit(self, path: Path, limit: int, into: Path) -> Clip: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every step works with."""

    store: Rows
    providers: Mapping[str, VideoProvider]
    chats: Mapping[str, Chat]
    spec: Callable[[Job], ModelSpec]
    habit: Callable[[ModelSpec], Awaitable[pacing.Habit]]
    files: Files
    video: Films
    clock: Clock
    times: Times
    looks: list[tuple[Job, float]]  # nothing new, and when to look again: the worker writes them in batches


class StandDown(Exception):
    """The lease may end before the work does: somebody else will do it."""


class Hold:
    """A claimed job. `lease_end` is on our own monotonic clock: past it, the job may be somebody else's."""

    def __init__(self, tools: Tools, job: Job, lease_end: float) -> None:
        self.job = job
        self._tools = tools
        self._clock = tools.clock
        self._times = tools.times
        self._end = lease_end
        self._spec = tools.spec(job)
        self._provider = tools.providers.get(job.provider)
        self._surface = tools.chats[job.surface]
        self._address = Address(job.surface, job.place)

    async def _record(self, happened: Event) -> None:
        try:
            self.job = await self._written(happened)
        except (StoreBroken, asyncio.CancelledError):  # the second when a stop won't wait for the disk
            log.critical("job %s: this could not be written down: %s", self.job.id, happened)  # a ticket, perhaps
            raise

    async def _written(self, happened: Event) -> Job:
        while True:
            try:
                return await self._tools.store.record(self.job, happened)
            except StoreBusy as error:  # what happened must not be forgotten: hold on to it
                log.warning("job %s: %s waits to be written down: %s", self.job.id, type(happened).__name__, error)
                await self._clock.sleep(1)

    async def _settle(self, outcome: Outcome, cost: int = 0, **detail: object) -> None:
        await self._record(Settled(outcome, detail, cost))

    async def _retry(self, error: Exception, *, unsure: bool = False, forgotten: bool = False) -> None:
        outside = isinstance(error, ProviderError | ChatError)  # such trouble is logged when it begins and ends
        log.log(
            logging.DEBUG if outside else logging.WARNING, "job %s: %s: %s", self.job.id, type(error).__name__, error
        )
        wait = max(min(2.0 ** min(self.job.attempts + 1, 10), 600.0), getattr(error, "retry_after", None) or 0.0)
        why = type(error).__name__
        await self._record(Retried(self._clock.now() + wait, why, unsure=unsure, forgotten=forgotten))

    async def _effect(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T:
        """Touch the outside world, only while the job is ours for as long as that may take."""
        if self._clock.monotonic() + seconds > self._end:
            raise StandDown
        return await self._clock.within(seconds, call())

    async def _look(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._cover(self._times.look)
        try:
            return await self._effect(self._times.look, call)
        except TimeoutError as error:
            raise Busy("no answer in time") from error

    async def _post(self, reply: Reply, key: str, *, again: bool) -> str:
        deliver = self._surface.deliver
        try:
            return await self._effect(self._times.post, lambda: deliver(self._address, reply, key, again=again))
        except TimeoutError as error:
            raise ChatUnsure("no answer in time") from error

    async def _show(self) -> None:
        status = await self._status()
        try:
            await self._clock.within(self._times.show, self._surface.show(self._address, status))
        except (ChatError, TimeoutError) as error:
            log.info("job %s: its status could not be shown: %s", self.job.id, error)

    async def _status(self) -> Status:
        job, now = self.job, self._clock.now()
        status = sentences.status(job, now)
        began = self._began(job.progress)
        if job.state is not State.RENDERING or began is None:
            return status
        expected = began + (await self._tools.habit(self._spec)).usual
        return replace(status, since=began, expected=expected if expected > now else None)

    async def _begin(self, seconds: float) -> None:
        """Announce what must not be done twice, and make the lease last for it."""
        before, until = self._clock.monotonic(), seconds + self._times.margin
        await self._record(EffectStarted(self._clock.now() + until))
        self._end = before + until

    async def _cover(self, seconds: float) -> None:
        """Make the lease last for a call of that length."""
        before = self._clock.monotonic()
        if before + seconds <= self._end:
            return
        until = seconds + self._times.margin
        self.job = await self._tools.store.extend(self.job, self._clock.now() + until)
        self._end = before + until

    async def _gap(self, progress: Progress | None = None) -> float:
        """Return seconds until the next look."""
        began = self._began(progress)
        age = 0.0 if began is None else self._clock.now() - began
        return pacing.gap(await self._tools.habit(self._spec), age, self._spec.poll_floor, self._times.per_look)

    def _began(self, progress: Progress | None) -> float | None:
        """Return when rendering began; in the vendor's queue it has yet to."""
        return None if isinstance(progress, Waiting) else self.job.rendering_since or self.job.ticketed

    def _past_deadline(self) -> bool:
        """Count from the start of rendering: the vendor's queue is not the video's fault."""
        start = self.job.rendering_since
        if start is None:
            start = (self.job.ticketed or self._clock.now()) + self._times.queue_patience
        return self._clock.now() > start + self._spec.deadline_seconds

    def _is_news(self, progress: Progress, now: float) -> bool:
        before = self.job.progress
        if type(before) is not type(progress):
            return True
        return before != progress and now >= self.job.shown + self._surface.edit_every
