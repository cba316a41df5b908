"""The doctor, with each thing broken on purpose: it says which, and what to do next."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from aiohttp import web

from bot.chats.contract import Check, Verdict
from bot.cli import doctor
from bot.domain.job import Outcome, State
from bot.store import migrations
from bot.store.sqlite import Store
from tests.fakes import discord_faults as faults
from tests.fakes.discord import Discord
from tests.fakes.discord_words import EVERYONE, Permission
from tests.fakes.fal import KEY, Fal
from tests.store.test_store import a_job

ROOT = Path(__file__).parents[2]
OK, WARN, FAIL = Verdict
DISCORD = """
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
{more}
"""
FAL = '[providers.fal]\nkey = "env:FAL_KEY"\nqueue_url = "{url}"\nrest_url = "{url}"\n[providers.local]'


async def examined(folder: Path, text: str = "", env: Mapping[str, str] | None = None) -> dict[str, Check]:
    (folder / "config.toml").write_text(f'data_dir = "data"\n{text}')
    return {check.name: check for check in await doctor.examine(folder / "config.toml", env or {})}


async def a_database(folder: Path) -> Path:
    file = folder / "data" / "zoetrope.db"
    await (await Store.open(file)).close()
    return file


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(statement)


# This machine.


async def test_a_fresh_installation_is_well(tmp_path: Path) -> None:
    checks = await examined(tmp_path)

    assert {check.verdict for check in checks.values()} == {OK}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert list(checks) == [
        "configuration", "data folder", "database", "disk", "backups", "pictures", "local", "clock", "network",
    ]  # fmt: skip


async def test_wrong_settings_are_all_that_is_said(tmp_path: Path) -> None:
    checks = await examined(tmp_path, "[limits]\nmax_secconds = 3")
    assert list(checks) == ["configuration"]
    assert (checks["configuration"].verdict, "did you mean limits.max_seconds?" in checks["configuration"].words) == (
        FAIL,
        True,
    )


async def test_one_of_two_tokens_is_said_to_be_too_few(tmp_path: Path) -> None:
    slack = (await examined(tmp_path, env={"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": ""}))["slack"]
    assert (slack.verdict, slack.words) == (WARN, "off, because SLACK_APP_TOKEN is not set")
    quiet = '[chat.quiet]\nadapter = "tests.fakes.quiet"'
    assert "slack" not in await examined(tmp_path, quiet, {"SLACK_BOT_TOKEN": "xoxb-1"}), "the file says what is on"


async def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    found = await examined(tmp_path)
    assert found["data folder"].verdict is FAIL
    assert "can't be written" in found["data folder"].words
    assert found["data folder"].step.endswith("choose another with data_dir.")
    assert found["local"].verdict is FAIL


async def test_a_database_is_told_by_its_version(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    found = (await examined(tmp_path))["database"]
    assert (found.verdict, found.words) == (OK, f"version {migrations.HEAD}; 0 jobs open")

    change(file, "UPDATE alembic_version SET version_num = '0001'")
    found = (await examined(tmp_path))["database"]
    assert (found.verdict, f"brought to {migrations.HEAD} at the next start" in found.words) == (OK, True)

    change(file, "UPDATE alembic_version SET version_num = '9999'")
    found = (await examined(tmp_path))["database"]
    assert found.verdict is FAIL
    assert found.step == "Install that newer Zoetrope, or restore an older backup."


async def test_a_database_that_is_locked_or_damaged(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        found = (await examined(tmp_path))["database"]
    assert (found.verdict, "locked by another program" in found.words) == (FAIL, True)

    file.write_bytes(b"this is no database, it is a sentence" * 200)
    found = (await examined(tmp_path))["database"]
    assert (found.verdict, "restore the newest backup" in found.words) == (FAIL, True)


async def test_videos_that_nobody_got_are_told_with_what_to_do(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    assert "videos" not in await examined(tmp_path)
    store = await Store.open(file)
    await store.add(a_job("a", state=State.CLOSED, outcome=Outcome.RENDERED, closed=2.0, undelivered_since=1.0))
    await store.close()

    found = (await examined(tmp_path))["videos"]
    assert (found.verdict, found.words[:28]) == (WARN, "1 could not be delivered, an")
    assert "zoetrope deliver ID" in found.step


@pytest.mark.parametrize(("spare", "verdict", "words"), [(1e12, FAIL, "nothing new is taken"), (0.7, WARN, "")])
async def test_a_disk_that_is_full_or_nearly(
    tmp_path: Path, spare: float, verdict: Verdict, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10_000_000_000
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: type("Usage", (), {"free": free}))
    found = (await examined(tmp_path, f"[limits]\nmin_free_mb = {max(spare, spare * free / 1e6)}"))["disk"]
    assert found.verdict is verdict
    assert words in found.words
    assert found.step.startswith("Make room")


async def test_backups_that_are_off_or_old(tmp_path: Path) -> None:
    assert (await examined(tmp_path, "[backup]\nenabled = false"))["backups"].verdict is WARN
    folder = tmp_path / "data" / "backups"
    folder.mkdir(parents=True)
    (folder / "zoetrope-20260101T030000Z.db").touch()
    found = (await examined(tmp_path))["backups"]
    assert (found.verdict, found.step[:18]) == (WARN, "Look into the log ")


async def test_pictures_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = (await examined(tmp_path))["pictures"]
    assert (found.verdict, found.step[:23]) == (FAIL, "Install Zoetrope anew; ")


# Makers of videos.


async def test_a_provider_that_is_well_or_whose_key_is_wrong_or_missing(tmp_path: Path) -> None:
    async with Fal() as fal:
        text = f'default_model = "local"\n{FAL.format(url=fal.queue_url)}'
        well = await examined(tmp_path, text, {"FAL_KEY": KEY})
        wrong = (await examined(tmp_path, text, {"FAL_KEY": "wrong"}))["fal"]
        missing = (await examined(tmp_path, text))["fal"]
    away = (await examined(tmp_path, text, {"FAL_KEY": KEY}))["fal"]

    assert (well["fal"].verdict, well["clock"].words) == (OK, "agrees with 127.0.0.1")
    assert (wrong.verdict, wrong.words[:26]) == (FAIL, "fal does not accept the ke")
    assert (missing.verdict, "the environment variable FAL_KEY is not set" in missing.words) == (FAIL, True)
    assert (away.verdict, away.words) == (WARN, "127.0.0.1 can't be reached")
    assert KEY not in repr(well)


async def test_the_way_of_a_download_is_gone_and_proxy_and_trust_are_named(tmp_path: Path) -> None:
    async with Fal() as fal:
        found = await examined(
            tmp_path, FAL.format(url=fal.queue_url), {"FAL_KEY": KEY, "HTTPS_PROXY": "http://a:pw@p.test:3128"}
        )
    assert found["network"].words == "by the proxy p.test:3128; trusts this machine's certificates"
    assert "fal downloads" not in found
    text = '[providers.fal]\nkey = "env:FAL_KEY"\nqueue_url = "https://127.0.0.2:9"\nrest_url = "https://127.0.0.2:9"'
    found = await examined(tmp_path, text, {"FAL_KEY": KEY})
    assert (found["fal downloads"].verdict, found["network"].words[:11]) == (WARN, "by no proxy")


async def test_a_service_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.3)
    async with answering() as url:
        found = await examined(tmp_path, FAL.format(url=url), {"FAL_KEY": KEY})
    assert (found["fal"].verdict, found["fal"].words) == (FAIL, "no answer in 0.3 s")
    assert found["clock"].verdict is WARN


@asynccontextmanager
async def answering(ahead: float | None = None) -> AsyncIterator[str]:
    """Serve a page whose clock is that many seconds ahead; None: never answer."""
    over = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        if ahead is None:
            await over.wait()
        return web.Response(status=404, headers={"Date": formatdate(time() + (ahead or 0), usegmt=True)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    over.set()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [(2, OK, "agrees with"), (-60, WARN, "s ahead of"), (3600, FAIL, "s behind")],
)
async def test_a_clock_is_compared_with_a_services(tmp_path: Path, ahead: float, verdict: Verdict, words: str) -> None:
    async with answering(ahead) as url:
        found = (await examined(tmp_path, FAL.format(url=url), {"FAL_KEY": KEY}))["clock"]
    assert found.verdict is verdict
    assert words in found.words


# Chats.


async def test_a_chat_without_checks_of_its_own_is_pinged(tmp_path: Path) -> None:
    found = await examined(tmp_path, '[chat.quiet]\nadapter = "tests.fakes.quiet"')
    assert (found["quiet"].verdict, found["quiet"].words) == (OK, "fine")
    found = await examined(tmp_path, '[chat.quiet]\nadapter = "tests.fakes.nobody"')
    assert (found["quiet"].verdict, "there is no module" in found["quiet"].words) == (FAIL, True)


async def discord_of(folder: Path, discord: Discord, more: str = "", token: str | None = None) -> dict[str, Check]:
    text, env = DISCORD.format(discord=discord, more=more), {"DISCORD_TOKEN": token or discord.token}
    found = await examined(folder, text, env)
    assert env["DISCORD_TOKEN"] not in repr(found)
    return {name.removeprefix("discord "): check for name, check in found.items() if name.startswith("discord")}


async def test_discord_when_all_is_well(tmp_path: Path) -> None:
    async with Discord() as discord:
        channel = discord.guild("home").text("general")
        discord.commands.synced[0] = [{"id": "1", "name": "animate", "type": 1}]
        checks = await discord_of(tmp_path, discord)
        chosen = await discord_of(tmp_path, discord, f"channels = [{channel.id}]")
        methods = {request.method for request in discord.requests}

    assert {check.verdict for check in [*checks.values(), *chosen.values()]} == {OK}
    assert list(checks) == ["token", "intents", "connections", "commands", "servers", "rights", "invitation"]
    assert checks["rights"].words == "home: all that is needed"
    assert chosen["rights"].words == "#general in home: all that is needed"
    assert f"client_id={discord.application_id}" in checks["invitation"].words
    assert methods <= {"GET", "HEAD"}, "it changes nothing"


async def test_discord_with_a_wrong_token_or_away(tmp_path: Path) -> None:
    async with Discord() as discord:
        [wrong] = (await discord_of(tmp_path, discord, token="wrong-token")).values()  # noqa: S106 - that is the point
    [away] = (await discord_of(tmp_path, discord)).values()
    assert (wrong.verdict, wrong.words[:40]) == (FAIL, "Discord does not accept the bot's token.")
    assert (away.verdict, away.words[:25]) == (FAIL, "Discord can't be reached.")


async def test_discord_with_no_server_no_commands_and_many_starts(tmp_path: Path) -> None:
    async with Discord() as discord:
        discord.gateway.starts_left = 3
        checks = await discord_of(tmp_path, discord)
    assert {name: check.verdict for name, check in checks.items() if check.verdict is not OK} == {
        "servers": WARN,
        "commands": WARN,
        "connections": WARN,
    }
    assert "zoetrope discord invite" in checks["servers"].step


async def test_discord_with_an_intent_that_is_not_needed(tmp_path: Path) -> None:
    async with Discord() as discord:
        about = {"id": str(discord.application_id), "name": "zoetrope", "description": "", "icon": None}
        about |= {"bot_public": True, "bot_require_code_grant": False, "verify_key": "00", "flags": 1 << 19}
        about |= {"owner": {"id": "1", "username": "o", "discriminator": "0", "avatar": None}, "team": None}
        discord.always("GET /oauth2/applications/@me", faults.says(200, about))
        checks = await discord_of(tmp_path, discord)
    assert (checks["intents"].verdict, checks["intents"].words) == (WARN, "on, but not needed: message content")


async def test_discord_where_the_bot_was_not_invited(tmp_path: Path) -> None:
    async with Discord() as discord:
        discord.guild("home")
        checks = await discord_of(tmp_path, discord, "guilds = [123456789012345678]")
    assert checks["servers"].verdict is FAIL
    assert "123456789012345678" in checks["servers"].words


async def test_discord_with_rights_missing(tmp_path: Path) -> None:
    async with Discord() as discord:
        guild = discord.guild("home", permissions=Permission(0))
        guild.everyone.permissions = EVERYONE & ~Permission.ATTACH_FILES
        everywhere = (await discord_of(tmp_path, discord))["rights"]
        guild.everyone.permissions = EVERYONE
        channel = guild.text("videos")
        channel.deny(Permission.CREATE_PUBLIC_THREADS)
        there = (await discord_of(tmp_path, discord, f"channels = [{channel.id}]"))["rights"]
        channel.deny(Permission.VIEW_CHANNEL)
        hidden = (await discord_of(tmp_path, discord, f"channels = [{channel.id}]"))["rights"]

    assert (everywhere.verdict, everywhere.words) == (FAIL, "home: lacks attach files")
    assert (there.verdict, there.words) == (FAIL, "#videos in home: lacks create public threads")
    assert (hidden.verdict, hidden.words) == (FAIL, f"the bot can't see channel {channel.id}")


# The command.


def run(folder: Path, *words: str, columns: int = 80) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bot", "doctor", *words]
    env = {"PYTHONPATH": str(ROOT), "ZOETROPE_DATA": str(folder / "data"), "COLUMNS": str(columns), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_ends_with_0_when_nothing_fails(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("ok  configuration  built-in settings: 1 model, no chat")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_the_command_ends_with_5_when_something_fails_and_speaks_json(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[limits]\nmin_free_mb = 1e12")
    done = run(tmp_path, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 5
    assert {tuple(line) for line in lines} == {("check", "verdict", "words", "step")}
    assert [line["check"] for line in lines if line["verdict"] == "fail"] == ["disk"]
