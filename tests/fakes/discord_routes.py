"""Which handler answers which path of Discord's API, and how every answer looks on the wire."""

import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from tests.fakes.discord_commands import Commands
from tests.fakes.discord_interactions import Answers
from tests.fakes.discord_rest import Rest

API = "/api/v10"
OPEN = {"interactions", "webhooks"}  # these carry their token in the path
BUCKET = 50  # requests a second
Route = tuple[str, str, Callable[[web.Request], Awaitable[Any]]]


def routes(rest: Rest, answers: Answers, commands: Commands) -> Iterator[Route]:
    yield from _ours(rest)
    yield from _channels(rest)
    for scope in ("/applications/{application}/commands", "/applications/{application}/guilds/{guild}/commands"):
        yield from (("GET", scope, commands.get), ("PUT", scope, commands.put), ("POST", scope, commands.post))
    hook = "/webhooks/{application}/{token}"
    yield "POST", "/interactions/{interaction}/{token}/callback", answers.callback
    yield "POST", hook, answers.follow_up
    yield "GET", hook + "/messages/{message}", answers.get
    yield "PATCH", hook + "/messages/{message}", answers.patch
    yield "DELETE", hook + "/messages/{message}", answers.delete


def _ours(rest: Rest) -> Iterator[Route]:
    yield "GET", "/gateway", rest.gateway
    yield "GET", "/gateway/bot", rest.gateway
    yield "GET", "/users/@me", rest.me
    yield "GET", "/users/@me/guilds", rest.guilds
    yield "POST", "/users/@me/channels", rest.open_dm
    yield "GET", "/users/{user}", rest.user
    yield "GET", "/oauth2/applications/@me", rest.application
    yield "GET", "/applications/@me", rest.application
    yield "GET", "/guilds/{guild}", rest.guild
    yield "GET", "/guilds/{guild}/channels", rest.guild_channels
    yield "GET", "/guilds/{guild}/threads/active", rest.guild_threads
    yield "GET", "/guilds/{guild}/members/{user}", rest.guild_member


def _channels(rest: Rest) -> Iterator[Route]:
    place = "/channels/{channel}"
    yield "GET", place, rest.channel
    yield "PATCH", place, rest.patch_channel
    yield "DELETE", place, rest.delete_channel
    yield "POST", place + "/typing", rest.typing
    yield "POST", place + "/threads", rest.thread
    yield "PUT", place + "/thread-members/@me", rest.join_thread
    yield "GET", place + "/messages", rest.history
    yield "POST", place + "/messages", rest.post
    one = place + "/messages/{message}"
    yield "GET", one, rest.message
    yield "PATCH", one, rest.edit
    yield "DELETE", one, rest.delete
    yield "POST", one + "/threads", rest.thread_of_message
    yield "PUT", one + "/reactions/{emoji}/@me", rest.react
    yield "DELETE", one + "/reactions/{emoji}/@me", rest.unreact


def answer(said: Any, status: int, headers: Mapping[str, str]) -> web.Response:
    """Return JSON with the bare content type: discord.py takes one with a charset for text."""
    body = b"" if status == 204 else json.dumps(said).encode()
    kind = {} if status == 204 else {"Content-Type": "application/json"}
    return web.Response(status=status, body=body or None, headers={**headers, **kind})


def rate_headers(method: str, path: str, number: int) -> dict[str, str]:
    """Return headers of a bucket that never runs dry: discord.py waits by itself at 0 remaining."""
    kind = re.sub(r"\d{15,}", "{}", path) if not path.startswith(("/webhooks", "/interactions")) else path
    bucket = hashlib.sha256(f"{method} {kind}".encode()).hexdigest()[:32]
    left = BUCKET - 1 - number % (BUCKET - 1)
    said = {"Limit": str(BUCKET), "Remaining": str(left), "Reset-After": "1.000", "Bucket": bucket}
    said["Reset"] = f"{time.time() + 1:.3f}"
    return {"Via": "1.1 google"} | {f"X-RateLimit-{name}": value for name, value in said.items()}
