"""A vendor and a chat in one process on loopback, that count. What goes wrong, and when, is `weather`'s business."""

import asyncio
import json
import logging
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from aiohttp import web

from bench.toys.weather import Weather

PRICE = 280_000
WAITS = 0.2  # seconds in the vendor's queue
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fate:
    """What becomes of a job at the vendor, by its key alone: a second submission would meet the same."""

    takes: float  # seconds
    lag: float  # seconds until the vendor's list shows it
    refused: bool  # at once, for free
    fails: bool  # at the end, and charged
    ready: bool  # the video's index is in front, so that nothing is left to do to it


@dataclass
class Charge:
    key: str
    kind: str
    at: float
    fate: Fate
    stopped: bool = False
    refunded: bool = False


@dataclass
class Books:
    """Everything that was charged and posted."""

    charges: list[Charge] = field(default_factory=list)
    by_key: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    posts: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))  # by reply: with a video?

    def as_json(self) -> str:
        vendor = [
            {
                "key": one.key,
                "billed": 0 if one.refunded else PRICE,
                "makes": not (one.stopped or one.fate.fails),
            }
            for one in self.charges
        ]
        return json.dumps({"vendor": vendor, "posts": self.posts})


class House:
    """The handlers. A charge or a post happens at one instant; before it a request is under way, after it an answer."""

    def __init__(self, videos: Path, weather: Weather, seed: int) -> None:
        self._videos = {ready: (videos / f"{ready}.mp4").read_bytes() for ready in (True, False)}
        self._weather = weather
        self._seed = seed
        self.books = Books()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**22)
        app.add_routes(
            [
                web.post("/vendor/{kind}", self._in_weather("submit", self._submit)),
                web.get("/vendor/{kind}", self._in_weather("find", self._find)),
                web.get("/vendor/{kind}/{id}", self._in_weather("check", self._check)),
                web.delete("/vendor/{kind}/{id}", self._in_weather("cancel", self._cancel)),
                web.get("/video/{id}", self._in_weather("fetch", self._video)),
                web.post("/chat/{kind}", self._in_weather("post", self._post)),
                web.get("/chat/{kind}", self._in_weather("history", self._history)),
                web.put("/chat/{kind}", self._in_weather("show", self._show)),
                web.get("/books", self._read_books),
                web.post("/calm", self._calm),
            ]
        )
        return app

    def _in_weather(self, name: str, handle: Handler) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            body = await request.read()  # arrived whole: what it asks for happens, whatever becomes of the sender
            refusal = await self._weather.before(name, request)
            if refusal is not None:
                return refusal
            request["body"] = body
            answer = await handle(request)
            await self._weather.after(name, request)
            return answer

        return handler

    def _fate(self, key: str) -> Fate:
        dice = Random(f"{self._seed} {key}")
        late = dice.random() < 0.12
        return Fate(
            takes=dice.uniform(4, 5) if late else dice.uniform(0.3, 1.2),
            lag=dice.uniform(0, 1),
            refused=dice.random() < 0.06,
            fails=dice.random() < 0.06,
            ready=dice.random() < 0.85,
        )

    async def _submit(self, request: web.Request) -> web.Response:
        key, kind = json.loads(request["body"])["key"], request.match_info["kind"]
        known = self.books.by_key[key]
        if known and kind == "resend":
            return web.json_response({"id": known[0]})
        fate = self._fate(key)
        if fate.refused:
            return web.json_response({"error": "policy"}, status=422)
        known.append(len(self.books.charges))
        self.books.charges.append(Charge(key, kind, time.monotonic(), fate))
        return web.json_response({"id": known[-1]})

    async def _find(self, request: web.Request) -> web.Response:
        for number in self.books.by_key.get(request.query["key"], ()):
            charge = self.books.charges[number]
            if time.monotonic() >= charge.at + charge.fate.lag:
                return web.json_response({"id": number})
        return web.json_response({"id": None})

    async def _check(self, request: web.Request) -> web.Response:
        charge = self._charge(request)
        age = time.monotonic() - charge.at
        if charge.stopped:
            return web.json_response({"state": "stopped", "charged": not charge.refunded})
        if age < charge.fate.takes:
            return web.json_response({"state": "waiting" if age < WAITS else "rendering"})
        return web.json_response({"state": "failed" if charge.fate.fails else "finished", "charged": True})

    async def _cancel(self, request: web.Request) -> web.Response:
        charge = self._charge(request)
        age = time.monotonic() - charge.at
        if charge.stopped or age >= charge.fate.takes:
            return web.json_response({"cancelled": "too late"})
        charge.stopped, charge.refunded = True, age < WAITS
        return web.json_response({"cancelled": "free" if charge.refunded else "charged"})

    async def _video(self, request: web.Request) -> web.StreamResponse:
        data = self._videos[self._charge(request).fate.ready]
        cut = self._weather.cut()
        if cut is None:
            return web.Response(body=data)
        answer = web.StreamResponse()
        if cut:  # the connection breaks; else half a file looks like a whole one
            answer.content_length = len(data)
        await answer.prepare(request)
        await answer.write(data[: len(data) // 2])
        if cut and request.transport is not None:
            request.transport.close()
        return answer

    async def _post(self, request: web.Request) -> web.Response:
        key, posts = request.query["key"], self.books.posts
        if not (request.match_info["kind"] == "nonce" and posts[key]):
            posts[key].append(b"ftyp" in request["body"][:16])
        return web.json_response({"id": f"{key}#{len(posts[key])}"})

    async def _history(self, request: web.Request) -> web.Response:
        key = request.query["key"]
        return web.json_response({"id": f"{key}#1" if self.books.posts.get(key) else None})

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _read_books(self, _: web.Request) -> web.Response:
        return web.Response(text=self.books.as_json(), content_type="application/json")

    async def _calm(self, _: web.Request) -> web.Response:
        self._weather.calm = True
        return web.json_response({})

    def _charge(self, request: web.Request) -> Charge:
        return self.books.charges[int(request.match_info["id"])]


def serve(app: web.Application, listening: socket.socket) -> None:
    """Serve until killed. A client that is killed in the middle of a sentence is no news."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    asyncio.run(_serve(app, listening))


async def _serve(app: web.Application, listening: socket.socket) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await asyncio.Event().wait()
