"""Connects to Slack: by its socket, or by HTTP at the listener. Of all events it handles those that end a workspace."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import yarl
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.listener.async_listener_start_handler import AsyncListenerStartHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.contract import ChatBusy, ChatError, ChatGone
from bot.chats.slack.api import TOKEN, code, speaking
from bot.chats.slack.clients import QUIET, AppSettings
from bot.chats.slack.http import INSTALL, Events, install_routes, serve_routes
from bot.chats.slack.tokens import Doorkeeper, Tokens
from bot.web.listener import Listener
from providers import network

PING_SECONDS = 10.0  # between pings; after four without an answer the library connects anew
START_SECONDS = 20.0  # that the first connection may take
TICKET_SECONDS = 20.0  # that the socket's address is used: Slack honours it only for a while
LAST_SECONDS = 1.0  # that an acknowledgement or a listener under way may take when we are told to stop
UNINSTALLED = "This workspace has not added me, or has removed me. Ask an admin to add the app again."
NOT_THIS_TOKEN = TOKEN | {"not_allowed_token_type", "missing_scope", "no_permission"}
ENDINGS = {
    "link_disabled": "Slack ended the socket: Socket Mode was switched off. Switch it on in the app's settings, "
    "Socket Mode; the bot then connects by itself",
    "too_many_websockets": "Slack ended the socket: this app has more than ten. Stop the other copies of the bot",
}

_log = logging.getLogger("zoetrope.slack")


def new_app(settings: AppSettings, client: AsyncWebClient, tokens: Tokens, uninstalled: str = UNINSTALLED) -> AsyncApp:
    """Return an app without a door. `client` has no token: each event gets its workspace's own.

    `uninstalled` is what a person reads where the app was removed; a link follows, if there is one.
    """
    several, url = tokens.installations, settings.public_url
    app = AsyncApp(
        name="slack_bolt.app",  # bolt sets the level of the logger of this name
        logger=QUIET,
        client=client,
        signing_secret=settings.signing_secret.reveal() if settings.signing_secret else "",
        authorize=Doorkeeper(tokens),  # type: ignore[arg-type] # it takes one; its hint names functions alone
        installation_store=several.store if several else None,
        user_facing_authorize_error_message=f"{uninstalled} {url.rstrip('/')}{INSTALL}"
        if several and url
        else uninstalled,
    )
    if several:
        unless_late = [several.unless_late]
        app.event("tokens_revoked", middleware=unless_late)(app.default_tokens_revoked_event_listener())
        app.event("app_uninstalled", middleware=unless_late)(app.default_app_uninstalled_event_listener())
    return app


@asynccontextmanager
async def open_door(
    app: AsyncApp, settings: AppSettings, tokens: Tokens, listener: Listener, scopes: Sequence[str] = ()
) -> AsyncIterator[Callable[[], bool]]:
    """Let Slack in until the block ends; nothing is left behind. `scopes` are what a workspace is asked for.

    Yields how to ask, from memory, whether Slack can reach us now.

    The library itself waits and connects anew. Raises `ChatError` for what the operator must mend, `ChatBusy` when
    Slack can't be reached at the start.
    """
    several = tokens.installations
    await (several.prepare() if several else tokens.me())
    listeners = _Listeners()
    app.listener_runner.listener_start_handler = listeners
    async with AsyncExitStack() as stack:
        stack.push_async_callback(listeners.leave)
        routes = install_routes(several.flow(scopes)) if several else []
        if settings.mode == "http" and settings.signing_secret:
            routes.append(Events(app, settings.signing_secret.reveal()).route)
        if routes:
            await stack.enter_async_context(serve_routes(listener, routes, settings))
        if settings.mode == "socket" and settings.app_token:
            socket = await stack.enter_async_context(_connect(app, settings.app_token.reveal()))
            yield socket.alive
        else:
            yield lambda: True


class _Listeners(AsyncListenerStartHandler):
    """Remembers what bolt starts for an event and lets go of."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def handle(self, request: AsyncBoltRequest, response: BoltResponse | None) -> None:  # noqa: ARG002 - bolt's
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        await _end(self._tasks)


@asynccontextmanager
async def _connect(app: AsyncApp, app_token: str) -> AsyncIterator["_Socket"]:
    socket = _Socket(app, app_token, await socket_address(app.client, app_token))
    try:
        await _begin(socket)
        yield socket
    finally:
        await socket.leave()


async def _begin(socket: "_Socket") -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await socket.connect()  # type: ignore[no-untyped-call] # the SDK left it so
    except TimeoutError as error:
        raise ChatBusy("Slack's socket can't be reached. Does a proxy or firewall forbid wss://?") from error


async def socket_address(client: AsyncWebClient, app_token: str) -> str:
    """Ask for the socket's address. Raises `ChatError` for what the operator must mend, `ChatBusy`."""
    try:
        with speaking():
            return str((await client.apps_connections_open(app_token=app_token))["url"])
    except ChatError as error:
        why = code(error)
        if why in NOT_THIS_TOKEN:
            raise ChatError(
                f"Slack does not accept the app-level token ({why}). Make one with the scope connections:write in the "
                "app's settings, Basic Information, App-Level Tokens, and write it to [chat.slack] app_token."
            ) from error
        if isinstance(error, ChatGone):  # Slack names no word of its own for a mode that is off
            raise ChatError(f"Slack gives no socket ({why}). Switch Socket Mode on in the app's settings.") from error
        raise


class _Socket(SocketModeClient):
    """The SDK's connection, which can also leave without a trace and does not go on with an address that died."""

    def __init__(self, app: AsyncApp, app_token: str, url: str) -> None:
        self._app = app
        self._handling: set[asyncio.Task[Any]] = set()
        super().__init__(
            app_token,
            logger=QUIET,
            web_client=app.client,
            ping_interval=PING_SECONDS,
            on_message_listeners=[_log_ending],
        )
        proxy = network.current().proxy_for(yarl.URL(url))
        self.proxy = str(proxy) if proxy else None  # the SDK reads the environment itself, and not NO_PROXY
        self.wss_uri = url
        self.socket_mode_request_listeners.append(self._handle)  # type: ignore[arg-type] # it wants the SDK's base class

    @property  # type: ignore[override] # an attribute there
    def wss_uri(self) -> str | None:
        return self._url if time.monotonic() - self._issued < TICKET_SECONDS else None

    @wss_uri.setter
    def wss_uri(self, url: str | None) -> None:
        self._url, self._issued = url, time.monotonic()

    def alive(self) -> bool:
        session = self.current_session
        return not (self.closed or self.stale or session is None or session.closed)

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Count a connection that Slack ended as dead at once: the SDK would wait for it to close if this fails."""
        self.stale = self.stale or force
        await super().connect_to_new_endpoint(force)

    async def process_message(self) -> None:
        """Do as the SDK does, and remember the task."""
        raw = await self.message_queue.get()
        task = asyncio.create_task(self.run_message_listeners(json.loads(raw) if raw.startswith("{") else {}, raw))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, _client: SocketModeClient, request: SocketModeRequest) -> None:
        start = time.time()
        await send_async_response(self, request, await run_async_bolt_app(self._app, request), start)

    async def leave(self) -> None:
        """Hear no more, let acknowledgements under way go out, close. What got none, Slack brings again."""
        self.closed = True
        await _cancel(self._loops())
        await _end(self._handling)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):  # for the other side's farewell; the library waits ten
                await self.disconnect()  # type: ignore[no-untyped-call] # the SDK left it so
        await self.close()  # type: ignore[no-untyped-call] # the same
        await _cancel(self._loops())  # those of a connection that was just being made

    def _loops(self) -> list[asyncio.Future[Any]]:
        loops = (self.message_receiver, self.current_session_monitor, self.message_processor)
        return [loop for loop in loops if loop is not None]


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait for tasks a little, then cancel them."""
    if tasks:
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
    await _cancel(list(tasks))


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _log_ending(message: aiohttp.WSMessage) -> None:
    """Say why Slack ended the connection, where somebody must do something about it."""
    if '"disconnect"' not in message.data:
        return
    said = json.loads(message.data)
    if said.get("type") == "disconnect" and (words := ENDINGS.get(said.get("reason"))):
        _log.error("%s", words)
