"""What is half done: so that a connection is not closed under it. Counts, and knows nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Underway:
    """Work that should end before the connection does."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def ended(self, seconds: float) -> None:
        """Wait until nothing is under way, at most that long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), seconds)
