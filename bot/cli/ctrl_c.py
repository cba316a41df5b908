"""Counts Ctrl-C. What it means is decided by the command."""

import asyncio
import signal
from typing import Self


class CtrlC:
    """Counts Ctrl-C while it is entered: `once` to ask for a stop, `twice` to leave. A third one kills."""

    def __init__(self) -> None:
        self.once = asyncio.Event()
        self.twice = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)

    async def pause(self, seconds: float, working: asyncio.Task[None]) -> None:
        """Wait that long, or until the next Ctrl-C, or until the work ends."""
        rung = asyncio.create_task((self.twice if self.once.is_set() else self.once).wait())
        try:
            await asyncio.wait({rung, working}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()

    def _hear(self) -> None:
        if self.once.is_set():
            self.twice.set()
            self._loop.remove_signal_handler(signal.SIGINT)
        self.once.set()
