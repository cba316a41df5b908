"""What the doctor asks Discord: token, intents, servers, rights, commands. It changes nothing there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import discord

from bot.chats.contract import ChatError, ChatGone, Check, Verdict
from bot.chats.discord.errors import speaking

PRIVILEGED = ("gateway_presence", "gateway_guild_members", "gateway_message_content")
FEW_STARTS = 50  # of a thousand a day; Discord resets the token of a bot that uses them up
INVITE = "Invite it there by the link of `zoetrope discord invite`."
MOST_SERVERS = 20  # are looked at one by one


class Allowed(Protocol):
    """Where the bot may be used, by Discord's ids; none: everywhere."""

    @property
    def guilds(self) -> Sequence[int]: ...
    @property
    def channels(self) -> Sequence[int]: ...


async def examine(
    client: discord.Client, allowed: Allowed, needed: discord.Permissions, invitation: str
) -> AsyncIterator[Check]:
    """Yield what was found, the client being signed in. Raises `ChatError` when Discord can't be asked."""
    yield Check("token", Verdict.OK, f"signed in as {client.user}")
    with speaking():
        yield await _intents(client)
        yield await _starts(client)
        yield await _commands(client)
        guilds = [guild async for guild in client.fetch_guilds(limit=200)]
    yield _servers(guilds, allowed)
    if allowed.channels:
        for channel in allowed.channels:
            yield await _seen(f"channel {channel}", partial(_channel, client, channel), needed)
    else:
        for guild in guilds[:MOST_SERVERS]:
            if not allowed.guilds or guild.id in allowed.guilds:
                yield await _seen(guild.name, partial(_guild, client, guild.id), needed)
    yield Check("invitation", Verdict.OK, invitation)


async def _intents(client: discord.Client) -> Check:
    flags = (await client.application_info()).flags
    on = [name for name in PRIVILEGED if getattr(flags, name) or getattr(flags, f"{name}_limited")]
    if not on:
        return Check("intents", Verdict.OK, "no privileged one is on, and none is needed")
    words = ", ".join(name.removeprefix("gateway_").replace("_", " ") for name in on)
    return Check("intents", Verdict.WARN, f"on, but not needed: {words}", "Turn them off in the developer portal, Bot.")


async def _starts(client: discord.Client) -> Check:
    limit = (await client.http.request(discord.http.Route("GET", "/gateway/bot")))["session_start_limit"]
    words = f"{limit['remaining']} of {limit['total']} left today"
    if limit["remaining"] > FEW_STARTS:
        return Check("connections", Verdict.OK, words)
    return Check("connections", Verdict.WARN, words, "Something restarts it again and again: look into its log.")


async def _commands(client: discord.Client) -> Check:
    names = {one["name"] for one in await client.http.get_global_commands(client.application_id or 0)}
    if "animate" in names:
        return Check("commands", Verdict.OK, "Discord has them")
    return Check("commands", Verdict.WARN, "Discord has none", "Run `zoetrope discord sync`, or start the bot.")


def _servers(guilds: Sequence[discord.Guild], allowed: Allowed) -> Check:
    absent = [str(id_) for id_ in allowed.guilds if id_ not in {guild.id for guild in guilds}]
    if absent:
        return Check("servers", Verdict.FAIL, f"the bot is not in {', '.join(absent)} of chat.discord.guilds", INVITE)
    if not guilds:
        return Check("servers", Verdict.WARN, "the bot is in no server", INVITE)
    return Check("servers", Verdict.OK, f"the bot is in {len(guilds)}")


async def _seen(
    where: str, look: Callable[[], Awaitable[tuple[str, discord.Permissions]]], needed: discord.Permissions
) -> Check:
    try:
        with speaking():
            name, rights = await look()
    except ChatGone:
        step = "Check its id in chat.discord.channels, and give the bot View Channel there."
        return Check("rights", Verdict.FAIL, f"the bot can't see {where}", step)
    lacks = [right.replace("_", " ") for right, wanted in needed if wanted and not getattr(rights, right)]
    if rights.administrator or not lacks:
        return Check("rights", Verdict.OK, f"{name}: all that is needed")
    step = "Give the bot's role these rights there; the channel's own settings beat the server's."
    return Check("rights", Verdict.FAIL, f"{name}: lacks {', '.join(lacks)}", step)


async def _channel(client: discord.Client, id_: int) -> tuple[str, discord.Permissions]:
    seen = await client.fetch_channel(id_)
    if not isinstance(seen, discord.abc.GuildChannel):
        raise ChatError(f"chat.discord.channels: {id_} is no channel of a server; a thread goes by its channel.")
    guild, member = await _ourselves(client, seen.guild.id)
    there = {channel.id: channel for channel in await guild.fetch_channels()}[id_]
    return f"#{there.name} in {guild.name}", there.permissions_for(member)


async def _guild(client: discord.Client, id_: int) -> tuple[str, discord.Permissions]:
    guild, member = await _ourselves(client, id_)
    return guild.name, member.guild_permissions


async def _ourselves(client: discord.Client, guild_id: int) -> tuple[discord.Guild, discord.Member]:
    guild = await client.fetch_guild(guild_id, with_counts=False)
    return guild, await guild.fetch_member(client.user.id if client.user else 0)
