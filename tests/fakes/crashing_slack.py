"""One `zoetrope run` that kills itself (kill -9) at its N-th point: before and after each write and each request.

`python -m tests.fakes.crashing_slack CONFIG N`; prints its points, counted from the first job on. For tests alone.
"""

import asyncio
import os
import sys
from pathlib import Path

from bot import config
from bot.chats.slack import Chat, uploads
from bot.chats.slack.api import Api
from bot.cli.serve import run
from bot.store.sqlite import Store
from tests.fakes.crashing_discord import watched


def main() -> None:
    file, last = sys.argv[1:]
    for owner, names in ((Store, ("admit", "record")), (Api, ("call",)), (uploads, ("_send",)), (Chat, ("deliver",))):
        for name in names:
            setattr(owner, name, watched(int(last), name, getattr(owner, name)))
    asyncio.run(run(config.load(Path(file), os.environ)))


if __name__ == "__main__":
    main()
