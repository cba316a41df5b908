"""Reads off an interaction or a message who did it, where, and with which pictures. Decides nothing."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import discord

from bot.chats.contract import ChatBusy, Upload
from bot.chats.download import taken
from providers import network

READ_SECONDS = 30.0
LATE = frozenset({10062, 40060})  # the three seconds are over, or another process has answered
NEEDED = ("view_channel", "send_messages", "attach_files", "read_message_history")
IN_THREAD = ("view_channel", "send_messages_in_threads", "attach_files", "read_message_history")
THREADED = (discord.ChannelType.text, discord.ChannelType.news)
THREADS = (discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread)


@dataclass(frozen=True, slots=True)
class Incoming:
    """What somebody did somewhere. `permissions`: our own there, None where there are none (DM)."""

    key: str
    user: discord.User | discord.Member
    guild: int | None
    channel: int
    kind: discord.ChannelType | None
    above: frozenset[int]  # the channel, what it is a thread of, its category
    locale: str
    permissions: discord.Permissions | None
    interaction: discord.Interaction[Any] | None = field(default=None, repr=False)
    message: discord.Message | None = field(default=None, repr=False)

    @property
    def roles(self) -> set[int]:
        return {role.id for role in getattr(self.user, "roles", ())}

    @property
    def lacks(self) -> list[str]:
        """What we would need here and may not."""
        if self.permissions is None:
            return []
        needed = IN_THREAD if self.kind in THREADS else NEEDED
        return [name for name in needed if not getattr(self.permissions, name)]

    @property
    def may_thread(self) -> bool:
        mine = self.permissions
        return (
            mine is not None and self.kind in THREADED and mine.create_public_threads and mine.send_messages_in_threads
        )

    async def tell(self, words: str, view: discord.ui.View | None = None) -> None:
        """Say something to the person alone where that can be, else as a reply."""
        if self.interaction is not None:
            await private(self.interaction, words, view)
        elif self.message is not None:
            try:
                await self.message.reply(words, mention_author=False)
            except discord.Forbidden:
                await self.user.send(words)

    async def done(self) -> None:
        """Take back the sign that we think about it: what we think stands in the channel."""
        if self.interaction is not None and self.interaction.response.is_done():
            await self.interaction.delete_original_response()


async def private(interaction: discord.Interaction[Any], words: str, view: discord.ui.View | None = None) -> None:
    """Tell the person alone, whatever has been answered so far."""
    words, shown = words[:2000], view or discord.utils.MISSING
    if interaction.response.is_done():
        if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
            await interaction.edit_original_response(content=words, view=view)
        else:
            await interaction.followup.send(words, ephemeral=True, view=shown)
    else:
        await interaction.response.send_message(words, ephemeral=True, view=shown)


async def acknowledge(interaction: discord.Interaction[Any]) -> bool:
    """Say "thinking", to the person alone; False when it is too late for that, or somebody else did."""
    try:
        await interaction.response.defer(ephemeral=True, thinking=True)
    except discord.HTTPException as error:
        if error.code not in LATE:
            raise
        return False
    return True


def clicked(interaction: discord.Interaction[Any]) -> Incoming:
    channel, guild = interaction.channel, interaction.guild_id
    return Incoming(
        key=f"discord:{interaction.id}",
        user=interaction.user,
        guild=guild,
        channel=interaction.channel_id or 0,
        kind=getattr(channel, "type", None),
        above=_above(channel, interaction.channel_id or 0),
        locale=interaction.locale.value,
        permissions=None if guild is None else interaction.app_permissions,
        interaction=interaction,
    )


def said(message: discord.Message) -> Incoming:
    channel, guild = message.channel, message.guild
    mine = None
    if guild is not None and isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        with suppress(discord.ClientException):  # a thread whose channel we have not been told of
            mine = channel.permissions_for(guild.me)
    return Incoming(
        key=f"discord:{message.id}",
        user=message.author,
        guild=guild.id if guild else None,
        channel=channel.id,
        kind=getattr(channel, "type", None),
        above=_above(channel, channel.id),
        locale=guild.preferred_locale.value if guild else "en",
        permissions=mine,
        message=message,
    )


def _above(channel: object, number: int) -> frozenset[int]:
    ids = (number, getattr(channel, "parent_id", None), getattr(channel, "category_id", None))
    return frozenset(one for one in ids if one)


def pictures(message: discord.Message) -> list[discord.Attachment]:
    """Return a message's pictures, forwarded ones too; all its files when none looks like a picture."""
    files = [*message.attachments]
    for forwarded in message.message_snapshots:
        files += forwarded.attachments
    looks = [file for file in files if (file.content_type or "image/").startswith("image/")]
    return looks or files


def words_of(message: discord.Message, ours: Sequence[int]) -> str:
    """Return what was said to us, without our name."""
    names = "|".join(f"<@[!&]?{number}>" for number in ours)
    return re.sub(names, "", message.content).strip()


def upload(file: discord.Attachment) -> Upload:
    async def read(cap: int) -> bytes:
        return await _read(file.url, cap)

    return Upload(file.filename, file.content_type, file.size, read)


async def _read(url: str, cap: int) -> bytes:
    """Fetch at most `cap` bytes: discord.py itself would take a file of any size."""
    limit = aiohttp.ClientTimeout(total=READ_SECONDS)
    try:
        connector = network.current().connector()
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limit) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return await taken(answer, cap)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ChatBusy(f"the picture can't be fetched now: {type(error).__name__}") from error
