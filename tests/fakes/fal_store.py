"""How files come into fal's storage and its runners read them; how they go out is in `files`. No job lives here.

Plays fal's pages on the CDN and media expiration, and how fal-client 1.0.3 stores a file, as read on 2026-11-20.
"""

import base64
import binascii
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.fakes.files import NOTHING, File, Files
from tests.fakes.loopback import object_in


class Store(Files):
    """`stranger` answers who has no right to store."""

    def __init__(self, stranger: Callable[[web.Request], web.Response | None]) -> None:
        super().__init__()
        self._stranger = stranger
        self._token = uuid.uuid4().hex

    def drop(self, address: str) -> None:
        self.files.pop(address.removeprefix(self.url), None)

    def load(self, address: str) -> bytes | None:
        """Read a picture as a runner would: from the CDN or a data URI. Nothing else is within reach."""
        if address.startswith("data:"):
            try:
                return base64.b64decode(address.partition(";base64,")[2], validate=True)
            except binascii.Error:
                return None
        file = self.files.get(address.removeprefix(self.url), NOTHING)
        return file.data if address.startswith(self.url) and file.code == 200 else None

    async def token(self, request: web.Request) -> web.Response:
        if stranger := self._stranger(request):
            return stranger
        if request.query.get("storage_type") != "fal-cdn-v3" or object_in(await request.read()) is None:
            return web.json_response({"detail": "Bad Request"}, status=400)
        until = (datetime.now(UTC) + timedelta(days=1)).isoformat()  # whoever holds it asks the real time
        token = {"token": self._token, "token_type": "Bearer", "expires_at": until}
        return web.json_response(token | {"base_url": self.url})

    async def initiate(self, request: web.Request) -> web.Response:
        if stranger := self._stranger(request):
            return stranger
        wanted = object_in(await request.read())
        if request.query.get("storage_type") not in {"fal-cdn-v3", "gcs"} or wanted is None:
            return web.json_response({"detail": "Bad Request"}, status=400)
        missing = [_missing(name) for name in ("content_type", "file_name") if not isinstance(wanted.get(name), str)]
        if missing:
            return web.json_response({"detail": missing}, status=422)
        file_url = self.put(wanted["file_name"], NOTHING)
        upload_url = file_url.replace("/files/b/", "/files/signed/")
        return web.json_response({"upload_url": upload_url, "file_url": file_url})

    async def signed(self, request: web.Request) -> web.Response:
        path = request.path.replace("/files/signed/", "/files/b/")
        if path not in self.files:
            return web.Response(status=403)
        self.files[path] = File(await request.read(), request.content_type)
        return web.Response()

    async def upload(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return web.json_response({"detail": "Unauthorized"}, status=401)
        name = request.headers.get("X-Fal-File-Name", "file")
        return web.json_response({"access_url": self.put(name, File(await request.read(), request.content_type))})


def _missing(name: str) -> dict[str, Any]:
    return {"loc": ["body", name], "msg": "Field required", "type": "missing"}
