"""Serves the pages that say whether this process is well: /healthz, /readyz, /metrics. They change nothing."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bot.chats.contract import Chat
from bot.ops.counters import Counters
from bot.ops.outages import Outages
from bot.ops.pulse import Pulse
from bot.ops.watched import WatchedChat, WatchedProvider, WatchedStore
from bot.store.contract import StoreBroken, StoreBusy, Total
from bot.web.listener import Listener

if TYPE_CHECKING:  # whoever switched the pages off needs no server
    from bot.web.server import Route

__all__ = ["Counters", "Health", "Outages", "Pulse", "WatchedChat", "WatchedProvider", "WatchedStore", "serve_pages"]

_log = logging.getLogger("zoetrope.health")


class Books(Protocol):
    """What the pages need of the store."""

    async def check(self) -> None: ...
    async def totals(self) -> list[Total]: ...
    async def due_now(self) -> int: ...
    async def undelivered_now(self) -> int: ...


class Ticking(Protocol):
    """A worker, seen from here: `ticked` is when it last looked for work, on the monotonic clock."""

    @property
    def ticked(self) -> float: ...


@dataclass(frozen=True)
class Health:
    """How this process is."""

    store: Books
    chats: Collection[Chat]
    worker: Ticking
    counters: Counters
    pulse: Pulse
    trouble: Callable[[], Mapping[str, str]] = dict  # why a chat is not connected, as far as it is known
    patience: float = 30.0  # seconds that loop and worker may stand still, and for which it is remembered
    store_patience: float = 3.0
    clock: Callable[[], float] = time.monotonic

    def ill(self) -> str | None:
        """Say what stands still, if anything does."""
        still = self.pulse.worst(self.patience * 2)
        if still > self.patience:
            return f"the event loop stood still for {still:.0f} s"
        idle = self.clock() - self.worker.ticked
        if idle > self.patience:
            return f"the worker has not looked for work for {idle:.0f} s"
        return None

    async def readiness(self) -> dict[str, Any]:
        """Return what is there and what is not; "ready" sums it up."""
        chats = {chat.name: chat.connected for chat in self.chats}
        undelivered = None
        try:
            async with asyncio.timeout(self.store_patience):
                await self.store.check()
                undelivered = await self.store.undelivered_now()
            database = "ok"
        except (StoreBusy, StoreBroken) as error:
            database = str(error)
        except TimeoutError:
            database = f"no answer within {self.store_patience:g} s"
        found = {"ready": database == "ok" and any(chats.values()), "database": database, "chats": chats}
        found["undelivered"] = undelivered
        return found | ({"trouble": dict(trouble)} if (trouble := self.trouble()) else {})

    async def metrics(self) -> bytes:
        """Return the page for Prometheus."""
        from bot.ops import metrics  # noqa: PLC0415 - loaded for the first scrape

        try:
            async with asyncio.timeout(self.store_patience):
                books = metrics.Books(
                    await self.store.totals(), await self.store.due_now(), await self.store.undelivered_now()
                )
        except (StoreBusy, StoreBroken, TimeoutError) as error:
            _log.debug("metrics without the database: %s", error or "no answer in time")
            return metrics.Page(self.counters, self.chats, None).text()
        return metrics.Page(self.counters, self.chats, books).text()


@asynccontextmanager
async def serve_pages(health: Health, listener: Listener, host: str, port: int) -> AsyncIterator[int | None]:
    """Serve the pages; yields the port, or None where that can't be had: the bot can do without."""
    async with AsyncExitStack() as stack:
        taken = None
        try:
            taken = await stack.enter_async_context(listener.serve(host, port, _routes(health)))
            _log.info("health pages on http://%s:%d", host, taken)
        except (OSError, UnicodeError) as error:  # an odd name of a host is no OSError
            _log.error("no health pages on %s port %d (%s); choose another place with [health]", host, port, error)
        yield taken


def _routes(health: Health) -> "list[Route]":
    from aiohttp import web  # noqa: PLC0415 - see above

    from bot.web.server import Route  # noqa: PLC0415 - the same

    async def healthz(_: web.BaseRequest) -> web.Response:
        ill = health.ill()
        return web.Response(text=f"{ill or 'ok'}\n", status=503 if ill else 200)

    async def readyz(_: web.BaseRequest) -> web.Response:
        found = await health.readiness()
        return web.json_response(found, status=200 if found["ready"] else 503)

    async def metrics(_: web.BaseRequest) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await health.metrics(), headers=headers)

    return [Route("GET", "/healthz", healthz), Route("GET", "/readyz", readyz), Route("GET", "/metrics", metrics)]
