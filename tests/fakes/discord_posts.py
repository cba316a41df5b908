"""How a message is written and changed: bodies read, limits held, nonces known, pings counted. No routes.

A nonce is known for `nonce_seconds` in the channel where it was used; Discord only says "in the past few minutes".
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web

from tests.fakes import discord_words as words
from tests.fakes.discord_things import Attachment, Channel, Guild, Message, Role, Upload, User, walk
from tests.fakes.discord_words import V2, Permission, Wrong, bad_field, too_long
from tests.fakes.discord_world import World

DRAWN = ("content", "embeds", "components", "attachments", "sticker_ids", "poll")


@dataclass(slots=True)
class Body:
    """The JSON of a request, and its files by their number."""

    said: dict[str, Any]
    files: dict[int, Upload] = field(default_factory=dict)

    def inner(self, said: dict[str, Any] | None) -> "Body":
        return Body(said or {}, self.files)


async def body_of(request: web.Request) -> Body:
    """Read JSON, or multipart with `payload_json` and `files[n]`; raise 50035 for anything else."""
    if request.content_type.startswith("multipart/"):
        return await _parts(await request.multipart())
    data = await request.read()
    try:
        said = json.loads(data) if data else {}
    except ValueError:
        raise Wrong(50035) from None
    return Body(said if isinstance(said, dict) else {"list": said})


async def _parts(reader: MultipartReader) -> Body:
    body = Body({})
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            raise Wrong(50035)
        data = bytes(await part.read())
        if part.name == "payload_json":
            body.said = json.loads(data)
        elif numbered := re.fullmatch(r"files\[(\d+)\]", part.name or ""):
            body.files[int(numbered[1])] = Upload(data, part.filename or "file")
    return body


class Posts:
    def __init__(self, world: World, nonce_seconds: float) -> None:
        self._world = world
        self._nonce_seconds = nonce_seconds

    def post(self, channel: Channel, body: Body, *, opens: bool = False) -> Message:
        """Write what the bot says with its own token. `opens`: the first message of a forum post, with its id."""
        said, guild = body.said, channel.guild
        if not opens:
            self._may_post(channel, body)
        if said.get("nonce") is not None and len(str(said["nonce"])) > words.NONCE_LIMIT:
            raise too_long("nonce", words.NONCE_LIMIT)
        if said.get("enforce_nonce") and (twin := self._twin(channel, said.get("nonce"))):
            return twin
        self.check(said, body.files, words.UPLOAD[guild.premium_tier if guild else 0], fresh=True)
        reply_to = self._target(channel, said.get("message_reference"))
        message = self.write(
            channel, body, Message(channel.id if opens else 0, channel, self._world.bot, "", 0, reply_to=reply_to)
        )
        self._ping(message, said.get("allowed_mentions"), everything=True)
        if channel.archived:
            channel.archived = False
            self._world.changed(channel)
        self.stand(message)
        return message

    def stand(self, message: Message) -> None:
        """Put it into its channel for all to see."""
        message.channel.messages[message.id] = message
        self._world.emit("MESSAGE_CREATE", self._world.event(message, nonce=True), message.channel.guild)

    def _may_post(self, channel: Channel, body: Body) -> None:
        if channel.type == words.FORUM:
            raise Wrong(40058)
        if channel.recipient and not channel.recipient.accepts_dms:
            raise Wrong(50007)
        rights = self._world.permissions(self._world.bot, channel)
        if channel.guild:
            send = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
            needed = send | Permission.ATTACH_FILES if body.files else send
            if needed not in rights:
                raise Wrong(50013)
        if channel.locked and Permission.MANAGE_THREADS not in rights:
            raise Wrong(160005)

    def _twin(self, channel: Channel, nonce: str | int | None) -> Message | None:
        since = self._world.clock() - self._nonce_seconds
        for message in reversed(channel.messages.values()):
            ours = message.author is self._world.bot and message.nonce is not None
            if ours and message.nonce == str(nonce) and message.at >= since:
                return message
        return None

    def _target(self, channel: Channel, reference: Mapping[str, Any] | None) -> Message | None:
        if not reference:
            return None
        rights = self._world.permissions(self._world.bot, channel)
        if channel.guild and Permission.READ_MESSAGE_HISTORY not in rights:
            raise Wrong(160002)
        found = channel.messages.get(int(reference["message_id"]))
        if found is None and reference.get("fail_if_not_exists", True):
            raise bad_field("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return found

    def check(self, said: Mapping[str, Any], files: Mapping[int, Upload], limit: int, *, fresh: bool) -> None:
        """Hold Discord's limits; `limit`: bytes a file. `fresh`: a new message, which may not be empty."""
        if any(len(upload.data) > limit for upload in files.values()):
            raise Wrong(40005)
        if len(said.get("content") or "") > words.CONTENT_LIMIT:
            raise too_long("content", words.CONTENT_LIMIT)
        for name, most in (("embeds", 10), ("attachments", words.FILES_LIMIT)):
            if len(said.get(name) or ()) > most:
                raise too_long(name, most)
        if fresh and not files and not any(said.get(name) for name in DRAWN):
            raise Wrong(50006)
        if (said.get("flags") or 0) & V2 and (said.get("content") or said.get("embeds")):
            raise bad_field("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Not with Components V2")
        _check_components(said.get("components") or ())
        allowed = said.get("allowed_mentions") or {}
        for kind in ("users", "roles"):
            if kind in allowed.get("parse", ()) and allowed.get(kind):
                raise bad_field("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "Not both")

    def write(self, channel: Channel, body: Body, message: Message) -> Message:
        """Fill a new message and give it its id; it doesn't stand in the channel yet."""
        said = body.said
        message.id, message.at = message.id or self._world.new_id(), self._world.clock()
        message.nonce = None if said.get("nonce") is None else str(said["nonce"])
        message.content = said.get("content") or ""
        message.embeds, message.components = said.get("embeds") or [], said.get("components") or []
        message.flags |= int(said.get("flags") or 0)
        message.type = 19 if message.reply_to else message.type
        message.attachments = [self._file(channel, body, number, {}) for number in self._unnamed(body)]
        message.attachments += self._named(channel, body, ())
        message.wordings = [message.content]
        return message

    def edit(self, message: Message, body: Body, limit: int) -> None:
        """Change what was said, and only that. Nobody is pinged."""
        said = body.said
        flags = {"flags": message.flags | int(said.get("flags") or 0)}
        self.check(said | flags, body.files, limit, fresh=False)
        if "attachments" in said:
            message.attachments = self._named(message.channel, body, message.attachments)
        message.attachments += [self._file(message.channel, body, number, {}) for number in self._unnamed(body)]
        if "content" in said:
            message.content = said["content"] or ""
            message.wordings.append(message.content)
        message.embeds = (said.get("embeds") or []) if "embeds" in said else message.embeds
        message.components = (said.get("components") or []) if "components" in said else message.components
        message.flags |= int(said.get("flags") or 0) & V2
        message.flags &= ~words.LOADING
        message.edits, message.edited_at = message.edits + 1, self._world.clock()
        pings = message.pings
        self._ping(message, said.get("allowed_mentions"), everything=False)
        message.pings = pings
        if not message.ephemeral:
            self._world.emit("MESSAGE_UPDATE", self._world.event(message), message.channel.guild)

    def _unnamed(self, body: Body) -> list[int]:
        named = {str(note.get("id")) for note in body.said.get("attachments") or ()}
        return [number for number in body.files if str(number) not in named]

    def _named(self, channel: Channel, body: Body, kept: Sequence[Attachment]) -> list[Attachment]:
        old, files = {str(file.id): file for file in kept}, []
        for note in body.said.get("attachments") or ():
            if str(note["id"]) in old:
                files.append(old[str(note["id"])])
            elif int(note["id"]) in body.files:
                files.append(self._file(channel, body, int(note["id"]), note))
            else:
                raise bad_field("attachments", "MESSAGE_ATTACHMENT_NOT_FOUND", "Attachment data not found")
        return files

    def _file(self, channel: Channel, body: Body, number: int, note: Mapping[str, Any]) -> Attachment:
        upload = body.files[number]
        return self._world.attach(
            channel, Upload(upload.data, note.get("filename") or upload.name), note.get("description")
        )

    def ping_answer(self, message: Message, allowed: Mapping[str, Any] | None) -> None:
        """Count who is pinged by an answer to an interaction: users alone, unless said otherwise."""
        self._ping(message, allowed, everything=False)

    def _ping(self, message: Message, allowed: Mapping[str, Any] | None, *, everything: bool) -> None:
        guild, bot = message.channel.guild, self._world.bot
        parse = {"users", "roles", "everyone"} if everything else {"users"}
        rule: dict[str, Any] = {"parse": parse, "replied_user": True} if allowed is None else dict(allowed)
        text = _text(message)
        users, roles = _named_in(text, self._world, guild)
        message.mentions = [user for user in users if _lets(rule, "users", user.id)]
        loud = Permission.MENTION_EVERYONE in self._world.permissions(bot, message.channel)
        heard = [role for role in roles if _lets(rule, "roles", role.id)]
        message.role_mentions = heard
        replied = message.reply_to.author if message.reply_to and rule.get("replied_user") else None
        if replied and replied not in message.mentions:
            message.mentions = [*message.mentions, replied]
        message.pings = [user.id for user in message.mentions]
        message.pings += [role.id for role in heard if role.mentionable or loud]
        if guild and loud and "everyone" in rule.get("parse", ()):
            message.pings += [word for word in ("everyone", "here") if f"@{word}" in text]


def _lets(rule: Mapping[str, Any], kind: str, id_: int) -> bool:
    return kind in rule.get("parse", ()) or str(id_) in {str(one) for one in rule.get(kind) or ()}


def _text(message: Message) -> str:
    shown = [part["content"] for part in walk(message.components) if part.get("type") == 10]
    return "\n".join([message.content, *shown])


def _named_in(text: str, world: World, guild: Guild | None) -> tuple[list[User], list[Role]]:
    users = [world.users[int(one)] for one in dict.fromkeys(re.findall(r"<@!?(\d+)>", text)) if int(one) in world.users]
    roles = guild.roles if guild else {}
    return users, [roles[int(one)] for one in dict.fromkeys(re.findall(r"<@&(\d+)>", text)) if int(one) in roles]


def mentioned(text: str, world: World, guild: Guild | None) -> tuple[list[User], list[Role]]:
    """Return the people and roles that a person's text names."""
    return _named_in(text, world, guild)


def _check_components(components: Sequence[Mapping[str, Any]]) -> None:
    ids = [part["custom_id"] for part in walk(components) if "custom_id" in part]
    if len(set(ids)) != len(ids):
        raise bad_field("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    if any(not 1 <= len(id_) <= 100 for id_ in ids):
        raise too_long("components.custom_id", 100)
    if any(len(part.get("label") or "") > 80 for part in walk(components) if part.get("type") == 2):
        raise too_long("components.label", 80)
    rows = [part for part in walk(components) if part.get("type") == 1]
    if len(walk(components)) > 40 or any(not 1 <= len(row.get("components", ())) <= 5 for row in rows):
        raise too_long("components", 5)
