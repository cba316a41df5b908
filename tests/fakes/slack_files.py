"""Slack's files.* methods, where uploads go, and the host that files are read from. No routes."""

import math
import secrets
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from tests.fakes import slack_words as words
from tests.fakes.slack_blocks import check
from tests.fakes.slack_chat import Chat
from tests.fakes.slack_things import Channel, File, Json, Message, mime_of
from tests.fakes.slack_who import Ask, Method
from tests.fakes.slack_words import Wrong
from tests.fakes.slack_world import World


class Files:
    """`shares_after`: how many looks by files.info see no share yet; None: it is never shared by itself."""

    def __init__(self, world: World, chat: Chat) -> None:
        self._world = world
        self._chat = chat
        self.shares_after: int | None = 1
        self.completes_first = False  # a file is used up also where it is refused; no page says which is so
        self.hosts: dict[str, str] = {}  # "origin" and "foreign": http://127.0.0.1:PORT
        self._slots: dict[str, File] = {}
        self._waiting: list[Message] = []  # to come
        self._looks: Counter[str] = Counter()  # by file
        self.methods: dict[str, Method] = {
            "files.getUploadURLExternal": self.announce,
            "files.completeUploadExternal": self.complete,
            "files.info": self.info,
            "files.list": self.list,
            "files.delete": self.delete,
        }

    # upload

    def announce(self, ask: Ask) -> Json:
        name, length = str(ask["filename"]), int(ask["length"])
        if length < 1:
            raise Wrong("invalid_arguments", "length")
        world, bot = self._world, ask.install.team.bot
        file = File(world.new_id("F"), name, bot, world.clock(), world.url, size=length, state="announced")
        file.stuck = bool(ask.args.get("alt_txt"))  # reported: python-slack-sdk issue 1818, read on 2026-11-20
        world.files[file.id] = file
        slot = secrets.token_hex(12)
        self._slots[slot] = file
        return {"upload_url": f"{world.url}/upload/v1/{slot}", "file_id": file.id}

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Take the bytes: raw, or the one file of a form."""
        file = self._slots.get(request.match_info["slot"])
        if file is None or file.state == "deleted":
            return web.Response(status=404, text="not found")
        data = await request.read()
        if request.content_type == "multipart/form-data":
            data = next(one.file.read() for one in (await request.post()).values() if isinstance(one, web.FileField))
        if len(data) != file.size:
            return web.Response(status=400, text="content length mismatch")
        file.data, file.mime = data, mime_of(file.name, data)
        file.state = "uploaded" if file.state == "announced" else file.state
        return web.Response(text=f"OK - {len(data)}")

    def complete(self, ask: Ask) -> Json:
        notes = ask["files"]
        try:
            channels = self._channels(ask)
        except Wrong:
            for one in notes if self.completes_first else ():
                self._finished(ask, str(one.get("id"))).state = "complete"
            raise
        if not isinstance(notes, list) or not notes or not all(isinstance(one, dict) for one in notes):
            raise Wrong("invalid_arguments", "files")
        found = [self._finished(ask, str(one.get("id"))) for one in notes]
        thread = self._chat.thread(ask, channels[0]) if channels else None
        if thread and len(channels) > 1:
            raise Wrong("invalid_arguments", "thread_ts")
        blocks = [] if ask.args.get("initial_comment") else check(ask.args.get("blocks") or [])
        for file, note in zip(found, notes, strict=True):
            file.state, file.title = "complete", str(note.get("title") or file.name)
        for channel in channels:
            self._promise(channel, found, str(ask.args.get("initial_comment") or ""), blocks, thread)
        said = {"files": [file.json(whole=True) for file in found]}
        self._pass(found)
        return said

    def _channels(self, ask: Ask) -> Sequence[Channel]:
        ids = [ask.args.get("channel_id"), *str(ask.args.get("channels") or "").split(",")]
        if str(ask.args.get("channel_id")) in self._world.members:  # only `channels` takes people
            raise Wrong("channel_not_found")
        channels = []
        for id_ in filter(None, ids):
            channel = self._chat.target(Ask({"channel": id_}, ask.install))
            if not channel.has_bot:  # chat:write.public doesn't help here
                raise Wrong("not_in_channel")
            channels.append(channel)
        return channels

    def _finished(self, ask: Ask, id_: str) -> File:
        """Return a file that was uploaded and not completed; no other is found (so the error list implies)."""
        file = self._world.files.get(id_)
        if file is None or file.owner is not ask.install.team.bot or file.state != "uploaded":
            raise Wrong("file_not_found")
        return file

    # shares

    def _promise(
        self, channel: Channel, files: Sequence[File], text: str, blocks: list[Json], thread: str | None
    ) -> None:
        message = Message("", channel, channel.team.bot, text, 0, blocks, thread, [*files], "file_share")
        self._waiting.append(message)

    def _pass(self, files: Sequence[File], looks: int = 0) -> None:
        for file in files:
            self._looks[file.id] += looks
            if self.shares_after is not None and not file.stuck and self._looks[file.id] >= self.shares_after:
                self.share(file)

    def share(self, *files: File) -> None:
        """Let the messages of files (of all that wait) appear now; in an archived channel none does."""
        due = [one for one in self._waiting if not files or set(files) & set(one.files)]
        self._waiting = [one for one in self._waiting if one not in due]
        for message in due:
            if message.channel.archived or message.channel.gone:
                continue
            message.ts, message.at = self._world.new_ts(), self._world.clock()
            self._world.stand(message)
            self._world.tell(message)

    def info(self, ask: Ask) -> Json:
        file = self._mine(ask)
        said = {"file": file.json(whole=True), "comments": []}
        self._pass([file], 1)
        return said

    def _mine(self, ask: Ask) -> File:
        file = self._world.files.get(str(ask["file"]))
        near = file and (file.owner.team is ask.install.team or file.connect)
        if file is None or not near or file.state in {"announced", "uploaded"}:
            raise Wrong("file_not_found")
        if file.state == "deleted":
            raise Wrong("file_deleted")
        return file

    def list(self, ask: Ask) -> Json:
        """Answer files.list, newest first: whole files, without their shares."""
        args, start = ask.args, float(ask.args.get("ts_from") or 0)
        found = [one for one in self._world.files.values() if one.owner.team is ask.install.team and one.at >= start]
        found = [one for one in found if one.state == "complete" and args.get("user") in (None, one.owner.id)]
        if place := args.get("channel"):
            found = [one for one in found if place in {share.channel.id for share in one.shares}]
        count, page = int(args.get("count") or 100), int(args.get("page") or 1)
        pages = math.ceil(len(found) / count)
        shown = found[::-1][(page - 1) * count : page * count]
        paging = {"count": count, "total": len(found), "page": page, "pages": pages}
        return {"files": [one.json() for one in shown], "paging": paging}

    def delete(self, ask: Ask) -> Json:
        file = self._mine(ask)
        if file.owner is not ask.install.team.bot:
            raise Wrong("cant_delete_file")
        file.state = "deleted"
        self._waiting = [one for one in self._waiting if file not in one.files]
        return {}

    # reading

    def read(self, request: web.Request, host: str) -> web.StreamResponse:
        """Answer a download: the bytes to those who may, a login page (with 200!) to others."""
        file = self._world.files.get(request.match_info["file"].partition("-")[2])
        if file is None or file.state in {"announced", "deleted"}:
            return web.Response(status=404, text="<html>File not found</html>", content_type="text/html")
        there = file.redirect if host == "main" or file.redirect == "loop" else ""
        if there:
            return web.Response(status=302, headers={"Location": f"{self.hosts.get(there, '')}{request.path}"})
        install = self._world.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        near = install and not install.dead and (file.owner.team is install.team or file.connect)
        if install is None or not near or "files:read" not in install.scopes:
            return web.Response(text=words.LOGIN_PAGE, content_type="text/html")
        return web.Response(body=file.data, headers={"Content-Type": file.mime})
