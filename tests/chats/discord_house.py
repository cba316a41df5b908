"""The whole house in one process, in a pretended Discord: all of it real but Discord and the maker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import config
from tests.chats.house import MAKER, PICTURE, TOY, Inhabited, inhabited
from tests.fakes.discord import Discord, Interaction, Message
from tests.fakes.discord_things import Channel, Upload

__all__ = ["PICTURE", "TOY", "House", "big", "house", "written"]
CONFIG = f"""{MAKER}
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{{discord.api_url}}"
gateway_url = "{{discord.gateway_url}}"
{{more}}
"""


def written(folder: Path, discord: Discord, toy: str = TOY, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(CONFIG.format(folder=folder, discord=discord, toy=toy, more=more))
    return path


@dataclass
class House(Inhabited):
    discord: Discord

    def videos(self) -> list[Message]:
        everywhere = [one for one in self.discord.world.channels.values() if not one.deleted]
        return [m for here in everywhere for m in self.discord.messages(here) if m.author.bot and m.attachments]

    def said(self, channel: Channel) -> Sequence[str]:
        return [message.content for message in self.discord.messages(channel) if message.author.bot]

    async def told(self, interaction: Interaction, words: str) -> None:
        await self.discord.until(lambda: words in interaction.words)


@asynccontextmanager
async def house(folder: Path, discord: Discord, toy: str = TOY, more: str = "") -> AsyncIterator[House]:
    """Run all of it, as `zoetrope run` does, until the block ends."""

    async def ready() -> None:
        await discord.connected()
        await discord.until(lambda: discord.commands.synced)

    read = config.load(written(folder, discord, toy, more), {"DISCORD_TOKEN": discord.token})
    async with inhabited(read, "discord", ready) as world:
        yield House(world, discord)


def big(data: bytes = PICTURE, size: int = 100 * 1024**2) -> Upload:
    """Return a file that says it is that large."""
    return Upload(data, size=size)
