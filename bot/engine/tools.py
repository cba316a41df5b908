"""Names what every step works with, and how long each thing may take."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.chats.contract import Chat
from bot.domain.job import Job
from bot.engine import pacing
from bot.engine.lease import Clock, Rows
from bot.media.films import Clip
from providers.contract import ModelSpec, Picture, VideoProvider


@dataclass(frozen=True, slots=True)
class Times:
    """How long each thing may take, in seconds. A lease always covers the call made under it."""

    lease: float = 30
    submit: float = 90
    poll: float = 25
    fetch: float = 120  # what came by then is kept, and the next try goes on from there
    fit: float = 120
    post: float = 120
    show: float = 5
    per_poll: float = pacing.SECONDS_PER_POLL  # delay accepted to save one poll
    queue_patience: float = 3600  # waiting to be accepted
    appears_within: float = 30  # a lost submission shows up in the provider's list by then
    forgotten_after: float = 48 * 3600  # nobody keeps a video longer


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
    idle_polls: list[tuple[Job, float]]  # nothing new, and when to poll again: the worker writes them in batches
    places: Mapping[str, int] = field(default_factory=dict)  # how many jobs a provider takes at once, where known
