"""Says how a command ended: its exit code, and what it tells of a job to people and to programs. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from bot.chats.contract import Declined, Fault
from bot.domain.job import GONE, Job, Outcome, State
from bot.text import sentences


class Code(IntEnum):
    """What a shell sees."""

    DELIVERED = 0
    REQUEST = 2  # the command can be changed; nothing was started
    REFUSED = 3  # by the provider, or by a limit of this server
    LATE = 4  # no video, at least not in time
    OPERATOR = 5  # only the operator can mend it
    CANCELLED = 130


@dataclass(frozen=True, slots=True)
class End:
    """How one request ended, or stands now that nobody waits for it any more."""

    code: Code
    words: str
    job: Job | None = None
    file: Path | None = None  # where the video is

    @property
    def size_and_time(self) -> str:
        """Return "1.2 MB, made in 2.1 s" for a video."""
        if self.job is None or self.job.settled is None or "bytes" not in self.job.detail:
            return ""
        return f"{sentences.size(self.job.detail['bytes'])}, made in {took(self.job):.1f} s"

    def as_json(self) -> str:
        """Return one line. Every key is always there; dollars and seconds are numbers, null where there is nothing."""
        job, detail = self.job, self.job.detail if self.job else {}
        size = {name: detail.get(name) for name in ("seconds", "width", "height", "bytes")}
        facts = {
            "id": job and job.id,
            "state": job and job.state,
            "outcome": job and job.outcome,
            "exit_code": int(self.code),
            "file": self.file and str(self.file),
            **size,
            "took_seconds": job and took(job),
            "price_dollars": job and dollars(job.price),
            "cost_dollars": job and dollars(job.cost),
            "words": self.words,
        }
        return json.dumps(facts, ensure_ascii=False)


def code_of(outcome: Outcome) -> Code:
    match outcome:
        case Outcome.RENDERED:
            return Code.DELIVERED
        case Outcome.REFUSED:
            return Code.REFUSED
        case Outcome.CANCELLED:
            return Code.CANCELLED
        case Outcome.MISCONFIGURED:
            return Code.OPERATOR
        case Outcome.INTERRUPTED | Outcome.UNAVAILABLE | Outcome.TIMED_OUT:
            return Code.LATE


def _code_of_fault(fault: Fault) -> Code:
    match fault:
        case Fault.REQUEST:
            return Code.REQUEST
        case Fault.RULES:
            return Code.REFUSED
        case Fault.OPERATOR:
            return Code.OPERATOR


def declined(no: Declined) -> End:
    """Return the end of a request that never became a job."""
    return End(_code_of_fault(no.fault), no.words)


def of(job: Job, files: Path) -> End:
    """Return how a job stands; `files` is where its video is kept."""
    if job.outcome is None or job.state is not State.CLOSED:
        return _open(job, files)
    words, code = sentences.answer(job), code_of(job.outcome)
    if job.outcome is not Outcome.RENDERED:
        return End(code, words, job)
    if job.receipt == GONE:
        words = f"{words} The folder for it is gone; it is kept as {files}."
        return End(Code.OPERATOR, words, job, files)
    return End(code, words, job, Path(job.receipt or files))


def left(job: Job) -> End:
    """Return the end of waiting for a job that goes on."""
    return End(Code.CANCELLED, f"Left as it is. `zoetrope resume` goes on with job {job.id}.", job)


def _open(job: Job, files: Path) -> End:
    if job.state is State.OVERDUE:
        words = f"This takes longer than usual. It is not lost: `zoetrope resume` goes on with job {job.id}."
        return End(Code.LATE, words, job)
    if job.outcome is Outcome.RENDERED:
        words = f"The video is made, but {job.address.place.get('out')} can't be written now. It is kept as {files}; "
        return End(Code.OPERATOR, f"{words}mend that, then run `zoetrope resume`.", job, files)
    return End(Code.LATE, f"Not finished yet. `zoetrope resume` goes on with job {job.id}.", job)


def took(job: Job) -> float | None:
    """Return the seconds from asked to settled."""
    return None if job.settled is None else round(job.settled - job.created, 3)


def dollars(micros: int | None) -> float | None:
    return None if micros is None else micros / 1_000_000


def facts(job: Job) -> Mapping[str, Any]:
    """Return a job for programs: everything of its row but the provider's ticket."""
    return {
        "id": job.id,
        "state": job.state,
        "outcome": job.outcome,
        "model": job.model,
        "provider": job.provider,
        "surface": job.chat,
        "requester": job.requester,
        "prompt": job.prompt,
        "options": job.options.row(),
        "created": job.created,
        "settled": job.settled,
        "closed": job.closed,
        "took_seconds": took(job),
        "price_dollars": dollars(job.price),
        "cost_dollars": dollars(job.cost),
        "detail": job.detail,
        "place": job.address.place,
        "receipt": job.receipt,
        "undelivered_since": job.undelivered_since,
    }
