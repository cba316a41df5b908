"""The whole house in one process, in a pretended Discord: all of it real but Discord and the maker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from bot import config
from bot.jobs import Job, State
from bot.world import World, open_world
from tests.fakes.discord import Discord, Interaction, Message
from tests.fakes.discord_things import Channel, Upload

TOY = 'adapter = "tests.fakes.toy"'
CONFIG = """
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
seed = true
prompt_required = false
price = {{ per_clip = 280000 }}
typical_seconds = 0.2
poll_floor = 0.1
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
{more}
"""


def png(size: tuple[int, int] = (320, 200)) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, "PNG")
    return out.getvalue()


PICTURE = png()


def written(folder: Path, discord: Discord, toy: str = TOY, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(CONFIG.format(folder=folder, discord=discord, toy=toy, more=more))
    return path


@dataclass
class House:
    discord: Discord
    world: World

    async def jobs(self) -> list[Job]:
        return await self.world.store.jobs()

    async def all_closed(self, count: int = 1) -> list[Job]:
        """Wait until that many jobs are over."""
        jobs: list[Job] = []
        async with asyncio.timeout(20):
            while len(jobs) < count or any(job.state is not State.CLOSED for job in jobs):
                await asyncio.sleep(0.02)
                jobs = await self.jobs()
        return jobs

    def videos(self) -> list[Message]:
        everywhere = [one for one in self.discord.world.channels.values() if not one.deleted]
        return [m for here in everywhere for m in self.discord.messages(here) if m.author.bot and m.attachments]

    def said(self, channel: Channel) -> Sequence[str]:
        return [message.content for message in self.discord.messages(channel) if message.author.bot]

    async def told(self, interaction: Interaction, words: str) -> None:
        await self.discord.until(lambda: words in interaction.words, 10)


@asynccontextmanager
async def house(folder: Path, discord: Discord, toy: str = TOY, more: str = "") -> AsyncIterator[House]:
    """Run all of it, as `zoetrope run` does, until the block ends."""
    read = config.load(written(folder, discord, toy, more), {"DISCORD_TOKEN": discord.token})
    async with open_world(read, chats=True) as world:
        await world.join()
        worker = world.worker()
        working = asyncio.create_task(worker.run(2))
        ears = asyncio.create_task(world.tools.surfaces["discord"].listen(world.desk))
        try:
            await discord.connected()
            await discord.until(lambda: discord.commands.synced)
            yield House(discord, world)
        finally:
            ears.cancel()
            await asyncio.gather(ears, return_exceptions=True)
            worker.stop()
            await working


def big(data: bytes = PICTURE, size: int = 100 * 1024**2) -> Upload:
    """Return a file that says it is that large."""
    return Upload(data, size=size)
