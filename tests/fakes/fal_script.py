"""What the fal server can be told: how a job goes and ends, answers that go wrong, files that lie. No server.

Bodies, codes and headers are those of fal's pages on the queue, errors and reliability as read on 2026-11-20.
"""

import asyncio
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.media import clips

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


@functools.cache
def film(width: int = 320, height: int = 180, seconds: float = 1, *, sound: bool = False, front: bool = False) -> bytes:
    """Return a real H.264 MP4. Its index is at the end, as vendors send it, unless `front`."""
    with TemporaryDirectory() as folder:
        path, flags = Path(folder) / "film.mp4", "+faststart" if front else ""
        track = "aac" if sound else None
        return clips.clip(path, seconds=seconds, size=(width, height), sound=track, movflags=flags).read_bytes()


@dataclass(frozen=True, slots=True)
class File:
    """What is at an address of the CDN."""

    data: bytes = field(repr=False)
    mime: str = "video/mp4"
    claims: int | None = None  # bytes, as Content-Length; None: the truth
    padded_to: int = 0  # bytes: zeros follow the data up to here
    chunked: bool = False  # no Content-Length at all
    moved_to: str | None = None  # a 302 to there
    code: int = 200


def video() -> File:
    return File(film())


def html_page() -> File:
    return File(b"<!DOCTYPE html><html><body>Sign in to continue</body></html>", "text/html")


def html_called_video() -> File:
    return File(html_page().data)


def cut_short() -> File:
    """The file itself is broken: half a video, honestly measured."""
    return File(film()[: len(film()) // 2])


def line_cut() -> File:
    """The file is whole, the transfer is not: the connection closes half-way."""
    return File(film()[: len(film()) // 2], claims=len(film()))


def too_big(size: int, *, chunked: bool = False) -> File:
    """A video with zeros behind it, `size` bytes in all. `chunked`: it doesn't say so before."""
    return File(film(), padded_to=size, chunked=chunked)


def moved(url: str) -> File:
    return File(b"", moved_to=url)


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


@dataclass(frozen=True, slots=True)
class Gate:
    """Holds an answer: wait for `reached`, do what is to be done meanwhile, then set `open`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that goes wrong. With `acts` the request takes effect all the same."""

    acts: bool = False
    gate: Gate | None = None
    drop: bool = False
    code: int = 0  # 0: the true answer
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def dropped(*, acts: bool = True) -> Fault:
    """The connection closes without an answer; the request was taken unless told otherwise."""
    return Fault(acts=acts, drop=True)


def held(gate: Gate, *, acts: bool = True) -> Fault:
    """The true answer, late: only once the gate is open."""
    return Fault(acts=acts, gate=gate)


def says(code: int, body: Any, headers: Mapping[str, str] | None = None, *, acts: bool = False) -> Fault:
    """Any answer: text and bytes as they are (HTML), all else as JSON."""
    if isinstance(body, str):
        body = body.encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fault(code=code, body=data, headers={"Content-Type": kind, **(headers or {})}, acts=acts)


def nginx(code: int = 502, *, acts: bool = False) -> Fault:
    """The gateway's own 502, 503 or 504: HTML, and no request id."""
    title = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}[code]
    page = f"<html><head><title>{title}</title></head><body><center>nginx</center></body></html>"
    return says(code, page, acts=acts)


def breaks(kind: str = "runner_server_error", *, acts: bool = False) -> Fault:
    """fal's own 5xx, by error type, with a request id."""
    end = broke(kind)
    headers = {**end.headers, "x-fal-request-id": "00000000-0000-0000-0000-000000000000"}
    return says(end.code, {"detail": end.detail, "error_type": kind}, headers, acts=acts)


def garbage(*, acts: bool = False) -> Fault:
    """JSON that ends in the middle of a word."""
    return says(200, b'{"status": "IN_PRO', {"Content-Type": "application/json"}, acts=acts)


def html(*, acts: bool = False) -> Fault:
    """A page where JSON should be, with 200."""
    return says(200, html_page().data, acts=acts)


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


def redirected(url: str, code: int = 307, *, acts: bool = False) -> Fault:
    return says(code, b"", {"Location": url}, acts=acts)


def lost() -> Fault:
    """What fal says of a request it doesn't know."""
    return says(404, {"status": "NOT_FOUND"})
