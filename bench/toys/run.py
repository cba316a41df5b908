"""A real `zoetrope run` beside a pretended chat, with `film` as its maker and no limits. Which chat: not known here."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREVER = 100_000  # seconds: no film is finished before the benchmark is
CONFIG = """
default_model = "toy"
data_dir = "{folder}/data"
[limits]
open_per_person = "unlimited"
per_person_per_day = "unlimited"
dollars_per_person_per_day = "unlimited"
dollars_per_day = "unlimited"
[providers.toy]
adapter = "bench.toys.film"
takes = {takes}
clip = "{folder}/clip.mp4"
[models.toy]
provider = "toy"
prompt_required = false
typical_seconds = {takes}
poll_floor = 1
deadline_seconds = 1000000
"""


@asynccontextmanager
async def running(folder: Path, takes: float, chat: str, **env: str) -> AsyncIterator[None]:
    """Run it until the block ends. `takes`: seconds a film takes; `chat`: the config's table of the chat."""
    (folder / "config.toml").write_text(CONFIG.format(folder=folder, takes=takes) + chat)
    with (folder / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "--config", str(folder / "config.toml"), "run", cwd=ROOT, stderr=log,
            env={**os.environ, **env},
        )  # fmt: skip
        try:
            yield
        finally:
            child.terminate()
            await child.wait()
