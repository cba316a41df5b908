"""Posts where a job is answered: its status message, its thread, and the way round when that is gone."""

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import discord

from bot.chats.contract import ChatGone
from bot.chats.discord.errors import FILTERED, GONE, NO_REPLY, THREAD_EXISTS, speaking

UPLOAD_LIMIT = 10 * 1024 * 1024  # bytes: what every server and every DM takes
CONTENT = 2000  # characters of a message
ALT = 1024  # characters of a file's description
LOOK_BACK = 300  # messages after the status message; more can hardly stand there before a second try
NEUTRAL = "Animation"
UNKNOWN_CHANNEL = 10003

_log = logging.getLogger("zoetrope.discord")
Place = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to post; `marks`: what our own buttons under it are called, `name`: how its file is called."""

    content: str
    mention: int  # 0: nobody
    key: str
    view: discord.ui.View | None = None
    video: Path | None = None
    alt: str = field(default="", repr=False)
    marks: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return f"zoetrope-{self.key}.mp4"

    @property
    def call(self) -> str:
        return f"<@{self.mention}>" if self.mention else ""

    @property
    def nonce(self) -> str:
        return "z" + hashlib.blake2s(self.key.encode(), digest_size=12).hexdigest()

    @property
    def size(self) -> int:
        return self.video.stat().st_size if self.video else 0

    def stands_in(self, message: discord.Message) -> bool:
        if self.video:
            return any(file.filename == self.name for file in message.attachments)
        marks = {part.custom_id for row in message.components for part in getattr(row, "children", ())}
        return message.content == self.content and marks >= self.marks


def place(guild: int | None, channel: int, status: int, user: int, locale: str, *, thread: bool) -> Place:
    """Return a place as texts. A thread made from a message has the message's id: it is known before it is there."""
    return {
        "guild": str(guild or ""),
        "channel": str(channel),
        "status": str(status),
        "thread": str(status) if thread else "",
        "user": str(user),
        "locale": locale,
    }


def elsewhere(channel: str, user: str, locale: str) -> Place:
    """Return a channel, or a thread, as a place without a status message. Raises `ValueError`."""
    if not channel.isdecimal():
        raise ValueError("In Discord a place is the id of a channel or thread: Copy Channel ID in its menu.")
    return {"guild": "", "channel": channel, "status": "", "thread": "", "user": user, "locale": locale}


def link(at: Place, receipt: str | None) -> str:
    """Return the address of the answer ("channel/message"), or of the status message."""
    where = receipt if receipt and "/" in receipt else f"{at['channel']}/{at['status']}"
    return f"https://discord.com/channels/{at.get('guild') or '@me'}/{where}"


def written(words: str, user: str) -> str:
    """Return words as a message to `user`: nothing in them is markup or a mention."""
    safe = discord.utils.escape_markdown(discord.utils.escape_mentions(words))
    return f"<@{user}> {safe}"[:CONTENT] if user else safe[:CONTENT]


async def edit(client: discord.Client, at: Place, content: str, view: discord.ui.View | None) -> None:
    room = client.get_partial_messageable(int(at["channel"]))
    with speaking():
        await room.get_partial_message(int(at["status"])).edit(
            content=content, view=view, allowed_mentions=discord.AllowedMentions.none()
        )


async def open_thread(client: discord.Client, at: Place, name: str) -> bool:
    """Make the thread under the status message, unless it is there; False where that can't be."""
    for title in (" ".join(name.split())[:90] or NEUTRAL, NEUTRAL):
        try:
            await client.http.start_thread_with_message(
                int(at["channel"]), int(at["status"]), name=title, auto_archive_duration=1440
            )
        except discord.HTTPException as error:
            if error.code in FILTERED or error.code == 50035:
                continue  # the server's own filter, or a name Discord does not take
            if error.code != THREAD_EXISTS:
                _log.info("no thread in channel %s: code %s; answering beside it", at["channel"], error.code)
                return False
        return True
    return False


async def deliver(client: discord.Client, at: Place, draft: Draft, *, again: bool) -> str:
    """Post in the thread, else as a reply to the status message, else privately; returns "channel/message"."""
    if again and (found := await _found(client, at, draft)):
        return found
    gone: ChatGone | None = None
    async for room, reply_to in _rooms(client, at):
        try:
            message = await _post(room, draft, reply_to)
        except ChatGone as error:
            gone = error
        else:
            return f"{message.channel.id}/{message.id}"
    raise ChatGone("nobody can be told there any more") from gone


async def _rooms(client: discord.Client, at: Place) -> AsyncIterator[tuple[discord.abc.Messageable, int | None]]:
    """Yield where to post, best first, and what to reply to there."""
    if at["thread"]:
        thread = client.get_partial_messageable(int(at["thread"]))
        yield thread, None
        if await _thread_made(client, at):
            yield thread, None
    yield client.get_partial_messageable(int(at["channel"])), int(at["status"]) if at["status"] else None
    if at["guild"]:  # else the channel was the private one
        yield _Private(client, int(at["user"])), None


async def _thread_made(client: discord.Client, at: Place) -> bool:
    """Make the thread that a crash prevented; False when it is there and closed to us."""
    try:
        await client.http.get_channel(int(at["thread"]))
    except discord.HTTPException as error:
        if error.code == UNKNOWN_CHANNEL:
            return await open_thread(client, at, NEUTRAL)
        if error.code not in GONE:
            with speaking():
                raise
    return False


class _Private(discord.abc.Messageable):
    """The direct messages of a person, opened when they are needed."""

    def __init__(self, client: discord.Client, user: int) -> None:
        self._client = client
        self._state = client._connection  # noqa: SLF001 - what every Messageable of discord.py carries
        self._user = user

    async def _get_channel(self) -> discord.DMChannel:
        return await self._client.create_dm(discord.Object(self._user))


async def _post(room: discord.abc.Messageable, draft: Draft, reply_to: int | None) -> discord.Message:
    for _ in range(4):
        try:
            with speaking(posting=True, size=draft.size):
                return await _send(room, draft, reply_to)
        except ChatGone as error:
            code = getattr(error.__cause__, "code", 0)
            if reply_to is not None and code in NO_REPLY:
                reply_to = None
            elif code in FILTERED and draft.content != draft.call:
                draft = Draft(draft.call, draft.mention, draft.key, draft.view, draft.video)
            else:
                raise
    raise ChatGone("Discord takes it in no form")


async def _send(room: discord.abc.Messageable, draft: Draft, reply_to: int | None) -> discord.Message:
    more: dict[str, Any] = {}
    if draft.video:
        more["file"] = discord.File(draft.video, draft.name, description=draft.alt[:ALT] or None)
    if draft.view:
        more["view"] = draft.view
    if reply_to is not None:
        channel = await room._get_channel()  # noqa: SLF001 - the id of a Messageable has no public name
        more["reference"] = discord.MessageReference(
            message_id=reply_to, channel_id=channel.id, fail_if_not_exists=False
        )
    users = discord.AllowedMentions(
        everyone=False, roles=False, users=[discord.Object(draft.mention)] if draft.mention else []
    )
    return await room.send(draft.content, nonce=draft.nonce, allowed_mentions=users, **more)


async def _found(client: discord.Client, at: Place, draft: Draft) -> str | None:
    """Look for our own post of an earlier try, wherever it may have gone."""
    status = discord.Object(int(at["status"] or 0))
    async for room, _ in _rooms(client, at):
        try:
            with speaking():
                async for message in room.history(limit=LOOK_BACK, after=status, oldest_first=False):
                    ours = client.user is not None and message.author.id == client.user.id
                    if ours and message.id != status.id and draft.stands_in(message):
                        return f"{message.channel.id}/{message.id}"
        except ChatGone:
            continue
    return None


async def upload_limit(client: discord.Client, at: Place) -> int:
    if not at["guild"]:
        return UPLOAD_LIMIT
    try:
        with speaking():
            guild = client.get_guild(int(at["guild"])) or await client.fetch_guild(int(at["guild"]), with_counts=False)
    except ChatGone:  # a private message is left
        return UPLOAD_LIMIT
    return guild.filesize_limit
