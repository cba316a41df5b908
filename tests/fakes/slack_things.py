"""What Slack's world is made of: workspaces, members, channels, messages, files, views, and their JSON. No rules."""

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["channel", "group", "im", "mpim"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person sends. `mime`, `size` (bytes): what Slack says of it, if not the truth."""

    data: bytes = field(repr=False)
    name: str = "picture.png"
    mime: str | None = None
    size: int | None = None


@dataclass(eq=False)
class Install:
    """The app in one workspace. `dead`: the error word that its token is answered with."""

    token: str = field(repr=False)
    team: "Team" = field(repr=False)
    scopes: set[str]
    dead: str = ""


@dataclass(eq=False)
class Team:
    id: str
    name: str
    bot_id: str
    bot: "Member" = field(init=False)
    install: Install | None = field(default=None, repr=False)
    groups: dict[str, "Group"] = field(default_factory=dict)

    def json(self) -> Json:
        return {"id": self.id, "domain": self.name}


@dataclass(eq=False)
class Member:
    id: str
    name: str
    team: Team = field(repr=False)
    locale: str = "en-US"
    is_bot: bool = False
    admin: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def json(self) -> Json:
        said: Json = {"id": self.id, "team_id": self.team.id, "name": self.name, "deleted": False, "tz": "Etc/UTC"}
        said |= {"real_name": self.name.title(), "is_bot": self.is_bot, "is_admin": self.admin, "is_owner": False}
        return said | {"is_restricted": False, "profile": {"display_name": self.name, "real_name": self.name.title()}}

    def brief(self) -> Json:
        """Return the person as interactions name them."""
        return {"id": self.id, "username": self.name, "name": self.name, "team_id": self.team.id}


@dataclass(eq=False)
class Group:
    """A user group (@designers)."""

    id: str
    handle: str
    members: list[Member]

    def json(self) -> Json:
        return {"id": self.id, "handle": self.handle, "name": self.handle.title(), "user_count": len(self.members)}


@dataclass(eq=False)
class Channel:
    id: str
    name: str
    kind: Kind
    team: Team = field(repr=False)
    members: set[Member] = field(default_factory=set, repr=False)
    messages: dict[str, "Message"] = field(default_factory=dict, repr=False)  # those that stand now, by ts
    archived: bool = False
    gone: bool = False

    @property
    def has_bot(self) -> bool:
        return self.team.bot in self.members

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    def thread(self, ts: str) -> list["Message"]:
        """Return a message and its replies, oldest first; the replies outlive it."""
        return [one for one in self.messages.values() if ts in (one.ts, one.thread_ts)]

    def brief(self) -> Json:
        names = {"im": "directmessage", "group": "privategroup"}
        return {"id": self.id, "name": names.get(self.kind, self.name)}

    def json(self) -> Json:
        said: Json = {"id": self.id, "is_channel": self.kind == "channel", "is_group": self.kind == "group"}
        said |= {"is_im": self.kind == "im", "is_mpim": self.kind == "mpim", "is_archived": self.archived}
        said |= {"is_private": self.kind != "channel", "context_team_id": self.team.id, "created": 1}
        if self.kind == "im":
            return said | {"user": next(one.id for one in self.members if not one.is_bot), "is_open": True}
        return said | {"name": self.name, "name_normalized": self.name, "is_member": self.has_bot}


@dataclass(frozen=True, slots=True)
class Share:
    channel: Channel
    ts: str
    thread_ts: str | None

    def json(self) -> Json:
        said: Json = {"ts": self.ts, "channel_name": self.channel.name, "team_id": self.channel.team.id}
        return said | ({"thread_ts": self.thread_ts} if self.thread_ts else {})


@dataclass(eq=False)
class File:
    """`redirect`: where its download leads first. `connect`: another workspace's, which events don't describe."""

    id: str
    name: str
    owner: Member
    at: float
    host: str  # http://127.0.0.1:PORT
    data: bytes = field(default=b"", repr=False)
    mime: str = ""
    title: str = ""
    size: int = 0  # bytes, as announced or told
    state: Literal["announced", "uploaded", "complete", "deleted"] = "complete"
    shares: list[Share] = field(default_factory=list, repr=False)
    redirect: Literal["", "origin", "foreign", "loop"] = ""
    connect: bool = False
    stuck: bool = False  # is never shared by itself

    @property
    def path(self) -> str:
        return f"/files-pri/{self.owner.team.id}-{self.id}"

    def json(self, *, whole: bool = False) -> Json:
        """Return the file object; `whole` as files.info has it, with shares."""
        if self.state == "deleted":
            return {"id": self.id, "mode": "tombstone"}
        if self.connect and not whole:
            return {"id": self.id, "mode": "file_access", "file_access": "check_file_info", "created": int(self.at)}
        said: Json = {"id": self.id, "created": int(self.at), "timestamp": int(self.at), "name": self.name}
        said |= {"title": self.title or self.name, "mimetype": self.mime, "filetype": self.name.rpartition(".")[2]}
        said |= {"user": self.owner.id, "user_team": self.owner.team.id, "size": self.size, "mode": "hosted"}
        said |= {"is_external": False, "is_public": bool(self._places("channel")), "file_access": "visible"}
        here = f"{self.host}{self.path}"
        said |= {"url_private": f"{here}/{self.name}", "url_private_download": f"{here}/download/{self.name}"}
        said |= {"permalink": f"{self.host}/files/{self.owner.id}/{self.id}/{self.name}"}
        return said | (self._shown() if whole else {})

    def _places(self, *kinds: Kind) -> dict[str, list[Share]]:
        found: dict[str, list[Share]] = {}
        for share in self.shares:
            if share.channel.kind in kinds:
                found.setdefault(share.channel.id, []).append(share)
        return found

    def _shown(self) -> Json:
        lists = {"channels": self._places("channel"), "groups": self._places("group"), "ims": self._places("im")}
        shares = {}
        for name, kinds in (("public", ("channel",)), ("private", ("group", "im", "mpim"))):
            if found := self._places(*kinds):
                shares[name] = {id_: [one.json() for one in there] for id_, there in found.items()}
        return {name: list(found) for name, found in lists.items()} | {"shares": shares}


def mime_of(name: str, data: bytes) -> str:
    for magic, mime in ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif")):
        if data.startswith(magic):
            return mime
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


@dataclass(eq=False)
class Message:
    ts: str
    channel: Channel = field(repr=False)
    author: Member
    text: str  # as stored
    at: float  # of the clock
    blocks: list[Json] = field(default_factory=list, repr=False)
    thread_ts: str | None = None
    files: list[File] = field(default_factory=list)
    subtype: str | None = None
    reader: Member | None = None  # of an ephemeral one: the only person who sees it
    said: Mapping[str, Any] = field(default_factory=dict, repr=False)  # what chat.postMessage was given
    wordings: list[str] = field(default_factory=list, repr=False)  # every text it had, the present one last
    edits: list[float] = field(default_factory=list)  # when, by the clock
    reactions: set[str] = field(default_factory=set)
    deleted: bool = False

    @property
    def elements(self) -> list[Json]:
        """Everything that can be pressed or chosen from."""
        return elements(self.blocks)

    @property
    def pings(self) -> list[str]:
        """Whom the text calls, e.g. U00000004 or channel: blocks alone count where there are blocks."""
        said = " ".join(_mrkdwn(self.blocks)) if self.blocks else self.text
        return re.findall(r"<[@!](U[0-9A-Z]+|channel|here|everyone|subteam\^[0-9A-Z]+)", said)

    def json(self) -> Json:
        said: Json = {"type": "message", "ts": self.ts, "user": self.author.id, "text": self.text}
        said |= {"blocks": self.blocks} if self.blocks else {}
        said |= {"thread_ts": self.thread_ts} if self.thread_ts else {}
        said |= {"subtype": self.subtype} if self.subtype else {}
        said |= {"bot_id": self.author.team.bot_id} if self.author.is_bot else {}
        if self.edits and not self.blocks:  # a message with blocks doesn't get the mark
            said["edited"] = {"user": self.author.id, "ts": f"{self.edits[-1]:.6f}"}
        if self.files:  # long known: then there is no team inside
            return said | {"files": [file.json() for file in self.files], "upload": False, "display_as_bot": False}
        return said | {"team": self.author.team.id}


@dataclass(eq=False)
class View:
    id: str
    owner: Member
    hash: str
    body: Json
    below: "View | None" = None  # what it was pushed onto
    act: Any = field(default=None, repr=False)  # what a person did to have it opened
    open: bool = True
    bodies: list[Json] = field(default_factory=list, repr=False)  # all it ever was, the present one last
    values: Json = field(default_factory=dict, repr=False)  # state.values
    errors: dict[str, str] = field(default_factory=dict)  # the last submission's

    @property
    def blocks(self) -> list[Json]:
        return list(self.body.get("blocks", ()))

    @property
    def callback_id(self) -> str:
        return str(self.body.get("callback_id", ""))

    @property
    def elements(self) -> list[Json]:
        return elements(self.blocks)

    def json(self) -> Json:
        team = self.owner.team
        said: Json = {"id": self.id, "team_id": team.id, "app_installed_team_id": team.id, "bot_id": team.bot_id}
        said |= {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None}
        said |= self.body | {"hash": self.hash, "state": {"values": self.values}}
        root = self
        while root.below:
            root = root.below
        return said | {"root_view_id": root.id, "previous_view_id": self.below.id if self.below else None}


def _mrkdwn(part: Any) -> list[str]:
    if isinstance(part, dict) and part.get("type") == "mrkdwn":
        return [str(part.get("text"))]
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [text for one in inner for text in _mrkdwn(one)]


def elements(blocks: list[Json]) -> list[Json]:
    """Return what can be acted on in blocks, each with its block's id."""
    found = []
    for block in blocks:
        inner = [*block.get("elements", ()), *(block[key] for key in ("accessory", "element") if key in block)]
        found += [one | {"block_id": block.get("block_id", "")} for one in inner if "action_id" in one]
    return found
