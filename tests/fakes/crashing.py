"""One `zoetrope animate` that kills itself (kill -9) at its N-th point: before and after each write and each request.

`python -m tests.fakes.crashing CONFIG PICTURE OUT N`; prints how many points it passed. For tests alone.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from bot import config
from bot.chats import terminal
from bot.cli.animate import Arguments, animate
from bot.cli.progress import view
from bot.store.sqlite import Store
from providers import http

PASSED = 0


def point(last: int) -> None:
    global PASSED  # noqa: PLW0603 - one number, for the whole process
    PASSED += 1
    if last == PASSED:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(last: int, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def around(*args: Any, **kwargs: Any) -> Any:
        point(last)
        answer = await call(*args, **kwargs)
        point(last)
        return answer

    return around


def main() -> None:
    file, picture, out, last = sys.argv[1:]
    for owner, names in (
        (
            Store,
            ("admit", "record", "take_place", "extend"),
        ),  # a claim and a look put back change nothing but when it is due
        (http.Manners, ("handle_async_request",)),
        (terminal.Chat, ("deliver",)),
    ):
        for name in names:
            setattr(owner, name, watched(int(last), getattr(owner, name)))
    http.download = watched(int(last), http.download)  # type: ignore[assignment]
    wish = Arguments(Path(picture), "she turns and smiles", out=Path(out))
    with view(Console(stderr=True), silent=True) as nothing:
        ended = asyncio.run(animate(config.load(Path(file), os.environ), wish, nothing))
    print(PASSED, int(ended.code))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
