"""Interactions: what one is, and the routes that answer it: three seconds to begin, fifteen minutes to add."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes import discord_words as words
from tests.fakes.discord_posts import Body, Posts, body_of
from tests.fakes.discord_things import Channel, Message, User
from tests.fakes.discord_words import EPHEMERAL, LOADING, Wrong, bad_field, too_long
from tests.fakes.discord_world import World
from tests.fakes.faulty_server import PATIENCE

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
FOLLOWUPS_FOR_USER_INSTALLS = 5


@dataclass(frozen=True, slots=True)
class Ack:
    """The first answer. `at`: seconds of `time.monotonic`; `data`: as sent."""

    type: int
    at: float
    data: Mapping[str, Any] = field(repr=False)


@dataclass(eq=False)
class Interaction:
    """One act of one person, and all that was answered to it."""

    id: int
    token: str
    type: int
    user: User
    channel: Channel
    data: Mapping[str, Any] = field(repr=False)
    at: float  # of the server's clock
    sent_at: float  # seconds of `time.monotonic`
    upload_limit: int  # bytes a file
    message: Message | None = None  # whose button it was
    user_install: bool = False
    ack: Ack | None = None
    response: Message | None = None  # the first answer; for a button's update the message itself
    followups: list[Message] = field(default_factory=list)
    late: bool = False  # it was answered after three seconds, and that answer refused
    _done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def answered(self, seconds: float = PATIENCE) -> Ack:
        """Wait for the first answer; raise TimeoutError."""
        await asyncio.wait_for(self._done.wait(), seconds)
        assert self.ack
        return self.ack

    @property
    def seconds(self) -> float | None:
        """How long the first answer took."""
        return self.ack.at - self.sent_at if self.ack else None

    @property
    def modal(self) -> Mapping[str, Any] | None:
        return self.ack.data if self.ack and self.ack.type == 9 else None

    @property
    def choices(self) -> list[dict[str, Any]]:
        return list(self.ack.data.get("choices", ())) if self.ack and self.ack.type == 8 else []

    @property
    def words(self) -> str:
        """What the person reads now of all answers, one line each."""
        said = [self.response] if self.response and self.response is not self.message else []
        return "\n".join(message.content for message in [*said, *self.followups] if not message.deleted)

    def settle(self, ack: Ack) -> None:
        self.ack = ack
        self._done.set()


class Answers:
    def __init__(self, world: World, posts: Posts) -> None:
        self._world = world
        self._posts = posts
        self.interactions: dict[int, Interaction] = {}
        self._tokens: dict[str, Interaction] = {}

    def new(self, kind: int, user: User, channel: Channel, data: Mapping[str, Any], **more: Any) -> Interaction:
        id_, token = self._world.new_id(), secrets.token_urlsafe(24)
        tier = channel.guild.premium_tier if channel.guild else 0
        limit = max(user.upload_limit, words.UPLOAD[tier])
        now = self._world.clock()
        made = Interaction(id_, token, kind, user, channel, data, now, time.monotonic(), limit, **more)
        self.interactions[id_] = self._tokens[token] = made
        return made

    async def callback(self, request: web.Request) -> Any:
        """POST /interactions/{interaction}/{token}/callback."""
        interaction = self.interactions.get(int(request.match_info["interaction"]))
        if interaction is None or interaction.token != request.match_info["token"]:
            raise Wrong(10062)
        body = await body_of(request)
        if self._world.clock() - interaction.at > words.ACK_SECONDS and not interaction.ack:
            interaction.late = True
            raise Wrong(10062)
        if interaction.ack:
            raise Wrong(40060)
        kind, data = int(body.said["type"]), body.said.get("data") or {}
        self._answer(interaction, kind, body.inner(data))
        interaction.settle(Ack(kind, time.monotonic(), data))
        return _response(interaction, kind, self._world) if "with_response" in request.query else None

    def _answer(self, interaction: Interaction, kind: int, body: Body) -> None:
        allowed = {
            COMMAND: {4, 5, 9},
            COMPONENT: {4, 5, 6, 7, 9},
            AUTOCOMPLETE: {8},
            MODAL_SUBMIT: {4, 5, 6, 7} if interaction.message else {4, 5},
        }[interaction.type]
        if kind not in allowed:
            raise bad_field("type", "INTERACTION_CALLBACK_TYPE_INVALID", f"{kind} does not answer a {interaction.type}")
        if kind in {6, 7}:
            interaction.response = interaction.message
        if kind == 7 and interaction.message:
            self._posts.edit(interaction.message, body, interaction.upload_limit)
        if kind in {4, 5}:
            interaction.response = self._say(interaction, body, thinking=kind == 5)
        if kind == 8 and len(body.said.get("choices", ())) > 25:
            raise too_long("data.choices", 25)
        if kind == 9:
            _check_modal(body.said)

    def _say(self, interaction: Interaction, body: Body, *, thinking: bool = False) -> Message:
        channel, user = interaction.channel, interaction.user
        if not thinking:
            self._posts.check(body.said, body.files, interaction.upload_limit, fresh=True)
        about = {"id": str(interaction.id), "type": interaction.type, "user": user.json()}
        about |= {"authorizing_integration_owners": owners(interaction)}
        kind = 20 if interaction.type == COMMAND else 0
        message = Message(0, channel, self._world.bot, "", 0, type=kind, interaction=about)
        message.flags = LOADING if thinking else 0
        self._posts.write(channel, body, message)
        self._posts.ping_answer(message, body.said.get("allowed_mentions"))
        if not message.ephemeral:
            self._posts.stand(message)
        return message

    def _alive(self, request: web.Request) -> Interaction:
        interaction = self._tokens.get(request.match_info["token"])
        ours = request.match_info["application"] == str(self._world.application_id)
        if interaction is None or not ours or self._world.clock() - interaction.at > words.TOKEN_SECONDS:
            raise Wrong(50027)
        if interaction.ack is None:
            raise Wrong(10015)
        return interaction

    def _message(self, request: web.Request) -> tuple[Interaction, Message]:
        interaction, which = self._alive(request), request.match_info["message"]
        known = [message for message in (interaction.response, *interaction.followups) if message]
        if which == "@original":
            known = known[:1] if interaction.response else []
        else:
            known = [message for message in known if str(message.id) == which]
        if not known or known[0].deleted:
            raise Wrong(10008)
        return interaction, known[0]

    async def get(self, request: web.Request) -> Any:
        """GET /webhooks/{application}/{token}/messages/{message}, as are the next two."""
        return self._world.show(self._message(request)[1])

    async def patch(self, request: web.Request) -> Any:
        body = await body_of(request)
        interaction, message = self._message(request)
        _open(message.channel)
        self._posts.edit(message, body, interaction.upload_limit)
        return self._world.show(message)

    async def delete(self, request: web.Request) -> Any:
        self._world.remove(self._message(request)[1])

    async def follow_up(self, request: web.Request) -> Any:
        """POST /webhooks/{application}/{token}; the first after a deferral takes the place of "thinking...\""""
        body = await body_of(request)
        interaction = self._alive(request)
        if interaction.response and interaction.response.thinking and not interaction.response.deleted:
            self._posts.edit(interaction.response, body, interaction.upload_limit)
            return self._world.show(interaction.response)
        if interaction.user_install and len(interaction.followups) >= FOLLOWUPS_FOR_USER_INSTALLS:
            raise Wrong(40094)
        _open(interaction.channel)
        message = self._say(interaction, body)
        interaction.followups.append(message)
        return self._world.show(message)


def _open(channel: Channel) -> None:
    if channel.deleted:
        raise Wrong(10003)
    if channel.archived or channel.locked:
        raise Wrong(50083)


def owners(interaction: Interaction) -> dict[str, str]:
    if interaction.user_install:
        return {"1": str(interaction.user.id)}
    return {"0": str(interaction.channel.guild.id) if interaction.channel.guild else "0"}


def _response(interaction: Interaction, kind: int, world: World) -> dict[str, Any]:
    about: dict[str, Any] = {"id": str(interaction.id), "type": interaction.type}
    message = interaction.response
    if message is None:
        return {"interaction": about}
    about["response_message_id"] = str(message.id)
    about["response_message_loading"] = message.thinking
    about["response_message_ephemeral"] = bool(message.flags & EPHEMERAL)
    said: dict[str, Any] = {"type": kind}
    return {"interaction": about, "resource": said | ({} if kind == 6 else {"message": world.show(message)})}


def _check_modal(modal: Mapping[str, Any]) -> None:
    if not 1 <= len(modal.get("components", ())) <= 5:
        raise bad_field("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for name, most in (("title", 45), ("custom_id", 100)):
        if not 1 <= len(modal.get(name) or "") <= most:
            raise too_long(f"data.{name}", most)
