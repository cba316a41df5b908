"""A place where the program runs as its operator's shell would run it, and can be killed. For tests alone."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bot.domain.job import Job
from bot.store.sqlite import Store

ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """A folder with `config.toml`, `photo.jpg` and, in the end, `out.mp4`. `env`: what else the program sees there."""

    folder: Path
    env: Mapping[str, str]

    @classmethod
    def laid(cls, folder: Path, config: str, **env: str) -> "Place":
        folder.mkdir()
        (folder / "config.toml").write_text(config)
        Image.effect_noise((400, 320), 60).convert("RGB").save(folder / "photo.jpg")
        return cls(folder, env)

    async def python(self, *words: str) -> tuple[int, str]:
        """Run Python; return its exit code and what it printed. No value of `env` may be in that."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "ZOETROPE_DATA": str(self.folder / "data"), **self.env},
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(child.communicate(), 60)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode is not None
        assert not [name for name, value in self.env.items() if name.endswith("_KEY") and value in out.decode()]
        return child.returncode, out.decode()

    async def bot(self, *words: str) -> tuple[int, str]:
        return await self.python("-m", "bot", "--config", str(self.folder / "config.toml"), *words)

    async def animate(self, last: int = 0) -> tuple[int, str]:
        """Animate, and die (kill -9) at the point `last`: see `crashing`."""
        words = [str(self.folder / name) for name in ("config.toml", "photo.jpg", "out.mp4")]
        return await self.python("-m", "tests.fakes.crashing", *words, str(last))

    async def jobs(self) -> list[Job]:
        store = await Store.open(self.folder / "data" / "zoetrope.db")
        found = await store.jobs()
        await store.close()
        return found
