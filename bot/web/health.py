"""The pages that say whether this process is well: /healthz, /readyz, /metrics. They change nothing."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bot.chats.contract import Chat
from bot.ops.counters import Counters
from bot.ops.outages import Outages
from bot.ops.pulse import Pulse
from bot.ops.watched import WatchedChat, WatchedProvider, WatchedStore
from bot.store.sqlite import StoreBroken, StoreBusy, Total

if TYPE_CHECKING:  # whoever switched the pages off needs no server
    from aiohttp import web

__all__ = ["Counters", "Health", "Outages", "Pulse", "WatchedChat", "WatchedProvider", "WatchedStore", "served"]

_log = logging.getLogger("zoetrope.health")


class Books(Protocol):
    """What the pages need of the store."""

    async def check(self) -> None: ...
    async def totals(self) -> list[Total]: ...
    async def due_now(self) -> int: ...


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
        try:
            async with asyncio.timeout(self.store_patience):
                await self.store.check()
            database = "ok"
        except (StoreBusy, StoreBroken) as error:
            database = str(error)
        except TimeoutError:
            database = f"no answer within {self.store_patience:g} s"
        return {"ready": database == "ok" and any(chats.values()), "database": database, "chats": chats}

    async def metrics(self) -> bytes:
        """Return the page for Prometheus."""
        from bot.ops import metrics  # noqa: PLC0415 - loaded for the first scrape

        try:
            async with asyncio.timeout(self.store_patience):
                books = metrics.Books(await self.store.totals(), await self.store.due_now())
        except (StoreBusy, StoreBroken, TimeoutError) as error:
            _log.debug("metrics without the database: %s", error or "no answer in time")
            return metrics.Page(self.counters, self.chats, None).text()
        return metrics.Page(self.counters, self.chats, books).text()


@asynccontextmanager
async def served(health: Health, host: str, port: int) -> AsyncIterator[int | None]:
    """Serve the pages; yields the port, or None where that can't be had: the bot can do without."""
    from aiohttp import web  # noqa: PLC0415 - see above

    runner = web.AppRunner(_pages(health), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, UnicodeError) as error:  # an odd name of a host is no OSError
        _log.error("no health pages on %s port %d (%s); choose another place with [health]", host, port, error)
    taken = runner.addresses[0][1] if runner.addresses else None
    if taken is not None:
        _log.info("health pages on http://%s:%d", host, taken)
    try:
        yield taken
    finally:
        await runner.cleanup()


def _pages(health: Health) -> "web.Application":
    from aiohttp import web  # noqa: PLC0415 - see above

    async def healthz(_: web.Request) -> web.Response:
        ill = health.ill()
        return web.Response(text=f"{ill or 'ok'}\n", status=503 if ill else 200)

    async def readyz(_: web.Request) -> web.Response:
        found = await health.readiness()
        return web.json_response(found, status=200 if found["ready"] else 503)

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await health.metrics(), headers=headers)

    app = web.Application(client_max_size=1024)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app
