"""HTTP with manners, against a real server on loopback that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from providers import http
from providers.contract import Busy, Unsure

MP4 = b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 5000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Serve every path by the handler; gives the server's address and the requests that came."""
    seen: list[web.Request] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return await handler(request)

    runner = web.ServerRunner(web.Server(noted), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def answering(status: int = 200, body: bytes = MP4, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


async def hang_up(request: web.Request) -> web.StreamResponse:
    await request.read()
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def bring(url: str, into: Path, *, cap: int = 100_000, loopback: bool = True) -> None:
    try:
        await http.download(url, into, loopback=loopback, cap=cap)
    finally:
        assert {path.name for path in into.parent.iterdir()} <= {into.name}, "a part was left behind"


async def test_a_video_arrives_whole_and_nobody_was_shown_a_key(tmp_path: Path) -> None:
    async with serving(answering()) as (url, seen):
        await bring(f"{url}/a.mp4", tmp_path / "video.mp4")

    assert (tmp_path / "video.mp4").read_bytes() == MP4
    assert "authorization" not in {name.lower() for name in seen[0].headers}


async def test_a_redirect_is_followed_when_it_leads_somewhere_safe(tmp_path: Path) -> None:
    async with serving(answering()) as (there, _), serving(answering(302, b"", Location=f"{there}/b.mp4")) as (here, _):
        await bring(f"{here}/a.mp4", tmp_path / "video.mp4")

    assert (tmp_path / "video.mp4").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://10.0.0.1/a.mp4", "private network"),
        ("https://169.254.169.254/latest/meta-data", "private network"),
        ("https://[::1]/a.mp4", "private network"),
        ("https://[::ffff:10.0.0.1]/a.mp4", "private network"),
        ("https://0.0.0.0/a.mp4", "private network"),
        ("https://100.64.0.1/a.mp4", "private network"),
        ("https://localhost/a.mp4", "private network"),
        ("http://93.184.215.14/a.mp4", "begins with http, not https"),
        ("file:///etc/passwd", "begins with file|not known"),
        ("ftp://93.184.215.14/a", "begins with ftp"),
        ("data:video/mp4;base64,AAAA", "begins with data|not known"),
        ("https://", "not known|not one|private network"),
        ("https://no such host/", "not known|not one"),
    ],
)
async def test_no_private_address_and_nothing_but_https_is_fetched(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(Busy, match=words):
        await bring(url, tmp_path / "video.mp4", loopback=False)


async def test_a_redirect_into_a_private_network_is_refused(tmp_path: Path) -> None:
    for target in ("http://10.0.0.1/a.mp4", "https://192.168.1.1/", "file:///etc/passwd"):
        async with serving(answering(302, b"", Location=target)) as (url, _):
            with pytest.raises(Busy, match=r"private network|begins with|not known"):
                await bring(f"{url}/a.mp4", tmp_path / "video.mp4")


async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    async with serving(answering(302, b"", Location="/again")) as (url, seen):
        with pytest.raises(Busy, match="more than 5 redirects"):
            await bring(f"{url}/a.mp4", tmp_path / "video.mp4")
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answering(body=b"<!doctype html><html>sign in</html>"), "no video"),
        (answering(body=b""), "no video"),
        (answering(body=b"\x00\x00\x00"), "no video"),
        (answering(404), "answered 404"),
        (answering(body=MP4 + b"\x00" * 200_000), "larger than 100000 bytes"),
    ],
    ids=["html", "empty", "three bytes", "gone", "too large"],
)
async def test_what_is_no_video_or_too_large_leaves_nothing_behind(
    tmp_path: Path, handler: Handler, words: str
) -> None:
    async with serving(handler) as (url, _):
        with pytest.raises(Busy, match=words):
            await bring(f"{url}/a.mp4", tmp_path / "video.mp4")


async def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100000"})
        await answer.prepare(request)
        await answer.write(MP4)
        assert request.transport is not None
        request.transport.close()
        return answer

    async with serving(half) as (url, _):
        with pytest.raises(Busy, match="broke off"):
            await bring(f"{url}/a.mp4", tmp_path / "video.mp4")


async def asked(url: str, method: str) -> httpx.Response:
    async with http.client({"Authorization": "Key secret"}) as caller:
        return await caller.request(method, url, content=b"x" if method == "POST" else None)


async def test_a_refused_connection_is_busy_because_nothing_was_sent() -> None:
    for method in ("GET", "POST"):
        with pytest.raises(Busy, match="can't be reached"):
            await asked("http://127.0.0.1:9/", method)


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (hang_up, "broke off"),
        (answering(502, b"<html>nginx</html>", Content_Type="text/html"), "answered 502"),
        (answering(409, b"{}"), "answered 409"),
        (answering(200, b"x" * (http.ANSWER_BYTES + 1)), "more than"),
    ],
    ids=["hang up", "gateway", "conflict", "flood"],
)
async def test_a_lost_answer_to_a_post_is_unsure_after_one_request_and_to_a_poll_is_busy(
    handler: Handler, words: str
) -> None:
    for method, error in (("POST", Unsure), ("GET", Busy), ("PUT", Busy)):
        async with serving(handler) as (url, seen):
            with pytest.raises(error, match=words):
                await asked(url, method)
            assert len(seen) == 1 or (handler is hang_up and method != "POST")  # a look is asked on a fresh connection


async def test_an_answer_that_never_comes_is_lost() -> None:
    never = asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with serving(silent) as (url, _), http.client({}, seconds=0.1) as caller:
        with pytest.raises(Unsure, match="SocketTimeoutError"):
            await caller.post(url)
        never.set()


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("99999999", 3600.0), ("-3", 0.0), ("soon", None), ("nan", None), ("", None)]
)
async def test_too_many_requests_is_busy_for_as_long_as_the_vendor_says(header: str, seconds: float | None) -> None:
    async with serving(answering(429, b"", Retry_After=header)) as (url, _):
        with pytest.raises(Busy) as caught:
            await asked(url, "POST")
    assert caught.value.retry_after == seconds


async def test_what_the_vendor_itself_answers_passes() -> None:
    for status in (200, 202, 400, 404, 422, 500, 503):
        async with serving(answering(status, b'{"detail": "x"}', Content_Type="application/json")) as (url, _):
            assert (await asked(url, "POST")).status_code == status


@pytest.mark.parametrize("status", [408, 409, 429])
async def test_a_vendor_with_codes_of_its_own_is_heard_whatever_the_status(status: int) -> None:
    async with serving(answering(status, b'{"code": 1101}')) as (url, _), http.client({}, own_codes=True) as caller:
        assert (await caller.post(url)).json() == {"code": 1101}


@pytest.mark.parametrize("body", [b'{"a":' * 200_000, b"[]", b"<html>", b'{"a": "b', b"\xff"])
def test_what_is_no_json_object_is_an_empty_one(body: bytes) -> None:
    assert http.parsed(httpx.Response(200, content=body)) == {}


async def test_pictures_within_a_body_arrive_whole() -> None:
    came: list[bytes] = []

    async def keep(request: web.Request) -> web.Response:
        came.append(await request.content.read())
        return web.Response(body=request.headers["Content-Length"].encode())

    body = bytes(range(256)) * 8192  # 2 MB: aiohttp warns of more than one in a piece
    async with serving(keep) as (url, _), http.client({}) as caller:
        answer = await caller.post(url, content=body)
    assert (came, answer.text) == ([body], str(len(body)))


async def test_a_key_does_not_follow_a_redirect() -> None:
    async with serving(answering()) as (there, elsewhere), serving(answering(307, b"", Location=there)) as (here, _):
        assert (await asked(here, "POST")).status_code == 307
    assert elsewhere == []


async def test_a_post_never_travels_on_an_old_connection() -> None:
    ports: dict[str, set[object]] = {"GET": set(), "POST": set()}

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports[request.method].add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"{}")

    async with serving(note) as (url, _), http.client({}) as caller:
        for _ in range(3):
            await caller.get(url)
            await caller.post(url, content=b"x")

    assert (len(ports["GET"]), len(ports["POST"])) == (1, 3)
