"""Says what the desk needs of the rooms beside it, and how a request is declined."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol

from bot.chats.contract import Allowed, Declined, Fault
from bot.domain.job import Job, State, Usage
from bot.domain.policy import Broken, Limits
from bot.media.pictures import Looked
from providers.catalog import Catalogue
from providers.contract import Picture


class Rows(Protocol):
    """What the desk needs of the database. Each may raise `StoreBusy` or `StoreBroken`, with nothing changed."""

    async def admit(self, job: Job, limits: Limits) -> Job | Broken:
        """Return the job as stored: an older one when its key is known already; or the limit that it would break."""

    async def get(self, job_id: str) -> Job | None: ...

    async def by_key(self, key: str) -> Job | None: ...

    async def usage(self, requester: str, since: float) -> Usage: ...

    async def ask_cancel(self, job_id: str) -> bool: ...

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> Sequence[Job]:
        """Newest first."""


class Files(Protocol):
    """What the desk needs of the files: its calls block while the disk works."""

    def keep(self, job_id: str, first: Picture, last: Picture | None = None) -> None:
        """Keep a job's pictures, all or nothing. Raises `NoSpace`."""

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]:
        """Return first and last picture. Raises `Missing`."""

    def forget(self, job_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Everything that the desk works with."""

    catalogue: Catalogue
    store: Rows
    files: Files
    look: Callable[[bytes], Awaitable[Looked]]
    limits: Limits
    default_model: str
    ring: Callable[[], None]
    clock: Callable[[], float]
    allowed: Mapping[str, Allowed] = field(default_factory=dict)  # by chat

    def today(self) -> date:
        return datetime.fromtimestamp(self.clock(), UTC).date()


class No(Exception):
    """A request is declined; carries the sentence to the door."""

    def __init__(self, words: str, fault: Fault = Fault.REQUEST) -> None:
        super().__init__(words)
        self.declined = Declined(words, fault)
