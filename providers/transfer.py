"""Brings a video from wherever its provider put it to a file, however slow or broken the line is.

What has come is kept beside the file, across tries and restarts, and the next try goes on from there.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO

import aiohttp
import msgspec
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from providers import network
from providers.atomic import write_synced, writing_in
from providers.contract import Busy, Expired

VIDEO_BYTES = 1024 * 1024 * 1024
HOPS = 5
SILENCE = 30.0  # seconds without a byte after which a connection counts as dead
WORTH_IT = 64 * 1024  # bytes that a broken connection must have brought for another one to be opened at once
SYNCED_EVERY = 8 * 1024 * 1024  # bytes that a power cut may cost
GONE = {403, 404, 410}
MOVED = {301, 302, 303, 307, 308}


async def probe(url: str, *, loopback: bool = False) -> None:
    """Open the way to a host as a download does, and ask for nothing. Raises `Busy`."""
    here = _parse(url)
    try:
        async with aiohttp.ClientSession(connector=_connector(here, loopback=loopback)) as session:
            await session.head(here, allow_redirects=False)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Busy(f"{here.host} can't be reached ({type(error).__name__})") from error


class _BrokeOff(Exception):
    """The connection ended before the video did."""


class _Unusable(Exception):
    """What has come is no video that we take: it must not be continued."""


class _Note(msgspec.Struct, frozen=True):
    """What is known of a part: which version of the video, how long that is, how much of it is on the disk."""

    version: str = ""
    length: int = -1
    size: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Part:
    """What has come of a video, held by one process at a time, and which version of it that is.

    Only bytes that have surely reached the disk are counted, for after a power cut the rest may be anything.
    """

    def __init__(self, file: BinaryIO, note: Path) -> None:
        self.file = file
        self._note = note
        said = _read_note(note)
        self.version, self.length = said.version, said.length
        self.size = said.size if said.version and said.size <= os.fstat(file.fileno()).st_size else 0
        self._synced = self.size
        self._cut()

    @property
    def whole(self) -> bool:
        return self.size == self.length and self.size > 0

    @property
    def worth_keeping(self) -> bool:
        return bool(self.version) and self.size > 0

    def begin(self, version: str, length: int) -> None:
        """Start from zero with another version of the video; "" for one that can't be told from others."""
        self.version, self.length, self.size = version, length, 0
        self._cut()
        self._write_note()

    def add(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)

    @property
    def unsynced(self) -> int:
        return self.size - self._synced

    def sync(self) -> None:
        """Wait for the disk, then count what it holds."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self._write_note()

    def _cut(self) -> None:
        self.file.seek(self.size)
        self.file.truncate()

    def _write_note(self) -> None:
        self._synced = self.size
        new = self._note.with_name(f"{self._note.name}.new")
        new.unlink(missing_ok=True)  # a crash may have left it half written
        write_synced(new, msgspec.json.encode(_Note(self.version, self.length, self.size)))
        new.replace(self._note)

    def start(self) -> bytes:
        self.file.flush()
        return os.pread(self.file.fileno(), 12, 0)


async def download(
    url: str, into: Path, *, loopback: bool = False, cap: int = VIDEO_BYTES, silence: float = SILENCE
) -> None:
    """Bring a video to a file, whole or not at all. Raises `Busy` for anything that another try might mend.

    https only, no private address at any hop, no key, at most `cap` bytes, and it must begin like a video. `loopback`
    lets a stand-in on this machine serve it. No limit on time: `silence` is how long not a byte may come.
    """
    part = into.with_name(f"{into.name}.part")
    note = into.with_name(f"{into.name}.part.json")
    with writing_in(into.parent), _held(part) as file:
        kept = _Part(file, note)
        try:
            await _receive(kept, url, loopback=loopback, cap=cap, silence=silence)
            part.replace(into)
            note.unlink(missing_ok=True)
        except _Unusable as error:
            kept.begin("", -1)
            raise Busy(str(error)) from error
        finally:
            if not kept.worth_keeping:
                part.unlink(missing_ok=True)
                note.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(part: Path) -> Iterator[BinaryIO]:
    """Open a part for this process alone. Raises `Busy` while another one receives it."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(file.fileno()).st_ino == part.stat().st_ino  # it may have become the video meanwhile
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise Busy("another try is still receiving the video")
        yield file


async def _receive(part: _Part, url: str, *, loopback: bool, cap: int, silence: float) -> None:
    """Fill the part; a line that breaks is taken up again at once for as long as it is worth it."""
    while not part.whole:
        before = part.size
        try:
            async with _asking(url, part, loopback=loopback, silence=silence) as answer:
                await _save(answer, part, cap)
        except (aiohttp.ClientError, TimeoutError, _BrokeOff) as error:
            if not part.version or part.size < before + WORTH_IT:
                raise Busy(f"the download broke off ({type(error).__name__})") from error
        else:
            break
        finally:
            part.sync()
    if not is_video(part.start()):
        raise _Unusable("the download is no video")


@contextlib.asynccontextmanager
async def _asking(url: str, part: _Part, *, loopback: bool, silence: float) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask for what is missing, at the end of at most `HOPS` addresses."""
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.version}
    limit = aiohttp.ClientTimeout(total=None, sock_connect=silence, sock_read=silence)
    for _ in range(HOPS):
        here = _parse(url)
        connector = _connector(here, loopback=loopback)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=limit) as session,
            session.get(here, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status not in MOVED or "Location" not in answer.headers:
                yield answer
                return
            url = _join(here, answer.headers["Location"])
    raise Busy(f"the video is behind more than {HOPS} redirects")


def _parse(url: str) -> yarl.URL:
    try:
        found = yarl.URL(url, encoded=True)
        _ = found.port
    except ValueError as error:
        raise Busy("the video's address is not one") from error
    return found


def _join(here: yarl.URL, location: str) -> str:
    try:
        return str(here.join(yarl.URL(location, encoded=True)))
    except ValueError as error:
        raise Busy("the video's address is not one") from error


def _connector(url: yarl.URL, *, loopback: bool) -> aiohttp.TCPConnector:
    """Return what connects to that address alone, once it is one that we go to. Raises `Busy`."""
    ours, host = network.current(), url.host or ""
    address = network.literal(host)
    here = loopback and (host == "localhost" or address is None or address.is_loopback)
    if url.scheme != "https" and not (here and url.scheme == "http"):
        raise Busy(f"the video's address begins with {url.scheme}, not https")
    if not host:
        raise Busy("the video's address is not one")
    if address is not None and not (network.is_public(address) or (loopback and address.is_loopback)):
        raise _private(host)
    if ours.proxy_for(url) is None:
        resolver = _Resolver(ours, loopback=loopback, public=url.scheme == "https")
        return ours.connector(resolver=resolver, use_dns_cache=False)
    if network.is_private_name(host) and address is None:  # the proxy resolves the rest
        raise _private(host)
    return ours.connector()


def _private(host: str) -> Busy:
    return Busy(f"the video's address leads to a private network ({host})")


class _Resolver(AbstractResolver):
    """Resolves a name to all addresses that we may go to, so that none can point elsewhere in between."""

    def __init__(self, ours: network.Network, *, loopback: bool, public: bool) -> None:
        self._ours = ours
        self._loopback = loopback
        self._public = public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Busy(f"the video's host {host!r} is not known") from error
        named = network.literal(host) is None
        results = [
            ResolveResult(hostname=host, host=str(to[0]), port=port, family=kind, proto=protocol, flags=0)
            for kind, _, protocol, _, to in found
            if self._may_go(str(to[0]), named=named)
        ]
        if not results:
            raise _private(host)
        return results

    async def close(self) -> None:
        pass

    def _may_go(self, to: str, *, named: bool) -> bool:
        address = network.literal(to)
        if address is None:
            return False
        return (self._loopback and address.is_loopback) or (self._public and self._ours.leads_out(address, named=named))


async def _save(answer: aiohttp.ClientResponse, part: _Part, cap: int) -> None:
    _begin(answer, part)
    if part.length > cap:
        raise _Unusable(f"the download is larger than {cap} bytes")
    async for piece in answer.content.iter_chunked(256 * 1024):
        part.add(piece)
        if part.size > cap:
            raise _Unusable(f"the download is larger than {cap} bytes")
        if part.size - len(piece) < 12 <= part.size and not is_video(part.start()):
            raise _Unusable("the download is no video")
        if part.unsynced >= SYNCED_EVERY:
            await asyncio.to_thread(part.sync)
    if part.length not in {-1, part.size}:
        raise _BrokeOff


def _begin(answer: aiohttp.ClientResponse, part: _Part) -> None:
    """Go on where the part ends if the answer does, else from zero. Raises `Busy` for no answer to go on with."""
    if answer.status in GONE:
        raise Expired(f"the download answered {answer.status}")
    if answer.status == 200:
        length = answer.content_length
        part.begin(_version(answer.headers), -1 if length is None else length)
    elif answer.status in {206, 416} and not _continues(
        answer, part
    ):  # not what was asked for: the next try asks for the whole
        part.begin("", -1)
        raise Busy("the video has changed since the last try")
    elif answer.status != 206:
        raise Busy(f"the download answered {answer.status}")


def _continues(answer: aiohttp.ClientResponse, part: _Part) -> bool:
    said = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if said is None or int(said[1]) != part.size:
        return False
    same_length = said[3] == "*" or part.length in {-1, int(said[3])}
    return same_length and _version(answer.headers) in {"", part.version}


def _version(headers: Mapping[str, str]) -> str:
    """Return what tells this version of a file from others: a strong tag, else its date; "": nothing does."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _read_note(path: Path) -> _Note:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError):
        return _Note()


def is_video(start: bytes) -> bool:
    """Say whether a file beginning so is an MP4 or QuickTime (ftyp), or a WebM (EBML)."""
    return start[4:8] == b"ftyp" or start[:4] == b"\x1a\x45\xdf\xa3"
