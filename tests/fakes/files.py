"""A vendor's films and other files, true or spoiled, and the CDN that sends them. No API and no vendor lives here."""

import functools
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from tests.media import clips


@functools.cache
def film(width: int = 320, height: int = 180, seconds: float = 1, *, sound: bool = False, front: bool = False) -> bytes:
    """Return a real H.264 MP4. Its index is at the end, as vendors send it, unless `front`."""
    with TemporaryDirectory() as folder:
        path, flags = Path(folder) / "film.mp4", "+faststart" if front else ""
        track = "aac" if sound else None
        return clips.clip(path, seconds=seconds, size=(width, height), sound=track, movflags=flags).read_bytes()


@dataclass(frozen=True, slots=True)
class File:
    """What is at an address of the CDN."""

    data: bytes = field(repr=False)
    mime: str = "video/mp4"
    claims: int | None = None  # bytes, as Content-Length; None: the truth
    padded_to: int = 0  # bytes: zeros follow the data up to here
    chunked: bool = False  # no Content-Length at all
    moved_to: str | None = None  # a 302 to there
    code: int = 200


def video() -> File:
    return File(film())


def html_page() -> File:
    return File(b"<!DOCTYPE html><html><body>Sign in to continue</body></html>", "text/html")


def html_called_video() -> File:
    return File(html_page().data)


def cut_short() -> File:
    """The file itself is broken: half a video, honestly measured."""
    return File(film()[: len(film()) // 2])


def line_cut() -> File:
    """The file is whole, the transfer is not: the connection closes half-way."""
    return File(film()[: len(film()) // 2], claims=len(film()))


def too_big(size: int, *, chunked: bool = False) -> File:
    """A video with zeros behind it, `size` bytes in all. `chunked`: it doesn't say so before."""
    return File(film(), padded_to=size, chunked=chunked)


def moved(url: str) -> File:
    return File(b"", moved_to=url)


NOTHING = File(b"", "text/plain", code=404)


class Files:
    """Files by their path on the CDN, whose origin is `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, File] = {}

    def put(self, name: str, file: File) -> str:
        """Lay a file on the CDN and return its address."""
        path = f"/files/b/{uuid.uuid4().hex[:8]}/{re.sub(r'[^A-Za-z0-9._-]', '_', name)}"
        self.files[path] = file
        return self.url + path

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
