"""Listens for HTTP: whoever is spoken to that way hands in routes and an address, and gets them served there.

One address serves only the routes that were handed in for it: health pages stay on this machine while Slack's door is
open to everybody. Two who name the same address share it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # a process that serves nothing needs no server
    from bot.web.server import Door, Route


class Listener:
    """Holds the open addresses of this process."""

    def __init__(self) -> None:
        self._doors: dict[tuple[str, int], Door] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def serve(self, host: str, port: int, routes: "Collection[Route]") -> AsyncIterator[int]:
        """Serve until the block ends; yields the port. Raises `OSError` or `UnicodeError` for an unusable address."""
        door = await self._open(host, port, routes)
        try:
            yield door.port
        finally:
            door.remove(routes)
            if not door.routes:
                self._doors.pop((host, door.port), None)
                await door.close()

    async def _open(self, host: str, port: int, routes: "Collection[Route]") -> "Door":
        from bot.web.server import Door  # noqa: PLC0415 - see above

        async with self._opening:
            door = self._doors.get((host, port)) or await Door().open(host, port)
            door.add(routes)
            self._doors[host, door.port] = door
        return door


@runtime_checkable
class UsesListener(Protocol):
    """A chat that is spoken to by HTTP: the process's one listener is handed in before it listens."""

    listener: Listener
