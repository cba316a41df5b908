"""What Discord's world is made of: people, roles, guilds, channels, messages, files, and their JSON. No rules."""

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.fakes.discord_words import DM, EPHEMERAL, EVERYONE, LOADING, THREADS, V2, Permission

NONE = Permission(0)


class Builder(Protocol):
    """What things ask of the world that they are in."""

    def clock(self) -> float: ...

    def channel(self, guild: "Guild", name: str, kind: str, *, require_tag: bool = False) -> "Channel": ...

    def thread(self, parent: "Channel", name: str, owner: "User") -> "Channel": ...

    def role(
        self, guild: "Guild", name: str, permissions: Permission, members: "Sequence[User]", *, mentionable: bool
    ) -> "Role": ...

    def overwrite(
        self, channel: "Channel", whom: "User | Role | None", allow: Permission = NONE, deny: Permission = NONE
    ) -> None: ...


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person sends. `size`, `mime`: what Discord says, if not the truth. `gone`: its link is dead."""

    data: bytes = field(repr=False)
    name: str = "picture.png"
    mime: str | None = None
    size: int | None = None
    gone: bool = False


@dataclass(eq=False)
class User:
    id: int
    name: str
    locale: str = "en-US"
    bot: bool = False
    accepts_dms: bool = True  # False: 50007
    upload_limit: int = 10 * 1024**2  # bytes, by Nitro; counts only for answers to this person's interactions

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def json(self) -> dict[str, Any]:
        said = {"id": str(self.id), "username": self.name, "global_name": self.name.title(), "avatar": None}
        return said | {"discriminator": "0000" if self.bot else "0", "bot": self.bot, "public_flags": 0}


@dataclass(eq=False)
class Role:
    id: int
    name: str
    permissions: Permission
    mentionable: bool = False
    bot: User | None = None  # whose managed role this is

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"

    def json(self) -> dict[str, Any]:
        look = {"color": 0, "hoist": False, "position": 0, "managed": self.bot is not None, "flags": 0}
        tags = {"tags": {"bot_id": str(self.bot.id)}} if self.bot else {}
        rights = {"permissions": str(int(self.permissions)), "mentionable": self.mentionable}
        return {"id": str(self.id), "name": self.name, **look, **rights, **tags}


@dataclass(eq=False)
class Attachment:
    id: int
    filename: str
    data: bytes = field(repr=False)
    url: str
    size: int  # bytes, as declared
    content_type: str | None
    description: str | None = None
    ephemeral: bool = False
    gone: bool = False  # its link has expired

    def json(self) -> dict[str, Any]:
        said = {"id": str(self.id), "filename": self.filename, "size": self.size, "url": self.url}
        said |= {"proxy_url": self.url.replace("?", "?proxy=1&", 1), "ephemeral": self.ephemeral}
        more = {"content_type": self.content_type, "description": self.description}
        return said | {key: value for key, value in more.items() if value is not None}


def mime_of(name: str, data: bytes) -> str | None:
    for magic, mime in ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif")):
        if data.startswith(magic):
            return mime
    return mimetypes.guess_type(name)[0]


@dataclass(eq=False)
class Channel:
    id: int
    name: str
    type: int
    world: Builder = field(repr=False)
    guild: "Guild | None" = None
    parent: "Channel | None" = None  # of a thread
    recipient: User | None = None  # of a DM
    owner: User | None = None  # of a thread
    overwrites: dict[int, tuple[int, Permission, Permission]] = field(default_factory=dict)  # id: (kind, allow, deny)
    messages: dict[int, "Message"] = field(default_factory=dict, repr=False)  # those that stand now, oldest first
    archived: bool = False
    locked: bool = False
    require_tag: bool = False
    archive_minutes: int = 1440
    deleted: bool = False

    @property
    def is_thread(self) -> bool:
        return self.type in THREADS

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    def deny(self, permissions: Permission, *, whom: User | Role | None = None) -> None:
        """Take from `whom` (the bot) here; clients hear of it."""
        self.world.overwrite(self, whom, deny=permissions)

    def allow(self, permissions: Permission, *, whom: User | Role | None = None) -> None:
        self.world.overwrite(self, whom, allow=permissions)

    def json(self) -> dict[str, Any]:
        last = str(next(reversed(self.messages))) if self.messages else None
        said: dict[str, Any] = {"id": str(self.id), "type": self.type, "last_message_id": last, "flags": 0}
        if self.type == DM and self.recipient:
            return said | {"recipients": [self.recipient.json()]}
        said |= {"name": self.name, "guild_id": str(self.guild.id) if self.guild else None}
        said |= {"rate_limit_per_user": 0}
        return said | (self._thread() if self.is_thread else self._place())

    def _thread(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "archived": self.archived,
            "locked": self.locked,
            "auto_archive_duration": self.archive_minutes,
        }
        state |= {"archive_timestamp": stamp(self.world.clock()), "create_timestamp": stamp(self.world.clock())}
        counts = {"message_count": len(self.messages), "member_count": 1, "total_message_sent": len(self.messages)}
        owner = str(self.owner.id) if self.owner else "0"
        parent = str(self.parent.id) if self.parent else None
        return {"parent_id": parent, "owner_id": owner, "thread_metadata": state, **counts}

    def _place(self) -> dict[str, Any]:
        rights = [
            {"id": str(whom), "type": kind, "allow": str(int(allow)), "deny": str(int(deny))}
            for whom, (kind, allow, deny) in self.overwrites.items()
        ]
        said = {"position": 0, "nsfw": False, "parent_id": None, "topic": None, "permission_overwrites": rights}
        flags = {"flags": 1 << 4 if self.require_tag else 0}
        return said | flags | {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "available_tags": []}


@dataclass(eq=False)
class Guild:
    id: int
    name: str
    world: Builder = field(repr=False)
    owner: User
    everyone: Role
    bot_role: Role
    premium_tier: int = 0
    locale: str = "en-US"
    joined: bool = True  # False: the bot is not in it
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, set[int]] = field(default_factory=dict)  # user id: role ids

    def text(self, name: str = "general") -> Channel:
        return self.world.channel(self, name, "text")

    def voice(self, name: str = "lounge") -> Channel:
        return self.world.channel(self, name, "voice")

    def forum(self, name: str = "posts", *, require_tag: bool = False) -> Channel:
        return self.world.channel(self, name, "forum", require_tag=require_tag)

    def news(self, name: str = "news") -> Channel:
        return self.world.channel(self, name, "news")

    def thread(self, parent: Channel, name: str = "talk") -> Channel:
        """Start a thread that a person owns; under a forum it is a post."""
        return self.world.thread(parent, name, self.owner)

    def role(self, name: str, permissions: Permission = EVERYONE, *members: User, mentionable: bool = False) -> Role:
        return self.world.role(self, name, permissions, members, mentionable=mentionable)

    def member(self, user: User) -> dict[str, Any]:
        ids = [str(role) for role in self.members.setdefault(user.id, set())]
        flags = {"flags": 0, "pending": False, "deaf": False, "mute": False, "nick": None, "avatar": None}
        return {"roles": ids, "joined_at": stamp(0), "premium_since": None, **flags}

    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.owner.id),
            "icon": None,
            "features": [],
        }
        said |= {"premium_tier": self.premium_tier, "preferred_locale": self.locale, "emojis": [], "stickers": []}
        said |= {"verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0}
        said |= {"mfa_level": 0, "nsfw_level": 0, "system_channel_flags": 0, "afk_timeout": 300}
        return said | {"roles": [role.json() for role in self.roles.values()]}


@dataclass(eq=False)
class Message:
    id: int
    channel: Channel = field(repr=False)
    author: User
    content: str
    at: float  # of the clock
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    type: int = 0
    nonce: str | None = None
    reply_to: "Message | None" = field(default=None, repr=False)
    mentions: Sequence[User] = ()  # as Discord resolves them
    role_mentions: Sequence[Role] = ()
    pings: list[int | str] = field(default_factory=list)  # who was really notified: ids, "everyone", "here"
    interaction: Mapping[str, Any] | None = field(default=None, repr=False)  # its metadata, when it answers one
    wordings: list[str] = field(default_factory=list)  # every content it had, the present one last
    edits: int = 0
    edited_at: float | None = None
    reactions: dict[str, set[int]] = field(default_factory=dict)  # emoji: user ids
    thread: Channel | None = None
    deleted: bool = False

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def thinking(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """Every component that can be pressed or chosen from, however deep."""
        return [part for part in walk(self.components) if "custom_id" in part]

    @property
    def shown(self) -> list[Attachment]:
        """The files that people see: with Components V2 only those that a component names."""
        named = {part["media"]["url"] for part in walk(self.components) if "media" in part}
        named |= {part["file"]["url"] for part in walk(self.components) if "file" in part}
        return [a for a in self.attachments if not self.flags & V2 or f"attachment://{a.filename}" in named]


def walk(components: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return all components, outer ones first."""
    found: list[dict[str, Any]] = []
    for part in components:
        inner = [*part.get("components", ()), *part.get("items", ())]
        inner += [part[key] for key in ("accessory", "component") if key in part]
        found += [dict(part), *walk(inner)]
    return found
