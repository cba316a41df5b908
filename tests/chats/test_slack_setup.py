"""What an operator does with Slack: make the app from its manifest, start it, stop it, read one sentence."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from bot.chats.slack.handlers import ANYTHING, COMMAND, MENU, SCOPES
from tests.chats.slack_house import written
from tests.fakes import slack_faults as faults
from tests.fakes import slack_words as words
from tests.fakes.slack import Slack

ROOT = Path(__file__).parent.parent.parent
ROOMS = sorted((ROOT / "bot" / "chats" / "slack").glob("*.py"))
CODE = "\n".join(path.read_text() for path in ROOMS)
MANIFEST = (ROOT / "docs" / "slack-manifest.yaml").read_text()
GUIDE = (ROOT / "docs" / "slack.md").read_text()


def listed(key: str) -> list[str]:
    """Return the plain list under a key of the manifest."""
    found = re.search(rf"^( *){key}:\n((?:\1  - .+\n)+)", MANIFEST, re.MULTILINE)
    assert found, key
    return re.findall(r"- (\S+)", found[2])


def values(key: str) -> list[str]:
    return re.findall(rf"{key}: (\S+)$", MANIFEST, re.MULTILINE)


def test_the_manifest_has_the_commands_and_shortcuts_that_are_heard() -> None:
    assert values("command") == [COMMAND]
    assert values("callback_id") == [MENU, ANYTHING]
    assert all(len(name) <= 24 for name in re.findall(r"- name: (.+)", MANIFEST))
    assert "url" not in MANIFEST.partition("_metadata")[2]  # the socket needs none


def test_the_manifest_subscribes_to_the_events_that_are_heard() -> None:
    heard = set(re.findall(r'app\.event\("(\w+)"\)', CODE))
    ours = {event for event in words.EVENTS if event.partition(".")[0] in heard}
    revoked = {"tokens_revoked", "app_uninstalled"}  # heard by the library's own listeners

    assert set(listed("bot_events")) == ours | revoked


def test_the_manifest_asks_for_the_scopes_of_what_is_called_and_heard_and_no_more() -> None:
    methods = set(re.findall(r'"((?:chat|files|views|users|usergroups|conversations|auth)\.[A-Za-z.]+)"', CODE))
    called = {words.SCOPES.get(method, "") for method in methods} - {""}
    heard = {words.EVENTS[event] for event in listed("bot_events")} - {""}
    needed = called | heard | {"commands"}

    assert {"conversations.replies", "conversations.history"} <= methods  # the history scopes, of each kind of channel
    assert set(listed("bot")) == set(SCOPES) == needed - {"usergroups:read"}
    assert "usergroups:read" in MANIFEST


def test_the_guide_says_what_each_scope_is_for() -> None:
    table = GUIDE.partition("## What each scope is for")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z_]+:?[a-z]*)`", "\n".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE)))) == {
        *SCOPES, "connections:write", "usergroups:read",
    }  # fmt: skip


async def started(file: Path, slack: Slack, *words: str, token: str = "") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "--config", str(file), *words, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": token or slack.bot_token, "SLACK_APP_TOKEN": slack.app_token,
        },
    )  # fmt: skip


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, out.decode(), err.decode()


async def test_a_wrong_token_ends_run_with_one_sentence_and_no_socket(tmp_path: Path) -> None:
    async with Slack() as slack:
        code, _, err = await ended(await started(written(tmp_path, slack), slack, "run", token="xoxb-wrong"))  # noqa: S106 - opens nothing

    assert (code, slack.count("socket")) == (5, 0)
    assert err.splitlines()[-1].startswith("Slack does not accept the bot's token")
    assert "Traceback" not in err


async def test_a_slack_that_is_down_ends_run_with_one_sentence(tmp_path: Path) -> None:
    async with Slack() as slack:
        slack.always("apps.connections.open", faults.broken(503))
        code, _, err = await ended(await started(written(tmp_path, slack), slack, "run"))

    assert code == 5
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Slack ")


async def test_a_missing_setting_is_named_with_what_to_write_there(tmp_path: Path) -> None:
    async with Slack() as slack:
        file = written(tmp_path, slack)
        file.write_text(file.read_text().replace("app_token = ", "# app_token = "))
        code, _, err = await ended(await started(file, slack, "config", "check", str(file)))

    assert code == 5
    assert "chat.slack: app_token is missing: write an app-level token" in err


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_run_listens_until_it_is_told_to_stop_and_leaves_cleanly(tmp_path: Path, sign: signal.Signals) -> None:
    async with Slack() as slack:
        child = await started(written(tmp_path, slack), slack, "run")
        await slack.connected()
        child.send_signal(sign)
        code, _, err = await ended(child)

    assert code == 0
    assert err.splitlines()[-1].endswith("] stopped")
    assert "[warning" not in err
    assert "Traceback" not in err
    assert "Unclosed" not in err
    assert slack.bot_token not in err
    assert slack.app_token not in err
