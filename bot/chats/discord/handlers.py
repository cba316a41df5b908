"""Takes what people do on Discord to the conversation: commands, messages, forms and buttons. Defines none of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import discord
from cachetools import LRUCache

from bot.chats import fields
from bot.chats.contract import Action, Desk
from bot.chats.conversation import Conversation
from bot.chats.discord import buttons, events
from bot.chats.discord.events import Incoming
from bot.chats.discord.turn import Turn
from bot.domain.options import ChosenOptions

REMEMBERED = 200  # forms of the menu that may be open at once


class Preferences(Protocol):
    """What of the settings is needed here."""

    @property
    def default_model(self) -> str | None: ...
    @property
    def threads(self) -> bool: ...


class Handlers:
    """Everything that people can do."""

    def __init__(self, client: discord.Client, desk: Desk, settings: Preferences) -> None:
        self.conversation = Conversation(desk, "discord", settings.default_model)
        self._client = client
        self._settings = settings
        self._chosen: LRUCache[str, list[discord.Attachment]] = LRUCache(REMEMBERED)  # pictures of open forms

    @property
    def desk(self) -> Desk:
        return self.conversation.desk

    def turn(self, who: Incoming) -> Turn:
        return Turn(who, self._client, self.conversation, self._settings.threads)

    def clicked(self, interaction: discord.Interaction[Any]) -> Turn:
        return self.turn(events.clicked(interaction))

    async def animate(
        self, turn: Turn, prompt: str, files: Sequence[discord.Attachment], options: ChosenOptions
    ) -> None:
        await self.conversation.request(turn, prompt, [events.upload(file) for file in files], options)

    async def choose(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask for words in a form: the message's pictures are known by the form's name."""
        turn, files = self.clicked(interaction), events.pictures(message)
        if not files:
            return await turn.tell(turn.speech("chat.no_picture_there"))
        name = f"menu:{message.channel.id}:{message.id}"
        self._chosen[name] = files
        offers = self.desk.offers("", first=self._settings.default_model)
        form = buttons.request_form(name, turn.speech, offers, two=len(files) > 1)
        await interaction.response.send_modal(form)

    async def submitted(self, interaction: discord.Interaction[Any], name: str, given: dict[str, str]) -> None:
        """Take a form that was filled in, of this process or of one before it."""
        turn, (kind, _, rest) = self.clicked(interaction), name.partition(":")
        async with self.conversation.guarded(turn):
            if not await turn.acknowledge():
                return
            chosen, wrong = fields.read(given, turn.speech)
            if wrong:
                await turn.tell(fields.complaint(wrong, turn.speech))
            elif kind == "menu":
                await self._menu_filled(turn, name, given, chosen)
            else:
                await self.conversation.fill_in(turn, Action(kind, rest), given["prompt"], chosen)

    async def pressed(self, interaction: discord.Interaction[Any], action: Action) -> None:
        turn = self.clicked(interaction)
        async with self.conversation.guarded(turn):
            await self.conversation.press(turn, action)

    async def failed(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        await self.conversation.complain(self.clicked(interaction), error)

    async def _menu_filled(self, turn: Turn, name: str, given: dict[str, str], chosen: dict[str, Any]) -> None:
        files = self._chosen.get(name) or await self._fetched(name)
        if not files:
            return await turn.tell(turn.speech("chat.choose_again"))
        ends = files if given.get("end", "no") == "yes" else files[:1]
        await self.animate(turn, given["prompt"], ends, ChosenOptions.of(chosen))

    async def _fetched(self, name: str) -> list[discord.Attachment]:
        """Read the message again, after a restart: without the privileged intent Discord may hide its pictures."""
        channel, message = map(int, name.split(":")[1:])
        try:
            return events.pictures(await self._client.get_partial_messageable(channel).fetch_message(message))
        except discord.HTTPException:
            return []
