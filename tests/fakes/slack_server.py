"""Slack's HTTP on loopback: one door for every request, where it is written down, spoilt or answered. No state."""

import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from aiohttp import web

from tests.fakes import slack_words as words
from tests.fakes.faulty_server import PATIENCE, FaultyServer
from tests.fakes.slack_chat import Chat
from tests.fakes.slack_faults import Fault, limited
from tests.fakes.slack_files import Files
from tests.fakes.slack_things import Install, Json, Team
from tests.fakes.slack_views import Views
from tests.fakes.slack_who import Ask, Method, Who
from tests.fakes.slack_wire import Wire
from tests.fakes.slack_words import Wrong, need
from tests.fakes.slack_world import World

STRUCTURED = {"blocks", "view", "files", "attachments", "metadata"}  # JSON, also inside a form or query
Handler = Callable[["Call", web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Call:
    """One request: a Web API method, `upload`, `file` (downloads), `response` (response_url), `socket`.

    `at`: seconds of `time.monotonic`; `args` hold no token; `error` is Slack's word; `status` is None until answered.
    """

    method: str
    args: Json
    at: float
    headers: Mapping[str, str] = field(repr=False)
    team: Team | None = None
    error: str = ""
    status: int | None = None


class Server(FaultyServer[str]):
    """What answers; `Slack` is what a test holds. Faults go by `Call.method`, e.g. `next("chat.update", limited())`."""

    app_token = "xapp-1-A00000001-not-a-token"  # noqa: S105 - opens nothing

    def __init__(self, world: World, signing_secret: str) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.leaks: list[str] = []  # paths at which a foreign host was shown a token
        self.world = world
        self.who = Who(world)
        self.chat = Chat(world, self.who)
        self.views_of = Views(world)
        self.files_of = Files(world, self.chat)
        self.wire = Wire(signing_secret, world.app_id, self._wake)
        self.tiers: dict[str, tuple[int, float]] = {}  # method: so many calls (in a workspace) within so many seconds
        rooms = (self.who, self.chat, self.views_of, self.files_of)
        self._methods: dict[str, Method] = {name: method for room in rooms for name, method in room.methods.items()}
        self.urls: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        main, origin, foreign = (web.Application(client_max_size=1024**3) for _ in range(3))
        main.router.add_route("*", "/api/{method}", self._taking("", self._api))
        main.router.add_get("/link", self._taking("socket", lambda _call, request: self.wire.listen(request)))
        main.router.add_post("/upload/v1/{slot}", self._taking("upload", self._upload))
        main.router.add_post("/respond/{id}", self._taking("response", self._respond))
        for name, app in (("main", main), ("origin", origin), ("foreign", foreign)):
            app.router.add_get("/files-pri/{file}/{path:.*}", self._taking("file", self._reading(name)))
            self.urls[name] = await self._open(app)
        self.world.url, self.files_of.hosts = self.urls["main"], self.urls
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.release()
        await self.wire.close()
        await self._close()

    async def connected(self, count: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until that many sockets are open."""
        await self.until(lambda: len(self.wire.live) >= count, seconds)

    def count(self, method: str) -> int:
        return sum(call.method == method for call in self.calls)

    def _limit(self, call: Call) -> Fault | None:
        most, seconds = self.tiers.get(call.method, (0, 0.0))
        if not most:
            return None
        alike = [one for one in self.calls if one.method == call.method and one.team is call.team]
        taken = [one.at + seconds for one in alike if one.status == 200 and one.at > call.at - seconds]
        return limited(math.ceil(taken[-most] - call.at)) if len(taken) >= most else None

    # one request

    def _taking(self, place: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def take(request: web.Request) -> web.StreamResponse:
            call = Call(place or request.match_info["method"], {}, time.monotonic(), request.headers)
            install = self.world.tokens.get(_bearer(request))
            call.team = install.team if install else None
            self.calls.append(call)
            self._wake()
            fault = self._fault(call.method.__eq__) or self._limit(call)
            response = await self._spoil(fault, request, partial(handler, call, request))
            call.status = response.status
            self._wake()
            return response

        return take

    async def _api(self, call: Call, request: web.Request) -> web.StreamResponse:
        args = await _arguments(request)
        token = _bearer(request) or str(args.get("token", ""))
        args.pop("token", None)
        call.args = {name: value for name, value in args.items() if name not in {"client_secret", "client_id"}}
        install = self.world.tokens.get(token)
        try:
            said = {"ok": True, **self._answer(call.method, args, token, install)}
        except Wrong as wrong:
            said, call.error = wrong.body, wrong.body["error"]
        except (ValueError, TypeError, KeyError) as error:
            said, call.error = Wrong("invalid_arguments", str(error)).body, "invalid_arguments"
        scopes = {"X-OAuth-Scopes": ",".join(sorted(install.scopes))} if install else {}
        return web.json_response(said, headers=scopes)

    def _answer(self, method: str, args: Json, token: str, install: Install | None) -> Json:
        if method == "oauth.v2.access":
            return self.who.exchange(args)
        if method == "apps.connections.open":
            if token != self.app_token:
                raise Wrong("invalid_auth" if token else "not_authed")
            return {"url": self.wire.ticket(self.world.url)}
        if method not in self._methods:
            raise Wrong("unknown_method", req_method=method)
        if install is None:
            raise Wrong("invalid_auth" if token else "not_authed")
        if install.dead:
            raise Wrong(install.dead)
        need(words.SCOPES.get(method, ""), install.scopes)
        return self._methods[method](Ask(args, install))

    async def _upload(self, call: Call, request: web.Request) -> web.StreamResponse:
        response = await self.files_of.take(request)
        call.args = {"length": request.content_length}
        return response

    async def _respond(self, call: Call, request: web.Request) -> web.StreamResponse:
        call.args = await _arguments(request)
        try:
            self.chat.respond(request.match_info["id"], call.args)
        except Wrong as wrong:
            call.error = wrong.body["error"]
            return web.Response(status=404 if call.error.endswith("_url") else 400, text=call.error)
        return web.Response(text="ok")

    def _reading(self, host: str) -> Handler:
        async def read(call: Call, request: web.Request) -> web.StreamResponse:
            call.args = {"host": host, "path": request.path}
            if host != "foreign":
                return self.files_of.read(request, host)
            if "Authorization" in request.headers:
                self.leaks.append(request.path)
            return web.Response(text=words.LOGIN_PAGE, content_type="text/html")

        return read


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


async def _arguments(request: web.Request) -> Json:
    """Return what was said in the query, in a form and as JSON."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= dict(await request.post())
    return {name: _structure(value) if name in STRUCTURED else value for name, value in args.items()}


def _structure(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value
