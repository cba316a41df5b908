"""A vendor's servers on loopback: origins, what was seen there, answers that go wrong, files. No vendor's wire."""

import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, NamedTuple, Self, TypeVar

from aiohttp import web

from tests.fakes.faults import Fault, Gate
from tests.fakes.files import File, Files, hang_up

Kind = TypeVar("Kind", bound=str)
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


class Loopback(Generic[Kind]):
    """`async with` it: it answers until the block ends; answers still held are let go then.

    A vendor names its places, each an origin of its own; one more, `cdn`, has its files. `Kind`: of requests.
    """

    def __init__(self, files: Files | None = None, **places: Answer) -> None:
        self.seen: list[Seen] = []
        self._places = {**places, "cdn": self._cdn}
        self._store = files or Files()
        self._faults: dict[Kind, deque[Fault]] = defaultdict(deque)
        self._gates: list[Gate] = []
        self._runners: list[web.AppRunner] = []
        self._urls: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        for place, answer in self._places.items():
            await self._open(place, answer)
        self._store.url = self._urls["cdn"]
        return self

    async def __aexit__(self, *_error: object) -> None:
        for gate in self._gates:
            gate.open.set()
        for runner in self._runners:
            await runner.cleanup()

    async def _open(self, place: str, answer: Answer) -> None:
        async def noted(request: web.Request) -> web.StreamResponse:
            await request.read()
            self.seen.append(Seen(request.method, request.path, request.query, request.headers, place))
            return await answer(request)

        app = web.Application(client_max_size=128 * 1024**2)
        app.router.add_route("*", "/{path:.*}", noted)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._urls[place] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    @property
    def url(self) -> str:
        """Of the first place, without a slash at the end."""
        return self._urls[next(iter(self._places))]

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        return await self._store.send(request)

    def next(self, kind: Kind, *faults: Fault) -> None:
        """The coming requests of that kind go wrong, one fault each; those after them don't."""
        self._faults[kind].extend(faults)

    def put(self, name: str, file: File) -> str:
        """Lay a file on the CDN and return its address."""
        return self._store.put(name, file)

    async def _play(
        self, kind: Kind, request: web.Request, act: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer truly, or as the next fault of that kind says."""
        if not self._faults[kind]:
            return await act()
        fault = self._faults[kind].popleft()
        true = await act() if fault.acts else None
        if fault.gate:
            self._gates.append(fault.gate)
            fault.gate.reached.set()
            await fault.gate.open.wait()
        if fault.drop:
            hang_up(request)
            return web.Response()
        if fault.code:
            return web.Response(status=fault.code, body=fault.body, headers=fault.headers)
        return true or await act()


def object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that the bytes are; None: they are not."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
