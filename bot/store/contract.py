"""Says what any store of jobs promises. `sqlite` is one answer; each answer sits the exam in tests/store/test_store.py.

What a method changes is on disk, for good, when it returns; it changes all that it says or nothing. Every method may
raise `StoreBusy` with nothing changed, and `StoreBroken`. Times are Unix seconds, money is micro-dollars.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.chats.contract import Address
from bot.domain.job import EffectStarted, Event, Job, State, Usage
from bot.domain.line import Line
from bot.domain.policy import Broken, Limits
from providers.contract import Ticket

UNDER_WAY = 5.0  # seconds that a post of a dead process may take to show up
NEVER = 600.0  # seconds; hardly anybody waits so long for a next poll, but a clock that was wrong may have said so


class StoreBusy(Exception):
    """The database can't be written now (locked, or the disk is full): nothing was changed; try again."""


class StoreBroken(Exception):
    """The database can't be used at all. The text tells the operator what to do."""


class Lost(Exception):
    """Somebody else has the job now: stand down."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a job's history."""

    at: float
    event: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Total:
    """All jobs that stand alike. Money is micro-dollars."""

    state: str
    outcome: str | None
    jobs: int
    reserved: int  # for those whose cost is not known yet
    spent: int


class JobStore(Protocol):
    """What moves a job from its request to its end. Any number of processes may work on the same rows at once."""

    async def admit(self, job: Job, limits: Limits) -> Job | Broken:
        """Write a new job down and reserve what it may cost, or return the first limit that it would break.

        Limits, reservation and row are one transaction, so that no two processes overdraw what one could not. The same
        act delivered again is the older job, whatever the limits say by now.
        """

    async def add(self, job: Job) -> Job:
        """Write a new job down whatever it costs; an older one with the same key is returned instead."""

    async def join(self) -> bool:
        """Become one of the processes that work on these rows; True when it is the only one.

        Whoever is alone knows that every lease belongs to a dead process, so all claims are released: these jobs are
        due at once, and those that a wrong clock put off; a post that the dead one sent may still be under way, so it
        is looked for after `UNDER_WAY`. Being one of them ends with the process, however that ends.
        """

    async def claim(
        self, until: float, chats: Collection[str], busy: Collection[str], most: int, only: str | None = None
    ) -> list[Job]:
        """Take up to `most` due jobs until then: nobody else gets them before, and their fence has grown."""
        ...

    async def record(self, job: Job, happened: Event) -> Job:
        """Write down what happened: the only change of a state, with its history and its money.

        Raises `Lost` for a job that somebody else has claimed since, and `IllegalMove`; both change nothing.
        """
        ...

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        """Record that a submission starts, if the provider has a place and nobody older waits; else return the line.

        Counted and written in one transaction, so that several processes agree. Raises `Lost`.
        """
        ...

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        """Give jobs back that have nothing new, each with the time of its next poll. A lost one is left alone."""

    async def extend(self, job: Job, until: float) -> Job:
        """Keep a claimed job longer. Raises `Lost`."""
        ...

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        """Give a job that was settled as interrupted the ticket that came after all; False when it is not such a job.

        Its money is reserved again, and its video is posted with a word about what was said before.
        """
        ...

    async def make_due(self) -> int:
        """Make all waiting jobs due now, for a clock that has jumped: what it was set for means nothing any more."""
        ...

    async def ask_cancel(self, job_id: str) -> bool:
        """Ask for a stop; False when there is no such job or nothing left to stop."""
        ...

    async def next_due(self, chats: Collection[str], only: str | None = None) -> float | None:
        """Return when the first open job of these chats is due."""

    async def get(self, job_id: str) -> Job | None: ...

    async def by_key(self, key: str) -> Job | None:
        """Return the job that this act of a person made already."""

    async def usage(self, requester: str, since: float) -> Usage:
        """Return what somebody uses, and all spend; a job's money belongs to the moment when it was asked for."""
        ...

    async def durations(self, provider: str, model: str) -> list[float]:
        """Seconds from begun to finished of the model's last videos, newest first, at most 200."""
        ...


class Store(JobStore, Protocol):
    """All the rows: what an operator sees and does as well."""

    async def close(self) -> None: ...

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> list[Job]:
        """Newest first."""
        ...

    async def history(self, job_id: str) -> list[Entry]:
        """Return everything that happened to a job, oldest first."""
        ...

    async def totals(self) -> list[Total]:
        """Count all jobs and their money."""
        ...

    async def due_now(self) -> int:
        """Count the jobs that wait for a worker."""
        ...

    async def check(self) -> None:
        """Raise unless a row could be written now, where the next process would find it."""

    async def known(self) -> set[str]:
        """Ids of all jobs there are."""
        ...

    async def closed_before(self, before: float) -> set[str]:
        """Ids of the jobs that have been over since before that time."""
        ...

    async def undelivered(self, most: int = 50) -> list[Job]:
        """Return the jobs that are over with a video that could not be posted, newest first."""
        ...

    async def undelivered_now(self) -> int:
        """Count those jobs."""
        ...

    async def redeliver(self, job_id: str, address: Address | None = None) -> Job | None:
        """Have a video posted once more, there or where it belongs; None for a job that has none or is not over."""

    async def give_up(self, before: float) -> int:
        """Call no job undelivered that has been over since before that time: its video goes. Returns how many."""
        ...

    async def forget_words(self, before: float) -> int:
        """Blank what people wrote for jobs that have been over since before that time; how many, at most 500."""
        ...

    async def open_jobs(self) -> list[Job]:
        """Return all jobs that are not over, oldest first."""
        ...

    async def refetch(self, job_id: str) -> bool:
        """Have a video that is no longer here fetched once more; False for a job that can't, or that needs none."""
        ...

    async def recognise(self, has_video: Callable[[str], bool]) -> list[Job] | None:
        """Look whether these rows were copied or moved here; call it before `join`.

        If so the original may go on elsewhere, so the open jobs are marked as those of a backup are, and returned as
        they were. None: the rows are where they were, or new.
        """

    async def mark_restored(self, has_video: Callable[[str], bool]) -> list[Job]:
        """Take every open job for one that may have gone further than its row knows: these rows are of a backup.

        It may have been submitted since, so that is asked of its provider; it may have been posted, so that is looked
        for. A video that is not here is fetched once more. Returns these jobs as they were.
        """
        ...
