"""The connection that hears: events of the gateway, for the handlers."""

import logging
from typing import Any

import discord

from bot.chats.contract import Desk
from bot.chats.discord import buttons, commands, events
from bot.chats.discord.handlers import Handlers, Preferences
from bot.chats.discord.turn import Turn
from bot.domain.options import ChosenOptions
from providers import network

MOST_WAIT = 30.0  # seconds of a rate limit that a call sits out; a longer one is our worker's to wait for
_log = logging.getLogger("zoetrope.discord")
logging.getLogger("discord.shard").setLevel(logging.CRITICAL)  # a traceback a try; whoever reads `connected` logs it
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody here needs to hear of voice


def options() -> dict[str, Any]:
    """Return what every connection of ours has: nobody is mentioned unless said, nothing is kept in memory."""
    return {
        "allowed_mentions": discord.AllowedMentions.none(),
        "connector": network.current().connector(limit=0),  # discord.py counts its requests itself
        "max_ratelimit_timeout": MOST_WAIT,
        "max_messages": None,
        "member_cache_flags": discord.MemberCacheFlags.none(),
        "chunk_guilds_at_startup": False,
    }


class Connection(discord.AutoShardedClient):
    """Brings what people do to the desk."""

    def __init__(self, desk: Desk, settings: Preferences) -> None:
        super().__init__(intents=discord.Intents.default(), **options())
        self.handlers = Handlers(self, desk, settings)
        self.tree = commands.Tree(self, self.handlers)
        commands.add_commands(self.tree, self.handlers, desk.say)
        self._say = desk.say

    async def setup_hook(self) -> None:
        await self.tree.set_translator(commands.Languages(self._say))
        self.add_dynamic_items(buttons.Press)

    async def on_ready(self) -> None:
        _log.info("listening on Discord as %s, in %d servers", self.user, len(self.guilds))

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take filled in forms by their names: discord.py itself forgets forms when it restarts."""
        data: Any = interaction.data or {}
        name = str(data.get("custom_id", ""))
        if interaction.type is discord.InteractionType.modal_submit and name.startswith(buttons.FORM):
            await self.handlers.submitted(interaction, name.removeprefix(buttons.FORM), buttons.filled(data))

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot or message.webhook_id or not self._meant(message):
            return
        turn = self.handlers.turn(events.said(message))
        async with self.handlers.conversation.guarded(turn):
            await self._heard(turn, message)

    async def _heard(self, turn: Turn, message: discord.Message) -> None:
        files = events.pictures(message)
        reply = message.reference.resolved if message.reference else None
        if not files and isinstance(reply, discord.Message):
            files = events.pictures(reply)
        if files:
            words = events.words_of(message, self._names(message))
            await self.handlers.animate(turn, words, files, ChosenOptions())
        elif message.reference is not None or self._by_role(message):
            await turn.tell(turn.speech("chat.use_menu"))
        else:
            await self.handlers.conversation.help(turn)

    def _meant(self, message: discord.Message) -> bool:
        """Say whether somebody speaks to us: in private, or by our name. A mere reply to a post of ours is talk."""
        if message.guild is None:
            return True
        named = self.user is not None and any(user.id == self.user.id for user in message.mentions)
        typed = any(f"{name}>" in message.content for name in self._names(message))
        return (named and (typed or bool(message.attachments))) or self._by_role(message)

    def _by_role(self, message: discord.Message) -> bool:
        """Say whether our role was named: then Discord may hide what else was said."""
        ours = message.guild.self_role if message.guild else None
        return ours is not None and any(role.id == ours.id for role in message.role_mentions)

    def _names(self, message: discord.Message) -> list[int]:
        role = message.guild.self_role if message.guild else None
        return [one.id for one in (self.user, role) if one is not None]
