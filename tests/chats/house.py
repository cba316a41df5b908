"""What the pretended houses of all chats share: the maker's settings, a picture, and how the house lives and ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from bot.app import App, open_app
from bot.config import Config
from bot.domain.job import Job, State

TOY = 'adapter = "tests.fakes.toy"'
MAKER = """
default_model = "toy"
data_dir = "{folder}/data"
[worker]
lease_seconds = 5
grace_seconds = 2
[providers.toy]
{toy}
[models.toy]
provider = "toy"
seconds = [5, 10]
aspects = ["own", "16:9"]
last_frame = true
negative_prompt = true
guidance = [0, 20]
audio = "optional"
resolutions = ["720p", "1080p"]
seed = true
prompt_required = false
price = {{ per_clip = 280000 }}
typical_seconds = 0.2
poll_floor = 0.1
"""


def png(size: tuple[int, int] = (320, 200)) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, "PNG")
    return out.getvalue()


PICTURE = png()


@dataclass
class Inhabited:
    """A house that runs."""

    app: App

    async def jobs(self) -> list[Job]:
        return await self.app.store.jobs()

    async def all_closed(self, count: int = 1) -> list[Job]:
        """Wait until that many jobs are over."""
        jobs: list[Job] = []
        async with asyncio.timeout(60):
            while len(jobs) < count or any(job.state is not State.CLOSED for job in jobs):
                await asyncio.sleep(0.02)
                jobs = await self.jobs()
        return jobs


@asynccontextmanager
async def inhabited(config: Config, chat: str, ready: Callable[[], Awaitable[object]]) -> AsyncIterator[App]:
    """Run all of it, as `zoetrope run` does, from when it is `ready` until the block ends."""
    async with open_app(config, chats=True) as app:
        await app.join()
        worker = app.worker()
        working = asyncio.create_task(worker.run(2))
        ears = asyncio.create_task(app.tools.chats[chat].listen(app.desk))
        try:
            await ready()
            yield app
        finally:
            ears.cancel()
            await asyncio.gather(ears, return_exceptions=True)
            worker.stop()
            await working
