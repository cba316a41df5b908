"""Kling on loopback: API 2.0, the older one, its CDN, and the ledger of what was billed.

Plays Kling's pages on authentication, image to video, querying tasks, account usage and error codes as read on
2026-11-20; callbacks and `POST /tasks` are not played. What models take is in `kling_inputs`, what one task says in
`kling_task`. Not documented, so decided here: a repeated
external_task_id is 1201, the older API's tasks are not in /tasks, and a token (JWT) does not open API 2.0.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jwt
from aiohttp import web

from tests.fakes.kling_inputs import STATUS, Wish, Wrong, wish_of_2, wish_of_legacy
from tests.fakes.kling_task import REQUEST_ID, Bill, Failed, Plan, Task
from tests.fakes.loopback import Loopback

Kind = Literal["submit", "look", "account", "file"]

API_KEY = "api-key-kling-not-a-key"
ACCESS_KEY = "access-key-of-nobody"
SECRET_KEY = "secret-key-of-nobody-at-all-0000"  # noqa: S105 - opens nothing but this server
OLDER = "/v1/videos/image2video"


class Kling(Loopback[Kind]):
    """`async with Kling() as kling:` answers until the block ends."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, plan: Callable[[Wish], Plan] = lambda _wish: Plan()
    ) -> None:
        """`clock`: seconds, for tasks; tokens are checked by the real time. `plan`: how a task goes by default."""
        super().__init__(api=self._api)
        self.api_key, self.access_key, self.secret_key = API_KEY, ACCESS_KEY, SECRET_KEY
        self.clock = clock
        self.plan = plan
        self.places = 1000  # tasks that may be in the making at once
        self.packs: list[dict[str, Any]] | None = [_pack(5000, 4200.5, "online"), _pack(1000, 0, "runOut")]
        self.tasks: dict[str, Task] = {}  # by id, oldest first
        self.posts = 0  # submissions received, answered or not
        self.ignored: list[str] = []  # fields that were sent and mean nothing here
        self._plans: deque[Plan] = deque()

    @property
    def billed(self) -> list[Bill]:
        """What the account pays for."""
        return [task.bill for task in self.tasks.values() if task.charged]

    def next_task(self, *plans: Plan) -> None:
        """The coming accepted submissions go like this, one plan each."""
        self._plans.extend(plans)

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        return await self._play("file", request, partial(self._store.send, request))

    async def _api(self, request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/")
        if request.method == "POST":
            self.posts += 1
            return await self._play("submit", request, partial(self._said, request, self._submit))
        match path.split("/"):
            case ["tasks"] | ["v1", "videos", "image2video", _]:
                return await self._play("look", request, partial(self._said, request, self._look))
            case ["account", "costs"]:
                return await self._play("account", request, partial(self._said, request, self._costs))
        return _answer(1202, "wrong method")

    async def _said(self, request: web.Request, act: Callable[[web.Request, bytes], Any]) -> web.Response:
        try:
            self._check_key(request)
            return _answer(0, "SUCCEED", act(request, await request.read()))
        except Wrong as wrong:
            return _answer(wrong.code, wrong.message)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, said = request.headers.get("Authorization", "").partition(" ")
        if not said or scheme != "Bearer":
            raise Wrong(1001, "Authorization is empty")
        if said == self.api_key:
            return
        if not request.path.startswith(("/v1/", "/account/")):
            raise Wrong(1002, "api key not found")
        try:
            jwt.decode(
                said, self.secret_key, algorithms=["HS256"], issuer=self.access_key,
                options={"require": ["iss", "exp", "nbf"]},
            )  # fmt: skip
        except jwt.ImmatureSignatureError:
            raise Wrong(1003, "Authorization is not yet valid") from None
        except jwt.ExpiredSignatureError:
            raise Wrong(1004, "Authorization is expired") from None
        except jwt.PyJWTError:
            raise Wrong(1002, "Authorization is invalid") from None

    def _submit(self, request: web.Request, body: bytes) -> dict[str, Any]:
        older = request.path == OLDER
        try:
            given = json.loads(body)
            wish = wish_of_legacy(given) if older else wish_of_2(request.path.strip("/"), given)
        except (ValueError, AttributeError, TypeError):
            raise Wrong(1200, "The body is not a JSON object as documented") from None
        now = self.clock()
        if wish.key and any(task.wish.key == wish.key for task in self.tasks.values()):
            raise Wrong(1201, "external_task_id already exists")
        if sum(now < task.ends_at for task in self.tasks.values()) >= self.places:
            raise Wrong(1303, "parallel task over resource pack limit")
        self.ignored += wish.ignored
        plan = self._plans.popleft() if self._plans else self.plan(wish)
        task_id = str(893605946402811985 + len(self.tasks))
        url = plan.url or ("" if isinstance(plan.ends, Failed) else self.put("output.mp4", plan.ends))
        task = Task(task_id, "legacy" if older else "2.0", wish, given, plan, now, url)
        self.tasks[task_id] = task
        return task.accepted()

    def _look(self, request: web.Request, _body: bytes) -> Any:
        if request.path.startswith(OLDER):
            name = request.path.rpartition("/")[2]
            found = [task for task in self.tasks.values() if task.api == "legacy" and name in {task.id, task.wish.key}]
            if not found:
                raise Wrong(1201, "Task not found")
            return found[0].told(self.clock())
        if set(request.query) not in ({"task_ids"}, {"external_task_ids"}):
            raise Wrong(1201, "task_ids or external_task_ids is required")
        [(kind, value)] = request.query.items()
        names = value.split(",")
        return [
            task.told(self.clock())
            for task in self.tasks.values()
            if task.api == "2.0" and (task.id if kind == "task_ids" else task.wish.key) in names
        ]

    def _costs(self, request: web.Request, _body: bytes) -> dict[str, Any]:
        if not all(request.query.get(name, "").isdigit() for name in ("start_time", "end_time")):
            raise Wrong(1201, "start_time and end_time are required")
        return {"code": 0, "msg": "", **({} if self.packs is None else {"resource_pack_subscribe_infos": self.packs})}


def _pack(whole: float, left: float, status: str) -> dict[str, Any]:
    return {
        "resource_pack_name": "video",
        "resource_pack_type": "decreasing_total",
        "total_quantity": whole,
        "remaining_quantity": left,
        "status": status,
    }


def _answer(code: int, message: str, data: Any = None) -> web.Response:
    body = {"code": code, "message": message, "request_id": REQUEST_ID} | ({} if data is None else {"data": data})
    return web.json_response(body, status=STATUS.get(code, 200))
