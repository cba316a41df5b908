"""A server on loopback: origins, waiting for what happens there, answers that a test spoils or holds. Nobody's wire."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from aiohttp import web

from tests.fakes.faults import Fault, Gate
from tests.fakes.files import hang_up

LOOK_SECONDS = 0.02
PATIENCE = 60.0  # seconds: what comes true at all comes true sooner, also at load 20
Kind = TypeVar("Kind", bound=str)


class FaultyServer(Generic[Kind]):
    """`Kind`: what a test calls requests when it spoils them."""

    def __init__(self) -> None:
        self._faults: dict[Kind, deque[Fault]] = defaultdict(deque)
        self._always: dict[Kind, Fault] = {}
        self._gates: list[Gate] = []
        self._change = asyncio.Event()
        self._runners: list[web.AppRunner] = []

    async def _open(self, app: web.Application) -> str:
        """Serve it from an origin of its own, until `_close`; return that origin, without a slash at the end."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    # waiting

    async def until(self, so: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until `so()` is true; TimeoutError after `seconds`.

        It is looked at after every request and event, and every 20 ms for what only the other side knows.
        """
        async with asyncio.timeout(seconds):
            while not so():
                self._change.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._change.wait(), LOOK_SECONDS)

    def _wake(self) -> None:
        self._change.set()

    # what goes wrong

    def next(self, kind: Kind, *faults: Fault) -> None:
        """Spoil the coming requests of that kind, one fault each; those after them go well."""
        self._faults[kind].extend(faults)

    def always(self, kind: Kind, fault: Fault) -> None:
        """Spoil every request of that kind, until `mend`."""
        self._always[kind] = fault

    def mend(self) -> None:
        """Forget all faults that have not happened."""
        self._faults.clear()
        self._always.clear()

    def release(self) -> None:
        """Open every gate that holds an answer."""
        for gate in self._gates:
            gate.open.set()

    def _fault(self, fits: Callable[[Kind], bool]) -> Fault | None:
        for kind, faults in self._faults.items():
            if faults and fits(kind):
                return faults.popleft()
        return next((fault for kind, fault in self._always.items() if fits(kind)), None)

    async def _spoil(
        self,
        fault: Fault | None,
        request: web.Request,
        act: Callable[[], Awaitable[web.StreamResponse]],
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> web.StreamResponse:
        """Answer truly, or as the fault says; `headers`: what its answer has beside its own."""
        if fault is None:
            return await act()
        true = await act() if fault.acts else None
        if true is None and (fault.drop or fault.code):
            await request.read()
        if fault.gate:
            self._gates.append(fault.gate)
            fault.gate.reached.set()
            await fault.gate.open.wait()
        if fault.drop:
            hang_up(request)
            return web.Response()
        if fault.code:
            return web.Response(status=fault.code, body=fault.body, headers={**headers(), **fault.headers})
        return true or await act()
