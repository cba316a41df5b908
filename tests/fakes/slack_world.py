"""The state of the pretended Slack: who exists, what stands where, what a click allows. No wire."""

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import slack_words as words
from tests.fakes.slack_things import (
    Channel,
    File,
    Group,
    Install,
    Json,
    Kind,
    Member,
    Message,
    Share,
    Team,
    Upload,
    View,
    mime_of,
)
from tests.fakes.slack_words import Wrong

Emit = Callable[[Team, str, Json], object]


@dataclass(eq=False)
class Trigger:
    member: Member
    at: float
    act: Any
    below: View | None  # the view it was made in
    used: bool = False


@dataclass(eq=False)
class ResponseUrl:
    member: Member
    channel: Channel
    at: float
    act: Any
    message: Message | None  # the one that was pressed
    uses: int = 0


@dataclass(eq=False)
class World:
    clock: Callable[[], float]
    emit: Emit = lambda _team, _event, _body: None
    url: str = ""  # http://127.0.0.1:PORT
    teams: dict[str, Team] = field(default_factory=dict)
    tokens: dict[str, Install] = field(default_factory=dict)
    codes: dict[str, Team] = field(default_factory=dict)  # for oauth.v2.access
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    homes: dict[str, View] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    responses: dict[str, ResponseUrl] = field(default_factory=dict)
    new_member: Callable[..., Member] = Member
    app_id: str = "A00000001"

    def __post_init__(self) -> None:
        self._count = itertools.count(1)
        self._last = 0.0

    def new_id(self, kind: str) -> str:
        return f"{kind}{next(self._count):08X}"

    def new_ts(self) -> str:
        """Return a ts that no other message has, near the clock's time."""
        self._last = max(round(self._last + 0.000001, 6), round(self.clock(), 6))
        return f"{self._last:.6f}"

    # who and where

    def team(self, name: str, *, installed: bool = True) -> Team:
        team = Team(self.new_id("T"), name, self.new_id("B"))
        team.bot = self.member("zoetrope", team, is_bot=True)
        self.teams[team.id] = team
        if installed:
            self.install(team)
        return team

    def install(self, team: Team, scopes: frozenset[str] = words.BOT_SCOPES) -> Install:
        token = f"xoxb-{team.id}-{secrets.token_hex(12)}"
        team.install = self.tokens[token] = Install(token, team, set(scopes))
        return team.install

    def member(self, name: str, team: Team, locale: str = "en-US", **more: Any) -> Member:
        make = Member if more.get("is_bot") else self.new_member
        member = make(self.new_id("U"), name, team, locale, **more)
        self.members[member.id] = member
        return member

    def group(self, team: Team, handle: str, *members: Member) -> Group:
        group = Group(self.new_id("S"), handle, list(members))
        team.groups[group.id] = group
        return group

    def channel(self, name: str, team: Team, kind: Kind = "channel", *, bot: bool = True) -> Channel:
        channel = Channel(self.new_id("D" if kind == "im" else "C"), name, kind, team)
        channel.members |= {team.bot} if bot else set()
        self.channels[channel.id] = channel
        return channel

    def dm(self, member: Member) -> Channel:
        """Return the bot's direct messages with the person."""
        for one in self.channels.values():
            if one.kind == "im" and one.members == {member, member.team.bot}:
                return one
        channel = self.channel(member.name, member.team, "im")
        channel.members.add(member)
        return channel

    # messages

    def stand(self, message: Message) -> Message:
        """Put a new message into its channel; its files are shared by that."""
        message.channel.messages[message.ts] = message
        message.wordings = [message.text]
        for file in message.files:
            file.shares.append(Share(message.channel, message.ts, message.thread_ts))
        return message

    def tell(self, message: Message, **more: Any) -> None:
        """Emit the message event of it, as Slack does for the bot's own ones too."""
        body = message.json() | self._where(message.channel, message.ts)
        self.emit(message.channel.team, f"message.{words.PLACES[message.channel.kind]}", body | more)

    def tell_change(self, subtype: str, message: Message, previous: Json) -> None:
        body: Json = {"type": "message", "subtype": subtype, "hidden": True, "previous_message": previous}
        body |= {"message": message.json()} if subtype == "message_changed" else {"deleted_ts": message.ts}
        ts = self.new_ts()
        body |= {"ts": ts, **self._where(message.channel, ts)}
        self.emit(message.channel.team, f"message.{words.PLACES[message.channel.kind]}", body)

    def _where(self, channel: Channel, ts: str) -> Json:
        return {"channel": channel.id, "channel_type": channel.kind, "event_ts": ts}

    def find(self, channel: Channel, ts: Any) -> Message:
        message = channel.messages.get(str(ts))
        if message is None:
            raise Wrong("message_not_found")
        return message

    def remove(self, message: Message) -> None:
        previous = message.json()
        message.deleted = True
        message.channel.messages.pop(message.ts, None)
        self.tell_change("message_deleted", message, previous)

    # files

    def lay(self, owner: Member, upload: Upload) -> File:
        """Store a file that a person has uploaded."""
        mime = upload.mime or mime_of(upload.name, upload.data)
        file = File(self.new_id("F"), upload.name, owner, self.clock(), self.url, upload.data, mime)
        file.size = len(upload.data) if upload.size is None else upload.size
        self.files[file.id] = file
        return file

    # what a click allows

    def trigger(self, member: Member, act: Any, below: View | None = None) -> str:
        id_ = f"{next(self._count)}.{member.team.id}.{secrets.token_hex(8)}"
        self.triggers[id_] = Trigger(member, self.clock(), act, below)
        return id_

    def spend(self, id_: Any, team: Team) -> Trigger:
        """Take a trigger id: once, within 3 seconds."""
        trigger = self.triggers.get(str(id_))
        if trigger is None or trigger.member.team is not team:
            raise Wrong("invalid_trigger_id")
        if trigger.used:
            raise Wrong("exchanged_trigger_id")
        if self.clock() - trigger.at > words.TRIGGER_SECONDS:
            raise Wrong("expired_trigger_id")
        trigger.used = True
        return trigger

    def response_url(self, member: Member, channel: Channel, act: Any, message: Message | None = None) -> str:
        id_ = secrets.token_hex(12)
        self.responses[id_] = ResponseUrl(member, channel, self.clock(), act, message)
        return f"{self.url}/respond/{id_}"

    def whisper(self, channel: Channel, reader: Member, said: Mapping[str, Any], blocks: list[Json]) -> Message:
        """Show an ephemeral message of the bot to one person."""
        text, thread = str(said.get("text") or ""), said.get("thread_ts")
        message = Message(self.new_ts(), channel, channel.team.bot, text, self.clock(), blocks, thread, reader=reader)
        message.wordings, message.said = [text], said
        self.ephemerals.append(message)
        return message
