"""Clients of Slack's Web API that ask once and log no contents, and what the operator must write to get one."""

import logging
import re
import time
from pathlib import Path
from typing import Literal, Protocol

import aiohttp
import yarl
from slack_sdk.web.async_client import AsyncWebClient

from providers import network
from providers.contract import Secret

SAID_AGAIN = 60.0  # seconds in which a library's line is not repeated: it looks for a lost Slack every ten


class AppSettings(Protocol):
    """What the doors read of `[chat.slack]`."""

    @property
    def mode(self) -> Literal["socket", "http"]: ...
    @property
    def api_url(self) -> str: ...
    @property
    def bot_token(self) -> Secret | None: ...
    @property
    def app_token(self) -> Secret | None: ...
    @property
    def signing_secret(self) -> Secret | None: ...
    @property
    def client_id(self) -> str | None: ...
    @property
    def client_secret(self) -> Secret | None: ...
    @property
    def installations(self) -> Path | None: ...
    @property
    def public_url(self) -> str | None: ...
    @property
    def listen_host(self) -> str: ...
    @property
    def listen_port(self) -> int: ...


def mistake(settings: AppSettings) -> str | None:
    """Return what is wrong with the settings, with the key's name and what to write there; None: nothing."""
    bot, app = settings.bot_token, settings.app_token
    several = settings.client_id is not None
    wrong = {
        "bot_token is missing: write the Bot User OAuth Token (xoxb-...) of OAuth & Permissions, or, for several "
        "workspaces, client_id, client_secret and installations": bot is None and not several,
        "bot_token is for one workspace, client_id for several: remove one of them": bot is not None and several,
        "bot_token holds an app-level token: write the Bot User OAuth Token (xoxb-...) of OAuth & Permissions": (
            bot is not None and bot.reveal().startswith("xapp-")
        ),
        "client_secret is missing: write the Client Secret of Basic Information, App Credentials": (
            several and settings.client_secret is None
        ),
        "installations is missing: write the file that keeps the tokens of the workspaces": (
            several and settings.installations is None
        ),
        'app_token is missing: write an app-level token (xapp-...) with connections:write, or mode = "http"': (
            settings.mode == "socket" and app is None
        ),
        "app_token holds a bot's token: write the app-level token (xapp-...) of Basic Information": (
            app is not None and app.reveal().startswith("xox")
        ),
        'signing_secret is missing: write the Signing Secret of Basic Information, or mode = "socket"': (
            settings.mode == "http" and settings.signing_secret is None
        ),
    }
    return next((words for words, is_so in wrong.items() if is_so), None)


def web_client(
    settings: AppSettings,
    token: Secret | None = None,
    *,
    team: str = "",
    session: aiohttp.ClientSession | None = None,
) -> AsyncWebClient:
    """Return a client that never asks twice by itself: a post repeated after a lost answer is two posts.

    `team` is for an app that a whole organisation installed. Without `session` each call opens a connection of its own.
    """
    ours = network.current()
    client = AsyncWebClient(
        token=token.reveal() if token else None,
        base_url=settings.api_url,
        ssl=ours.trust,
        session=session,
        team_id=team or None,
        logger=QUIET,
        retry_handlers=[],
    )
    proxy = ours.proxy_for(yarl.URL(settings.api_url))
    client.proxy = str(proxy) if proxy else None  # the SDK reads the environment itself, and not NO_PROXY
    return client


class _Gist(logging.Filter):
    """Keeps a line's first words and drops the rest: bodies, people's words, codes, addresses that hold a ticket."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        gist = re.split(r"[({:;\n]", str(record.msg), maxsplit=1)[0].strip()
        kind = record.exc_info[0] if record.exc_info else None
        record.msg = f"slack: {gist}{f' ({kind.__name__})' if kind else ''}"
        record.args, record.exc_info = (), None
        now = time.monotonic()
        if gist.startswith("As you gave"):  # of two ways to the token, as the environment holds it too
            return False
        fresh = now - self._said.get(record.msg, -SAID_AGAIN) >= SAID_AGAIN
        if fresh:
            self._said[record.msg] = now
        return fresh


QUIET = logging.getLogger("slack_bolt.quiet")
"""The logger given to the libraries: they copy its level and its filter to loggers of their own."""
QUIET.setLevel(logging.WARNING)  # below it they log whole bodies
QUIET.addFilter(_Gist())
