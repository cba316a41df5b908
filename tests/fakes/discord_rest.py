"""Discord's REST routes under /api/v10, as the bot's own token calls them. What a message is, is in `discord_posts`."""

from typing import Any

from aiohttp import web

from tests.fakes import discord_words as words
from tests.fakes.discord_gateway import Gateway
from tests.fakes.discord_posts import Posts, body_of
from tests.fakes.discord_things import Channel, Guild, Message, User
from tests.fakes.discord_words import Permission, Wrong, bad_field, too_long
from tests.fakes.discord_world import World

MINUTES = {60, 1440, 4320, 10080}
ACTIVE_THREADS = 1000


class Rest:
    def __init__(self, world: World, posts: Posts, gateway: Gateway) -> None:
        self._world = world
        self._posts = posts
        self._gateway = gateway

    def _channel(self, request: web.Request) -> Channel:
        return self._world.find(request.match_info["channel"])

    def _message(self, request: web.Request) -> Message:
        return self._world.message(self._channel(request), request.match_info["message"])

    def _guild(self, request: web.Request) -> Guild:
        guild = self._world.guilds.get(int(request.match_info["guild"]))
        if guild is None:
            raise Wrong(10004)
        if not guild.joined:
            raise Wrong(50001)
        return guild

    def _require(self, channel: Channel, needed: Permission) -> None:
        if channel.guild and needed not in self._world.permissions(self._world.bot, channel):
            raise Wrong(50013)

    def _open(self, channel: Channel) -> None:
        if channel.archived or channel.locked:
            raise Wrong(50083)

    # who we are

    async def gateway(self, _request: web.Request) -> Any:
        return self._gateway.about()

    async def me(self, _request: web.Request) -> Any:
        return self._world.bot.json() | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0}

    async def application(self, _request: web.Request) -> Any:
        bot, owner = self._world.bot, User(1, "operator")
        said: dict[str, Any] = {
            "id": str(self._world.application_id),
            "name": bot.name,
            "description": "",
            "icon": None,
        }
        said |= {"bot_public": True, "bot_require_code_grant": False, "verify_key": "00", "flags": 0}
        return said | {"owner": owner.json(), "bot": bot.json(), "team": None, "summary": ""}

    # guilds and people

    async def guild(self, request: web.Request) -> Any:
        guild = self._guild(request)
        return guild.json() | {"approximate_member_count": len(guild.members), "approximate_presence_count": 1}

    async def guild_channels(self, request: web.Request) -> Any:
        guild = self._guild(request)
        return [c.json() for c in self._world.channels.values() if c.guild is guild and not c.is_thread]

    async def guild_threads(self, request: web.Request) -> Any:
        guild = self._guild(request)
        live = [c for c in self._world.channels.values() if c.guild is guild and c.is_thread and not c.archived]
        return {"threads": [c.json() for c in live if not c.deleted], "members": []}

    async def guild_member(self, request: web.Request) -> Any:
        guild, user_id = self._guild(request), int(request.match_info["user"])
        if user_id not in guild.members:
            raise Wrong(10007)
        return self._world.member(guild, self._world.users[user_id])

    async def guilds(self, _request: web.Request) -> Any:
        return [guild.json() for guild in self._world.guilds.values() if guild.joined]

    async def user(self, request: web.Request) -> Any:
        user = self._world.users.get(int(request.match_info["user"]))
        if user is None:
            raise Wrong(10013)
        return user.json()

    async def open_dm(self, request: web.Request) -> Any:
        user = self._world.users.get(int((await body_of(request)).said["recipient_id"]))
        if user is None:
            raise Wrong(10013)
        if user is self._world.bot:
            raise Wrong(50007)
        return self._world.dm(user).json()

    # channels and threads

    async def channel(self, request: web.Request) -> Any:
        return self._channel(request).json()

    async def patch_channel(self, request: web.Request) -> Any:
        channel, said = self._channel(request), (await body_of(request)).said
        own = channel.owner is self._world.bot and not {"locked", "archived"} & set(said)
        self._require(channel, Permission(0) if own else Permission.MANAGE_THREADS)
        channel.name = said.get("name", channel.name)
        channel.archived, channel.locked = said.get("archived", channel.archived), said.get("locked", channel.locked)
        self._world.changed(channel)
        return channel.json()

    async def delete_channel(self, request: web.Request) -> Any:
        channel = self._channel(request)
        self._require(channel, Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS)
        self._world.close(channel)
        return channel.json()

    async def typing(self, request: web.Request) -> Any:
        channel = self._channel(request)
        send = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        self._require(channel, send)

    async def thread_of_message(self, request: web.Request) -> Any:
        channel, said = self._channel(request), (await body_of(request)).said
        if channel.type not in {words.TEXT, words.NEWS}:
            raise Wrong(50024)
        self._require(channel, Permission.CREATE_PUBLIC_THREADS)
        message = self._world.message(channel, request.match_info["message"])
        if message.thread:
            raise Wrong(160004)
        thread = self._start(channel, said, id_=message.id)
        message.thread, message.flags = thread, message.flags | words.HAS_THREAD
        self._world.emit("MESSAGE_UPDATE", self._world.event(message), channel.guild)
        return thread.json()

    async def thread(self, request: web.Request) -> Any:
        """In a forum it is a post with its first message; else private unless a type is given."""
        channel, body = self._channel(request), await body_of(request)
        if channel.type == words.FORUM:
            return self._forum_post(channel, body.said, await self._first(body))
        if channel.type not in {words.TEXT, words.NEWS}:
            raise Wrong(50024)
        self._require(channel, Permission.CREATE_PUBLIC_THREADS)
        kind = int(body.said.get("type", words.PRIVATE_THREAD))
        return self._start(channel, body.said, kind=kind).json()

    async def _first(self, body: Any) -> Any:
        if "message" not in body.said:
            raise bad_field("message", "BASE_TYPE_REQUIRED", "This field is required")
        return body.inner(body.said["message"])

    def _forum_post(self, channel: Channel, said: dict[str, Any], first: Any) -> Any:
        self._require(channel, Permission.SEND_MESSAGES)
        if channel.require_tag and not said.get("applied_tags"):
            raise Wrong(40067)
        tier = channel.guild.premium_tier if channel.guild else 0
        self._posts.check(first.said, first.files, words.UPLOAD[tier], fresh=True)
        thread = self._start(channel, said)
        message = self._posts.post(thread, first, opens=True)
        return thread.json() | {"message": self._world.show(message)}

    def _start(self, channel: Channel, said: dict[str, Any], *, id_: int = 0, kind: int | None = None) -> Channel:
        name, minutes = said.get("name") or "", said.get("auto_archive_duration") or 1440
        if not 1 <= len(name) <= 100:
            raise too_long("name", 100)
        if minutes not in MINUTES:
            raise bad_field("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of 60, 1440, 4320, 10080.")
        live = [c for c in self._world.channels.values() if c.is_thread and c.guild is channel.guild and not c.archived]
        if len(live) >= ACTIVE_THREADS:
            raise Wrong(160006)
        return self._world.thread(channel, name, self._world.bot, id_=id_, kind=kind, minutes=minutes)

    async def join_thread(self, request: web.Request) -> Any:
        self._open(self._channel(request))

    # messages

    async def history(self, request: web.Request) -> Any:
        """Newest first; empty without READ_MESSAGE_HISTORY."""
        channel, asked = self._channel(request), request.query
        if channel.guild and Permission.READ_MESSAGE_HISTORY not in self._world.permissions(self._world.bot, channel):
            return []
        found = list(channel.messages.values())
        shown = [self._world.show(message) for message in found]
        limit, after, before = int(asked.get("limit", 50)), asked.get("after"), asked.get("before")
        shown = [*self._starter(channel), *shown]
        if after is not None:
            return [one for one in shown if int(one["id"]) > int(after)][:limit][::-1]
        if before is not None:
            shown = [one for one in shown if int(one["id"]) < int(before)]
        return shown[::-1][:limit]

    def _starter(self, thread: Channel) -> list[dict[str, Any]]:
        """Return the message that a thread began from, as its history shows it: a line of its own, type 21."""
        origin = thread.parent.messages.get(thread.id) if thread.parent else None
        if origin is None:
            return []
        id_ = thread.id + 1  # Discord gives it an id of its own
        first = Message(id_, thread, origin.author, "", origin.at, type=21, reply_to=origin)
        return [self._world.show(first)]

    async def message(self, request: web.Request) -> Any:
        channel = self._channel(request)
        if channel.guild and Permission.READ_MESSAGE_HISTORY not in self._world.permissions(self._world.bot, channel):
            raise Wrong(50013)
        return self._world.show(self._message(request))

    async def post(self, request: web.Request) -> Any:
        body = await body_of(request)
        return self._world.show(self._posts.post(self._channel(request), body), nonce=True)

    async def edit(self, request: web.Request) -> Any:
        body = await body_of(request)
        message = self._message(request)
        if message.author is not self._world.bot:
            raise Wrong(50005)
        self._open(message.channel)
        tier = message.channel.guild.premium_tier if message.channel.guild else 0
        self._posts.edit(message, body, words.UPLOAD[tier])
        return self._world.show(message)

    async def delete(self, request: web.Request) -> Any:
        message = self._message(request)
        self._open(message.channel)
        if message.author is not self._world.bot:
            self._require(message.channel, Permission.MANAGE_MESSAGES)
        self._world.remove(message)

    async def react(self, request: web.Request) -> Any:
        message, emoji = self._message(request), request.match_info["emoji"]
        self._require(message.channel, Permission.ADD_REACTIONS | Permission.READ_MESSAGE_HISTORY)
        message.reactions.setdefault(emoji, set()).add(self._world.bot.id)

    async def unreact(self, request: web.Request) -> Any:
        self._message(request).reactions.pop(request.match_info["emoji"], None)
