"""What the doctor finds out about Slack, each thing broken on purpose; and whether we are connected."""

from pathlib import Path

import pytest

from bot.chats.contract import Check, Verdict
from bot.chats.slack import connection
from bot.chats.slack.handlers import SCOPES
from bot.cli import doctor
from tests.chats.slack_house import house, written
from tests.fakes import slack_faults as faults
from tests.fakes.slack import Slack

OK, WARN, FAIL = Verdict


async def slack_of(folder: Path, slack: Slack, more: str = "", **env: str) -> dict[str, Check]:
    """Examine an app that has what the manifest asks for."""
    tokens = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token, **env}
    found = await doctor.examine(written(folder, slack, more=more), tokens)
    assert not [token for token in tokens.values() if token in repr(found)]
    return {check.name.removeprefix("slack "): check for check in found if check.name.startswith("slack")}


async def test_all_is_well(tmp_path: Path) -> None:
    async with Slack() as slack:
        slack.scopes.intersection_update(SCOPES)
        channel = slack.channel("general", bot=True)
        checks = await slack_of(tmp_path, slack, f'channels = ["{channel.id}"]')
        called = {call.method for call in slack.calls}

    assert {check.verdict for check in checks.values()} == {OK}
    assert list(checks) == ["manifest", "socket", "token", "scopes", "channel"]
    assert "docs/slack-manifest.yaml" in checks["manifest"].words
    assert called == {"apps.connections.open", "auth.test", "conversations.history"}, "it changes nothing"


async def test_a_wrong_token_of_either_kind(tmp_path: Path) -> None:
    async with Slack() as slack:
        bot = await slack_of(tmp_path, slack, SLACK_BOT_TOKEN="xoxb-wrong")  # noqa: S106 - that is the point
        app = await slack_of(tmp_path, slack, SLACK_APP_TOKEN="xapp-wrong")  # noqa: S106 - the same

    assert (bot["slack"].verdict, "does not accept the bot's token" in bot["slack"].words) == (FAIL, True)
    assert (app["socket"].verdict, "does not accept the app-level token" in app["socket"].words) == (FAIL, True)


async def test_slack_away(tmp_path: Path) -> None:
    async with Slack() as slack:
        pass
    away = (await slack_of(tmp_path, slack))["slack"]

    assert (away.verdict, away.words[:24]) == (FAIL, "Slack can't be reached. ")


async def test_an_app_with_too_few_scopes_or_too_many(tmp_path: Path) -> None:
    async with Slack() as slack:
        slack.scopes.intersection_update(set(SCOPES) - {"files:read", "commands"})
        few = (await slack_of(tmp_path, slack))["scopes"]
        slack.scopes.update({"files:read", "commands"})
        slack.scopes.discard("groups:history")
        enough = (await slack_of(tmp_path, slack))["scopes"]
        slack.scopes.update({*SCOPES, "channels:join"})
        many = (await slack_of(tmp_path, slack))["scopes"]

    assert (few.verdict, few.words) == (FAIL, "the app lacks commands, files:read")
    assert (enough.verdict, enough.words) == (WARN, "the app lacks groups:history: it can do without")
    assert (many.verdict, many.words) == (WARN, "the app has some that it does not need: channels:join")
    assert "reinstall" in few.step


async def test_a_channel_where_the_bot_is_not(tmp_path: Path) -> None:
    async with Slack() as slack:
        slack.scopes.intersection_update(SCOPES)
        channel = slack.channel("private", private=True, bot=False)
        there = (await slack_of(tmp_path, slack, f'channels = ["{channel.id}"]'))["channel"]

    assert (there.verdict, there.words) == (FAIL, f"the bot can't see {channel.id}")
    assert "/invite" in there.step


async def test_a_channel_that_may_not_be_read_is_no_failure(tmp_path: Path) -> None:
    async with Slack() as slack:
        slack.scopes.intersection_update(set(SCOPES) - {"channels:history"})
        channel = slack.channel("general", bot=True)
        checks = await slack_of(tmp_path, slack, f'channels = ["{channel.id}"]')

    assert (checks["scopes"].verdict, checks["channel"].verdict) == (WARN, WARN)
    assert checks["channel"].words == f"whether the bot is in {channel.id} can't be seen"


async def test_we_are_connected_while_the_socket_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_SECONDS", 0.3)  # the library connects anew at the next
    async with Slack() as slack, house(tmp_path / "house", slack) as here:
        surface = here.app.tools.chats["slack"]
        await slack.until(lambda: surface.connected)
        gate = faults.Gate()
        slack.next("apps.connections.open", faults.held(gate, acts=False))
        slack.wire.cut()
        try:
            await slack.until(lambda: not surface.connected)
        finally:
            gate.open.set()
        await slack.until(lambda: surface.connected)
    assert not surface.connected
