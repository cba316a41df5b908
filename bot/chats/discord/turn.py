"""Answers one thing that somebody did on Discord: in private, by a status message, by a form. Decides nothing."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import discord

from bot.chats.contract import Act, Action, Actor, Address, ChatGone, JobView
from bot.chats.conversation import Conversation
from bot.chats.discord import buttons, events, places
from bot.chats.discord.errors import speaking
from bot.chats.discord.events import Incoming

LISTED_ACTS = frozenset({Act.CANCEL, Act.RETRY})  # have a button in the list of somebody's jobs

_log = logging.getLogger("zoetrope.discord")


@dataclass(frozen=True, slots=True)
class Turn:
    """What `conversation.Turn` promises, by an interaction or a message."""

    who: Incoming
    client: discord.Client = field(repr=False)
    conversation: Conversation = field(repr=False)
    threads: bool  # wanted by the operator

    @property
    def key(self) -> str:
        return self.who.key

    @property
    def locale(self) -> str:
        return self.who.locale

    @property
    def lacks(self) -> tuple[str, ...]:
        return tuple(f"permission.{name}" for name in self.who.lacks)

    @property
    def actor(self) -> Actor:
        who = self.who
        rights = who.interaction.permissions if who.interaction else discord.Permissions.none()
        return Actor(
            chat="discord",
            person=str(who.user.id),
            server={} if who.guild is None else {"guild": str(who.guild)},
            channels=frozenset(map(str, who.above)),
            roles=frozenset(map(str, who.roles)),
            moderator=rights.manage_messages,
        )

    @property
    def speech(self) -> Callable[[str], str]:
        return self.conversation.speech(self.locale)

    async def with_roles(self) -> Actor:
        return self.actor

    async def with_rank(self) -> Actor:
        return self.actor

    async def learn_language(self) -> None:
        """Discord has said it."""

    async def acknowledge(self) -> bool:
        taken = self.who.interaction is None or await events.acknowledge(self.who.interaction)
        if not taken:
            _log.warning("an act came too late to be answered, or another process answers with the same token")
        return taken

    async def tell(self, words: str) -> None:
        await self._tell(words)

    def at(self, address: Address) -> "Turn":  # noqa: ARG002 - everything on Discord has its place
        return self

    async def post(self, words: str) -> Address:
        """Reply to the person, or begin. What Discord says against it we have not foreseen: it stays its own error."""
        who, nobody = self.who, discord.AllowedMentions.none()
        content = places.written(words, str(who.user.id))
        if who.message is not None:
            status = await who.message.reply(content, allowed_mentions=nobody)
        else:
            room = self.client.get_partial_messageable(who.channel)
            status = await room.send(content, allowed_mentions=nobody)
        thread = self.threads and who.may_thread
        at = places.place(who.guild, who.channel, status.id, who.user.id, who.locale, thread=thread)
        return Address("discord", at)

    async def remove(self, address: Address) -> None:
        with speaking():
            await self._message(address.place["channel"], address.place["status"]).delete()

    async def open_thread(self, address: Address, title: str) -> None:
        if address.place["thread"]:
            with speaking():
                await places.open_thread(self.client, address.place, title)

    async def dress(self, address: Address, words: str, job: JobView) -> None:
        """Add the buttons; the status of a job that is over has none, they stand under the answer."""
        at = address.place
        if not job.open:
            return await places.edit(self.client, at, places.written(words, at["user"]), None)
        with speaking():
            await self._message(at["channel"], at["status"]).edit(view=buttons.view(job.actions, self.speech))

    async def ask_words(self, action: Action, job: JobView) -> None:
        interaction = self.who.interaction
        if interaction is None:
            raise TypeError("a message opens no form")
        offers = self.conversation.desk.offers("", first=job.options.model)
        form = buttons.edit_form(f"{action.act}:{action.job}", self.speech, offers, job)
        with speaking():
            await interaction.response.send_modal(form)

    async def take_away(self, job: JobView, words: str) -> None:  # noqa: ARG002 - nothing has to stay
        channel, _, message = (job.receipt or "").partition("/")
        if channel.isdigit() and message.isdigit():
            with suppress(ChatGone), speaking():  # it is gone already
                await self._message(channel, message).delete()

    async def show_jobs(self, jobs: Sequence[JobView]) -> None:
        say, lines, actions, labels = self.speech, list[str](), list[Action](), list[str]()
        for number, job in enumerate(jobs, 1):
            words = discord.utils.escape_markdown(job.words)[:140]
            link = places.link(job.address.place, job.receipt)
            lines.append(f"{number}. <t:{int(job.created)}:R> {link} {words}")
            for action in [one for one in job.actions if one.act in LISTED_ACTS][:1]:
                actions.append(action)
                labels.append(f"{number}. {say(f'label.{action.act}')}")
        await self._tell("\n".join(lines) or say("chat.no_jobs"), buttons.view(actions, say, labels))

    async def finish(self) -> None:
        with speaking():
            await self.who.done()

    async def _tell(self, words: str, view: discord.ui.View | None = None) -> None:
        if not self.client.is_closed():
            with speaking():
                await self.who.tell(words, view)

    def _message(self, channel: str, message: str) -> discord.PartialMessage:
        return self.client.get_partial_messageable(int(channel)).get_partial_message(int(message))
