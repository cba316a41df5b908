"""One `zoetrope run` that kills itself (kill -9) at its N-th point: before and after each write and each request.

`python -m tests.fakes.crashing_discord CONFIG N`; prints its points, counted from the first job on. For tests alone.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from discord.http import HTTPClient

from bot import config
from bot.chats.discord import Chat
from bot.cli.serve import run
from bot.store.sqlite import Store

PASSED = 0


def point(last: int, name: str) -> None:
    global PASSED  # noqa: PLW0603 - one number, for the whole process
    PASSED += 1
    print(f"point {PASSED}: {name}", flush=True)  # noqa: T201 - the test reads it
    if last == PASSED:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(last: int, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def around(*args: Any, **kwargs: Any) -> Any:
        counts = name == "admit" or PASSED  # what comes before the first job is no step of one
        if counts:
            point(last, f"before {name}")
        answer = await call(*args, **kwargs)
        if counts:
            point(last, f"after {name}")
        return answer

    return around


def main() -> None:
    file, last = sys.argv[1:]
    for owner, names in ((Store, ("admit", "record")), (HTTPClient, ("request",)), (Chat, ("deliver",))):
        for name in names:
            setattr(owner, name, watched(int(last), name, getattr(owner, name)))
    asyncio.run(run(config.load(Path(file), os.environ)))


if __name__ == "__main__":
    main()
