"""Opens connections, each by the proxy that is on its way."""

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class Connector(aiohttp.TCPConnector):
    """Decides about the proxy for each request itself: the libraries above each have a rule of their own."""

    def __init__(self, trust: ssl.SSLContext, proxy_for: Callable[[yarl.URL], yarl.URL | None], **options: Any) -> None:
        super().__init__(ssl=trust, **options)
        self._proxy_for = proxy_for

    async def connect(
        self,
        req: "ClientRequest",
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> "Connection":
        req.update_proxy(self._proxy_for(req.url), None, None)
        return await super().connect(req, traces, timeout)
