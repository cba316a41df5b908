"""Reads tickets, results and bills in fal's answers. No request is made here."""

import re
from collections.abc import Mapping

import httpx
import msgspec

from providers import http
from providers.contract import Busy, Finished, Ticket, Unsure


class Handle(msgspec.Struct, frozen=True):
    """Our ticket. The URLs are built from it and our own settings, never taken from an answer."""

    endpoint: str
    id: str
    unit: int | None = None


def read_ticket(endpoint: str, answer: httpx.Response, unit: int | None) -> Ticket:
    """Return the ticket in an answer to a submission. Raises `Unsure` without one: it was accepted."""
    request_id = http.parsed(answer).get("request_id")
    if not isinstance(request_id, str) or not re.fullmatch(r"[\w-]{1,100}", request_id):
        raise Unsure(f"fal answered {answer.status_code} without a request id")
    return Ticket(msgspec.json.encode(Handle(endpoint, request_id, unit)).decode())


def read_result(answer: httpx.Response, handle: Handle) -> Finished:
    """Return the video in a result. Raises `Busy` when there is none to be seen, as a later poll may show one."""
    result = http.parsed(answer)
    several = result.get("videos")
    video = result.get("video") or (several[0] if isinstance(several, list) and several else None)
    url = video.get("url") if isinstance(video, dict) else None
    if not isinstance(url, str):
        raise Busy("fal's result holds no video")
    return Finished(url, read_cost(answer.headers, handle.unit))


def read_cost(headers: Mapping[str, str], unit: int | None) -> int | None:
    """Return what was charged in micro-dollars, when fal says how many units and the catalogue what one costs."""
    try:
        return None if unit is None else round(float(headers["x-fal-billable-units"]) * unit)
    except (KeyError, ValueError):
        return None
