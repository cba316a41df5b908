"""How a video gets into Slack: announced, sent, shared, seen. Which place it goes to is decided elsewhere."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cachetools import LRUCache

from bot.chats.contract import ChatBusy, ChatGone, ChatUnsure, TooBig
from bot.chats.slack.api import Api, code, speaking
from providers.http import retry_after

UPLOAD_SECONDS = 100.0
APPEARS_WITHIN = 60.0  # seconds; a file that Slack has taken and shows nowhere by then never will be
UNFINISHED = frozenset({"file_not_found", "file_deleted"})
LISTED, PAGES = 200, 5
LOOKS = 6
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Film:
    """A video to be shared; `key` names the answer it belongs to, so that it is found again by its name."""

    key: str
    path: Path
    title: str = field(repr=False)
    comment: str = field(repr=False)

    @property
    def name(self) -> str:
        return f"zoetrope-{self.key}.mp4"


class _NotYet(ChatUnsure):
    def __init__(self, created: float) -> None:
        super().__init__("Slack has taken the video and does not show it yet")
        self.created = created  # Unix seconds


class Uploads:
    """Videos that Slack has and that were not seen in their place yet: a later try goes on where an earlier ended."""

    def __init__(self) -> None:
        self._files: LRUCache[str, str] = LRUCache(REMEMBERED)  # by key: the id of the file, whole

    async def share(self, api: Api, channel: str, thread: str, film: Film, *, refused: bool = False) -> str:
        """Share the video in a place; returns the file's id. Raises `ChatError`; afterwards it may stand there.

        `refused`: another place would not have it a moment ago, which posted nothing and may have used it up.
        """
        file = self._files.get(film.key) or await self._sent(api, film)
        described = json.dumps([{"id": file, "title": film.title or film.name}])
        size = film.path.stat().st_size
        try:
            await api.call(
                "files.completeUploadExternal", posting=True, size=size, files=described, channel_id=channel,
                thread_ts=thread or None, initial_comment=film.comment,
            )  # fmt: skip
        except TooBig:
            self._files.pop(film.key, None)  # a smaller one comes with the same key
            raise
        except ChatGone as error:
            if code(error) not in UNFINISHED:
                raise
            self._files.pop(film.key, None)
            if not refused:
                raise ChatBusy("Slack no longer has what was uploaded: it is sent anew") from error
            return await self.share(api, channel, thread, film)
        return file

    async def found(self, api: Api, film: Film, since: float) -> str | None:
        """Return "channel/ts/file" of a video that an earlier try shared, None if none did.

        Raises `ChatUnsure` while Slack has it and does not show it yet. One that it never shows is taken back, so that
        it can't turn up beside another.
        """
        file = self._files.get(film.key) or await self._listed(api, film, since)
        if file is None:
            return None
        try:
            return await self._seen_or_taken_back(api, film, file)
        except ChatGone as error:
            if code(error) in UNFINISHED:  # it was sent, and sharing it never happened, or somebody deleted it
                return None
            raise ChatUnsure(str(error)) from error

    async def _seen_or_taken_back(self, api: Api, film: Film, file: str) -> str | None:
        try:
            return await self.seen(api, film, file)
        except _NotYet as error:
            if time.time() < error.created + APPEARS_WITHIN:
                raise
        await api.call("files.delete", file=file)
        self._files.pop(film.key, None)
        return None

    async def seen(self, api: Api, film: Film, file: str) -> str:
        """Return "channel/ts/file" once the video stands in its place. Raises `ChatUnsure` until then."""
        said: dict[str, Any] = {}
        for _ in range(LOOKS):  # sharing goes on after its answer, and each look takes Slack's time
            said = (await api.call("files.info", file=file))["file"]
            if shared := _place(said):
                self._files.pop(film.key, None)
                return f"{shared}/{file}"
        raise _NotYet(float(said.get("created") or 0))

    async def _sent(self, api: Api, film: Film) -> str:
        size = film.path.stat().st_size
        told = await api.call("files.getUploadURLExternal", size=size, filename=film.name, length=str(size))
        await _send(api, str(told["upload_url"]), film.path, size)
        file = str(told["file_id"])
        self._files[film.key] = file
        return file

    async def _listed(self, api: Api, film: Film, since: float) -> str | None:
        """Look among our own files: files.list needs no right to read what people write."""
        me = (await api.me()).user
        for page in range(1, PAGES + 1):
            said = await api.call("files.list", user=me, ts_from=str(int(since)), count=str(LISTED), page=str(page))
            for file in said.get("files", ()):
                if file.get("name") == film.name and file.get("user") == me:
                    return str(file["id"])
            if page >= int(said.get("paging", {}).get("pages") or 0):
                break
        return None


async def _send(api: Api, url: str, path: Path, size: int) -> None:
    """Hand the bytes over. Nothing is posted by that, so whatever goes wrong can be tried again."""
    limit = aiohttp.ClientTimeout(total=UPLOAD_SECONDS)
    session = api.session
    if session is None:
        raise RuntimeError("an Api of ours has a session")
    with speaking(), await asyncio.to_thread(path.open, "rb") as file:
        async with session.post(url, data=file, timeout=limit) as answer:
            if answer.status == 413:
                raise TooBig(size * 4 // 5)
            if answer.status != 200:
                again = retry_after(answer)
                raise ChatBusy(f"Slack did not take the file: {answer.status}", again)


def _place(file: dict[str, Any]) -> str | None:
    """Return "channel/ts" of where a file stands."""
    for channels in (file.get("shares") or {}).values():
        for channel, posts in channels.items():
            for post in posts:
                return f"{channel}/{post['ts']}"
    return None
