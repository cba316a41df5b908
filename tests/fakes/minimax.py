"""MiniMax on loopback: both APIs, its files, its CDN with links that expire, and the ledger of what was billed.

Plays MiniMax's documentation of the first API (submit, query, files/retrieve) and the second (submit, query, list,
delete) as read on 2026-11-20; callbacks and uploads are not played. What models take is in `minimax_inputs`. Not
documented, so decided here: an unknown task is 2013 in both APIs, and a delete answers with an empty object.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from aiohttp import web

from tests.fakes.faults import Fault, says
from tests.fakes.files import File, video
from tests.fakes.loopback import Loopback, object_in
from tests.fakes.minimax_inputs import complaints, unknown

Kind = Literal["submit", "query", "retrieve", "cancel", "list", "other"]
Api = Literal["v1", "v2"]

KEY = "sk-api-not-a-key"
HOUR = 3600.0
WEEK = 7 * 24 * HOUR
HTTP = {1002: 429, 1004: 401, 1008: 402, 1026: 422, 1027: 422, 2013: 400, 2038: 401, 2049: 401, 2056: 429}
TYPES = {
    400: "bad_request_error",
    401: "authorized_error",
    402: "insufficient_balance_error",
    422: "unprocessable_entity_error",
    429: "rate_limit_error",
    500: "server_error",
    529: "overloaded_error",
}
WORDS = {  # by state: those of the first API, those of the second
    "queued": ("Queueing", "queued"),
    "running": ("Processing", "running"),
    "made": ("Success", "succeeded"),
    "failed": ("Fail", "failed"),
    "cancelled": ("", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Failed:
    """The task ends without a video."""

    code: int = 1027
    words: str = "output sensitive"
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How one task goes. The defaults finish it by the first look. `word` stands in place of the status."""

    queue_seconds: float = 0
    run_seconds: float = 0
    ends: File | Failed = field(default_factory=video)
    url: str | None = None  # stands in place of the video's own address
    word: str | None = None


@dataclass(slots=True)
class Task:
    id: str
    api: Api
    body: Mapping[str, Any] = field(repr=False)
    plan: Plan
    at: float
    path: str = ""  # of the video on the CDN
    cancelled: bool = False
    deleted: bool = False

    def state(self, now: float) -> str:
        if self.cancelled:
            return "cancelled"
        if now < self.at + self.plan.queue_seconds:
            return "queued"
        if now < self.at + self.plan.queue_seconds + self.plan.run_seconds:
            return "running"
        return "failed" if isinstance(self.plan.ends, Failed) else "made"

    @property
    def charged(self) -> bool:
        return not self.cancelled and (self.plan.ends.charged if isinstance(self.plan.ends, Failed) else True)


def no(api: Api, code: int, words: str = "something is wrong", http: int | None = None) -> Fault:
    """Return an error as that API says it; `http`: the second one's status, where it is not the usual one."""
    if api == "v1":
        return says(http or 200, {"task_id": "", "base_resp": {"status_code": code, "status_msg": words}})
    status = http or HTTP.get(code, 500)
    error = {"type": TYPES.get(status, "server_error"), "message": f"{words} ({code})", "http_code": str(status)}
    return says(status, {"type": "error", "error": error, "request_id": "0199"})


class MiniMax(Loopback[Kind]):
    """`async with MiniMax() as minimax:` answers until the block ends."""

    def __init__(
        self,
        *,
        key: str = KEY,
        clock: Callable[[], float] = time.time,
        plan: Callable[[], Plan] = Plan,
    ) -> None:
        super().__init__(api=self._api)
        self.key = key
        self.clock = clock
        self.plan = plan
        self.tasks: dict[str, Task] = {}  # by id, oldest first
        self.posts = 0  # submissions received, answered or not
        self.unknown: set[str] = set()  # fields that no documentation names
        self._plans: deque[Plan] = deque()

    @property
    def billed(self) -> list[Task]:
        """What the account pays for: accepted, not cancelled while queued, not failed for free."""
        return [task for task in self.tasks.values() if task.charged]

    def next_task(self, *plans: Plan) -> None:
        self._plans.extend(plans)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        kind = _kind(request)
        self.posts += kind == "submit"
        return await self._play(kind, request, partial(self._true, kind, request))

    async def _true(self, kind: Kind, request: web.Request) -> web.StreamResponse:
        api: Api = "v2" if request.path.startswith("/v2/") else "v1"
        said = request.headers.get("Authorization")
        if said != f"Bearer {self.key}":
            return _refuse(
                api, *((2049, "invalid api key") if said else (1004, "login fail: carry the API secret key"))
            )
        if kind == "submit":
            return self._submit(api, object_in(await request.read()))
        return self._about(kind, api, request)

    def _about(self, kind: Kind, api: Api, request: web.Request) -> web.StreamResponse:
        task_id = request.query.get("task_id") if api == "v1" else request.path.rpartition("/")[2]
        match kind:
            case "query":
                return self._query(api, self._known(api, task_id))
            case "cancel":
                return self._cancel(self._known(api, task_id))
            case "retrieve":
                return self._retrieve(request.query.get("file_id"))
            case "list":
                tasks = [self._task(task) for task in self.tasks.values() if task.api == "v2" and not task.deleted]
                return web.json_response({"tasks": tasks[::-1], "total": len(tasks)})
        return web.Response(status=404, text="404 page not found")

    def _known(self, api: Api, task_id: str | None) -> Task | None:
        task = self.tasks.get(str(task_id))
        if task is None or task.deleted or task.api != api or self.clock() > task.at + WEEK:
            return None
        return task

    def _submit(self, api: Api, body: dict[str, Any] | None) -> web.Response:
        for code, words in complaints(api, body or {}):
            return _refuse(api, code, words)
        self.unknown |= unknown(api, body or {})
        plan = self._plans.popleft() if self._plans else self.plan()
        task_id = str(uuid.uuid4().int % 10**15) if api == "v1" else uuid.uuid4().hex
        task = self.tasks[task_id] = Task(task_id, api, body or {}, plan, self.clock())
        if isinstance(plan.ends, File):
            task.path = self._store.put("output.mp4", plan.ends).removeprefix(self._store.url)
        return web.json_response({"task_id": task_id, **(_OK if api == "v1" else {})})

    def _query(self, api: Api, task: Task | None) -> web.Response:
        if task is None:
            return _refuse(api, 2013, "invalid task_id")
        if api == "v2":
            return web.json_response({"task": self._task(task)})
        state, end = task.state(self.clock()), task.plan.ends
        told: dict[str, Any] = {"task_id": task.id, "status": task.plan.word or WORDS[state][0], "file_id": "", **_OK}
        if state == "made":
            told |= {"file_id": f"7{task.id}", "video_width": 320, "video_height": 180}
        if state == "failed" and isinstance(end, Failed):
            told |= {"base_resp": {"status_code": end.code, "status_msg": end.words}}
        return web.json_response(told)

    def _task(self, task: Task) -> dict[str, Any]:
        """Return what the second API says of a task: nothing that its maker wrote."""
        state, end = task.state(self.clock()), task.plan.ends
        told = {name: task.body[name] for name in ("model", "resolution", "duration", "ratio")}
        told |= {"id": task.id, "status": task.plan.word or WORDS[state][1], "task_type": "generation"}
        if state == "made":
            told |= {"content": {"url": task.plan.url or self._link(task)}, "usage": {"total_seconds": 5}}
        if state == "failed" and isinstance(end, Failed):
            told |= {"error": {"code": str(end.code), "message": end.words}}
            told |= {"usage": {"total_seconds": 5 if end.charged else 0}}
        return told

    def _retrieve(self, file_id: str | None) -> web.Response:
        task = self.tasks.get((file_id or "")[1:])
        if task is None:
            return _refuse("v1", 2013, "invalid file_id")
        link = task.plan.url or self._link(task)
        return web.json_response(
            {"file": {"file_id": file_id, "purpose": "video_generation", "download_url": link}} | _OK
        )

    def _link(self, task: Task) -> str:
        return f"{self._store.url}{task.path}?expires={self.clock() + HOUR:.0f}"

    def _cancel(self, task: Task | None) -> web.Response:
        state = task.state(self.clock()) if task else ""
        if task is None or state in {"running", "cancelled"}:
            return _refuse("v2", 2013, "the task can not be cancelled" if task else "record not found")
        task.cancelled = state == "queued"
        task.deleted = not task.cancelled
        return web.json_response({})

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        if self.clock() > float(request.query.get("expires", 0)):
            return web.Response(status=403)
        return await self._store.send(request)


_OK = {"base_resp": {"status_code": 0, "status_msg": "success"}}


def _kind(request: web.Request) -> Kind:
    match request.method, request.path.split("/")[1:]:
        case "POST", ["v1" | "v2", "video_generation"]:
            return "submit"
        case ("GET", ["v1", "query", "video_generation"]) | ("GET", ["v2", "query", "video_generation", _]):
            return "query"
        case "GET", ["v2", "query", "video_generation"]:
            return "list"
        case "GET", ["v1", "files", "retrieve"]:
            return "retrieve"
        case "DELETE", ["v2", "video_generation", _]:
            return "cancel"
    return "other"


def _refuse(api: Api, code: int, words: str) -> web.Response:
    fault = no(api, code, words)
    return web.Response(status=fault.code, body=fault.body, headers=fault.headers)
