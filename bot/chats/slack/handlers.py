"""What Slack tells us of, handed to `talk`: shortcuts, commands, forms, buttons, messages. No wish is judged here."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext

from bot.chats import fields
from bot.chats.contract import ChatError, Desk
from bot.chats.slack import asks, buttons, forms
from bot.chats.slack.talk import Allowed, Talk

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
Take = Callable[[asks.Asker, Body, Body, Body], Awaitable[None]]  # about, what was filled in, options chosen


class Ear:
    """Brings what people do to the desk. Each handler says first that it heard: Slack waits three seconds."""

    def __init__(self, desk: Desk, allowed: Allowed) -> None:
        self.talk = Talk(desk, allowed)
        self._end = asyncio.Event()

    def attach(self, app: AsyncApp) -> None:
        """Name what is heard; what nobody here wants is acknowledged all the same, or Slack would send it again."""
        app.shortcut(MENU)(self._chosen)
        app.shortcut(ANYTHING)(self._wanted)
        app.command(COMMAND)(self._commanded)
        app.view(forms.WISH)(self._submitted)
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

    async def _ignored(self, ack: AsyncAck) -> None:
        await ack()

    # Forms.

    async def _chosen(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        who = asks.clicked(body, context)
        async with self.talk.guarded(who):
            await self.talk.choose(who, body["message"], str(body["trigger_id"]))

    async def _wanted(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        who = asks.clicked(body, context)
        async with self.talk.guarded(who):
            await self.talk.open(who, "", str(body["trigger_id"]))

    async def _commanded(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        who = asks.commanded(body, context)
        async with self.talk.guarded(who):
            await self.talk.open(who, asks.words_of(str(body.get("text") or "")), str(body["trigger_id"]))

    async def _submitted(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await self._taken(ack, asks.clicked(body, context), body["view"], self.talk.submitted)

    async def _edited(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await self._taken(ack, asks.clicked(body, context), body["view"], self.talk.edited)

    async def _taken(self, ack: AsyncAck, who: asks.Asker, view: Body, take: Take) -> None:
        """Take a form, or leave it open and say in it what is wrong."""
        given = forms.filled(view)
        chosen, wrong = fields.read(given, self.talk.known_speech(who))
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        async with self.talk.guarded(who):
            await take(who, forms.about(view), given, chosen)

    # Buttons.

    async def _pressed(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        who = asks.clicked(body, context)
        action = buttons.pressed(body["actions"][0])
        async with self.talk.guarded(who):
            if action is not None:
                await self.talk.pressed(who, action, str(body["trigger_id"]))

    # Messages. Bolt acknowledges events before it calls us.

    async def _mentioned(self, event: Body, context: AsyncBoltContext) -> None:
        """Somebody wrote our name; the files may be missing here, or come in the other event alone."""
        if event.get("bot_id") or not event.get("user"):
            return
        who = asks.said(event, context)
        async with self.talk.guarded(who):
            await self.talk.heard(who, event, context.bot_user_id or "")

    async def _written(self, event: Body, context: AsyncBoltContext) -> None:
        if event.get("bot_id") or not event.get("user") or event.get("subtype") not in SPOKEN:
            return
        private = event.get("channel_type") == "im"
        named = f"<@{context.bot_user_id}" in str(event.get("text") or "")
        if not (private and not event.get("thread_ts")) and not (event.get("files") and (private or named)):
            return  # what mentions us without a file comes as a mention too
        who = asks.said(event, context)
        async with self.talk.guarded(who):
            await self.talk.heard(who, event, context.bot_user_id or "")

    async def _home(self, event: Body, context: AsyncBoltContext) -> None:
        if event.get("tab") != "home":
            return
        who = asks.visiting(event, context)
        try:
            await self.talk.home(who)
        except ChatError as error:  # nobody waits for it
            _log.warning("the app's home could not be shown: %s", error)
