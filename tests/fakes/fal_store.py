"""Where the fal server keeps files: uploads come in, pictures and videos go out, true or spoiled. No job lives here.

Plays fal's pages on the CDN and media expiration, and how fal-client 1.0.3 stores a file, as read on 2026-11-20.
"""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.fakes.fal_script import File

NOTHING = File(b"", "text/plain", code=404)


class Store:
    """Files by their path on the CDN, whose origin is `url`. `stranger` answers who has no right to store."""

    def __init__(self, stranger: Callable[[web.Request], web.Response | None]) -> None:
        self.url = ""
        self.files: dict[str, File] = {}
        self._stranger = stranger
        self._token = uuid.uuid4().hex

    def put(self, name: str, file: File) -> str:
        """Lay a file on the CDN and return its address."""
        path = f"/files/b/{uuid.uuid4().hex[:8]}/{re.sub(r'[^A-Za-z0-9._-]', '_', name)}"
        self.files[path] = file
        return self.url + path

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

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send a file, with whatever is wrong with it."""
        file = self.files.get(request.path, NOTHING)
        if file.moved_to is not None:
            return web.Response(status=302, headers={"Location": file.moved_to})
        headers = {"Content-Type": file.mime, "Cache-Control": "public, max-age=5184000, immutable"}
        answer = web.StreamResponse(status=file.code, headers=headers | {"Access-Control-Allow-Origin": "*"})
        total = max(len(file.data), file.padded_to)
        if not file.chunked:
            answer.content_length = total if file.claims is None else file.claims
        await answer.prepare(request)
        try:
            await answer.write(file.data)
            for sent in range(len(file.data), total, 65536):
                await answer.write(bytes(min(65536, total - sent)))
        except ConnectionError:
            return answer  # the client has seen enough
        if file.claims is not None and file.claims > total:
            hang_up(request)
        return answer


def hang_up(request: web.Request) -> None:
    """Close the connection; what has been written is still sent."""
    if request.transport:
        request.transport.close()


def object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that the bytes are; None: they are not."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _missing(name: str) -> dict[str, Any]:
    return {"loc": ["body", name], "msg": "Field required", "type": "missing"}
