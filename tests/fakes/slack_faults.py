"""What the Slack server can be told to do wrong: one fault spoils one answer. No server."""

import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.discord_faults import Fault, Gate, dropped, held


def says(code: int, body: Any, headers: Mapping[str, str] | None = None, *, acts: bool = False) -> Fault:
    """Any answer: text as HTML, bytes as plain text, all else as JSON."""
    kind = "text/html" if isinstance(body, str) else "text/plain" if isinstance(body, bytes) else "application/json"
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Fault(code=code, body=data, headers={"Content-Type": kind, **(headers or {})}, acts=acts)


def refused(error: str, *, acts: bool = False, **more: Any) -> Fault:
    """Any of Slack's own words, e.g. `refused("is_archived")`; 200 as always."""
    return says(200, {"ok": False, "error": error, **more}, acts=acts)


def limited(retry_after: int = 1) -> Fault:
    """429 as Slack sends it: whole seconds in Retry-After."""
    return says(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(retry_after)})


def broken(code: int = 500, *, acts: bool = False) -> Fault:
    """A 5xx: JSON of an internal error with 500, a page of HTML with others."""
    return says(code, {"ok": False, "error": "internal_error"} if code == 500 else f"<h1>{code}</h1>", acts=acts)


__all__ = ["Fault", "Gate", "broken", "dropped", "held", "limited", "refused", "says"]
