"""Answers of any server that go wrong: lost, late, of something in between, garbled. No vendor's own words."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.files import html_page


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


def garbage(*, acts: bool = False) -> Fault:
    """JSON that ends in the middle of a word."""
    return says(200, b'{"status": "IN_PRO', {"Content-Type": "application/json"}, acts=acts)


def html(*, acts: bool = False) -> Fault:
    """A page where JSON should be, with 200."""
    return says(200, html_page().data, acts=acts)


def redirected(url: str, code: int = 307, *, acts: bool = False) -> Fault:
    return says(code, b"", {"Location": url}, acts=acts)
