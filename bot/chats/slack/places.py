"""Posts where a job is answered: its status message, its thread, and the way round when that is gone."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.chats.contract import ChatBusy, ChatGone, ChatUnsure
from bot.chats.slack.api import Api, code
from bot.chats.slack.buttons import cut, escaped
from bot.chats.slack.uploads import Film, Uploads

UPLOAD_LIMIT = 1_000_000_000  # bytes: Slack's ceiling for one file (2026-11-20)
CONTENT = 3000  # characters
TITLE = 120
LOOK_BACK = 200  # messages after the status message; more can hardly stand there before a second try

_log = logging.getLogger("zoetrope.slack")
Place = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer to post; `message` is one of words alone, `finished` what stands over a video's status."""

    text: str
    key: str
    message: Mapping[str, Any]
    finished: Mapping[str, Any]
    video: Path | None = None
    alt: str = field(default="", repr=False)

    @property
    def film(self) -> Film | None:
        title = " ".join(self.alt.split())[:TITLE]
        return Film(self.key, self.video, title, self.text) if self.video else None

    def stands_in(self, message: Mapping[str, Any]) -> bool:
        if film := self.film:
            return any(file.get("name") == film.name for file in message.get("files", ()))
        return any(block.get("block_id") == mark(self.key) for block in message.get("blocks", ()))


def mark(key: str) -> str:
    """Return what the block of an answer is called: Slack keeps that, and nobody sees it."""
    return f"zoetrope-{key}"


def place(team: str, channel: str, thread: str, status: str, *, user: str, locale: str, enterprise: str = "") -> Place:
    """Return a place as texts. `thread` is the first message of the thread: where nobody had begun one, our status."""
    return {
        "enterprise": enterprise,
        "team": team,
        "channel": channel,
        "thread": thread or status,
        "status": status,
        "user": user,
        "locale": locale,
    }


def elsewhere(typed: str, user: str, locale: str) -> Place:
    """Return a channel as a place without a status message. Raises `ValueError`."""
    team, _, channel = typed.partition("/")
    if not (team.startswith("T") and channel[:1] in {"C", "D", "G"} and typed.replace("/", "", 1).isalnum()):
        raise ValueError("In Slack a place is TEAM/CHANNEL, like T024BE7LD/C0G9QF9GZ: the ids in the channel's link.")
    return place(team, channel, "", "", user=user, locale=locale)


def link(home: str, at: Place, receipt: str | None) -> str:
    """Return the address of the answer ("channel/ts/..."), or of the status message; `home`: the workspace's."""
    channel, _, rest = (receipt or "").partition("/")
    ts = rest.partition("/")[0]
    where = (channel, ts) if ts else (at["channel"], at["status"])
    return f"{home}archives/{where[0]}/p{where[1].replace('.', '')}"


def written(words: str, user: str = "") -> str:
    """Return words as a message, to `user` if anybody: nothing else in them is markup that pings."""
    return cut(f"<@{user}> {escaped(words)}" if user else escaped(words), CONTENT)


async def edit(api: Api, at: Place, message: Mapping[str, Any]) -> None:
    await api.call("chat.update", channel=at["channel"], ts=at["status"], **message)


async def remove(api: Api, channel: str, ts: str) -> None:
    """Take a message of ours back."""
    with suppress(ChatGone):  # somebody else did
        await api.call("chat.delete", channel=channel, ts=ts)


async def forget(api: Api, receipt: str) -> None:
    """Delete an answer: its file, and the message that carried it."""
    channel, _, rest = receipt.partition("/")
    ts, _, file = rest.partition("/")
    if file:
        with suppress(ChatGone):
            await api.call("files.delete", file=file)
    if ts:
        await remove(api, channel, ts)


async def thread(api: Api, channel: str, root: str, until: str) -> list[Mapping[str, Any]]:
    """Return a thread from its first message to that one. Raises `ChatError`."""
    said = await api.call("conversations.replies", channel=channel, ts=root, latest=until, inclusive="true")
    return list(said["messages"])


async def deliver(api: Api, at: Place, draft: Draft, uploads: Uploads, *, again: bool) -> str:
    """Post in the thread, else beside it, else privately; returns "channel/ts", with "/file" for a video."""
    found = await _found(api, at, draft, uploads) if again else None
    film = draft.film
    if film is None:
        return found or await _said(api, at, draft)
    file = "" if found else await _shared(api, at, film, uploads)
    with _standing():
        if at["status"]:
            with suppress(ChatGone):  # the status message was deleted, and its buttons with it
                await edit(api, at, draft.finished)
        return found or await uploads.seen(api, film, file)


@contextmanager
def _standing() -> Iterator[None]:
    """Make each error an uncertain one: the video may stand there, so it is looked for, never just posted again."""
    try:
        yield
    except (ChatBusy, ChatGone) as error:
        raise ChatUnsure(str(error)) from error


async def _shared(api: Api, at: Place, film: Film, uploads: Uploads) -> str:
    gone: ChatGone | None = None
    async for channel, thread in _rooms(api, at):
        try:
            return await uploads.share(api, channel, thread, film, refused=gone is not None)
        except ChatGone as error:
            gone = error
    raise ChatGone("nobody can be told there any more") from gone


async def _said(api: Api, at: Place, draft: Draft) -> str:
    gone: ChatGone | None = None
    async for channel, thread in _rooms(api, at):
        try:
            said = await post(api, channel, thread, draft.message)
        except ChatGone as error:
            gone = error
        else:
            return f"{channel}/{said}"
    raise ChatGone("nobody can be told there any more") from gone


async def post(api: Api, channel: str, thread: str, message: Mapping[str, Any]) -> str:
    """Post a message and return its ts. Raises `ChatError`; Slack itself opens no previews of what is linked in it."""
    said = await api.call(
        "chat.postMessage", posting=True, channel=channel, thread_ts=thread or None,
        unfurl_links=False, unfurl_media=False, **message,
    )  # fmt: skip
    return str(said["ts"])


async def private(api: Api, user: str) -> str:
    """Return the channel of somebody's direct messages with us."""
    return str((await api.call("conversations.open", users=user))["channel"]["id"])


async def _rooms(api: Api, at: Place) -> AsyncIterator[tuple[str, str]]:
    """Yield channels and threads to post in, best first."""
    yield at["channel"], at["thread"]
    yield at["channel"], ""
    if at["user"] and not at["channel"].startswith("D"):  # else it was the private one
        yield await private(api, at["user"]), ""


async def _found(api: Api, at: Place, draft: Draft, uploads: Uploads) -> str | None:
    """Look for our own post of an earlier try, wherever it may have gone."""
    me, film = (await api.me()).user, draft.film
    try:
        async for channel, thread in _rooms(api, at):
            for message in await _history(api, channel, thread, at["status"] or "0"):
                if message.get("user") == me and draft.stands_in(message):
                    ids = [str(file["id"]) for file in message.get("files", ()) if film]
                    return "/".join([channel, str(message["ts"]), *ids[:1]])
    except ChatGone:
        pass  # the person can't be written to: then nothing was
    except _Unreadable:
        if film is None:  # nobody can look for it, so it goes where it can't stand twice
            with suppress(ChatGone):  # that is gone: better told twice than never
                await edit(api, at, draft.message)
                return f"{at['channel']}/{at['status']}"
    return await uploads.found(api, film, float(at["status"] or 0)) if film else None


class _Unreadable(ChatBusy):
    """The operator has not given us the right to read there."""


async def _history(api: Api, channel: str, thread: str, since: str) -> list[dict[str, Any]]:
    more: dict[str, Any] = {"oldest": since, "limit": str(LOOK_BACK)}
    method = "conversations.replies" if thread else "conversations.history"
    try:
        return list((await api.call(method, channel=channel, ts=thread or None, **more))["messages"])
    except ChatGone:
        return []
    except ChatBusy as error:
        if code(error) == "missing_scope":
            raise _Unreadable(str(error)) from error
        raise
