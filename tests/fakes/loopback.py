"""A vendor's servers on loopback: what was seen there, and their files. No vendor's wire."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

from aiohttp import web

from tests.fakes.faulty_server import FaultyServer, Kind
from tests.fakes.files import File, Files

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Seen(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # any case will find them
    place: str

    @property
    def authorized(self) -> bool:
        return "Authorization" in self.headers


class Loopback(FaultyServer[Kind]):
    """`async with` it: it answers until the block ends; answers still held are let go then.

    A vendor names its places, each an origin of its own; one more, `cdn`, has its files.
    """

    def __init__(self, files: Files | None = None, **places: Answer) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self._places = {**places, "cdn": self._cdn}
        self._store = files or Files()
        self._urls: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        for place, answer in self._places.items():
            self._urls[place] = await self._open(self._place(place, answer))
        self._store.url = self._urls["cdn"]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.release()
        await self._close()

    def _place(self, place: str, answer: Answer) -> web.Application:
        async def noted(request: web.Request) -> web.StreamResponse:
            await request.read()
            self.seen.append(Seen(request.method, request.path, request.query, request.headers, place))
            self._wake()
            return await answer(request)

        app = web.Application(client_max_size=128 * 1024**2)
        app.router.add_route("*", "/{path:.*}", noted)
        return app

    @property
    def url(self) -> str:
        """Of the first place, without a slash at the end."""
        return self._urls[next(iter(self._places))]

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        return await self._store.send(request)

    def put(self, name: str, file: File) -> str:
        """Lay a file on the CDN and return its address."""
        return self._store.put(name, file)

    async def _play(
        self, kind: Kind, request: web.Request, act: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer truly, or as the next fault of that kind says."""
        return await self._spoil(self._fault(kind.__eq__), request, act)


def object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that the bytes are; None: they are not."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
