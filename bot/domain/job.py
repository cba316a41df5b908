"""Says what a job is and what may happen to it: pure, without I/O or clock. Every state there is stands in `NEXT`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bot.chats.contract import Address
from bot.domain.options import ResolvedOptions
from providers.contract import Progress, Rendering, Ticket, Waiting


class State(StrEnum):
    """A state exists only because a restart must act differently in it."""

    QUEUED = "queued"  # picture and row are safe, nothing spent
    SUBMITTING = "submitting"  # money may have been spent; seen by a worker only after a lost answer or a crash
    RENDERING = "rendering"  # we hold a ticket
    OVERDUE = "overdue"  # the person was told it took too long; the ticket still stands
    REPLYING = "replying"  # outcome and file are here, the person has yet to be told
    CLOSED = "closed"  # told, or nobody left to tell


class Outcome(StrEnum):
    """How it ended. A failure also has to be told, so it is no state."""

    RENDERED = "rendered"  # there is a video
    REFUSED = "refused"  # the provider said no
    CANCELLED = "cancelled"  # the person said stop
    INTERRUPTED = "interrupted"  # it may have been accepted, and nobody can know
    UNAVAILABLE = "unavailable"  # the provider could not take it in time; nothing spent
    MISCONFIGURED = "misconfigured"  # only the operator can mend it; nothing spent
    TIMED_OUT = "timed out"  # accepted, told as late, and the provider never finished


@dataclass(frozen=True, slots=True)
class EffectStarted:
    """About to do what must not be done twice: submit, or post the answer. `due` ends the lease that covers it."""

    due: float


@dataclass(frozen=True, slots=True)
class Ticketed:
    """The provider took it. Poll at `due`."""

    ticket: Ticket
    due: float


@dataclass(frozen=True, slots=True)
class Waited:
    """Not yet. Uses up no attempt."""

    due: float
    progress: Progress | None = None
    cancel_answered: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """It could not be done now. Uses up an attempt."""

    due: float
    why: str
    unsure: bool = False  # the answer may have been posted after all: look for it first
    pinned: bool = False  # an answer to a submission was lost: no other provider is asked from now on
    forgotten: bool = False  # its provider says that it does not know the ticket
    gone: bool = False  # its chat says, in its own words, that there is nobody to post the video to


@dataclass(frozen=True, slots=True)
class FellBack:
    """Its provider can't take it, and surely has not: the first of its fallbacks will."""

    due: float
    to: "Fallback"


@dataclass(frozen=True, slots=True)
class ReportedOverdue:
    """The deadline passed and the person has been told."""

    due: float


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome is known; `detail` is what `replies` needs to tell it."""

    outcome: Outcome
    detail: Mapping[str, Any] = field(default_factory=dict)
    cost: int = 0  # micro-dollars, spent for good


@dataclass(frozen=True, slots=True)
class Closed:
    """Told (with the platform's id of the answer), or nobody left to tell. `undelivered`: the video is still here."""

    receipt: str = ""
    undelivered: bool = False


ADOPTED = "first.adopted"  # the notice of a job that was told as interrupted, and whose ticket came after all
GONE = "gone"  # the receipt of an answer that nobody is left to get


@dataclass(frozen=True, slots=True)
class Redelivered:
    """The operator has its video posted once more, at its own address or at `address`."""

    due: float
    address: Address | None = None


Event = EffectStarted | Ticketed | Waited | Retried | FellBack | ReportedOverdue | Settled | Closed | Redelivered


class IllegalMove(Exception):
    """A bug: the event can't happen in this state."""


_Q, _S, _R, _O, _P, _C = State

NEXT: Mapping[tuple[State, type[Event]], State] = {
    (_Q, EffectStarted): _S,
    (_P, EffectStarted): _P,
    (_S, Ticketed): _R,
    (_Q, Waited): _Q,
    (_S, Waited): _S,
    (_R, Waited): _R,
    (_O, Waited): _O,
    (_S, Retried): _Q,
    (_R, Retried): _R,
    (_O, Retried): _O,
    (_P, Retried): _P,
    (_Q, FellBack): _Q,
    (_S, FellBack): _Q,
    (_R, ReportedOverdue): _O,
    (_Q, Settled): _P,
    (_S, Settled): _P,
    (_R, Settled): _P,
    (_O, Settled): _P,
    (_P, Closed): _C,
    (_C, Redelivered): _P,
}
"""Every legal move. What is not here is an `IllegalMove` and changes nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What somebody has going: open jobs, jobs asked for lately, and money reserved or spent lately (micro-dollars)."""

    open_jobs: int
    recent_jobs: int
    spent: int
    spent_by_all: int


@dataclass(frozen=True, slots=True)
class Fallback:
    """Somebody else who makes the very same, should the job's provider not take it; the price is micro-dollars."""

    provider: str
    model: str
    options: ResolvedOptions = field(repr=False)
    price: int


class Relation(StrEnum):
    """What a job is to its parent."""

    RETRY = "retry"
    EDIT = "edit"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True)
class Job:
    """One request, from asked to told. Times are Unix seconds, money is micro-dollars."""

    id: str
    key: str
    address: Address
    requester: str
    locale: str
    prompt: str = field(repr=False)
    model: str
    provider: str
    options: ResolvedOptions = field(repr=False)
    price: int
    created: float
    state: State = State.QUEUED
    due: float = 0.0  # the only clock: poll, back-off, lease and cancel
    fence: int = 0  # counts claims; a step whose fence is old has lost the job
    claimed: bool = False
    attempts: int = 0  # stumbles since the last success
    effect_started: float | None = None  # since when the thing not to be done twice may have been done
    ticket: Ticket | None = None
    ticketed: float | None = None
    progress: Progress | None = None
    rendering_started: float | None = None
    shown: float = 0.0
    cancel_asked: float | None = None
    cancel_answered: bool = False
    outcome: Outcome | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    cost: int | None = None
    settled: float | None = None
    late: bool = False  # the person had been told that it took too long
    receipt: str | None = None
    closed: float | None = None
    restored: float | None = None  # when it came out of a backup: it may have gone further than its row knows
    fallbacks: tuple[Fallback, ...] = field(default=(), repr=False)  # who else may be asked, in this order
    notices: tuple[str, ...] = ()  # what was noticed of its pictures, to be told: "first.flattened"
    passed_providers: tuple[str, ...] = ()  # who could not take it
    parent: str | None = None  # the id of the job that it was made of
    relation: Relation | None = None  # what it is to its parent
    group_id: str | None = None  # what jobs of one request share
    ticket_id: str | None = None  # the provider's own id in its ticket, by which a webhook names the job
    undelivered_since: float | None = None  # since when its video waits for a place to be posted to

    @property
    def chat(self) -> str:
        return self.address.chat

    @property
    def reserved(self) -> int:
        """Micro-dollars it may cost: until a provider has taken it, the dearest of those who may is reckoned with."""
        others = self.fallbacks if self.ticket is None else ()
        return max([self.price, *(other.price for other in others)])

    @property
    def forgotten(self) -> int:
        """How often its provider has said that it does not know the ticket, since it last knew it."""
        count: int = self.detail.get("forgotten", 0) if self.outcome is None and self.attempts else 0
        return count

    @property
    def polls(self) -> int:
        """How often it was asked for since nobody can say how it ends: a submission in doubt, or a late video."""
        count: int = self.detail.get("polls", 0) if self.outcome is None else 0
        return count

    @property
    def to_cancel(self) -> bool:
        return self.cancel_asked is not None and not self.cancel_answered


def moved(job: Job, event: Event, now: float) -> Job:  # noqa: C901, PLR0911 - one return per event is the table's shape
    """Return the job after the event, no longer claimed unless the event only announces what the same step does next.

    Raises `IllegalMove` for a blank cell of the table.
    """
    state = NEXT.get((job.state, type(event)))
    if state is None:
        raise IllegalMove(f"{type(event).__name__} can't happen to a job that is {job.state}")
    after = replace(job, state=state, claimed=isinstance(event, EffectStarted))
    match event:
        case EffectStarted(due):
            return replace(after, effect_started=job.effect_started or now, due=due)
        case Ticketed(ticket, due):
            return replace(
                after, ticket=ticket, ticketed=now, effect_started=None, progress=None, attempts=0, due=due, detail={}
            )
        case Waited(due, progress, answered):
            return _waited(after, due, progress, now, answered=answered)
        case Retried():
            return _retried(after, event, job.effect_started, now)
        case FellBack(due, to):
            left = job.fallbacks[job.fallbacks.index(to) + 1 :] if to in job.fallbacks else ()
            after = replace(after, provider=to.provider, model=to.model, options=to.options, price=to.price)
            after = replace(after, fallbacks=left, passed_providers=(*job.passed_providers, job.provider))
            return replace(after, attempts=0, effect_started=None, progress=None, due=due)
        case ReportedOverdue(due):
            return replace(after, late=True, due=due, detail={})
        case Settled(outcome, detail, cost):
            told = job.restored  # perhaps: then its post is looked for first
            return replace(
                after, outcome=outcome, detail=detail, cost=cost, settled=now, effect_started=told, attempts=0, due=now
            )
        case Closed(receipt, undelivered):
            undelivered_since = (job.undelivered_since or now) if undelivered else None
            return replace(after, receipt=receipt, closed=now, undelivered_since=undelivered_since)
        case Redelivered(due, address):
            after = replace(after, address=address or job.address, receipt=None, closed=None, undelivered_since=None)
            tried = now if after.address == job.address else None  # it may stand there: it is looked for first
            return replace(after, effect_started=tried, attempts=0, due=due)


def _retried(job: Job, event: Retried, started: float | None, now: float) -> Job:
    fallbacks = () if event.pinned else job.fallbacks
    if job.outcome is None:
        job = replace(job, detail={**job.detail, "forgotten": job.forgotten + event.forgotten})
    elif event.gone and job.undelivered_since is None:
        job = replace(job, undelivered_since=now)
    started = started if event.unsure else None
    return replace(job, attempts=job.attempts + 1, effect_started=started, fallbacks=fallbacks, due=event.due)


def _waited(job: Job, due: float, progress: Progress | None, now: float, *, answered: bool) -> Job:
    job = replace(job, due=due, attempts=0, cancel_answered=job.cancel_answered or answered)
    if job.state in {State.SUBMITTING, State.OVERDUE}:
        job = replace(job, detail={"polls": job.polls + 1})
    if progress is None:
        return job
    since = job.rendering_started
    if since is None and isinstance(progress, Rendering):  # it began now if it was seen waiting, else right away
        since = now if isinstance(job.progress, Waiting) else job.ticketed
    return replace(job, progress=progress, rendering_started=since, shown=now)
