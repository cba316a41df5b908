"""Takes what Slack tells us of to the conversation: shortcuts, commands, forms, buttons, messages. Judges nothing."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext

from bot.chats import fields
from bot.chats.contract import Act, Action, ChatError, Desk, Offer
from bot.chats.conversation import Conversation
from bot.chats.slack import buttons, events, forms, places
from bot.chats.slack.people import People
from bot.chats.slack.turn import Turn
from bot.domain.options import ChosenOptions

MENU, ANYTHING, COMMAND = "animate_message", "animate_anything", "/animate"
SCOPES = (
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "users:read",
)
SPOKEN = {None, "file_share", "thread_broadcast"}  # kinds of messages that a person wrote just now

_log = logging.getLogger("zoetrope.slack")
Body = Mapping[str, Any]
Take = Callable[[Turn, Body, Body, Body], Awaitable[None]]  # about, what was filled in, options chosen


class Preferences(Protocol):
    """What of the settings is needed here."""

    @property
    def user_groups(self) -> tuple[str, ...]: ...
    @property
    def default_model(self) -> str | None: ...
    @property
    def file_hosts(self) -> tuple[str, ...]: ...


class Handlers:
    """Everything that people can do. Each handler says first that it heard: Slack waits three seconds."""

    def __init__(self, desk: Desk, settings: Preferences) -> None:
        self.conversation = Conversation(desk, "slack", settings.default_model)
        self._settings = settings
        self._people = People()
        self._end = asyncio.Event()

    def attach(self, app: AsyncApp) -> None:
        """Name what is heard; what nobody here wants is acknowledged all the same, or Slack would send it again."""
        app.shortcut(MENU)(self._chosen)
        app.shortcut(ANYTHING)(self._wanted)
        app.command(COMMAND)(self._commanded)
        app.view(forms.REQUEST)(self._submitted)
        app.view(forms.EDIT)(self._edited)
        app.action(buttons.PRESSED)(self._pressed)
        app.action(re.compile(".*"))(self._ignored)
        app.event("app_mention")(self._mentioned)
        app.event("message")(self._written)
        app.event("app_home_opened")(self._home)
        app.event(re.compile(".*"))(self._ignored)

    async def listening(self) -> None:
        """Wait until cancelled."""
        _log.info("listening on Slack")
        await self._end.wait()

    def _turn(self, who: events.Incoming) -> Turn:
        return Turn(who, self._people, self.conversation, self._settings.user_groups)

    async def _ignored(self, ack: AsyncAck) -> None:
        await ack()

    # Forms.

    async def _chosen(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        turn = self._turn(events.clicked(body, context))
        async with self.conversation.guarded(turn):
            await self._choose(turn, body["message"])

    async def _choose(self, turn: Turn, message: Body) -> None:
        """Ask for the words that go with a message's pictures."""
        files, who = events.pictures(message)[:2], turn.who
        if not files:
            await turn.learn_language()
            return await turn.tell(turn.speech("chat.no_picture_there"))
        about: dict[str, Any] = {"channel": who.channel, "thread": who.thread, "source": who.source}
        about |= {"files": [events.kept(file) for file in files]}
        offers = self._offers()
        await turn.open_form(lambda say: forms.request_form(say, offers, about, pictures=len(files)))

    async def _wanted(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        await self._open(self._turn(events.clicked(body, context)), "")

    async def _commanded(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        await self._open(self._turn(events.commanded(body, context)), events.words_of(str(body.get("text") or "")))

    async def _open(self, turn: Turn, prompt: str) -> None:
        """Ask for a picture, words and the place."""
        offers = self._offers()
        async with self.conversation.guarded(turn):
            await turn.open_form(lambda say: forms.request_form(say, offers, {}, pictures=0, prompt=prompt))

    async def _submitted(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await self._take(ack, self._turn(events.clicked(body, context)), body["view"], self._request)

    async def _edited(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await self._take(ack, self._turn(events.clicked(body, context)), body["view"], self._fill_in)

    async def _take(self, ack: AsyncAck, turn: Turn, view: Body, take: Take) -> None:
        """Take a form, of this process or of one before it, or leave it open and say in it what is wrong."""
        given = forms.filled(view)
        chosen, wrong = fields.read(given, turn.speech)
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        async with self.conversation.guarded(turn):
            await turn.learn_language()
            await take(turn, forms.about(view), given, chosen)

    async def _request(self, turn: Turn, about: Body, given: Body, chosen: Body) -> None:
        picked, there = given["picture"], about.get("files", [])
        files = picked or (there if given["end"] == "yes" else there[:1])
        at = {"thread": about.get("thread", ""), "source": about.get("source", "")}
        who = replace(turn.who, channel=given["channel"] or about.get("channel", ""), **at)
        await self._animate(self._turn(who), given["prompt"], files, ChosenOptions.of(chosen))

    async def _fill_in(self, turn: Turn, about: Body, given: Body, chosen: Body) -> None:
        who = replace(turn.who, channel=about["channel"], thread=about["thread"])
        action = Action(about.get("act", Act.EDIT), about["job"])  # a form of an older version does not say
        await self.conversation.fill_in(self._turn(who), action, given["prompt"], chosen)

    async def _animate(self, turn: Turn, prompt: str, files: Sequence[Body], options: ChosenOptions) -> None:
        uploads = [events.upload(file, turn.who.api, self._settings.file_hosts) for file in files]
        await self.conversation.request(turn, prompt, uploads, options)

    def _offers(self) -> Sequence[Offer]:
        return self.conversation.desk.offers("", forms.MODELS, first=self._settings.default_model)

    # Buttons.

    async def _pressed(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        turn, action = self._turn(events.clicked(body, context)), buttons.pressed(body["actions"][0])
        async with self.conversation.guarded(turn):
            if action is not None:
                await self.conversation.press(turn, action)

    # Messages. Bolt acknowledges events before it calls us.

    async def _mentioned(self, event: Body, context: AsyncBoltContext) -> None:
        """Somebody wrote our name; the files may be missing here, or come in the other event alone."""
        if not event.get("bot_id") and event.get("user"):
            await self._heard(event, context)

    async def _written(self, event: Body, context: AsyncBoltContext) -> None:
        if event.get("bot_id") or not event.get("user") or event.get("subtype") not in SPOKEN:
            return
        private = event.get("channel_type") == "im"
        named = f"<@{context.bot_user_id}" in str(event.get("text") or "")
        if not (private and not event.get("thread_ts")) and not (event.get("files") and (private or named)):
            return  # what mentions us without a file comes as a mention too
        await self._heard(event, context)

    async def _heard(self, event: Body, context: AsyncBoltContext) -> None:
        """Take what was said to us: with pictures it is a request."""
        turn, ours = self._turn(events.said(event, context)), context.bot_user_id or ""
        async with self.conversation.guarded(turn):
            await turn.learn_language()
            words = events.words_of(str(event.get("text") or ""), ours)
            files = events.pictures(event) or await self._around(turn.who, words, ours)
            if files:
                await self._animate(turn, words, files, ChosenOptions())
            else:
                await self.conversation.help(turn)

    async def _around(self, who: events.Incoming, words: str, ours: str) -> list[Body]:
        """Look at the message itself, whose files Slack may leave out, and at the first one of its thread."""
        if who.channel.startswith("D"):
            return []
        try:
            thread = await places.thread(who.api, who.channel, who.root, who.source)
        except ChatError as error:
            _log.info("a thread can't be read: %s", error)
            return []
        for message in thread:
            root = message["ts"] == who.thread and message.get("user") != ours and words
            if (message["ts"] == who.source or root) and (files := events.pictures(message)):
                return files
        return []

    async def _home(self, event: Body, context: AsyncBoltContext) -> None:
        if event.get("tab") != "home":
            return
        turn = self._turn(events.visiting(event, context))
        try:
            await turn.learn_language()
            await self.conversation.list_jobs(turn)
        except ChatError as error:  # nobody waits for it
            _log.warning("the app's home could not be shown: %s", error)
