"""Discord's gateway: sessions that say hello, identify, beat, resume, and hear of what happens. Nothing else."""

import asyncio
import json
import secrets
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.discord_things import Guild
from tests.fakes.discord_words import PRIVILEGED, Intent
from tests.fakes.discord_world import World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
BAD_TOKEN, BAD_SHARD, NOT_GRANTED = 4004, 4010, 4014
NEEDS = {  # which intent an event needs: in a guild, in a DM
    "GUILD_": (Intent.GUILDS, Intent.GUILDS),
    "CHANNEL_": (Intent.GUILDS, Intent.GUILDS),
    "THREAD_": (Intent.GUILDS, Intent.GUILDS),
    "MESSAGE_REACTION_": (Intent.GUILD_REACTIONS, Intent.DIRECT_REACTIONS),
    "MESSAGE_": (Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
}


@dataclass(frozen=True, slots=True)
class Identify:
    """How a client introduced itself. `at`: seconds of `time.monotonic`."""

    at: float
    intents: Intent
    shard: tuple[int, int]
    properties: dict[str, str]


class Line:
    """One websocket, compressed when the client asked for zlib-stream; frames leave in the order they are put."""

    def __init__(self, socket: web.WebSocketResponse, *, compressed: bool) -> None:
        self.socket = socket
        self.beats = 0
        self._zlib = zlib.compressobj() if compressed else None
        self._frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def put(self, op: int, data: Any = None, seq: int | None = None, event: str | None = None) -> None:
        self._frames.put_nowait({"op": op, "d": data, "s": seq, "t": event})

    async def send(self) -> None:
        """Send what is put, until cancelled or cut off."""
        while True:
            text = json.dumps(await self._frames.get())
            try:
                if self._zlib is None:
                    await self.socket.send_str(text)
                else:
                    packed = self._zlib.compress(text.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(packed)
            except ConnectionError:
                return


@dataclass(eq=False)
class Session:
    id: str
    intents: Intent
    shard: tuple[int, int]
    line: Line | None
    seq: int = 0
    log: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list, repr=False)  # for RESUME

    def hears(self, event: str, guild: Guild | None) -> bool:
        """Say whether an event is for this shard and its intents."""
        number, count = self.shard
        if guild and not guild.joined and event != "INTERACTION_CREATE":
            return False
        if (guild.id >> 22) % count != number if guild else number != 0:
            return False
        for prefix, (in_guild, in_dm) in NEEDS.items():
            if event.startswith(prefix):
                return (in_guild if guild else in_dm) in self.intents
        return True

    def tell(self, event: str, data: dict[str, Any]) -> None:
        self.seq += 1
        self.log.append((self.seq, event, data))
        if self.line:
            self.line.put(DISPATCH, data, self.seq, event)


class Gateway:
    """Sessions live on without their socket, as Discord's do for some minutes, until their shard identifies anew."""

    def __init__(self, world: World, token: str, beat_seconds: float, changed: Callable[[], None]) -> None:
        self._world = world
        self._token = token
        self._beat_seconds = beat_seconds
        self._changed = changed
        self.url = ""
        self.shards = 1  # what GET /gateway/bot recommends
        self.starts_left = 1000
        self.identifies: list[Identify] = []
        self.resumes = 0
        self.beats = 0
        self.sessions: list[Session] = []
        self._lines: set[Line] = set()

    def about(self) -> dict[str, Any]:
        limit = {"total": 1000, "remaining": self.starts_left, "reset_after": 14_400_000, "max_concurrency": 1}
        return {"url": self.url, "shards": self.shards, "session_start_limit": limit}

    def emit(self, event: str, data: dict[str, Any], guild: Guild | None) -> None:
        """Tell every session that may hear it, now or when it resumes."""
        for session in self.sessions:
            if session.hears(event, guild):
                session.tell(event, data)
        self._changed()

    @property
    def live(self) -> list[Session]:
        return [session for session in self.sessions if session.line]

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """GET of the gateway's address: one connection from hello to its end."""
        socket = web.WebSocketResponse(timeout=1, compress=False)
        await socket.prepare(request)
        line = Line(socket, compressed=request.query.get("compress") == "zlib-stream")
        self._lines.add(line)
        sending = asyncio.create_task(line.send())
        line.put(HELLO, {"heartbeat_interval": round(self._beat_seconds * 1000), "_trace": []})
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    await self._heard(line, json.loads(frame.data))
        finally:
            sending.cancel()
            self._lines.discard(line)
            for session in self.sessions:
                session.line = None if session.line is line else session.line
            self._changed()
        return socket

    async def _heard(self, line: Line, said: dict[str, Any]) -> None:
        match said["op"]:
            case 1:
                line.beats, self.beats = line.beats + 1, self.beats + 1
                line.put(ACK)
            case 2:
                await self._identify(line, said["d"])
            case 6:
                await self._resume(line, said["d"])
        self._changed()

    async def _identify(self, line: Line, said: dict[str, Any]) -> None:
        intents, (number, count) = Intent(said["intents"]), said.get("shard") or (0, 1)
        self.identifies.append(Identify(time.monotonic(), intents, (number, count), said["properties"]))
        self.starts_left -= 1
        granted = Intent.MESSAGE_CONTENT if self._world.message_content else Intent(0)
        wrong = (BAD_TOKEN, said["token"] != self._token), (BAD_SHARD, number >= count)
        for code, is_so in (*wrong, (NOT_GRANTED, bool(intents & PRIVILEGED & ~granted))):
            if is_so:
                await line.socket.close(code=code)
                return
        self.sessions = [one for one in self.sessions if one.line or one.shard != (number, count)]
        session = Session(secrets.token_hex(16), intents, (number, count), line)
        session.tell("READY", self._ready(session))
        for guild in self._world.guilds.values():
            if session.hears("GUILD_CREATE", guild):
                session.tell("GUILD_CREATE", self._world.full(guild))
        self.sessions.append(session)

    def _ready(self, session: Session) -> dict[str, Any]:
        mine = [guild for guild in self._world.guilds.values() if session.hears("GUILD_CREATE", guild)]
        return {
            "v": 10,
            "user": self._world.bot.json() | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(self._world.application_id), "flags": 0},
        }

    async def _resume(self, line: Line, said: dict[str, Any]) -> None:
        if said["token"] != self._token:
            await line.socket.close(code=BAD_TOKEN)
            return
        session = next((one for one in self.sessions if one.id == said["session_id"]), None)
        if session is None:
            line.put(INVALID, data=False)
            return
        self.resumes += 1
        session.line = line
        for seq, event, data in session.log:
            if seq > (said["seq"] or 0):
                line.put(DISPATCH, data, seq, event)
        session.tell("RESUMED", {"_trace": []})

    def reconnect(self) -> None:
        """Op 7: every client is to come back and resume."""
        for line in self._lines:
            line.put(RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9; unless resumable the sessions are forgotten."""
        if not resumable:
            self.sessions.clear()
        for line in self._lines:
            line.put(INVALID, resumable)

    def forget(self) -> None:
        """Forget the sessions without a word: a later RESUME is refused."""
        self.sessions.clear()

    async def close(self, code: int = 1001) -> None:
        """Close all sockets; sessions can be resumed."""
        for line in list(self._lines):
            await line.socket.close(code=code)

    def cut(self) -> None:
        """Drop all sockets as a broken network does."""
        for line in self._lines:
            if transport := line.socket._req and line.socket._req.transport:
                transport.abort()
