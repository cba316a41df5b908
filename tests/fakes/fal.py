"""fal on loopback: its queue, its storage and its CDN, each an origin of its own, and the ledger of what was billed.

Plays fal's pages on the queue (submit, status, result, cancel), on request headers, errors, media expiration and the
CDN as read on 2026-11-20; webhooks, status streams and multipart uploads are not played. What it can be told is in
`fal_script`, what one job answers in `fal_job`, what models take in `fal_inputs`, uploads in `fal_store`.
"""

import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from aiohttp import web

from tests.fakes.fal_inputs import MODELS, complaints
from tests.fakes.fal_job import Bill, Job, app_of
from tests.fakes.fal_script import Failed, Made, Plan, broke
from tests.fakes.fal_store import Store
from tests.fakes.files import File
from tests.fakes.loopback import Loopback, object_in

Kind = Literal["submit", "status", "result", "cancel", "token", "initiate", "put", "upload", "file"]

KEY = "0b5e55ed-0000-4000-8000-000000000000:not-a-key"
MONTH = 30 * 24 * 3600.0
VERBS: dict[tuple[str, str], Literal["status", "result", "cancel"]] = {
    ("GET", "status"): "status",
    ("GET", ""): "result",
    ("GET", "response"): "result",
    ("PUT", "cancel"): "cancel",
}


class Fal(Loopback[Kind]):
    """`async with Fal() as fal:` answers until the block ends."""

    _store: Store

    def __init__(
        self,
        *,
        key: str = KEY,
        clock: Callable[[], float] = time.time,
        plan: Callable[[str, Mapping[str, Any]], Plan] = lambda _endpoint, _arguments: Plan(),
    ) -> None:
        """`clock`: seconds. `plan`: how a job goes of which `next_job` said nothing, by its endpoint and input."""
        super().__init__(Store(self._stranger), queue=self._queue, rest=self._rest, elsewhere=self._elsewhere)
        self.key = key
        self.clock = clock
        self.plan = plan
        self.keeps = MONTH  # seconds that a finished job is remembered
        self.withdrawn: set[str] = set()  # endpoints that no longer exist
        self.jobs: dict[str, Job] = {}  # by request id, oldest first
        self.posts = 0  # submissions received, answered or not
        self._plans: deque[Plan] = deque()

    @property
    def queue_url(self) -> str:
        """Without a slash at the end, as are the other three."""
        return self._urls["queue"]

    @property
    def rest_url(self) -> str:
        return self._urls["rest"]

    @property
    def cdn_url(self) -> str:
        return self._urls["cdn"]

    @property
    def elsewhere_url(self) -> str:
        """An origin that is not fal's, with the CDN's files and else `{}`; whatever reaches it is in `seen`."""
        return self._urls["elsewhere"]

    @property
    def billed(self) -> list[Bill]:
        """What the account pays for: accepted, not cancelled while queued, not failed for free."""
        return [job.bill for job in self.jobs.values() if job.charged]

    @property
    def files(self) -> dict[str, File]:
        """All on the CDN, by path."""
        return self._store.files

    def next_job(self, *plans: Plan) -> None:
        """The coming accepted submissions go like this, one plan each."""
        self._plans.extend(plans)

    def forget(self, request_id: str) -> None:
        """Expire a job and its video at once."""
        job = self.jobs[request_id]
        job.ends_at = -math.inf
        self._store.drop(job.video)

    def _stranger(self, request: web.Request) -> web.Response | None:
        said = request.headers.get("Authorization")
        if said == f"Key {self.key}":
            return None
        words = "invalid key credentials" if said else "authentication is required"
        return web.json_response({"detail": f"Cannot access application: {words}"}, status=401)

    async def _queue(self, request: web.Request) -> web.StreamResponse:
        target, asked, rest = request.path.strip("/").partition("/requests/")
        if not asked and request.method == "POST":
            self.posts += 1
            return await self._play("submit", request, partial(self._submit, request, target))
        request_id, _, verb = rest.partition("/")
        kind = VERBS.get((request.method, verb))
        if kind is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        return await self._play(kind, request, partial(self._about, kind, request, target, request_id))

    async def _submit(self, request: web.Request, endpoint: str) -> web.Response:
        if stranger := self._stranger(request):
            return stranger
        if "/" not in endpoint or endpoint in self.withdrawn:
            return web.json_response({"detail": f'Application "{endpoint}" not found'}, status=404)
        arguments = object_in(await request.read())
        if arguments is None:
            detail = {"detail": "The body must be a JSON object", "error_type": "bad_request"}
            return web.json_response(detail, status=400, headers={"X-Fal-Error-Type": "bad_request"})
        job = self._accept(endpoint, arguments, _start_timeout(request))
        self.jobs[job.request_id] = job
        return job.accepted(self.clock())

    def _accept(self, endpoint: str, arguments: dict[str, Any], start_timeout: float) -> Job:
        plan = self._plans.popleft() if self._plans else self.plan(endpoint, arguments)
        end, seconds = plan.ends, plan.queue_seconds + plan.run_seconds
        model = MODELS.get(endpoint)
        if start_timeout < plan.queue_seconds:
            end, seconds = broke("request_timeout", **{"X-Fal-Request-Timeout-Type": "user"}), start_timeout
        elif model and (detail := complaints(model, arguments, self._store.load)):
            end, seconds = Failed(422, detail, detail[0]["type"]), plan.queue_seconds
        now, request_id = self.clock(), str(uuid.uuid4())
        starts, ends = now + plan.queue_seconds, now + seconds
        url = f"{self.queue_url}/{app_of(endpoint)}/requests/{request_id}"
        video = (end.url or self.put("output.mp4", end.file)) if isinstance(end, Made) else ""
        return Job(request_id, endpoint, arguments, plan, now, starts, ends, end, url, video)

    async def _about(
        self, kind: Literal["status", "result", "cancel"], request: web.Request, app: str, request_id: str
    ) -> web.Response:
        if stranger := self._stranger(request):
            return stranger
        now, job = self.clock(), self.jobs.get(request_id)
        if job is None or app_of(job.endpoint) != app or now >= job.ends_at + self.keeps:
            return web.json_response({"status": "NOT_FOUND"}, status=404)
        if kind == "status":
            return job.status(now, logs=request.query.get("logs") in {"1", "true"})
        return job.cancel(now) if kind == "cancel" else job.result(now)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        match request.method, request.path:
            case "POST", "/storage/auth/token":
                return await self._play("token", request, partial(self._store.token, request))
            case "POST", "/storage/upload/initiate":
                return await self._play("initiate", request, partial(self._store.initiate, request))
        return web.json_response({"detail": "Not Found"}, status=404)

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and request.path == "/files/upload":
            return await self._play("upload", request, partial(self._store.upload, request))
        if request.method == "PUT" and request.path.startswith("/files/signed/"):
            return await self._play("put", request, partial(self._store.signed, request))
        return await self._play("file", request, partial(self._store.send, request))

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        return await self._store.send(request) if request.path in self.files else web.json_response({})


def _start_timeout(request: web.Request) -> float:
    """Return the seconds in which the job must start; the new name of the header wins over the old one."""
    said = request.headers.get("X-Fal-Request-Start-Timeout") or request.headers.get("X-Fal-Request-Timeout")
    return float(said) if said else math.inf
