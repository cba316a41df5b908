"""Sends questions that are asked within a moment as one request."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from providers.contract import Reason, Refused

T = TypeVar("T")


class Batch(Generic[T]):
    """Gathers what is asked for within `within` seconds, at most `most` keys a request.

    `ask_many` answers for all keys at once; a key that its answer lacks is forgotten by the vendor. What it raises is
    raised to everybody whose key was in that request, but for `Refused`: that is about one of them, so each half is
    asked again, until it is known which.
    """

    def __init__(
        self, ask_many: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]], *, most: int, within: float
    ) -> None:
        self._ask_many = ask_many
        self._most = most
        self._within = within
        self._waiting: dict[str, list[asyncio.Future[T]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._asking: set[asyncio.Task[None]] = set()

    async def one(self, key: str) -> T:
        """Return the answer for one key. Raises `Refused` (forgotten) and whatever `ask_many` raises."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[T] = loop.create_future()
        self._waiting.setdefault(key, []).append(mine)
        if len(self._waiting) >= self._most:
            self._send()
        elif self._timer is None:
            self._timer = loop.call_later(self._within, self._send)
        return await mine

    async def close(self) -> None:
        """Ask nothing more; whoever still waits is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        _leave(self._waiting)
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wanted = {key: futures for key, futures in self._waiting.items() if not all(f.done() for f in futures)}
        self._waiting = {}
        if wanted:
            task = asyncio.create_task(self._ask(wanted))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            task.add_done_callback(lambda _: _leave(wanted))

    async def _ask(self, wanted: Mapping[str, list[asyncio.Future[T]]]) -> None:
        waiters = [(key, future) for key, futures in wanted.items() for future in futures]
        try:
            found = await self._ask_many(list(wanted))
        except Exception as error:  # noqa: BLE001 - whatever it is, each of those who wait has to hear of it
            if isinstance(error, Refused) and len(wanted) > 1:
                return await self._ask_halves(wanted)
            for _, future in waiters:
                _fail(future, error)
        else:
            for key, future in waiters:
                if key not in found:
                    _fail(future, Refused(Reason.FORGOTTEN, "the vendor's answer lacks it"))
                elif not future.done():
                    future.set_result(found[key])

    async def _ask_halves(self, wanted: Mapping[str, list[asyncio.Future[T]]]) -> None:
        keys = list(wanted)
        middle = len(keys) // 2
        halves = ({key: wanted[key] for key in half} for half in (keys[:middle], keys[middle:]))
        await asyncio.gather(*map(self._ask, halves))


def _leave(waiting: Mapping[str, list[asyncio.Future[T]]]) -> None:
    """Let nobody wait for ever: whoever has no answer when it is all over gets none."""
    for future in itertools.chain(*waiting.values()):
        future.cancel()


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
