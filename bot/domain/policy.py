"""Says who may ask, how often and for how much, and which pictures a model takes: pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from bot.chats.contract import Act, Actor, Allowed, Upload
from bot.domain.job import Job, Usage
from providers.contract import ImageLimits, ModelSpec, Picture

UPLOAD_BYTES = 20 * 1024 * 1024  # the largest file that is looked at


MODERATED = frozenset({Act.CANCEL, Act.DELETE})  # cost nothing, so a moderator may too


def may(actor: Actor, act: str, job: Job) -> bool:
    """Say whether somebody may do that to a job: its requester all, a moderator of its server what costs nothing."""
    return _owns(actor, job) or (act in MODERATED and _moderates(actor, job))


def may_see(actor: Actor, job: Job) -> bool:
    return _owns(actor, job) or _moderates(actor, job)


def may_ask_here(actor: Actor, allowed: Allowed) -> bool:
    """Say whether somebody may ask for videos at that place."""
    lists = (
        (allowed.servers, {*actor.server.values()}),
        (allowed.channels, actor.channels),
        (allowed.roles, actor.roles),
    )
    return all(not wanted or wanted & has for wanted, has in lists)


def _owns(actor: Actor, job: Job) -> bool:
    return actor.operator or (job.address.chat == actor.chat and job.requester == actor.person)


def _moderates(actor: Actor, job: Job) -> bool:
    """Say whether it is a job of the server that this person moderates: its address says so."""
    here = bool(actor.server) and actor.server.items() <= job.address.place.items()
    return actor.moderator and job.address.chat == actor.chat and here


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is allowed; None: unlimited; 0: nothing at all. Money is micro-dollars."""

    open_per_person: int | None = 3
    per_person_per_day: int | None = 30
    spend_per_person_per_day: int | None = None
    spend_per_day: int | None = None
    max_seconds: float | None = None  # the longest clip


DAY = 24 * 60 * 60.0  # seconds that the daily limits look back
UNLIMITED = Limits(open_per_person=None, per_person_per_day=None)


def limits_for(actor: Actor, limits: Limits) -> Limits:
    """Return what limits somebody: the operator's own jobs are not counted, but their money and length are."""
    return replace(limits, open_per_person=None, per_person_per_day=None) if actor.operator else limits


class Rule(StrEnum):
    OPEN_JOBS = "open jobs"
    JOBS_PER_DAY = "jobs per day"
    PERSON_SPEND = "person spend"
    TOTAL_SPEND = "total spend"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a request would break: what is allowed, used already and asked on top, in one unit."""

    rule: Rule
    limit: float
    used: float
    asked: float


def may_ask(usage: Usage, limits: Limits, price: int) -> Broken | None:
    """Return the first rule that a job of that price (micro-dollars) would break. A free one breaks no budget."""
    for rule, limit, used, asked in (
        (Rule.OPEN_JOBS, limits.open_per_person, usage.open_jobs, 1),
        (Rule.JOBS_PER_DAY, limits.per_person_per_day, usage.recent_jobs, 1),
        (Rule.PERSON_SPEND, limits.spend_per_person_per_day, usage.spent, price),
        (Rule.TOTAL_SPEND, limits.spend_per_day, usage.spent_by_all, price),
    ):
        if limit is not None and asked > 0 and used + asked > limit:
            return Broken(rule, limit, used, asked)
    return None


def may_last(seconds: float, limits: Limits) -> Broken | None:
    """Return the rule that a clip of that length would break."""
    if limits.max_seconds is None or seconds <= limits.max_seconds:
        return None
    return Broken(Rule.LENGTH, limits.max_seconds, 0, seconds)


def undeclarable(upload: Upload) -> str | None:
    """Return the code of what is wrong with a file by its platform's own facts. What it does not say is found later."""
    mime = (upload.mime or "image/").casefold()
    if not mime.startswith("image/") and "octet-stream" not in mime:
        return "unsupported"
    if upload.size == 0:
        return "empty"
    return "too_large" if (upload.size or 0) > UPLOAD_BYTES else None


def misfit(picture: Picture, takes: ImageLimits) -> tuple[str, float] | None:
    """Return why a model can't take that picture: the code of the problem, and the limit; None if it can."""
    shorter, longer = sorted((picture.width, picture.height))
    for problem, wrong, limit in (
        ("absurd_shape", longer > shorter * takes.max_ratio, takes.max_ratio),
        ("too_small", shorter < takes.min_side, takes.min_side),
        ("too_wide", longer > takes.max_side, takes.max_side),
        ("too_heavy", len(picture.data) > takes.max_bytes, takes.max_bytes),
    ):
        if wrong:
            return problem, limit
    return None


def prompt_length(words: str, spec: ModelSpec) -> int:
    """Return how long a prompt is, as that model counts: characters or bytes."""
    return len(words.encode()) if spec.prompt_in_bytes else len(words)
