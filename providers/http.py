"""Speaks HTTP with manners: tries once, caps answers, turns foreign errors into ours."""

import io
import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
import httpx
import yarl

from providers import network
from providers.contract import Busy, ProviderError, Unsure
from providers.transfer import download

__all__ = [
    "ANSWER_BYTES",
    "HasHeaders",
    "Manners",
    "check_base_url",
    "client",
    "download",
    "is_gateways",
    "is_loopback",
    "is_page",
    "lost",
    "parsed",
    "retry_after",
]

ANSWER_BYTES = 4 * 1024 * 1024
# What aiohttp raises before a request has left: a name, a route, a handshake that failed, no connection in time.
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


class Manners(httpx.AsyncBaseTransport):
    """A transport that tries once and speaks our errors, so that a vendor's own SDK on top of it behaves as well.

    Once for a POST, that is: a poll over a connection that the vendor had closed meanwhile is sent on a fresh one.
    `Busy` when nothing can have been accepted; `Unsure` when a POST may have been. What a vendor itself answers passes.
    It stands on aiohttp, which takes a sixth of the processor time that httpx's own transport takes for the same poll.
    """

    def __init__(self, cap: int, *, own_codes: bool = False) -> None:
        self._cap = cap
        self._own_codes = own_codes
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by `fresh`; made in the loop that uses them

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._session(fresh=request.method == "POST")
        body, host = await request.aread(), request.url.host
        try:
            async with session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=io.BytesIO(body) if len(body) > 64 * 1024 else body or None,  # sent piece by piece
                allow_redirects=False,
                timeout=_timeout(request),
            ) as theirs:
                answer = await self._answer(request, theirs)
        except NOT_SENT as error:
            raise Busy(f"{host} can't be reached") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise lost(request, f"{host} broke off ({type(error).__name__})") from error
        if answer.status_code == 429 and not self._own_codes:
            raise Busy(f"{host} answered 429", retry_after(answer))
        if (answer.status_code in {408, 409} and not self._own_codes) or is_gateways(answer):
            raise lost(request, f"{host} answered {answer.status_code}")
        if is_page(answer):
            raise Busy(f"{host} answered {answer.status_code} with a page: is base_url right, and nothing in between?")
        return answer

    async def aclose(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        """Return a session; a `fresh` one opens a connection for each request.

        A paid POST must not meet a connection that the vendor is just closing: nobody could say whether it arrived.
        """
        if fresh not in self._sessions:
            connector = network.current().connector(force_close=fresh)
            self._sessions[fresh] = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._sessions[fresh]

    async def _answer(self, request: httpx.Request, theirs: aiohttp.ClientResponse) -> httpx.Response:
        """Read the answer, unpacked, up to the cap."""
        content = b""
        async for piece in theirs.content.iter_chunked(64 * 1024):
            content += piece
            if len(content) > self._cap:
                raise lost(request, f"{request.url.host} answered with more than {self._cap} bytes")
        packing = {b"content-encoding", b"content-length", b"transfer-encoding"}
        headers = [(name, value) for name, value in theirs.raw_headers if name.lower() not in packing]
        return httpx.Response(theirs.status, headers=headers, content=content, request=request)


def _timeout(request: httpx.Request) -> aiohttp.ClientTimeout:
    seconds = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(sock_connect=seconds.get("connect"), sock_read=seconds.get("read"))


def lost(request: httpx.Request, text: str) -> ProviderError:
    """Return what a lost answer means: a POST may have been accepted, anything else can be asked again."""
    return Unsure(text) if request.method == "POST" else Busy(text)


def is_gateways(answer: httpx.Response) -> bool:
    """Say whether something in between answered, after it may have passed the request on."""
    return is_page(answer) and (answer.status_code >= 500 or answer.status_code in {408, 409})


def is_page(answer: httpx.Response) -> bool:
    """Say whether an error is a page for people: what is made for programs says no in JSON."""
    return answer.status_code >= 400 and "html" in answer.headers.get("content-type", "")


class HasHeaders(Protocol):
    """An answer, of whichever library."""

    @property
    def headers(self) -> Mapping[str, str]: ...


def retry_after(answer: HasHeaders) -> float | None:
    """Return the seconds that it asks to wait for, at most an hour; None when it does not."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), 3600.0)


def parsed(answer: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object; an empty one for anything else."""
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):  # no JSON, or nested without end
        return {}
    return found if isinstance(found, dict) else {}


def is_loopback(url: str) -> bool:
    return httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}


def check_base_url(url: str, setting: str = "base_url") -> None:
    """Raise `ValueError` with what to do where a key must not go: only https, or this machine itself."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{setting} is no address ({error})") from error
    if not parts.host or parts.userinfo or not (parts.scheme == "https" or is_loopback(url)):
        raise ValueError(f"{setting} must be an https:// address without a password")


def client(headers: Mapping[str, str], *, seconds: float = 60.0, own_codes: bool = False) -> httpx.AsyncClient:
    """Return a client for one vendor's API. It follows no redirect, so a key stays where it was sent.

    `own_codes`: a code in the vendor's JSON says more than the HTTP status, so 408, 409 and 429 come back as answers.
    """
    return httpx.AsyncClient(
        transport=Manners(ANSWER_BYTES, own_codes=own_codes),
        headers=dict(headers),
        timeout=httpx.Timeout(seconds, connect=10.0),
        trust_env=False,
    )
