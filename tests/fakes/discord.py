"""Discord on loopback: REST, gateway and CDN, for the real discord.py. What it can be told is in `discord_faults`.

Plays Discord's pages as read on 2026-11-20, as far as a bot with slash commands, menus, forms, buttons, threads and
files needs them. The state is in `discord_world`, people are in `discord_people`, messages in `discord_posts`,
interactions in `discord_interactions`, routes in `discord_rest`. Not played: voice, stickers, polls, HTTP interactions.
"""

import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

from aiohttp import web

from tests.fakes import discord_words as words
from tests.fakes.discord_commands import Commands
from tests.fakes.discord_gateway import Gateway, Identify
from tests.fakes.discord_interactions import Answers, Interaction
from tests.fakes.discord_people import People
from tests.fakes.discord_posts import Posts
from tests.fakes.discord_rest import Rest
from tests.fakes.discord_routes import API, OPEN, answer, rate_headers, routes
from tests.fakes.discord_things import Channel, Guild, Message, User
from tests.fakes.discord_words import EVERYONE, Permission, Wrong
from tests.fakes.discord_world import World
from tests.fakes.faulty_server import PATIENCE, FaultyServer

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMA.not-a.token"  # noqa: S105 - opens nothing
Handler = Callable[[web.Request], Awaitable[Any]]


@dataclass(slots=True)
class Request:
    """One request. `path` has no /api/v10; `at`: seconds of `time.monotonic`; `status`: None until answered."""

    method: str
    path: str
    at: float
    place: Literal["api", "gateway", "cdn"]
    headers: Mapping[str, str]
    status: int | None = None

    def fits(self, pattern: str) -> bool:
        """Match e.g. "POST /channels/{}/messages", where {} is any one part.

        Files are "GET /attachments/{}/{}/{}" (of messages) and "GET /ephemeral-attachments/{}/{}/{}" (of commands);
        the websocket is "GET /gateway".
        """
        method, _, path = pattern.partition(" ")
        ours, theirs = self.path.split("/"), path.split("/")
        same = all(part in {"{}", mine} for mine, part in zip(ours, theirs, strict=False))
        return method == self.method and len(ours) == len(theirs) and same


class Discord(People, FaultyServer[str]):
    """`async with Discord() as discord:` answers until the block ends; answers still held are let go then.

    Faults go by `Request.fits`, e.g. `next("POST /channels/{}/messages", limited())`.
    `clock`: seconds; it ages tokens, nonces and the three seconds, not ids. `message_content`: the privileged intent.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        clock: Callable[[], float] = time.time,
        message_content: bool = False,
        beat_seconds: float = 41.25,
        nonce_seconds: float = 180,
    ) -> None:
        super().__init__()
        self.token = token
        self.requests: list[Request] = []
        self.world = World(clock, message_content=message_content)
        self.gateway = Gateway(self.world, token, beat_seconds, self._wake)
        self.world.emit = self.gateway.emit
        self.posts = Posts(self.world, nonce_seconds)
        self.answers = Answers(self.world, self.posts)
        self.commands = Commands(self.world)
        self._rest = Rest(self.world, self.posts, self.gateway)
        self._count = itertools.count()
        self._urls: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        api, cdn = web.Application(client_max_size=1024 * words.MIB), web.Application()
        for method, path, handler in routes(self._rest, self.answers, self.commands):
            api.router.add_route(method, API + path, self._taking("api", handler))
        api.router.add_get("/gateway", self._taking("gateway", self.gateway.listen))
        api.router.add_route("*", "/{path:.*}", self._taking("api", _nothing))
        cdn.router.add_route("*", "/{path:.*}", self._taking("cdn", self._file))
        self._urls = {"api": await self._open(api), "cdn": await self._open(cdn)}
        self.gateway.url, self.world.cdn_url = self.gateway_url, self.cdn_url
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.release()
        await self.gateway.close()
        await self._close()

    # where and who

    @property
    def api_url(self) -> str:
        """For `discord.http.Route.BASE`; ends with /api/v10."""
        return self._urls["api"] + API

    @property
    def gateway_url(self) -> str:
        """For `DiscordWebSocket.DEFAULT_GATEWAY`; GET /gateway/bot and READY say the same."""
        return self._urls["api"].replace("http", "ws", 1) + "/gateway"

    @property
    def cdn_url(self) -> str:
        return self._urls["cdn"]

    @property
    def application_id(self) -> int:
        """Not the bot's user id, as with old applications."""
        return self.world.application_id

    @property
    def bot(self) -> User:
        return self.world.bot

    @property
    def bot_user_id(self) -> int:
        return self.world.bot.id

    # the world

    def guild(
        self, name: str = "home", premium_tier: int = 0, *, permissions: Permission = EVERYONE, joined: bool = True
    ) -> Guild:
        """Make a guild. `permissions`: of the bot's own role, beside what @everyone may do; see `Channel.deny`.

        Not `joined`: the app is there by a person's own install alone.
        """
        return self.world.guild(name, premium_tier, permissions, joined=joined)

    def user(self, name: str = "ann", locale: str = "en-US") -> User:
        return self.world.user(name, locale)

    def dm(self, user: User) -> Channel:
        return self.world.dm(user)

    # what can be seen

    def messages(self, channel: Channel) -> list[Message]:
        """All that stand there now, oldest first; ephemeral ones are at their interaction alone."""
        return list(channel.messages.values())

    def threads(self, channel: Channel) -> list[Channel]:
        return [one for one in self.world.channels.values() if one.parent is channel and not one.deleted]

    @property
    def interactions(self) -> list[Interaction]:
        return list(self.answers.interactions.values())

    @property
    def identifies(self) -> list[Identify]:
        return self.gateway.identifies

    def count(self, pattern: str) -> int:
        """Count requests, e.g. `count("POST /channels/{}/messages")`."""
        return sum(request.fits(pattern) for request in self.requests)

    async def connected(self, shards: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until that many shards have a live session."""
        await self.until(lambda: len(self.gateway.live) >= shards, seconds)

    # one request

    def _taking(self, place: Literal["api", "gateway", "cdn"], handler: Handler) -> Handler:
        async def take(request: web.Request) -> web.StreamResponse:
            path = request.path.removeprefix(API)
            seen = Request(request.method, path, time.monotonic(), place, request.headers)
            self.requests.append(seen)
            self._wake()
            act = partial(self._answer, seen, request, handler)
            response = await self._spoil(self._fault(seen.fits), request, act, partial(self._rates, seen, via=False))
            seen.status = response.status
            self._wake()
            return response

        return take

    async def _answer(self, seen: Request, request: web.Request, handler: Handler) -> web.StreamResponse:
        if seen.place != "api":
            response = await handler(request)
            assert isinstance(response, web.StreamResponse)
            return response
        try:
            said = await (handler if self._knows(seen) else _stranger)(request)
        except Wrong as wrong:
            status = words.ERRORS[wrong.code][0]
            return answer(words.error_body(wrong.code, wrong.errors), status, self._rates(seen))
        except (json.JSONDecodeError, KeyError, ValueError):
            return answer(words.error_body(50035), 400, self._rates(seen))
        return answer(said, 204 if said is None else 200, self._rates(seen))

    def _knows(self, seen: Request) -> bool:
        first = seen.path.removeprefix("/").partition("/")[0]
        return first in OPEN or seen.headers.get("Authorization") == f"Bot {self.token}"

    def _rates(self, seen: Request, *, via: bool = True) -> dict[str, str]:
        rates = rate_headers(seen.method, seen.path, next(self._count)) if seen.place == "api" else {}
        return {name: value for name, value in rates.items() if via or name != "Via"}  # a fault says its own

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self.world.files.get(request.path)
        if file is None or file.gone:
            return web.Response(status=404, text="This content is no longer available.")
        kind = {"Content-Type": file.content_type or "application/octet-stream"}
        return web.Response(body=file.data, headers=kind)


async def _stranger(_request: web.Request) -> Any:
    raise Wrong(40001)


async def _nothing(_request: web.Request) -> Any:
    raise Wrong(0)


__all__ = ["Channel", "Discord", "Guild", "Interaction", "Message", "Request", "User"]
