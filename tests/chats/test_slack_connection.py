"""How Slack comes in: the real slack-bolt and slack-sdk against a Slack on loopback."""

import asyncio
import io
import json
import logging
import os
import re
import socket
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.signature import SignatureVerifier

from bot.chats.contract import ChatBusy, ChatError, ChatGone
from bot.chats.slack import clients, connection, http, installations
from bot.chats.slack.clients import mistake, web_client
from bot.chats.slack.connection import new_app, open_door
from bot.chats.slack.tokens import Tokens
from bot.web.listener import Listener
from providers.contract import Secret
from tests.fakes.slack import Slack, Team
from tests.fakes.slack_faults import dropped, limited, refused, says

SCOPES = ("chat:write", "commands")
APP, SIGNING, CLIENT = (Secret(one) for one in (Slack.app_token, Slack.signing_secret, "client-secret"))
OLD, NEW = "xoxb-old", "xoxb-new"
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # slack-sdk's business


@dataclass(frozen=True)
class Settings:
    api_url: str = "http://127.0.0.1:1/api/"
    mode: Literal["socket", "http"] = "socket"
    bot_token: Secret | None = None
    app_token: Secret | None = APP
    signing_secret: Secret | None = SIGNING
    client_id: str | None = None
    client_secret: Secret | None = None
    installations: Path | None = None
    public_url: str | None = None
    listen_host: str = "127.0.0.1"
    listen_port: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.listen_host}:{self.listen_port}"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def single(slack: Slack, mode: Literal["socket", "http"] = "socket") -> Settings:
    return Settings(slack.api_url, mode, Secret(slack.bot_token), listen_port=free_port())


def several(slack: Slack, folder: Path, mode: Literal["socket", "http"] = "socket") -> Settings:
    port = free_port()
    return Settings(
        slack.api_url, mode, client_id="1.2", client_secret=CLIENT, listen_port=port,
        installations=folder / "installs.db", public_url=f"http://127.0.0.1:{port}",
    )  # fmt: skip


@dataclass
class Door:
    slack: Slack
    settings: Settings
    tokens: Tokens
    app: AsyncApp
    heard: list[tuple[str, str | None]]  # (words, token it was heard with)

    async def hears(self, words: str, team: Team | None = None) -> str | None:
        """Let somebody write to the bot; return the token that the event came with."""
        person = self.slack.person("ann", team=team)
        person.posts(self.slack.dm(person), words)
        await self.slack.until(lambda: [token for said, token in self.heard if said == words])
        return next(token for said, token in self.heard if said == words)


def app_of(settings: Settings, tokens: Tokens, heard: list[tuple[str, str | None]]) -> AsyncApp:
    app = new_app(settings, web_client(settings), tokens)

    async def message(event: dict[str, Any], client: Any) -> None:
        heard.append((event["text"], client.token))

    async def command(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack("here")
        heard.append((body["command"], client.token))

    app.event("message")(message)
    app.command("/animate")(command)
    return app


@asynccontextmanager
async def opened(slack: Slack, settings: Settings) -> AsyncIterator[Door]:
    """Open a door and close it; afterwards no task of it is left."""
    before = asyncio.all_tasks()
    heard: list[tuple[str, str | None]] = []
    tokens = Tokens(settings)
    app = app_of(settings, tokens, heard)
    if settings.mode == "http":
        slack.wire.request_url = f"{settings.url}{http.EVENTS}"
    try:
        async with open_door(app, settings, tokens, Listener(), SCOPES):
            yield Door(slack, settings, tokens, app, heard)
    finally:
        left = [repr(task) for task in asyncio.all_tasks() - before]
        assert not [task for task in left if "slack_bolt" in task or "slack_sdk" in task or "bot/chat" in task]


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_SECONDS", 0.2)
    monkeypatch.setattr(clients, "SAID_AGAIN", 0.0)


# by socket


async def test_what_somebody_writes_comes_in_by_the_socket_with_the_operators_token() -> None:
    async with Slack() as slack, opened(slack, single(slack)) as door:
        assert await door.hears("hello") == slack.bot_token
        await slack.until(lambda: all(one.acks for one in slack.wire.envelopes))


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "too_many_websockets"])
async def test_a_socket_that_slack_ends_is_replaced(reason: str) -> None:
    async with Slack() as slack, opened(slack, single(slack)) as door:
        await slack.connected()
        slack.wire.disconnect(reason)
        await slack.until(lambda: slack.wire.hellos == 2)
        assert await door.hears("still there?")


async def test_a_socket_that_breaks_is_replaced() -> None:
    async with Slack() as slack, opened(slack, single(slack)) as door:
        await slack.connected()
        slack.wire.cut()
        assert await door.hears("still there?")


async def test_a_socket_address_that_slack_no_longer_honours_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TICKET_SECONDS", 0.1)
    async with Slack() as slack:
        slack.next("socket", says(404, "gone"))
        async with opened(slack, single(slack)) as door:
            assert await door.hears("hello")
            assert slack.count("apps.connections.open") == 2


async def test_slack_says_why_it_ended_the_socket_and_so_do_we(caplog: pytest.LogCaptureFixture) -> None:
    async with Slack() as slack, opened(slack, single(slack)) as door:
        await slack.connected()
        slack.next("apps.connections.open", refused("access_denied"))
        slack.wire.disconnect("link_disabled")
        await slack.until(lambda: "Socket Mode was switched off" in caplog.text)
        assert await door.hears("switched on again")


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("invalid_auth", r"app-level token \(invalid_auth\).*connections:write.*app_token"),
        ("not_allowed_token_type", r"app-level token .*app_token"),
        ("missing_scope", r"connections:write"),
        ("access_denied", r"Switch Socket Mode on"),
    ],
)
async def test_a_start_that_the_operator_must_mend_says_how(word: str, words: str) -> None:
    async with Slack() as slack:
        slack.always("apps.connections.open", refused(word))
        with pytest.raises(ChatError, match=words) as raised:
            async with opened(slack, single(slack)):
                pass
        assert not isinstance(raised.value, ChatBusy | ChatGone)


async def test_a_wrong_bot_token_is_one_sentence_before_any_socket() -> None:
    async with Slack() as slack:
        settings = replace(single(slack), bot_token=Secret("xoxb-wrong"))
        with pytest.raises(ChatError, match=r"bot's token .invalid_auth.*bot_token"):
            async with opened(slack, settings):
                pass
        assert not slack.count("apps.connections.open")


async def test_a_slack_that_cant_be_reached_is_one_sentence() -> None:
    with pytest.raises(ChatBusy, match="can't be reached"):
        await Tokens(Settings(bot_token=Secret("xoxb-1"))).me()
    async with Slack() as slack:
        slack.next("apps.connections.open", limited(7))
        with pytest.raises(ChatBusy) as raised:
            async with opened(slack, single(slack)):
                pass
    assert raised.value.retry_after == 7


async def test_a_firewall_that_forbids_websockets_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "START_SECONDS", 0.5)
    async with Slack() as slack:
        slack.always("socket", says(403, "no"))
        with pytest.raises(ChatBusy, match="firewall"):
            async with opened(slack, single(slack)):
                pass


async def test_an_acknowledgement_under_way_goes_out_before_the_socket_closes() -> None:
    async with Slack() as slack:
        async with opened(slack, single(slack)) as door:
            reached, go = asyncio.Event(), asyncio.Event()

            async def slow(ack: Any) -> None:
                reached.set()
                await go.wait()
                await ack()

            door.app.shortcut("slow")(slow)
            act = slack.person().opens_global("slow")
            await reached.wait()
            asyncio.get_running_loop().call_later(0.1, go.set)
        await act.acked()


async def test_a_listener_that_does_not_end_is_ended_with_the_door() -> None:
    async with Slack() as slack:
        reached, cancelled = asyncio.Event(), asyncio.Event()

        async def endless(ack: Any) -> None:
            await ack()
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with opened(slack, single(slack)) as door:
            door.app.shortcut("endless")(endless)
            await slack.person().opens_global("endless").acked()
            await reached.wait()
        assert cancelled.is_set()


async def test_a_cancelled_door_closes_its_socket() -> None:
    async with Slack() as slack:
        inside = asyncio.Event()

        async def listens() -> None:
            async with opened(slack, single(slack)):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(listens())
        await inside.wait()
        await slack.connected()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await slack.until(lambda: not slack.wire.lines)


async def test_a_post_is_never_repeated_by_the_library() -> None:
    async with Slack() as slack, aiohttp.ClientSession() as session:
        general = slack.channel()
        slack.next("chat.postMessage", dropped(acts=True))
        client = web_client(single(slack), Secret(slack.bot_token), session=session)
        with pytest.raises(aiohttp.ClientError):
            await client.chat_postMessage(channel=general.id, text="once")
        assert slack.count("chat.postMessage") == 1


async def test_slacks_own_environment_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BOT_TOKEN", "SIGNING_SECRET"):
        monkeypatch.setitem(os.environ, f"SLACK_{name}", "from-the-environment")
    async with Slack() as slack, opened(slack, single(slack)) as door:
        assert await door.hears("hello") == slack.bot_token


# by HTTP


@asynccontextmanager
async def answer(
    settings: Settings, body: bytes, headers: dict[str, str], *, secret: str = Slack.signing_secret, age: float = 0
) -> AsyncIterator[aiohttp.ClientResponse]:
    stamp = str(int(time.time() - age))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    signed = {"X-Slack-Signature": str(signature), "X-Slack-Request-Timestamp": stamp} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{settings.url}{http.EVENTS}", data=io.BytesIO(body), headers=signed) as response,
    ):
        yield response


async def test_what_somebody_writes_comes_in_by_signed_http() -> None:
    async with Slack() as slack, opened(slack, single(slack, "http")) as door:
        assert await door.hears("hello") == slack.bot_token
        assert not slack.count("apps.connections.open")


HELLO = json.dumps({"type": "url_verification", "challenge": "c0ffee"}).encode()
JSON = {"Content-Type": "application/json"}


async def test_slacks_questions_about_the_address_are_answered() -> None:
    async with Slack() as slack, opened(slack, single(slack, "http")) as door:
        async with answer(door.settings, HELLO, JSON) as response:
            assert (response.status, await response.json()) == (200, {"challenge": "c0ffee"})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        async with answer(door.settings, b"token=x&ssl_check=1", form, age=999) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("how", "headers", "words"),
    [
        ({"secret": "another"}, {}, "signing secret"),
        ({"age": 301}, {}, "five minutes"),
        ({"age": -301}, {}, "five minutes"),
        ({}, {"X-Slack-Signature": ""}, "signing secret"),
        ({}, {"X-Slack-Signature": "v0=\u00e9"}, "signing secret"),
        ({}, {"X-Slack-Request-Timestamp": "noon"}, "signing secret"),
        ({}, {"X-Slack-Request-Timestamp": "9" * 400}, "signing secret"),
        ({}, {"X-Slack-Request-Timestamp": "9" * 5000}, "signing secret"),
    ],
)
async def test_what_slack_did_not_sign_just_now_is_refused(
    how: dict[str, Any], headers: dict[str, str], words: str
) -> None:
    async with (
        Slack() as slack,
        opened(slack, single(slack, "http")) as door,
        answer(door.settings, HELLO, JSON | headers, **how) as response,
    ):
        assert response.status == 401
        assert words in await response.text()


async def test_a_body_that_is_too_large_or_no_body_of_slacks_is_refused() -> None:
    async with Slack() as slack, opened(slack, single(slack, "http")) as door:
        async with answer(door.settings, b"x" * (http.BODY_BYTES + 1), JSON) as response:
            assert response.status == 413
        for body in (b"{", b"[]", b'{"a":' * 100_000, b"payload={"):
            async with answer(door.settings, body, JSON) as response:
                assert response.status == 400
        assert await door.hears("still there?")


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    async with Slack() as slack:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = replace(single(slack, "http"), listen_port=taken.getsockname()[1])
            with pytest.raises(ChatError, match="listen_port"):
                async with opened(slack, settings):
                    pass


# several workspaces


@dataclass
class Page:
    status: int
    text: str
    cookie: str


async def browses(url: str, cookie: str = "") -> Page:
    """Look at a page as a browser does. By hand: a browser's jar keeps a secure cookie from plain HTTP."""
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Cookie": cookie}) as response:
        given = response.headers.get("Set-Cookie", "").partition(";")[0]
        return Page(response.status, await response.text(), given)


async def install(door: Door, team: Team) -> Page:
    """Go from "Add to Slack" to "Allow"."""
    page = await browses(f"{door.settings.url}{http.INSTALL}")
    asked = asks(page)
    assert asked["redirect_uri"] == [f"{door.settings.url}{http.REDIRECT}"]
    assert asked["scope"] == [",".join(SCOPES)]
    return await comes_back(door, {"code": door.slack.grants(team), "state": asked["state"][0]}, page.cookie)


def asks(page: Page) -> dict[str, list[str]]:
    link = re.search(r'href="(http[^"]+authorize[^"]+)"', page.text)
    assert link
    return parse_qs(urlsplit(link[1].replace("&amp;", "&")).query)


async def comes_back(door: Door, query: dict[str, str], cookie: str) -> Page:
    return await browses(f"{door.settings.url}{http.REDIRECT}?{urlencode(query)}", cookie)


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_each_workspace_that_adds_the_app_gets_its_own_token(
    tmp_path: Path, mode: Literal["socket", "http"]
) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path, mode)) as door:
        for team in (slack.team, slack.workspace("other", installed=False)):
            page = await install(door, team)
            assert (page.status, "Thank you" in page.text) == (200, True)
            assert team.install
            assert (await door.tokens.of(team.id)).reveal() == team.install.token
            assert await door.hears(f"hello from {team.name}", team) == team.install.token
        assert (await Tokens(door.settings).of(slack.team.id)).reveal() == slack.bot_token  # after a restart
        assert not slack.count("auth.test") - 2  # one for each installation, none for an event


async def test_nobody_can_finish_an_installation_that_another_browser_began(tmp_path: Path) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        page = await browses(f"{door.settings.url}{http.INSTALL}")
        back = {"code": slack.grants(slack.team), "state": asks(page)["state"][0]}
        assert (await comes_back(door, back, "")).status == 400
        assert (await comes_back(door, back, page.cookie)).status == 200
        assert (await comes_back(door, back, page.cookie)).status == 401  # a second time
        denied = await comes_back(door, {"error": "<script>access_denied"}, "")
        assert "<script>" not in denied.text
        assert "access_denied" in denied.text


async def test_a_slack_that_is_down_during_an_installation_is_a_page_and_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        slack.next("oauth.v2.access", dropped(acts=False))
        page = await install(door, slack.team)
        assert (page.status, "try it again" in page.text) == (503, True)
        assert "Traceback" not in caplog.text
        with pytest.raises(ChatGone):
            await door.tokens.of(slack.team.id)


@pytest.mark.parametrize("how", ["uninstalls", "revokes_token"])
async def test_a_workspace_that_removes_the_app_is_gone_and_is_told_so(tmp_path: Path, how: str) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        other = slack.workspace("other")
        await install(door, slack.team)
        await install(door, other)
        getattr(slack, how)()
        await slack.until(lambda: all(one.acks for one in slack.wire.envelopes))
        await gone(door, slack.team.id)
        assert await door.tokens.of(other.id)
        act = slack.person().types("/animate", "", slack.channel())
        await act.acked()
        assert "add the app again" in (await act.answer()).text


async def gone(door: Door, team: str, enterprise: str = "") -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await door.tokens.of(team, enterprise)
            except ChatGone:
                return


async def test_a_workspace_can_come_back(tmp_path: Path) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        await install(door, slack.team)
        slack.revokes_token()
        await gone(door, slack.team.id)
        slack.world.install(slack.team)
        await install(door, slack.team)
        assert await door.hears("back again") == slack.bot_token


async def test_an_event_of_removal_that_comes_late_does_not_remove_a_new_installation(tmp_path: Path) -> None:
    async with Slack() as slack:
        async with opened(slack, several(slack, tmp_path)) as door:
            await install(door, slack.team)
            body = {"type": "event_callback", "event_id": "Ev1", "event_time": int(time.time()) - 60}
            body |= {"event": {"type": "app_uninstalled"}}
            for team in (slack.team.id, "T-unknown"):
                late = AsyncBoltRequest(mode="socket_mode", body=body | {"team_id": team})
                assert (await door.app.async_dispatch(late)).status == 200
        assert await door.tokens.of(slack.team.id)  # the door has waited for its listeners


async def stored(
    tokens: Tokens, team: str | None, token: str, *, enterprise: str | None = None, hours: float = 0
) -> None:
    """Write an installation down; `hours`: that its token still lives, 0: for ever."""
    assert tokens.installations
    await tokens.installations.prepare()
    await tokens.installations.store.async_save(
        Installation(
            app_id="A1", enterprise_id=enterprise, team_id=team, user_id="U1", bot_token=token, bot_id="B1",
            bot_user_id="U2", is_enterprise_install=team is None,
            bot_refresh_token="xoxe-1" if hours else None,
            bot_token_expires_at=int(time.time() + hours * 3600) if hours else None,
        )
    )  # fmt: skip


async def test_an_organisations_installation_speaks_in_each_of_its_workspaces(tmp_path: Path) -> None:
    tokens = Tokens(replace(Settings(), client_id="1", client_secret=CLIENT, installations=tmp_path / "i.db"))
    await stored(tokens, None, "xoxb-org", enterprise="E1")
    await stored(tokens, "T1", OLD, enterprise="E1")
    await stored(tokens, "T1", "xoxb-own", enterprise="E1")
    asked = (("T1", "E1"), ("T1", ""), ("T2", "E1"), ("", "E1"))
    said = [(await tokens.of(*one)).reveal() for one in asked]
    assert said == ["xoxb-own", "xoxb-own", "xoxb-org", "xoxb-org"]
    for team, enterprise in (("T2", ""), ("T2", "E2"), ("", "")):
        with pytest.raises(ChatGone):
            await tokens.of(team, enterprise)


async def test_an_organisation_that_removes_the_app_is_gone(tmp_path: Path) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        await stored(door.tokens, None, OLD, enterprise="E1")
        await stored(door.tokens, "T1", NEW, enterprise="E1")
        body: dict[str, Any] = {
            "team_id": "T1",
            "enterprise_id": "E1",
            "is_enterprise_install": "true",
            "user_id": "U3",
        }
        command = AsyncBoltRequest(mode="socket_mode", body=body | {"command": "/animate"})
        assert (await door.app.async_dispatch(command)).body == "here"
        await slack.until(lambda: door.heard == [("/animate", OLD)])
        body |= {"type": "event_callback", "event_id": "Ev1", "event_time": int(time.time())}
        body |= {"event": {"type": "app_uninstalled"}, "is_enterprise_install": True, "team_id": None}
        await door.app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
        await gone(door, "T2", "E1")


def renewed(token: str) -> Any:
    said = {"ok": True, "token_type": "bot", "access_token": token, "refresh_token": "xoxe-2", "expires_in": 43200}
    return says(200, said)


async def test_a_token_near_its_end_is_renewed_once(tmp_path: Path) -> None:
    async with Slack() as slack:
        settings = several(slack, tmp_path)
        tokens = Tokens(settings)
        await stored(tokens, "T1", OLD, hours=1)
        slack.next("oauth.v2.access", renewed(NEW))
        said = await asyncio.gather(*(tokens.of("T1") for _ in range(5)))
        assert {one.reveal() for one in said} == {NEW}
        assert (await Tokens(settings).of("T1")).reveal() == NEW
        assert slack.count("oauth.v2.access") == 1


@pytest.mark.parametrize(
    ("hours", "word", "then"),
    [
        (1.0, "invalid_refresh_token", OLD),
        (-1.0, "invalid_refresh_token", ChatGone),
        (-1.0, "internal_error", ChatBusy),
        (-1.0, "bad_client_secret", ChatBusy),
    ],
)
async def test_a_token_that_cant_be_renewed_is_used_to_its_end(
    tmp_path: Path, hours: float, word: str, then: str | type[ChatError]
) -> None:
    async with Slack() as slack:
        tokens = Tokens(several(slack, tmp_path))
        await stored(tokens, "T1", OLD, hours=hours)
        slack.next("oauth.v2.access", refused(word))
        if isinstance(then, str):
            assert (await tokens.of("T1")).reveal() == then
        else:
            with pytest.raises(then):
                await tokens.of("T1")


async def test_a_token_is_not_renewed_while_it_could_not_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installations, "BUSY_SECONDS", 0.1)
    async with Slack() as slack:
        settings = several(slack, tmp_path)
        tokens = Tokens(settings)
        await stored(tokens, "T1", OLD, hours=-1)
        assert settings.installations
        with sqlite3.connect(settings.installations, isolation_level=None) as another:
            another.execute("BEGIN IMMEDIATE")
            with pytest.raises(ChatBusy):
                await tokens.of("T1")
        another.close()
        assert not slack.count("oauth.v2.access")


async def test_a_token_that_another_process_renewed_meanwhile_is_taken(tmp_path: Path) -> None:
    async with Slack() as slack:
        tokens, others = (Tokens(several(slack, tmp_path)) for _ in range(2))
        await stored(tokens, "T1", OLD, hours=-1)
        slack.next("oauth.v2.access", renewed(NEW), refused("invalid_refresh_token"))
        assert tokens.installations
        bot = await tokens.installations._find("T1", "")
        await others.of("T1")
        assert (await tokens.installations._renew(bot, "T1", "")).bot_token == NEW


async def test_the_bots_own_database_may_hold_the_tokens_while_it_is_busy(tmp_path: Path) -> None:
    file = tmp_path / "zoetrope.db"
    with sqlite3.connect(file, isolation_level=None, check_same_thread=False) as own:
        own.execute("PRAGMA journal_mode = WAL")
        own.execute("CREATE TABLE job (id)")
        tokens = Tokens(replace(Settings(), client_id="1", client_secret=CLIENT, installations=file))
        await stored(tokens, "T1", "xoxb-one")
        own.execute("BEGIN IMMEDIATE")
        assert (await tokens.of("T1")).reveal() == "xoxb-one"  # reading waits for no writer
        writing = asyncio.create_task(stored(tokens, "T2", "xoxb-two"))
        asyncio.get_running_loop().call_later(0.2, own.execute, "COMMIT")
        await writing
        own.execute("BEGIN IMMEDIATE")  # no transaction of theirs is left open
        own.execute("COMMIT")
    own.close()


def test_the_file_of_the_tokens_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "installs.db"
    tokens = Tokens(replace(Settings(), client_id="1", client_secret=CLIENT, installations=file))
    asyncio.run(stored(tokens, "T1", "xoxb-one"))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_file_that_others_could_read_is_for_its_owner_once_it_holds_tokens(tmp_path: Path) -> None:
    file = tmp_path / "zoetrope.db"
    file.touch(mode=0o644)
    tokens = Tokens(replace(Settings(), client_id="1", client_secret=CLIENT, installations=file))
    asyncio.run(stored(tokens, "T1", "xoxb-one"))
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cant_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = replace(Settings(), client_id="1", client_secret=CLIENT, installations=tmp_path / "file" / "i.db")
    with pytest.raises(ChatError, match="installations"):
        await Tokens(settings).of("T1")


async def test_a_state_that_is_old_or_not_ours_finishes_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Slack() as slack, opened(slack, several(slack, tmp_path)) as door:
        for state in ("", "x", "9999999999.x.00", "9999999999.\u00e9."):
            back = {"code": slack.grants(slack.team), "state": state}
            assert (await comes_back(door, back, f"slack-app-oauth-state={state}")).status in {400, 401}
        monkeypatch.setattr(installations, "STATE_SECONDS", -1)
        assert (await install(door, slack.team)).status == 401
        assert not slack.count("oauth.v2.access")


# settings and log

FULL = Settings(bot_token=Secret("xoxb-1"))
MANY = replace(FULL, bot_token=None, client_id="1", client_secret=CLIENT, installations=Path("i.db"))


@pytest.mark.parametrize("settings", [FULL, MANY, replace(FULL, mode="http", app_token=None)])
def test_settings_that_are_whole_are_no_mistake(settings: Settings) -> None:
    assert mistake(settings) is None


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (replace(FULL, bot_token=None), "bot_token"),
        (replace(FULL, bot_token=Secret("xapp-1")), "bot_token"),
        (replace(FULL, app_token=None), "app_token"),
        (replace(FULL, app_token=Secret("xoxb-1")), "app_token"),
        (replace(FULL, mode="http", signing_secret=None), "signing_secret"),
        (replace(MANY, bot_token=Secret("xoxb-1")), "bot_token"),
        (replace(MANY, client_secret=None), "client_secret"),
        (replace(MANY, installations=None), "installations"),
    ],
)
def test_a_mistake_in_the_settings_is_named_by_its_key(settings: Settings, key: str) -> None:
    with pytest.raises(ChatError, match=rf"^\[chat.slack\] {key} "):
        Tokens(settings)


async def test_the_log_holds_no_words_tokens_or_tickets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Slack() as slack, opened(slack, several(slack, tmp_path, "http")) as door:
        await install(door, slack.team)
        await door.hears("a-secret-wish")
        async with answer(door.settings, b"a-secret-body", JSON, age=600):
            pass

        async def fails(event: dict[str, Any]) -> None:
            raise ValueError(event["text"])

        door.app.event("app_mention")(fails)
        person = slack.person()
        person.posts(slack.channel(), f"{slack.bot.mention} a-secret-wish")
        slack.next("oauth.v2.access", refused("bad_code"))
        await install(door, slack.team)
    async with Slack() as slack, opened(slack, single(slack)) as door:
        slack.next("socket", says(404, "gone"), says(404, "gone"))
        slack.wire.cut()
        await door.hears("a-secret-wish")
    lines = [one for one in caplog.records if one.name.startswith(("slack", "zoetrope", "aiohttp"))]
    assert not [one for one in lines if one.name.startswith("slack") and one.levelno < logging.WARNING]
    said = "\n".join(one.getMessage() for one in lines)
    assert "slack: Failed" in said
    for secret in ("a-secret", "xoxb-", "xapp-", "ticket=", "code-", "state", "client-secret", Slack.signing_secret):
        assert secret not in said
