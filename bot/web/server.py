"""Serves routes at one address, and hangs up on whoever sends too slowly, too much or too often."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Self

from aiohttp import web

HEAD_SECONDS = 10.0  # until a request's headers are there, the first and every further one of a connection
BODY_SECONDS = 10.0
LAST_SECONDS = 1.0  # that an answer under way may take when we are told to stop
MOST = 256  # connections at one address; a process may often have no more than 1024 files
EACH = 128  # of them from one remote address; a proxy is one for everybody behind it

_log = logging.getLogger("zoetrope.web")
_QUIET = logging.getLogger("zoetrope.web.quiet")  # the library's: anybody can send what is no HTTP
_QUIET.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Route:
    """What is asked for, and who answers. A body is read whole before; it may have that many bytes."""

    method: str
    path: str
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    max_bytes: int = 1024


class Connections:
    """Keeps count, and hangs up on who says nothing whole in time; where there are too many, on who has for longest."""

    def __init__(self) -> None:
        self._remotes: dict[web.RequestHandler, str] = {}
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # nothing whole came yet: the oldest first

    def enter(self, connection: web.RequestHandler, remote: str) -> None:
        self._remotes[connection] = remote
        self.wait(connection, HEAD_SECONDS)
        same = {other for other, theirs in self._remotes.items() if theirs == remote}
        if len(same) > EACH or len(self._remotes) > MOST:
            candidates = same if len(same) > EACH else self._remotes.keys()
            self._hang_up(next(one for one in self._silent if one in candidates))  # the newcomer, if all are at work

    def leave(self, connection: web.RequestHandler) -> None:
        self.busy(connection)
        self._remotes.pop(connection, None)

    def busy(self, connection: web.RequestHandler) -> None:
        if timer := self._silent.pop(connection, None):
            timer.cancel()

    def wait(self, connection: web.RequestHandler, seconds: float) -> None:
        """Give it that long to send something whole."""
        self.busy(connection)
        if connection in self._remotes:
            timer = asyncio.get_running_loop().call_later(seconds, self._hang_up, connection)
            self._silent[connection] = timer

    def _hang_up(self, connection: web.RequestHandler) -> None:
        self.leave(connection)
        if isinstance(connection.transport, asyncio.Transport):
            connection.transport.abort()


class _Connection(web.RequestHandler):
    """One connection of the library's, which is counted."""

    def __init__(self, server: web.Server, connections: Connections) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None means none; its hint forgot
            logger=_QUIET,
            lingering_time=LAST_SECONDS,
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.enter(self, str((transport.get_extra_info("peername") or [""])[0]))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)


class Door:
    """One address and its routes."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Route] = {}
        self.port = 0
        self._connections = Connections()
        self._server = web.Server(self._answer)
        self._sockets: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> Self:
        loop = asyncio.get_running_loop()
        self._sockets = await loop.create_server(lambda: _Connection(self._server, self._connections), host, port)
        self.port = self._sockets.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Accept nobody any more, let answers under way go out, hang up."""
        if self._sockets is not None:
            self._sockets.close()
        self._server.pre_shutdown()
        await self._server.shutdown(LAST_SECONDS)

    def add(self, routes: Collection[Route]) -> None:
        self.routes |= {(route.method, route.path): route for route in routes}

    def remove(self, routes: Collection[Route]) -> None:
        for route in routes:
            del self.routes[route.method, route.path]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._connections.wait(request.protocol, BODY_SECONDS + LAST_SECONDS)  # who is late is told so before
        try:
            route = _find(self.routes, request)
            request = await _read(request, route.max_bytes)
            self._connections.busy(request.protocol)
            return await _handle(route, request)
        finally:
            self._connections.wait(request.protocol, HEAD_SECONDS)


def _find(routes: dict[tuple[str, str], Route], request: web.BaseRequest) -> Route:
    route = routes.get(("GET" if request.method == "HEAD" else request.method, request.path))
    if route is None:
        allowed = [method for method, path in routes if path == request.path]
        raise web.HTTPMethodNotAllowed(request.method, allowed) if allowed else web.HTTPNotFound
    return route


async def _read(request: web.BaseRequest, most: int) -> web.BaseRequest:
    """Return the request with its body read."""
    request = request.clone(client_max_size=most)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The request took too long.") from None
    return request


async def _handle(route: Route, request: web.BaseRequest) -> web.StreamResponse:
    try:
        return await route.handler(request)
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits; its words may be somebody's
        _log.error("%s failed (%s)", route.path, type(error).__name__)
        return web.Response(status=503, text="This did not work now. Please try it again in a minute.")
