"""Reads off an interaction or a message who did it, where, and with which pictures. Decides nothing."""

import html
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yarl
from slack_bolt.context.async_context import AsyncBoltContext

from bot.chats.contract import ChatError, ChatGone, Upload
from bot.chats.download import taken
from bot.chats.slack import places
from bot.chats.slack.api import Api, speaking
from bot.chats.slack.buttons import section

READ_SECONDS = 30.0
NAME = 100  # characters kept of a file's name
HOPS = 3  # redirects followed, each looked at
GONE = frozenset({"tombstone", "hidden_by_limit"})
Body = Mapping[str, Any]

_log = logging.getLogger("zoetrope.slack")


class Forbidden(ChatError):
    """Slack shows its sign-in page in the place of a file: the app lacks the scope files:read."""

    sentence = "chat.no_files"


@dataclass(frozen=True, slots=True)
class Incoming:
    """What somebody did somewhere. `channel`: "" in the app's home and in the search bar.

    `thread` and `source`: the ts of the thread and of the message it is about, "" for none. `trigger` opens a form.
    """

    key: str
    user: str
    api: Api = field(repr=False)
    team: str
    enterprise: str = ""
    channel: str = ""
    thread: str = ""
    source: str = ""
    trigger: str = ""

    @property
    def requester(self) -> str:
        """Return who this is among all workspaces."""
        return f"{self.team}.{self.user}"

    @property
    def root(self) -> str:
        """Return the first message of the thread to answer in, "" to begin with our own."""
        return self.thread or self.source

    async def tell(self, words: str) -> None:
        """Say something to the person alone: there, or where we may not, in private."""
        text = places.written(words)
        message: dict[str, Any] = {"text": text, "blocks": [section(text)]}
        try:
            if self.channel:
                return await self._tell_here(message)
        except ChatGone as error:
            _log.info("told in private: %s", error)
        await places.post(self.api, await places.private(self.api, self.user), "", message)

    async def _tell_here(self, message: Body) -> None:
        if self.channel.startswith("D"):  # ours alone, or of two people, where Slack does not let us in
            await places.post(self.api, self.channel, self.root, message)
        else:
            here: dict[str, Any] = {"channel": self.channel, "user": self.user, "thread_ts": self.thread or None}
            await self.api.call("chat.postEphemeral", **here, **message)


def clicked(body: Body, context: AsyncBoltContext) -> Incoming:
    """Return who pressed, chose from a menu, or sent a form in."""
    container, channel = body.get("container") or {}, body.get("channel") or {}
    message, view = body.get("message") or {}, body.get("view") or {}
    filled = body.get("type") == "view_submission"
    return Incoming(
        key=f"slack:{view['id']}" if filled else f"slack:{body.get('trigger_id')}",
        user=str(body["user"]["id"]),
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        thread=str(message.get("thread_ts") or ""),
        source=str(message.get("ts") or container.get("message_ts") or ""),
        trigger=str(body.get("trigger_id") or ""),
        **_workspace(context),
    )


def commanded(body: Body, context: AsyncBoltContext) -> Incoming:
    trigger, user, channel = str(body["trigger_id"]), str(body["user_id"]), str(body["channel_id"])
    return Incoming(key=f"slack:{trigger}", user=user, channel=channel, trigger=trigger, **_workspace(context))


def said(event: Body, context: AsyncBoltContext) -> Incoming:
    """Return who wrote a message. A mention comes as two events, which are one act: its place and time name it."""
    channel, ts = str(event["channel"]), str(event["ts"])
    return Incoming(
        key=f"slack:{context.team_id}:{channel}:{ts}",
        user=str(event["user"]),
        channel=channel,
        thread=str(event.get("thread_ts") or ""),
        source=ts,
        **_workspace(context),
    )


def visiting(event: Body, context: AsyncBoltContext) -> Incoming:
    """Return who opened the app's home."""
    return Incoming(key="", user=str(event["user"]), **_workspace(context))


def _workspace(context: AsyncBoltContext) -> dict[str, Any]:
    """Return where something happened, as Slack's library found it out: a message with files does not say so itself."""
    if context.client is None:
        raise ChatError("Slack's library gave no client")
    return {
        "api": Api(context.client),
        "team": context.team_id or "",
        "enterprise": (context.enterprise_id or "") if context.is_enterprise_install else "",
    }


def pictures(message: Body) -> list[Body]:
    """Return a message's pictures; all its files when none looks like a picture."""
    files = [file for file in message.get("files") or () if file.get("mode") not in GONE]
    looks = [file for file in files if str(file.get("mimetype") or "image/").startswith("image/")]
    return looks or files


def words_of(text: str, *ours: str) -> str:
    """Return what was written as a person sees it, without our name: Slack escapes three characters."""
    for name in ours:
        text = re.sub(rf"<@{re.escape(name)}(\|[^<>]*)?>", "", text)
    text = re.sub(r"<[@#!][^<>|]*\|([^<>]*)>", r"\1", text)
    text = re.sub(r"<(?:[a-z]+:)[^<>|]*\|([^<>]*)>", r"\1", text)
    text = re.sub(r"<([^<>]*)>", r"\1", text)
    return html.unescape(text).strip()


def kept(file: Body) -> dict[str, Any]:
    """Return what of a file travels with a form: it is asked for anew when it is read."""
    known = {name: file[name] for name in ("id", "mimetype", "size") if file.get(name) is not None}
    return known | {"name": str(file.get("name") or "picture")[-NAME:]}


def upload(file: Body, api: Api, hosts: Sequence[str]) -> Upload:
    async def read(cap: int) -> bytes:
        url = file.get("url_private_download") or await _address(api, str(file.get("id")))
        return await _read(api, str(url), hosts, cap)

    size = file.get("size")
    return Upload(str(file.get("name") or "picture"), file.get("mimetype"), int(size) if size else None, read)


async def _address(api: Api, file: str) -> str:
    """Ask where a file is: one of a form, or of another workspace. Raises `ChatGone`."""
    found = (await api.call("files.info", file=file))["file"]
    url = found.get("url_private_download") or found.get("url_private")
    if not url or found.get("mode") in GONE:
        raise ChatGone("the picture is no longer there")
    return str(url)


def allowed(url: yarl.URL, hosts: Sequence[str]) -> bool:
    """Say whether a host may see our token: one of the list or under it; a stand-in is named with its port."""
    if f"{url.host}:{url.port}" in hosts:
        return True
    host = url.host or ""
    return url.scheme == "https" and url.port == 443 and any(host == one or host.endswith(f".{one}") for one in hosts)


async def _read(api: Api, url: str, hosts: Sequence[str], cap: int) -> bytes:
    """Fetch at most `cap` bytes; each redirect is looked at before the token goes along."""
    session, here = api.session, yarl.URL(url)
    if session is None:
        raise RuntimeError("an Api of ours has a session")
    limit = aiohttp.ClientTimeout(total=READ_SECONDS)
    for _ in range(HOPS + 1):
        if not allowed(here, hosts):
            raise ChatGone("the picture is at a host that Slack does not own")
        bearer = {"Authorization": f"Bearer {api.token}"}
        with speaking():
            async with session.get(here, headers=bearer, allow_redirects=False, timeout=limit) as answer:
                if answer.status not in {301, 302, 303, 307, 308}:
                    return await _taken(answer, cap)
                here = here.join(yarl.URL(answer.headers.get("Location", "")))
    raise ChatGone("the picture's address leads in a circle")


async def _taken(answer: aiohttp.ClientResponse, cap: int) -> bytes:
    data = await taken(answer, cap)
    if answer.content_type == "text/html" or data[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise Forbidden("Slack asks to sign in: give the app the scope files:read, and install it anew")
    return data
