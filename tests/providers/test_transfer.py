"""Videos arrive over lines that break, crawl, lie and lead astray: real servers on loopback."""

import asyncio
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yarl
from aiohttp import web

from providers import http, network, transfer
from providers.contract import Busy, Expired
from providers.network import Network

OPENSSL = shutil.which("openssl") or "openssl"
REQUEST = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out ca.pem -subj /CN=a"
VIDEO = b"\x00\x00\x00\x18ftypmp42" + os.urandom(400_000)


@dataclass
class Shelf:
    """Serves one file. `breaks` bytes after its start an answer is cut off."""

    body: bytes = VIDEO
    tag: str | None = '"one"'
    breaks: int | None = None
    ranges: bool = True
    status: int = 200
    starts: list[int] = field(default_factory=list)
    sent: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        start = self._start(request)
        self.starts.append(start)
        if self.status != 200:
            return web.Response(status=self.status)
        rest = self.body[start:]
        headers = {"Content-Length": str(len(rest))} | ({"ETag": self.tag} if self.tag else {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        answer = web.StreamResponse(status=206 if start else 200, headers=headers)
        await answer.prepare(request)
        piece = rest if self.breaks is None else rest[: self.breaks]
        self.sent += len(piece)
        await answer.write(piece)
        if len(piece) < len(rest):
            await asyncio.sleep(0)
            assert request.transport is not None
            request.transport.close()
        return answer

    def _start(self, request: web.BaseRequest) -> int:
        asked = request.headers.get("Range")
        if asked is None or not self.ranges or request.headers.get("If-Range") != self.tag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@asynccontextmanager
async def serving(shelf: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(shelf.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextmanager
def reaching(ours: Network) -> Iterator[None]:
    before = network.current()
    network.use(ours)
    try:
        yield
    finally:
        network.use(before)


async def bring(port: int, into: Path, **options: Any) -> None:
    await transfer.download(f"http://127.0.0.1:{port}/a.mp4", into, loopback=True, **options)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_line_that_breaks_again_and_again_brings_every_byte_once(tmp_path: Path) -> None:
    shelf = Shelf(breaks=100_000)
    async with serving(shelf) as port:
        await bring(port, tmp_path / "video.mp4")

    assert (tmp_path / "video.mp4").read_bytes() == VIDEO
    assert shelf.starts == [0, 100_000, 200_000, 300_000, 400_000]
    assert left(tmp_path) == {"video.mp4"}


async def test_a_line_that_brings_little_is_left_alone_for_a_while_and_what_came_is_kept(tmp_path: Path) -> None:
    shelf, into = Shelf(breaks=20_000), tmp_path / "video.mp4"
    async with serving(shelf) as port:
        with pytest.raises(Busy, match="broke off"):
            await bring(port, into)
        shelf.breaks = None
        await bring(port, into)  # as a new process would: nothing is in memory

    assert shelf.starts == [0, 20_000]
    assert (into.read_bytes(), left(tmp_path)) == (VIDEO, {"video.mp4"})


@pytest.mark.parametrize("tag", ['"one"', None, 'W/"one"'], ids=["no ranges", "no tag", "weak tag"])
async def test_a_server_that_can_not_go_on_is_asked_for_the_whole(tmp_path: Path, tag: str | None) -> None:
    shelf, into = Shelf(breaks=200_000, ranges=False, tag=tag), tmp_path / "video.mp4"
    async with serving(shelf) as port:
        with pytest.raises(Busy, match="broke off"):
            await bring(port, into)
        shelf.breaks = None
        await bring(port, into)

    assert into.read_bytes() == VIDEO
    assert set(shelf.starts) == {0}


async def test_a_file_that_changes_between_tries_is_never_mixed(tmp_path: Path) -> None:
    shelf, into = Shelf(breaks=20_000), tmp_path / "video.mp4"
    other = b"\x00\x00\x00\x18ftypmp42" + os.urandom(400_000)
    async with serving(shelf) as port:
        with pytest.raises(Busy):
            await bring(port, into)
        shelf.body, shelf.tag, shelf.breaks = other, '"two"', None
        await bring(port, into)
    assert into.read_bytes() == other


async def test_a_server_that_sends_another_part_than_asked_is_not_believed(tmp_path: Path) -> None:
    class Liar(Shelf):
        def _start(self, request: web.BaseRequest) -> int:
            return 5_000 if "Range" in request.headers else 0

    shelf, into = Liar(breaks=20_000), tmp_path / "video.mp4"
    async with serving(shelf) as port:
        for words in ("broke off", "has changed"):
            with pytest.raises(Busy, match=words):
                await bring(port, into)
        shelf.breaks = None
        await bring(port, into)
    assert into.read_bytes() == VIDEO


async def test_what_a_power_cut_may_have_spoiled_is_fetched_again(tmp_path: Path) -> None:
    shelf, into = Shelf(breaks=20_000), tmp_path / "video.mp4"
    async with serving(shelf) as port:
        with pytest.raises(Busy):
            await bring(port, into)
        with (tmp_path / "video.mp4.part").open("ab") as part:
            part.write(b"\x00" * 50_000)  # its length had reached the disk, its bytes had not
        shelf.breaks = None
        await bring(port, into)
    assert (into.read_bytes(), shelf.starts) == (VIDEO, [0, 20_000])


async def test_a_note_that_is_broken_means_from_zero(tmp_path: Path) -> None:
    shelf, into = Shelf(), tmp_path / "video.mp4"
    (tmp_path / "video.mp4.part").write_bytes(b"x" * 50_000)
    (tmp_path / "video.mp4.part.json").write_bytes(b'{"version": "a", "size": "many"}')
    async with serving(shelf) as port:
        await bring(port, into)
    assert into.read_bytes() == VIDEO


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_that_is_gone_is_said_to_be_and_a_fresh_one_goes_on(tmp_path: Path, status: int) -> None:
    shelf, into = Shelf(breaks=20_000), tmp_path / "video.mp4"
    async with serving(shelf) as port:
        with pytest.raises(Busy):
            await bring(port, into)
        shelf.status = status
        with pytest.raises(Expired, match=f"answered {status}"):
            await bring(port, into)
        shelf.status, shelf.breaks = 200, None
        await bring(port, into)
    assert shelf.starts == [0, 20_000, 20_000]


async def test_silence_ends_a_connection_and_time_does_not(tmp_path: Path) -> None:
    never = asyncio.Event()

    class Crawling(Shelf):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            answer = web.StreamResponse(headers={"Content-Length": "24", "ETag": '"one"'})
            await answer.prepare(request)
            for number in range(24):
                await answer.write(VIDEO[number : number + 1])
                await asyncio.sleep(0.05)  # a byte now and then, for longer than the silence allowed
            return answer

    class Silent(Shelf):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            answer = web.StreamResponse(headers={"Content-Length": "24"})
            await answer.prepare(request)
            await never.wait()
            return answer

    async with serving(Crawling()) as port:
        await bring(port, tmp_path / "slow.mp4", silence=0.8)
    async with serving(Silent()) as port:
        with pytest.raises(Busy, match="broke off"):
            await bring(port, tmp_path / "silent.mp4", silence=0.1)
        never.set()
    assert (tmp_path / "slow.mp4").read_bytes() == VIDEO[:24]


async def test_two_tries_at_once_never_write_into_one_part(tmp_path: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    class Held(Shelf):
        async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
            begun.set()
            await go.wait()
            return await super().answer(request)

    async with serving(Held()) as port:
        first = asyncio.create_task(bring(port, tmp_path / "video.mp4"))
        await begun.wait()
        with pytest.raises(Busy, match="still receiving"):
            await bring(port, tmp_path / "video.mp4")
        go.set()
        await first
    assert (tmp_path / "video.mp4").read_bytes() == VIDEO


NOT_PUBLIC = [
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "2002:a00:1::1",
    "2002:808:808::1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "fec0::1",
    "fe80::1",
    "fc00::1",
    "ff0e::1",
    "224.0.0.1",
    "240.0.0.1",
    "198.18.0.1",
    "100.64.0.1",
    "0.0.0.1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_no_address_that_only_looks_public_is_fetched_from(tmp_path: Path, address: str) -> None:
    written = f"[{address}]" if ":" in address else address
    with pytest.raises(Busy, match="private network"):
        await transfer.download(f"https://{written}/a.mp4", tmp_path / "video.mp4")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0x0a000001", "10.1"])
async def test_an_address_in_disguise_is_one(tmp_path: Path, host: str) -> None:
    with pytest.raises(Busy, match="private network"):
        await transfer.download(f"https://{host}/a.mp4", tmp_path / "video.mp4")


@pytest.mark.parametrize("address", ["8.8.8.8", "64:ff9b::808:808", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is(address: str) -> None:
    assert network.is_public(ipaddress.ip_address(address))


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def answer(_loop: object, _host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", answer)


async def test_every_address_of_a_host_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Shelf()) as port:  # listens at 127.0.0.1 alone
        resolving(monkeypatch, "127.0.0.9", "127.0.0.1")
        await transfer.download(f"http://files.test:{port}/a.mp4", tmp_path / "video.mp4", loopback=True)
    assert (tmp_path / "video.mp4").read_bytes() == VIDEO


async def test_a_name_with_one_private_address_among_others_never_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    async with serving(shelf) as port:
        resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
        with pytest.raises(Busy, match="private network"):
            await transfer.download(f"https://files.test:{port}/a.mp4", tmp_path / "video.mp4")
    assert shelf.starts == []


def test_ranges_of_the_settings_hold_for_names_and_never_for_addresses() -> None:
    ours = Network(resolved_ranges=(ipaddress.ip_network("198.18.0.0/15"),))
    inside = ipaddress.ip_address("198.18.0.7")
    assert ours.leads_out(inside, named=True)
    assert not ours.leads_out(inside, named=False)
    assert not Network().leads_out(inside, named=True)


async def test_a_name_may_lead_into_a_range_of_the_settings_and_a_written_address_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    shelf = Shelf()
    with reaching(Network(resolved_ranges=(ipaddress.ip_network("127.0.0.0/8"),))):
        async with serving(shelf) as port:
            with pytest.raises(Busy, match="broke off"):  # it goes there, and finds no TLS
                await transfer.download(f"https://files.test:{port}/a.mp4", tmp_path / "video.mp4")
            with pytest.raises(Busy, match="private network"):
                await transfer.download(f"https://127.0.0.1:{port}/a.mp4", tmp_path / "video.mp4")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate nobody knows, for files.test, and what serves with it."""
    folder = tmp_path_factory.mktemp("ca")
    subprocess.run(
        [OPENSSL, *REQUEST.split(), "-addext", "subjectAltName=DNS:files.test,DNS:api.test"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    hashed = [OPENSSL, "x509", "-noout", "-hash", "-in", "ca.pem"]
    name = subprocess.run(hashed, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    (folder / f"{name}.0").write_bytes((folder / "ca.pem").read_bytes())  # so a folder of certificates is read
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serves.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return folder / "ca.pem", serves


@pytest.mark.parametrize("how", ["ca_file", "SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_downloads_and_calls_trust_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: tuple[Path, ssl.SSLContext], how: str
) -> None:
    ca, serves = authority
    resolving(monkeypatch, "127.0.0.1")
    ours = {
        "ca_file": Network(ca_file=ca),
        "SSL_CERT_FILE": Network(env={"SSL_CERT_FILE": str(ca)}),
        "SSL_CERT_DIR": Network(env={"SSL_CERT_DIR": str(ca.parent)}),
    }[how]
    async with serving(Shelf(), serves) as port:
        url = f"https://files.test:{port}/a.mp4"
        with pytest.raises(Busy, match="broke off"):
            await transfer.download(url, tmp_path / "video.mp4", loopback=True)
        with reaching(ours):
            await transfer.download(url, tmp_path / "video.mp4", loopback=True)
            async with http.client({}) as caller:
                assert (await caller.get(url)).content == VIDEO
    assert (tmp_path / "video.mp4").read_bytes() == VIDEO


class Proxy:
    """An HTTP proxy that leads every CONNECT to one port of this machine, and counts."""

    def __init__(self, port: int, status: int = 200) -> None:
        self.asked: list[str] = []
        self._port = port
        self._status = status
        self._work: list[asyncio.Future[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split(" ")[1])
        if self._status == 200:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        else:
            writer.write(f"HTTP/1.1 {self._status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await self._copy(reader, writer)

    async def _copy(self, of: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await of.read(1 << 16):
                to.write(data)
                await to.drain()
        to.close()
        with suppress(OSError):
            await to.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._work.append(asyncio.ensure_future(self.serve(reader, writer)))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*self._work)


@pytest.mark.parametrize("how", ["proxy", "HTTPS_PROXY", "https_proxy"])
async def test_downloads_and_calls_take_the_same_proxy_which_resolves_for_them(
    tmp_path: Path, authority: tuple[Path, ssl.SSLContext], how: str
) -> None:
    ca, serves = authority
    async with serving(Shelf(), serves) as port:
        proxy = Proxy(port)
        async with proxy.open() as address:
            given = Network(address, ca) if how == "proxy" else Network(ca_file=ca, env={how: address})
            with reaching(given):
                await transfer.download("https://files.test/a.mp4", tmp_path / "video.mp4")
                async with http.client({}) as caller:
                    assert (await caller.post("https://api.test/")).content == VIDEO
    assert proxy.asked == ["files.test:443", "api.test:443"]
    assert "secret" not in repr(given)


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://printer.local/", "https://db.internal/", "https://router/", "https://0x0a.1/"]
)
async def test_a_proxy_is_never_asked_for_what_is_private_by_its_form(tmp_path: Path, url: str) -> None:
    proxy = Proxy(9)
    async with proxy.open() as address:
        with reaching(Network(address)), pytest.raises(Busy, match="private network"):
            await transfer.download(url, tmp_path / "video.mp4")
    assert proxy.asked == []


async def test_a_proxy_that_says_no_has_sent_nothing_on() -> None:
    async with Proxy(9, 407).open() as address:
        with reaching(Network(address)):
            async with http.client({}) as caller:
                with pytest.raises(Busy, match="can't be reached"):
                    await caller.post("https://api.test/")


@pytest.mark.parametrize(
    ("rules", "url", "goes"),
    [
        ("", "https://api.test/", True),
        ("api.test", "https://api.test/", False),
        (".test", "https://api.test/", False),
        ("other.test, test", "https://api.test/", False),
        ("pi.test", "https://api.test/", True),
        ("*", "https://api.test/", False),
        ("10.0.0.0/8", "https://10.2.3.4/", False),
        ("10.0.0.0/8,nonsense/x", "https://11.2.3.4/", True),
        ("", "http://127.0.0.1:9/", False),
        ("", "http://localhost/", False),
        ("", "wss://gateway.test/", True),
    ],
)
def test_no_proxy_is_honoured_and_this_machine_needs_none(rules: str, url: str, goes: bool) -> None:
    ours = Network("proxy.test:3128", env={"NO_PROXY": rules})
    assert (ours.proxy_for(yarl.URL(url)) is not None) == goes


@pytest.mark.parametrize("given", ["socks5://a:1", "http://", "http://a:b:c", "ftp://a"])
def test_what_is_no_proxy_is_said_without_its_password(given: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        network.read_proxy(given)
