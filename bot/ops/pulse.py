"""Beats once a second on the event loop: how late the beat comes, and which chats are connected then."""

import asyncio
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from bot.chats.contract import Chat
from bot.ops.counters import Spread
from bot.ops.outages import Outages

BEAT_SECONDS = 1.0


class Pulse:
    """Beats while it is entered."""

    def __init__(
        self,
        lag: Spread,
        chats: Collection[Chat],
        outages: Outages,
        clock: Callable[[], float] = time.monotonic,
        every: float = BEAT_SECONDS,
    ) -> None:
        self._lag = lag
        self._chats = chats
        self._outages = outages
        self._clock = clock
        self._every = every
        self._were_connected: set[str] = set()
        self._blocks: list[tuple[float, float]] = []  # when a late beat came, and how late

    def __enter__(self) -> Self:
        self._arm()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._timer.cancel()

    def worst(self, within: float) -> float:
        """Return for how many seconds the loop stood still, at worst, in that last time; the present counts too."""
        now = self._clock()
        self._blocks = [(at, late) for at, late in self._blocks if at > now - within]
        return max([now - self._due, *(late for _, late in self._blocks)])

    def _beat(self) -> None:
        now = self._clock()
        late = max(now - self._due, 0.0)
        self._lag.add(late)
        if late >= self._every:
            self._blocks.append((now, late))
        self._look_at_chats()
        self._arm()

    def _arm(self) -> None:
        self._due = self._clock() + self._every
        self._timer = asyncio.get_running_loop().call_later(self._every, self._beat)

    def _look_at_chats(self) -> None:
        for chat in self._chats:
            if chat.connected:
                self._were_connected.add(chat.name)
                self._outages.worked(chat.name, "connection")
            elif chat.name in self._were_connected:
                self._outages.failed(chat.name, "connection", "the connection is lost")
