"""What the fal server can be told: how a job goes and ends, and fal's own words when it goes wrong. No server.

Bodies, codes and headers are those of fal's pages on the queue, errors and reliability as read on 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.faults import Fault, says
from tests.fakes.files import File, video

CODES = {  # of fal's infrastructure, by error type
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "internal_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
}
MODEL_CODES = {  # of the models themselves; every other type is 422
    "internal_server_error": 500,
    "generation_timeout": 504,
    "downstream_service_error": 400,
    "downstream_service_unavailable": 500,
}


@dataclass(frozen=True, slots=True)
class Made:
    """The job ends with a video. `url` stands in the answer in place of the video's own."""

    file: File = field(default_factory=video)
    url: str | None = None
    units: str | None = "5"  # x-fal-billable-units
    body: Any = None  # the whole answer, in place of the documented one


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ends without a video: `code` and `detail` are the result's, while the status just says COMPLETED."""

    code: int
    detail: list[dict[str, Any]] | str
    error_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    charged: bool = False
    silent: bool = False  # the status has no `error` either


def refused(kind: str, *loc: str, ctx: Mapping[str, Any] | None = None, silent: bool = False) -> Failed:
    """Return what a model says of its input, e.g. `refused("content_policy_violation", "prompt")`.

    Charged when a 422, which fal allows itself "if GPU time was spent"; 5xx are free. The server adds `input`.
    """
    code = MODEL_CODES.get(kind, 422)
    error: dict[str, Any] = {"loc": ["body", *loc], "msg": f"The model says: {kind.replace('_', ' ')}.", "type": kind}
    error |= {"url": f"https://docs.fal.ai/errors#{kind}"} | ({"ctx": dict(ctx)} if ctx else {})
    headers = {"X-Fal-Needs-Retry": "1"} if code >= 500 else {}
    return Failed(code, [error], kind, headers, charged=code < 500, silent=silent)


def refused_in_words(words: str, code: int = 422) -> Failed:
    """Return the same as a string, without a type."""
    return Failed(code, words, "", charged=code < 500)


def broke(kind: str, **headers: str) -> Failed:
    """Return a failure of fal's own machines, by error type; free."""
    text = f"The request failed: {kind.replace('_', ' ')}."
    return Failed(CODES[kind], text, kind, {"X-Fal-Error-Type": kind, **headers})


@dataclass(frozen=True, slots=True)
class Plan:
    """How one job goes. The defaults finish it by the first look."""

    queue_seconds: float = 0
    run_seconds: float = 0
    places: int = 3  # jobs ahead of it at first
    ends: Made | Failed = field(default_factory=Made)
    stubborn: bool = False  # goes on when asked to stop while running


def breaks(kind: str = "runner_server_error", *, acts: bool = False) -> Fault:
    """fal's own 5xx, by error type, with a request id."""
    end = broke(kind)
    headers = {**end.headers, "x-fal-request-id": "00000000-0000-0000-0000-000000000000"}
    return says(end.code, {"detail": end.detail, "error_type": kind}, headers, acts=acts)


def unknown_word(word: str = "PAUSED") -> Fault:
    """A status that fal never had."""
    return says(202, {"status": word, "request_id": "", "logs": None})


def bad_key() -> Fault:
    return says(401, {"detail": "Cannot access application: invalid key credentials"})


def locked(reason: str = "Exhausted balance") -> Fault:
    billing = "Top up your balance at fal.ai/dashboard/billing."
    return says(403, {"detail": f"User is locked. Reason: {reason}. {billing}"})


def too_many(retry_after: str | None = None) -> Fault:
    detail = {"detail": "Too many concurrent requests", "error_type": "concurrent_requests_limit"}
    late = {"Retry-After": retry_after} if retry_after else {}
    return says(429, detail, {"X-Fal-needs-retry": "1", **late})


def lost() -> Fault:
    """What fal says of a request it doesn't know."""
    return says(404, {"status": "NOT_FOUND"})
