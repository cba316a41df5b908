"""Answers what is asked of us by HTTP: Slack's signed requests, and the pages by which a workspace adds the app."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.chats.contract import ChatError
from bot.chats.slack.clients import AppSettings
from bot.web.listener import Listener
from bot.web.server import Route

BODY_BYTES = 1024 * 1024
STALE_SECONDS = 300  # Slack's own advice
EVENTS, INSTALL, REDIRECT = "/slack/events", "/slack/install", "/slack/oauth_redirect"

_log = logging.getLogger("zoetrope.slack")
Page = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Events:
    """Takes what Slack posts, once it is proven to be Slack's."""

    def __init__(self, app: AsyncApp, signing_secret: str) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)
        self._warned = False

    @property
    def route(self) -> Route:
        return Route("POST", EVENTS, self.handle, BODY_BYTES)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if b"ssl_check=1" in body.split(b"&"):
            return web.Response()  # Slack only looks at the certificate; bolt does not ask for a signature either
        if wrong := self._fault(request, body):
            return self._refuse(wrong)
        try:
            event = await _request(request)
        except (ValueError, AttributeError, RecursionError):
            return web.Response(status=400, text="This is nothing that Slack sends.")
        return await _response(await self._app.async_dispatch(event))

    def _fault(self, request: web.BaseRequest, body: bytes) -> str | None:
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        sent = int(stamp) if stamp.isdecimal() and len(stamp) < 16 else None
        if sent is not None and abs(time.time() - sent) > STALE_SECONDS:
            return "The request is older than five minutes. If it was sent just now, set this machine's clock."
        try:
            if sent is not None and self._verifier.is_valid(body, stamp, request.headers.get("X-Slack-Signature", "")):
                return None
        except (ValueError, TypeError):  # no UTF-8, no ASCII
            pass
        return "The request is not signed with this app's signing secret. If Slack sent it, check signing_secret."

    def _refuse(self, words: str) -> web.Response:
        _log.log(logging.INFO if self._warned else logging.WARNING, "refused a request to %s: %s", EVENTS, words)
        self._warned = True  # anybody can send more of them
        return web.Response(status=401, text=words)


def install_routes(flow: AsyncOAuthFlow) -> list[Route]:
    def page(show: Callable[..., Awaitable[BoltResponse]]) -> Page:
        async def shown(request: web.BaseRequest) -> web.StreamResponse:
            return await _response(await show(await _request(request)))

        return shown

    pages = {INSTALL: flow.handle_installation, REDIRECT: flow.handle_callback}
    return [Route("GET", path, page(show)) for path, show in pages.items()]


async def _request(request: web.BaseRequest) -> AsyncBoltRequest:
    return AsyncBoltRequest(body=await request.text(), query=request.query_string, headers=dict(request.headers))


async def _response(answer: BoltResponse) -> web.Response:
    response: web.Response = await to_aiohttp_response(answer)
    return response


@asynccontextmanager
async def serve_routes(listener: Listener, routes: Collection[Route], settings: AppSettings) -> AsyncIterator[None]:
    """Serve Slack's requests at the address of the settings. Raises `ChatError` where that can't be had."""
    host, port = settings.listen_host, settings.listen_port
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(listener.serve(host, port, routes))
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ChatError(
                f"[chat.slack] can't listen on {host}, port {port} ({why}). "
                "Choose another listen_host or listen_port, or stop what uses it."
            ) from error
        yield
