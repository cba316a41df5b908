"""What the Discord server can be told to do wrong: one fault spoils one answer. No server."""

from typing import Any

from tests.fakes.discord_words import ERRORS, error_body
from tests.fakes.faults import Fault, Gate, dropped, held, says

__all__ = ["Fault", "Gate", "broken", "cloudflare", "dropped", "gone", "held", "limited", "refused", "says"]


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


def gone() -> Fault:
    """What the CDN says of a link that has expired."""
    return says(404, b"This content is no longer available.", {"Content-Type": "text/plain"})
