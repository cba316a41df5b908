"""Keeps every chat listening: one that fails is tried again while another lives, and the last one's error ends it."""

import logging
from collections.abc import Collection, Mapping

from bot.chats.contract import Chat, ChatError, Desk
from bot.engine.lease import Clock
from bot.ops.outages import Outages

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds between two tries
LIVED = 60.0  # seconds after which a failure is the first of a new row

_log = logging.getLogger("zoetrope")


class Listening:
    """The chats of this process. What is wrong in the settings' form never comes here: it ends the start."""

    def __init__(self, chats: Collection[Chat], outages: Outages, clock: Clock) -> None:
        self._chats = chats
        self._outages = outages
        self._clock = clock
        self._failed: dict[str, str] = {}

    @property
    def trouble(self) -> Mapping[str, str]:
        """Why the chats that are not connected failed last."""
        return {chat.name: self._failed[chat.name] for chat in self._chats if self._is_down(chat)}

    async def keep(self, chat: Chat, desk: Desk) -> None:
        """Listen until cancelled. Raises the chat's own `ChatError` when no other chat lives."""
        pause = FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            try:
                return await chat.listen(desk)
            except ChatError as error:
                self._failed[chat.name] = str(error)
                if all(self._is_down(other) for other in self._chats if other is not chat):
                    raise
                self._outages.failed(chat.name, "connection", f"{type(error).__name__}: {error}")
                if self._clock.monotonic() - began >= LIVED:
                    pause = FIRST_PAUSE
                wait = max(pause, getattr(error, "retry_after", None) or 0.0)
            _log.debug("%s is tried again in %g s", chat.name, wait)
            await self._clock.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _is_down(self, chat: Chat) -> bool:
        return chat.name in self._failed and not chat.connected
