"""Slack's HTTP on loopback: one door for every request, where it is written down, spoilt or answered. No state."""

import asyncio
import contextlib
import json
import math
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes import slack_words as words
from tests.fakes.slack_chat import Chat
from tests.fakes.slack_faults import Fault, Gate, limited
from tests.fakes.slack_files import Files
from tests.fakes.slack_things import Install, Json, Team
from tests.fakes.slack_views import Views
from tests.fakes.slack_who import Ask, Method, Who
from tests.fakes.slack_wire import Wire
from tests.fakes.slack_words import Wrong, need
from tests.fakes.slack_world import World

LOOK_SECONDS = 0.02
STRUCTURED = {"blocks", "view", "files", "attachments", "metadata"}  # JSON, also inside a form or query
Handler = Callable[["Call", web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Call:
    """One request: a Web API method, or `upload`, `file`, `response`, `socket`. `at`: seconds of `time.monotonic`.

    `args` hold no token; `error` is Slack's word; `status` is None until answered.
    """

    method: str
    args: Json
    at: float
    headers: Mapping[str, str] = field(repr=False)
    team: Team | None = None
    error: str = ""
    status: int | None = None


class Server:
    """What answers; `Slack` is what a test holds."""

    app_token = "xapp-1-A00000001-not-a-token"  # noqa: S105 - opens nothing

    def __init__(self, world: World, signing_secret: str) -> None:
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
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._gates: list[Gate] = []
        self._change = asyncio.Event()
        self._runners: list[web.AppRunner] = []
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
        for runner in self._runners:
            await runner.cleanup()

    async def _open(self, app: web.Application) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    # waiting

    async def until(self, so: Callable[[], object], seconds: float = 5) -> None:
        """Wait until `so()` is true; TimeoutError after `seconds`.

        It is looked at after every request and ack, and every 20 ms for what only the app's side knows.
        """
        async with asyncio.timeout(seconds):
            while not so():
                self._change.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._change.wait(), LOOK_SECONDS)

    async def connected(self, count: int = 1, seconds: float = 10) -> None:
        """Wait until that many sockets are open."""
        await self.until(lambda: len(self.wire.live) >= count, seconds)

    def count(self, method: str) -> int:
        return sum(call.method == method for call in self.calls)

    def _wake(self) -> None:
        self._change.set()

    # what goes wrong

    def next(self, method: str, *faults: Fault) -> None:
        """Spoil the coming calls of a method, one fault each, e.g. `next("chat.update", limited())`.

        Beside the Web API's names there are `upload`, `file` (downloads), `response` (response_url) and `socket`.
        """
        self._faults[method].extend(faults)

    def always(self, method: str, fault: Fault) -> None:
        """Spoil every call of it, until `mend`."""
        self._always[method] = fault

    def mend(self) -> None:
        """Forget all faults that have not happened."""
        self._faults.clear()
        self._always.clear()

    def release(self) -> None:
        """Open every gate that holds an answer."""
        for gate in self._gates:
            gate.open.set()

    def _limit(self, call: Call) -> Fault | None:
        most, seconds = self.tiers.get(call.method, (0, 0.0))
        if not most:
            return None
        alike = [one for one in self.calls if one.method == call.method and one.team is call.team]
        taken = [one.at + seconds for one in alike if one.status == 200 and one.at > call.at - seconds]
        return limited(math.ceil(taken[-most] - call.at)) if len(taken) >= most else None

    def _fault(self, method: str) -> Fault | None:
        if self._faults[method]:
            return self._faults[method].popleft()
        return self._always.get(method)

    # one request

    def _taking(self, place: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def take(request: web.Request) -> web.StreamResponse:
            call = Call(place or request.match_info["method"], {}, time.monotonic(), request.headers)
            install = self.world.tokens.get(_bearer(request))
            call.team = install.team if install else None
            self.calls.append(call)
            self._wake()
            response = await self._play(call, request, handler)
            call.status = response.status
            self._wake()
            return response

        return take

    async def _play(self, call: Call, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = self._fault(call.method) or self._limit(call)
        if fault is None:
            return await handler(call, request)
        true = await handler(call, request) if fault.acts else None
        if true is None and (fault.drop or fault.code):
            await request.read()
        if fault.gate:
            self._gates.append(fault.gate)
            fault.gate.reached.set()
            await fault.gate.open.wait()
        if fault.drop:
            if request.transport:
                request.transport.close()
            return web.Response()
        if fault.code:
            return web.Response(status=fault.code, body=fault.body, headers=fault.headers)
        return true or await handler(call, request)

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
