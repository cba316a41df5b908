"""What the Discord server can be told to do wrong: one fault spoils one answer. No server."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.discord_words import ERRORS, error_body


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
    code: int = 0  # HTTP status; 0: the true answer
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def says(code: int, body: Any, headers: Mapping[str, str] | None = None, *, acts: bool = False) -> Fault:
    """Any answer: text and bytes as they are (HTML), all else as JSON."""
    if isinstance(body, str):
        body = body.encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fault(code=code, body=data, headers={"Content-Type": kind, **(headers or {})}, acts=acts)


def refused(code: int, *, retry_after: float | None = None, acts: bool = False) -> Fault:
    """Any of Discord's own error codes, e.g. `refused(50013)`; those of 429 wait `retry_after` seconds (0.05)."""
    status = ERRORS[code][0]
    if status == 429:
        return _wait(error_body(code), 0.05 if retry_after is None else retry_after, "shared", acts=acts)
    return says(status, error_body(code), acts=acts)


def limited(retry_after: float = 0.05, *, scope: str = "user", everywhere: bool = False) -> Fault:
    """429 as Discord sends it: `scope` is user, shared or global; `everywhere` stops the client's other calls too."""
    body = {"message": "You are being rate limited.", "global": everywhere}
    return _wait(body, retry_after, "global" if everywhere else scope)


def _wait(body: dict[str, Any], retry_after: float, scope: str, *, acts: bool = False) -> Fault:
    headers = {"Retry-After": str(max(1, round(retry_after))), "X-RateLimit-Scope": scope, "Via": "1.1 google"}
    headers |= {"X-RateLimit-Global": "true"} if scope == "global" else {}
    return says(429, {**body, "retry_after": retry_after}, headers, acts=acts)


def cloudflare() -> Fault:
    """The 429 of the wall before Discord: HTML and no Via; discord.py raises at once."""
    return says(429, "<html><title>Access denied | discord.com used Cloudflare</title>error code: 1015</html>")


def broken(code: int = 503, *, acts: bool = False) -> Fault:
    """A 5xx. discord.py waits 1, 3, 5... s on 500, 502, 504 and 524; on 503 it raises, except for webhooks."""
    return says(code, {"message": f"{code}: Internal Server Error", "code": 0}, acts=acts)


def dropped(*, acts: bool = True) -> Fault:
    """The connection closes without an answer; the request was taken unless told otherwise."""
    return Fault(acts=acts, drop=True)


def held(gate: Gate, *, acts: bool = True) -> Fault:
    """The true answer, late: only once the gate is open."""
    return Fault(acts=acts, gate=gate)


def gone() -> Fault:
    """What the CDN says of a link that has expired."""
    return says(404, b"This content is no longer available.", {"Content-Type": "text/plain"})
