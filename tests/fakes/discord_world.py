"""The state of the pretended Discord: who exists, what stands where, who may do what. No wire.

Ids carry the real time, as discord.py computes ages from them; everything else goes by `clock`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes import discord_words as words
from tests.fakes.discord_things import NONE, Attachment, Channel, Guild, Message, Role, Upload, User, mime_of, stamp
from tests.fakes.discord_words import DM, EVERYONE, Permission, Wrong

Emit = Callable[[str, dict[str, Any], Guild | None], None]
KINDS = {"text": words.TEXT, "voice": words.VOICE, "news": words.NEWS, "forum": words.FORUM}


class World:
    def __init__(self, clock: Callable[[], float], *, message_content: bool) -> None:
        self.clock = clock
        self.message_content = message_content  # the privileged intent
        self.emit: Emit = lambda _event, _data, _guild: None
        self.cdn_url = ""
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[str, Attachment] = {}  # by path on the CDN
        self._last = 0
        self.application_id = self.new_id()
        self.bot = self.user("zoetrope", bot=True)

    def new_id(self) -> int:
        self._last = max(self._last + 1, (int(time.time() * 1000) - words.EPOCH) << 22)
        return self._last

    def user(self, name: str, locale: str = "en-US", *, bot: bool = False) -> User:
        user = User(self.new_id(), name, locale, bot)
        self.users[user.id] = user
        return user

    def guild(self, name: str, premium_tier: int, permissions: Permission, *, joined: bool) -> Guild:
        guild_id, owner = self.new_id(), self.user(f"owner of {name}")
        everyone = Role(guild_id, "@everyone", EVERYONE)
        ours = Role(self.new_id(), self.bot.name, permissions, bot=self.bot)
        guild = Guild(guild_id, name, self, owner, everyone, ours, premium_tier, joined=joined)
        guild.roles = {everyone.id: everyone} | ({ours.id: ours} if joined else {})
        guild.members = {owner.id: set()} | ({self.bot.id: {ours.id}} if joined else {})
        self.guilds[guild.id] = guild
        if joined:
            self.emit("GUILD_CREATE", self.full(guild), guild)
        return guild

    def full(self, guild: Guild) -> dict[str, Any]:
        """Return the guild as GUILD_CREATE shows it."""
        here = [c for c in self.channels.values() if c.guild is guild and not c.deleted]
        live = [c.json() for c in here if c.is_thread and not c.archived]
        parts = {"channels": [c.json() for c in here if not c.is_thread], "threads": live}
        people = {"members": [self.member(guild, self.bot)], "member_count": len(guild.members), "large": False}
        rest: dict[str, list[Any]] = {
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }
        return guild.json() | parts | people | rest | {"joined_at": stamp(self.clock()), "unavailable": False}

    def member(self, guild: Guild, user: User) -> dict[str, Any]:
        return guild.member(user) | {"user": user.json()}

    def role(
        self, guild: Guild, name: str, permissions: Permission, members: Sequence[User], *, mentionable: bool
    ) -> Role:
        role = Role(self.new_id(), name, permissions, mentionable)
        guild.roles[role.id] = role
        for user in members:
            guild.members.setdefault(user.id, set()).add(role.id)
        self.emit("GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role.json()}, guild)
        return role

    def channel(self, guild: Guild, name: str, kind: str, *, require_tag: bool = False) -> Channel:
        channel = Channel(self.new_id(), name, KINDS[kind], self, guild, require_tag=require_tag)
        self.channels[channel.id] = channel
        self.emit("CHANNEL_CREATE", channel.json(), guild)
        return channel

    def thread(
        self, parent: Channel, name: str, owner: User, *, id_: int = 0, kind: int | None = None, minutes: int = 1440
    ) -> Channel:
        usual = words.NEWS_THREAD if parent.type == words.NEWS else words.THREAD
        thread = Channel(id_ or self.new_id(), name, usual if kind is None else kind, self, parent.guild, parent)
        thread.owner, thread.archive_minutes = owner, minutes
        self.channels[thread.id] = thread
        self.emit("THREAD_CREATE", thread.json() | {"newly_created": True}, parent.guild)
        return thread

    def dm(self, user: User) -> Channel:
        for channel in self.channels.values():
            if channel.type == DM and channel.recipient is user:
                return channel
        channel = Channel(self.new_id(), user.name, DM, self, recipient=user)
        self.channels[channel.id] = channel
        return channel

    def overwrite(
        self,
        channel: Channel,
        whom: User | Role | None,
        allow: Permission = NONE,
        deny: Permission = NONE,
    ) -> None:
        target = whom or self.bot
        _, allowed, denied = channel.overwrites.get(target.id, (0, NONE, NONE))
        kind = 0 if isinstance(target, Role) else 1
        channel.overwrites[target.id] = (kind, (allowed | allow) & ~deny, (denied | deny) & ~allow)
        self.changed(channel)

    def changed(self, channel: Channel) -> None:
        self.emit("THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE", channel.json(), channel.guild)

    def permissions(self, user: User, channel: Channel) -> Permission:
        """Return what `user` may do there, by roles and overwrites; a thread goes by its parent."""
        guild, place = channel.guild, channel.parent or channel
        if guild is None:
            return words.IN_DM
        roles = guild.members.get(user.id)
        if roles is None:
            return NONE
        sum_ = guild.everyone.permissions
        for role in roles:
            sum_ |= guild.roles[role].permissions
        if user is guild.owner or Permission.ADMINISTRATOR in sum_:
            return words.ALL
        _, allow, deny = place.overwrites.get(guild.id, (0, NONE, NONE))
        sum_ = (sum_ & ~deny) | allow
        some = [place.overwrites[role] for role in roles if role in place.overwrites]
        for _, _, deny in some:
            sum_ &= ~deny
        for _, allow, _ in some:
            sum_ |= allow
        _, allow, deny = place.overwrites.get(user.id, (1, NONE, NONE))
        return (sum_ & ~deny) | allow

    def find(self, channel_id: str | int) -> Channel:
        """Return a place that the bot can see, or raise 10003 / 50001."""
        channel = self.channels.get(int(channel_id))
        if channel is None or channel.deleted:
            raise Wrong(10003)
        if channel.guild is None:
            return channel
        rights = self.permissions(self.bot, channel)
        needs = Permission.VIEW_CHANNEL
        if channel.type in {words.VOICE, words.STAGE}:
            needs |= Permission.CONNECT
        if not channel.guild.joined or needs not in rights:
            raise Wrong(50001)
        return channel

    def message(self, channel: Channel, message_id: str | int) -> Message:
        """Return a message that stands there, or raise 10008."""
        found = channel.messages.get(int(message_id))
        if found is None:
            raise Wrong(10008)
        return found

    def attach(self, channel: Channel | None, upload: Upload, note: str | None = None) -> Attachment:
        """Lay a file on the CDN: one that was sent to a channel, or one of an interaction (None)."""
        file_id, name = self.new_id(), upload.name.replace(" ", "_").replace("/", "_")
        kind, place = ("attachments", channel.id) if channel else ("ephemeral-attachments", self.application_id)
        path = f"/{kind}/{place}/{file_id}/{name}"
        ends = int(self.clock()) + 24 * 3600
        url = f"{self.cdn_url}{path}?ex={ends:x}&is={ends - 24 * 3600:x}&hm={file_id:064x}&"
        size = len(upload.data) if upload.size is None else upload.size
        mime = upload.mime or mime_of(name, upload.data)
        file = Attachment(file_id, name, upload.data, url, size, mime, note, channel is None, upload.gone)
        self.files[path] = file
        return file

    def reads(self, message: Message) -> bool:
        """Say whether the bot gets the content of a message without the privileged intent."""
        own = message.author is self.bot
        return self.message_content or own or message.channel.guild is None or self.bot in message.mentions

    def show(self, message: Message, *, whole: bool = False, nonce: bool = False) -> dict[str, Any]:
        """Return a message as the bot gets it; `whole`: even if it has no right to the content.

        The nonce is in the answer to the POST and in MESSAGE_CREATE alone.
        """
        whole = whole or self.reads(message)
        said = {
            "id": str(message.id),
            "channel_id": str(message.channel.id),
            "author": message.author.json(),
            "content": message.content if whole else "",
            "embeds": message.embeds if whole else [],
            "attachments": [file.json() for file in message.attachments] if whole else [],
            "components": message.components if whole else [],
            "timestamp": stamp(message.at),
            "edited_timestamp": None if message.edited_at is None else stamp(message.edited_at),
            "tts": False,
            "pinned": False,
            "type": message.type,
            "flags": message.flags,
            "mention_everyone": bool({"everyone", "here"} & set(message.pings)),
            "mentions": [user.json() for user in message.mentions],
            "mention_roles": [str(role.id) for role in message.role_mentions],
        }
        return said | self._extras(message, nonce=nonce)

    def _extras(self, message: Message, *, nonce: bool) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if nonce and message.nonce is not None:
            said["nonce"] = message.nonce
        if message.interaction:
            said |= {"interaction_metadata": message.interaction, "application_id": str(self.application_id)}
            said |= {"webhook_id": str(self.application_id)}
        if message.reply_to:
            target = message.reply_to
            said["message_reference"] = self._reference(target)
            said["referenced_message"] = None if target.deleted else self.show(target)
        if message.thread and not message.thread.deleted:
            said["thread"] = message.thread.json()
        if message.reactions:
            said["reactions"] = [
                {"emoji": {"id": None, "name": emoji}, "count": len(who), "me": self.bot.id in who}
                for emoji, who in message.reactions.items()
            ]
        return said

    def _reference(self, target: Message) -> dict[str, Any]:
        guild = {"guild_id": str(target.channel.guild.id)} if target.channel.guild else {}
        return {"type": 0, "message_id": str(target.id), "channel_id": str(target.channel.id), **guild}

    def event(self, message: Message, *, nonce: bool = False) -> dict[str, Any]:
        """Return what MESSAGE_CREATE and MESSAGE_UPDATE carry."""
        guild = message.channel.guild
        said = self.show(message, nonce=nonce)
        if guild is None:
            return said
        return said | {"guild_id": str(guild.id), "member": guild.member(message.author)}

    def remove(self, message: Message) -> None:
        message.deleted = True
        message.channel.messages.pop(message.id, None)
        guild = message.channel.guild
        said = {"id": str(message.id), "channel_id": str(message.channel.id)}
        if not message.ephemeral:
            self.emit("MESSAGE_DELETE", said | ({"guild_id": str(guild.id)} if guild else {}), guild)

    def close(self, channel: Channel) -> None:
        """Delete a channel with its threads and messages."""
        for place in [c for c in self.channels.values() if c is channel or c.parent is channel]:
            place.deleted = True
        self.emit("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", channel.json(), channel.guild)
