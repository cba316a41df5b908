"""Sets Discord up without serving it: hands in the commands, prints the invitation."""

from bot.app import open_app
from bot.chats import discord
from bot.config import Config, chat_settings
from providers import network


async def sync(config: Config) -> str:
    """Give Discord our commands; return what came of it. Raises `BadConfig`, `ChatError`."""
    async with open_app(config) as built:
        changed = await discord.sync(_settings(config), built.desk)
    return "Discord has the new commands." if changed else "Discord has these commands already."


async def invite(config: Config) -> str:
    """Return the link that brings the bot into a server. Raises `BadConfig`, `ChatError`."""
    network.use(config.network)
    return await discord.invitation(_settings(config))


def _settings(config: Config) -> discord.Settings:
    return chat_settings(config, "discord", discord.Settings)
