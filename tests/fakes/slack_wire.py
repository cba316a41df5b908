"""How Slack tells an app what happened: by websocket (Socket Mode), or by signed POSTs to its URL. Nothing else."""

import asyncio
import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web

from tests.fakes.slack_things import Json
from tests.fakes.slack_words import Wrong

Kind = Literal["events_api", "interactive", "slash_commands"]
ACK_SECONDS = 3.0  # what comes later does nothing any more
DEAF = (ConnectionError, aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Ack:
    at: float  # seconds of `time.monotonic`
    seconds: float  # since it was sent
    payload: Any


@dataclass(eq=False)
class Envelope:
    """What was sent once. `unheard`: nobody listened, the person sees an error.

    `failures`: HTTP statuses other than 2xx, an error's name, or what Slack couldn't make of the ack's payload.
    """

    kind: Kind
    payload: Json = field(repr=False)
    accepts: bool = False
    attempt: int = 0
    reason: str = ""
    on_ack: Callable[[Any], None] | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sent_at: float | None = None  # seconds of `time.monotonic`
    acks: list[Ack] = field(default_factory=list)
    failures: list[int | str] = field(default_factory=list)
    unheard: bool = False

    def json(self) -> Json:
        said: Json = {"envelope_id": self.id, "type": self.kind, "payload": self.payload}
        said |= {"accepts_response_payload": self.accepts}
        if self.kind == "events_api":
            said |= {"retry_attempt": self.attempt, "retry_reason": self.reason}
        return said

    def acked(self, payload: Any) -> None:
        now = time.monotonic()
        self.acks.append(Ack(now, now - (self.sent_at or now), payload))
        if self.on_ack is None or len(self.acks) > 1 or self.acks[0].seconds > ACK_SECONDS:
            return
        try:
            self.on_ack(payload if self.accepts else None)
        except (Wrong, LookupError) as error:  # what the app wants to show can't be shown
            self.failures.append(f"{error} {getattr(error, 'body', '')}")


class Line:
    """One websocket; frames leave in the order they are put."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.retired = False  # told to go; gets nothing more
        self.frames: asyncio.Queue[Json] = asyncio.Queue()

    async def send(self) -> None:
        """Send what is put, until cancelled or cut off."""
        while True:
            try:
                await self.socket.send_str(json.dumps(await self.frames.get()))
            except ConnectionError:
                return


class Wire:
    """Each payload goes to one socket, in turn; events wait for one, clicks don't."""

    def __init__(self, signing_secret: str, app_id: str, changed: Callable[[], None]) -> None:
        self.request_url: str | None = None  # set: signed POSTs, no sockets
        self.envelopes: list[Envelope] = []
        self.hellos = 0
        self.lines: list[Line] = []
        self._secret = signing_secret
        self._app_id = app_id
        self._changed = changed
        self._waiting: list[Envelope] = []
        self._by_id: dict[str, Envelope] = {}
        self._turn = itertools.count()
        self._tickets: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def live(self) -> list[Line]:
        return [line for line in self.lines if not line.retired]

    def send(self, envelope: Envelope) -> Envelope:
        self.envelopes.append(envelope)
        self._by_id[envelope.id] = envelope
        if self.request_url is not None:
            envelope.sent_at = time.monotonic()
            task = asyncio.ensure_future(self._post(envelope))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self.live:
            self._put(envelope)
        elif envelope.kind == "events_api":
            self._waiting.append(envelope)
        else:
            envelope.unheard = True
        self._changed()
        return envelope

    def _put(self, envelope: Envelope) -> None:
        line = self.live[next(self._turn) % len(self.live)]
        envelope.sent_at = time.monotonic()
        line.frames.put_nowait(envelope.json())

    # sockets

    def ticket(self, url: str) -> str:
        """Return a websocket address that works once."""
        ticket = secrets.token_hex(12)
        self._tickets.add(ticket)
        return f"{url.replace('http', 'ws', 1)}/link?ticket={ticket}&app_id={self._app_id}"

    async def listen(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        line = Line(socket)
        self.lines.append(line)
        line.frames.put_nowait(self._hello())
        waiting, self._waiting = self._waiting, []
        for envelope in waiting:
            self._put(envelope)
        sender = asyncio.ensure_future(line.send())
        self._changed()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._heard(json.loads(frame.data))
        finally:
            sender.cancel()
            self.lines.remove(line)
            self._changed()
        return socket

    def _hello(self) -> Json:
        self.hellos += 1
        debug = {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060}
        about = {"app_id": self._app_id}
        return {"type": "hello", "num_connections": len(self.live), "debug_info": debug, "connection_info": about}

    def _heard(self, frame: Mapping[str, Any]) -> None:
        if envelope := self._by_id.get(frame.get("envelope_id", "")):
            envelope.acked(frame.get("payload"))
        self._changed()

    def disconnect(self, reason: str = "refresh_requested") -> None:
        """Say to every socket: warning (it lives on), refresh_requested, too_many_websockets or link_disabled."""
        for line in list(self.live):
            line.retired = reason != "warning"
            line.frames.put_nowait({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
        self._changed()

    async def close_sockets(self) -> None:
        """Close every socket, as Slack does when it restarts."""
        for line in list(self.lines):
            line.retired = True
            await line.socket.close(code=1001)

    def cut(self) -> None:
        """Drop every socket as a broken network does."""
        for line in list(self.lines):
            line.retired = True
            if transport := line.socket._req and line.socket._req.transport:
                transport.abort()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.close_sockets()
        if self._session:
            await self._session.close()

    # signed POSTs

    async def _post(self, envelope: Envelope) -> None:
        try:
            status, text = await self.post(envelope.kind, envelope.payload, retry=(envelope.attempt, envelope.reason))
        except DEAF as error:
            envelope.failures.append(type(error).__name__)
        else:
            if 200 <= status < 300:
                envelope.acked(_said(text))
            else:
                envelope.failures.append(status)
        self._changed()

    async def post(
        self, kind: Kind, payload: Json, *, secret: str = "", age: float = 0, retry: tuple[int, str] = (0, "")
    ) -> tuple[int, str]:
        """POST to the app and return (status, body). `secret`: not ours; `age`: seconds since it was signed."""
        body, content_type = _body(kind, payload)
        stamp = str(int(time.time() - age))
        signature = hmac.new((secret or self._secret).encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256)
        headers = {"Content-Type": content_type, "X-Slack-Request-Timestamp": stamp}
        headers |= {"X-Slack-Signature": f"v0={signature.hexdigest()}", "User-Agent": "Slackbot 1.0"}
        headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]} if retry[0] else {}
        self._session = self._session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ACK_SECONDS))
        url = str(self.request_url)
        async with self._session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()


def _body(kind: Kind, payload: Json) -> tuple[str, str]:
    form = "application/x-www-form-urlencoded"
    if kind == "slash_commands":
        return urlencode(payload), form
    if kind == "interactive":
        return urlencode({"payload": json.dumps(payload)}), form
    return json.dumps(payload), "application/json"


def _said(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"text": text}
