"""What is asked of us by HTTP: Slack's signed posts, and the pages by which a workspace adds the app. No socket."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.chats.contract import ChatError
from bot.chats.slack.clients import QUIET, AppSettings

BODY_BYTES = 1024 * 1024
BODY_SECONDS = 10.0
STALE_SECONDS = 300  # Slack's own advice
LAST_SECONDS = 1.0  # that an answer under way may take when we are told to stop
EVENTS, INSTALL, REDIRECT = "/slack/events", "/slack/install", "/slack/oauth_redirect"

_log = logging.getLogger("zoetrope.slack")
Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Events:
    """Takes what Slack posts, once it is proven to be Slack's."""

    def __init__(self, app: AsyncApp, signing_secret: str) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)
        self._warned = False

    async def heard(self, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()  # raises 413
        except TimeoutError:
            return web.Response(status=408, text="The request took too long.")
        if b"ssl_check=1" in body.split(b"&"):
            return web.Response()  # Slack only looks at the certificate; bolt does not ask for a signature either
        if wrong := self._wrong(request, body):
            return self._refused(wrong)
        try:
            wish = await to_bolt_request(request)
        except (ValueError, AttributeError, RecursionError):
            return web.Response(status=400, text="This is nothing that Slack sends.")
        return await _shown(await self._app.async_dispatch(wish))

    def _wrong(self, request: web.Request, body: bytes) -> str | None:
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if stamp.isdecimal() and len(stamp) < 16 and abs(time.time() - int(stamp)) > STALE_SECONDS:
            return "The request is older than five minutes. If it was sent just now, set this machine's clock."
        try:
            if self._verifier.is_valid(body, stamp, request.headers.get("X-Slack-Signature", "")):
                return None
        except (ValueError, TypeError):  # no number, no UTF-8, no ASCII
            pass
        return "The request is not signed with this app's signing secret. If Slack sent it, check signing_secret."

    def _refused(self, words: str) -> web.Response:
        _log.log(logging.INFO if self._warned else logging.WARNING, "refused a request to %s: %s", EVENTS, words)
        self._warned = True  # anybody can send more of them
        return web.Response(status=401, text=words)


def install_pages(flow: AsyncOAuthFlow) -> dict[tuple[str, str], Page]:
    def page(show: Callable[..., Awaitable[BoltResponse]]) -> Page:
        async def shown(request: web.Request) -> web.StreamResponse:
            try:
                return await _shown(await show(await to_bolt_request(request)))
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody stands before a page
                _log.error("%s failed (%s)", request.path, type(error).__name__)
                return web.Response(status=503, text="This did not work now. Please try it again in a minute.")

        return shown

    return {("GET", INSTALL): page(flow.handle_installation), ("GET", REDIRECT): page(flow.handle_callback)}


async def _shown(answer: BoltResponse) -> web.Response:
    response: web.Response = await to_aiohttp_response(answer)
    return response


@asynccontextmanager
async def serving(pages: dict[tuple[str, str], Page], settings: AppSettings) -> AsyncIterator[None]:
    served = web.Application(client_max_size=BODY_BYTES)
    for (method, path), page in pages.items():
        served.router.add_route(method, path, page)
    runner = web.AppRunner(served, access_log=None, logger=QUIET, shutdown_timeout=LAST_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.listen_host, settings.listen_port).start()
        except OSError as error:
            raise ChatError(
                f"[chat.slack] can't listen on {settings.listen_host}, port {settings.listen_port} ({error.strerror}). "
                "Choose another listen_host or listen_port, or stop what uses it."
            ) from error
        yield
    finally:
        await runner.cleanup()
