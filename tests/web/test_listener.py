"""The listener, spoken to over real sockets by those who are slow, many, or wrong."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.app import build_chats
from bot.config import load
from bot.web import server
from bot.web.listener import Listener
from bot.web.server import Route

HALF = b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Half"
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read())


async def hello(_: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def breaks(_: web.BaseRequest) -> web.Response:
    raise ValueError("a-secret")


ROUTES = [Route("POST", "/echo", echo, max_bytes=100), Route("GET", "/hello", hello), Route("GET", "/breaks", breaks)]


@asynccontextmanager
async def ask(port: int, path: str, method: str = "GET", **more: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", **more) as answer,  # type: ignore[arg-type]
    ):
        yield answer


async def sends(port: int, text: bytes) -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    return reader, writer


async def ends(wire: Wire) -> bytes:
    """Return what still comes until the other side hangs up."""
    reader, writer = wire
    async with asyncio.timeout(60):
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(server, "BODY_SECONDS", 0.5)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with Listener().serve("127.0.0.1", 0, ROUTES) as port:
        yield port


async def test_a_route_is_answered_and_nothing_else(port: int) -> None:
    for method, path, status in [
        ("GET", "/hello", 200),
        ("HEAD", "/hello", 200),
        ("POST", "/hello", 405),
        ("GET", "/", 404),
    ]:
        async with ask(port, path, method) as answer:
            assert answer.status == status, (method, path)
    async with ask(port, "/echo", "POST", data=b"x" * 99) as answer:
        assert (answer.status, await answer.read()) == (200, b"x" * 99)


async def test_a_body_is_read_no_further_than_its_route_allows(port: int) -> None:
    async with ask(port, "/echo", "POST", data=b"x" * 101) as answer:
        assert answer.status == 413


async def test_headers_have_a_size(port: int) -> None:
    wire = await sends(port, b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
    assert (await ends(wire)).startswith(b"HTTP/1.0 400")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("before", [b"", HALF, b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" + HALF])
async def test_who_does_not_send_whole_headers_is_hung_up_on(before: bytes) -> None:
    async with Listener().serve("127.0.0.1", 0, ROUTES) as port:
        answer = await ends(await sends(port, before))
    assert (b"hello" in answer) is before.startswith(b"GET")


@pytest.mark.usefixtures("hurried")
async def test_headers_that_trickle_gain_no_time(port: int) -> None:
    reader, writer = await sends(port, HALF)
    ended = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(60):
        while not (await asyncio.wait({ended}, timeout=0.05))[0]:
            writer.write(b"x")
    writer.close()


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_does_not_come_is_told_and_hung_up_on(port: int) -> None:
    wire = await sends(port, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    assert (await ends(wire)).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("half", [HALF, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_hundreds_of_half_sent_requests_shut_nobody_out(monkeypatch: pytest.MonkeyPatch, half: bytes) -> None:
    for limit in ("HEAD_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(server, limit, 1000.0)  # it is not the time that makes room
    async with Listener().serve("127.0.0.1", 0, ROUTES) as port:
        wires = [await sends(port, half) for _ in range(300)]
        async with ask(port, "/hello") as answer:
            assert answer.status == 200
        assert await ends(wires[0]) == b"", "the oldest ones go"
    for _, writer in wires:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_full_house_at_work_takes_nobody_in_and_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "EACH", 2)
    inside, done = asyncio.Queue[None](), asyncio.Event()

    async def works(_: web.BaseRequest) -> web.Response:
        inside.put_nowait(None)
        await done.wait()
        return web.Response(text="done")

    async with Listener().serve("127.0.0.1", 0, [Route("GET", "/", works)]) as port:
        text = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        wires = [await sends(port, text) for _ in range(2)]
        for _ in wires:
            await asyncio.wait_for(inside.get(), 60)
        assert await ends(await sends(port, text)) == b""
        done.set()
        for wire in wires:
            assert (await ends(wire)).endswith(b"done")
        assert (await ends(await sends(port, text))).endswith(b"done")


async def test_a_handler_that_breaks_is_answered_and_its_words_stay_out_of_the_log(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ask(port, "/breaks") as answer:
        assert answer.status == 503
    assert "/breaks failed (ValueError)" in caplog.text
    assert "a-secret" not in caplog.text


async def test_what_is_no_http_is_no_line_in_the_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert (await ends(await sends(port, b"\x16\x03\x01 a-secret\r\n\r\n"))).startswith(b"HTTP/1.0 400")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


# Who shares, and who does not.


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def statuses(port: int) -> list[int]:
    found = []
    for path in ("/a", "/b"):
        async with ask(port, path) as answer:
            found.append(answer.status)
    return found


async def test_each_address_serves_only_its_own_routes() -> None:
    listener = Listener()
    async with (
        listener.serve("127.0.0.1", 0, [Route("GET", "/a", hello)]) as one,
        listener.serve("127.0.0.1", 0, [Route("GET", "/b", hello)]) as other,
    ):
        assert (await statuses(one), await statuses(other)) == ([200, 404], [404, 200])


async def test_two_may_share_an_address_and_the_last_one_closes_it() -> None:
    listener, port = Listener(), free_port()
    async with listener.serve("127.0.0.1", port, [Route("GET", "/a", hello)]):
        async with listener.serve("127.0.0.1", port, [Route("GET", "/b", hello)]):
            assert await statuses(port) == [200, 200]
        assert await statuses(port) == [200, 404]
    with pytest.raises(ConnectionRefusedError):
        await sends(port, b"")


def test_a_chat_that_is_spoken_to_by_http_is_handed_the_listener_of_the_process(tmp_path: Path) -> None:
    text = '[chat.slack]\nbot_token = "env:B"\nsigning_secret = "env:S"\nmode = "http"\n'
    (tmp_path / "config.toml").write_text(f'{text}[chat.quiet]\nadapter = "tests.fakes.quiet"')
    listener = Listener()
    chats = build_chats(load(tmp_path / "config.toml", {"B": "xoxb-1", "S": "secret"}), listener)
    assert [name for name, chat in chats.items() if getattr(chat, "listener", None) is listener] == ["slack"]


async def test_closing_lets_an_answer_under_way_go_out_and_waits_for_nobody_else() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def works(_: web.BaseRequest) -> web.Response:
        begun.set()
        await go.wait()
        return web.Response(text="done")

    async with Listener().serve("127.0.0.1", 0, [Route("GET", "/", works)]) as port:
        silent, half = await sends(port, b""), await sends(port, HALF)
        wire = await sends(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(begun.wait(), 60)
        asyncio.get_running_loop().call_later(0.1, go.set)
    assert (await ends(wire)).endswith(b"done")
    assert (await ends(silent), await ends(half)) == (b"", b"")
