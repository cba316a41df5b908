"""One accepted submission at the fal server, and what its status, result and cancel say at a time. No server.

Shapes are those of fal's pages on queue status, result and cancel as read on 2026-11-20. Not documented, so decided
here: an early result is 400, a cancelled job ends as 499 `client_cancelled`.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiohttp import web

from tests.fakes.fal_inputs import MODELS
from tests.fakes.fal_script import Failed, Made, Plan

NAMESPACES = {"workflows", "comfy"}


class Bill(NamedTuple):
    request_id: str
    endpoint: str
    body: str  # SHA-256 of the input as JSON with sorted keys, hex
    at: float  # the server's clock, when it was accepted


def app_of(endpoint: str) -> str:
    """Return owner and app: what status, result and cancel are addressed to."""
    parts = endpoint.split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


@dataclass(slots=True)
class Job:
    """Times are the server's clock, in seconds."""

    request_id: str
    endpoint: str
    arguments: dict[str, Any] = field(repr=False)
    plan: Plan
    at: float
    starts_at: float
    ends_at: float
    end: Made | Failed
    url: str  # the result's own address
    video: str = ""  # address of the video, when one is made
    looks: int = 0  # status requests answered
    noticed_at: float | None = None  # the first status that said COMPLETED

    @property
    def bill(self) -> Bill:
        body = json.dumps(self.arguments, sort_keys=True).encode()
        return Bill(self.request_id, self.endpoint, hashlib.sha256(body).hexdigest(), self.at)

    @property
    def charged(self) -> bool:
        return isinstance(self.end, Made) or self.end.charged

    def word(self, now: float) -> str:
        return "COMPLETED" if now >= self.ends_at else "IN_PROGRESS" if now >= self.starts_at else "IN_QUEUE"

    def place(self, now: float) -> int:
        """Return how many jobs are before this one."""
        left = (self.starts_at - now) / self.plan.queue_seconds if self.plan.queue_seconds else 0
        return max(0, math.ceil(self.plan.places * left))

    def accepted(self, now: float) -> web.Response:
        return self._json(self._facts("IN_QUEUE") | {"queue_position": self.place(now)})

    def status(self, now: float, *, logs: bool) -> web.Response:
        self.looks += 1
        word = self.word(now)
        if word == "IN_QUEUE":
            return self._json(self._facts(word) | {"queue_position": self.place(now)}, 202)
        facts = self._facts(word) | {"logs": [self._line()] if logs else None}
        if word == "IN_PROGRESS":
            return self._json(facts, 202)
        self.noticed_at = now if self.noticed_at is None else self.noticed_at
        if isinstance(self.end, Made):
            return self._json(facts | {"metrics": {"inference_time": self.ends_at - self.starts_at}})
        return self._json(facts | {"metrics": {}} | _error(self.end))

    def result(self, now: float) -> web.Response:
        if self.word(now) != "COMPLETED":
            return self._json({"detail": "Request is still in progress"}, 400)
        if isinstance(self.end, Failed):
            return self._json(_failure(self.end, self.arguments), self.end.code, self.end.headers)
        units = {} if self.end.units is None else {"x-fal-billable-units": self.end.units}
        return self._json(self._made(self.end) if self.end.body is None else self.end.body, headers=units)

    def cancel(self, now: float) -> web.Response:
        word = self.word(now)
        if word == "COMPLETED":
            return self._json({"status": "ALREADY_COMPLETED"}, 400)
        if word == "IN_QUEUE":
            self._stop(now, charged=False)
            return self._json({"status": "OK"})
        if not self.plan.stubborn:
            self._stop(now, charged=True)
        return self._json({"status": "CANCELLATION_REQUESTED"}, 202)

    def _stop(self, now: float, *, charged: bool) -> None:
        self.ends_at = now
        self.end = Failed(499, "The request was cancelled.", "client_cancelled", charged=charged)

    def _facts(self, word: str) -> dict[str, Any]:
        urls = {"response_url": self.url, "status_url": f"{self.url}/status", "cancel_url": f"{self.url}/cancel"}
        return {"status": word, "request_id": self.request_id, **urls}

    def _line(self) -> dict[str, str]:
        at = datetime.fromtimestamp(self.starts_at, UTC).isoformat()
        return {"message": "Loading the model", "level": "INFO", "source": "USER", "timestamp": at}

    def _made(self, end: Made) -> dict[str, Any]:
        model = MODELS.get(self.endpoint)
        video: dict[str, Any] = {"url": self.video, "content_type": "video/mp4", "file_name": "output.mp4"}
        video["file_size"] = end.file.claims or len(end.file.data)
        if model and model.measures:
            video |= {"width": 320, "height": 180, "fps": 24.0, "duration": 1.0, "num_frames": 24}
        return {"video": video} | {name: self.arguments.get(name, 42) for name in (model.tells if model else ())}

    def _json(self, body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.json_response(body, status=code, headers={"x-fal-request-id": self.request_id, **(headers or {})})


def _error(end: Failed) -> dict[str, str]:
    if end.silent:
        return {}
    return {"error": f"Invalid status code: {end.code}"} | ({"error_type": end.error_type} if end.error_type else {})


def _failure(end: Failed, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an error; as at fal each entry repeats the input, a whole data URI if need be."""
    if isinstance(end.detail, str):
        return {"detail": end.detail} | ({"error_type": end.error_type} if end.error_type else {})
    return {"detail": [{"input": arguments.get(entry["loc"][-1]), **entry} for entry in end.detail]}
