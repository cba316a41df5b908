"""What an operator does with Discord: hand in the commands, invite the bot, start it, stop it, read one sentence."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.chats.discord_house import written
from tests.fakes import discord_faults as faults
from tests.fakes.discord import Discord
from tests.fakes.discord_words import Permission

ROOT = Path(__file__).parent.parent.parent


async def started(file: Path, token: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "--config", str(file), *words, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "DISCORD_TOKEN": token},
    )  # fmt: skip


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, out.decode(), err.decode()


async def test_the_invitation_asks_for_the_least_that_is_needed(tmp_path: Path) -> None:
    async with Discord() as discord:
        code, out, err = await ended(await started(written(tmp_path, discord), discord.token, "discord", "invite"))

    asked = parse_qs(urlsplit(out.strip()).query)
    assert (code, err, asked["client_id"]) == (0, "", [str(discord.application_id)])
    assert asked["scope"] == ["bot applications.commands"]
    assert Permission(int(asked["permissions"][0])) == (
        Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.SEND_MESSAGES_IN_THREADS
        | Permission.CREATE_PUBLIC_THREADS | Permission.ATTACH_FILES | Permission.READ_MESSAGE_HISTORY
    )  # fmt: skip


async def test_sync_hands_the_commands_in_once(tmp_path: Path) -> None:
    async with Discord() as discord:
        file = written(tmp_path, discord)
        said = [await ended(await started(file, discord.token, "discord", "sync")) for _ in range(2)]

    assert [code for code, *_ in said] == [0, 0]
    assert [err.strip() for *_, err in said] == ["Discord has the new commands.", "Discord has these commands already."]
    assert {one["name"] for one in discord.commands.synced[0]} == {"animate", "animations", "animate-help", "Animate"}
    assert discord.commands.syncs == 1


async def test_a_wrong_token_ends_run_with_one_sentence_and_no_identify(tmp_path: Path) -> None:
    async with Discord() as discord:
        code, _, err = await ended(await started(written(tmp_path, discord), "wrong", "run"))

    assert (code, discord.identifies) == (5, [])
    assert err.splitlines()[-1].startswith("Discord does not accept the bot's token.")
    assert "Traceback" not in err


async def test_a_discord_that_is_down_ends_run_with_one_sentence(tmp_path: Path) -> None:
    async with Discord() as discord:
        discord.always("GET /users/@me", faults.broken(503))
        code, _, err = await ended(await started(written(tmp_path, discord), discord.token, "run"))

    assert (code, discord.identifies) == (5, [])
    assert "Traceback" not in err


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_run_listens_until_it_is_told_to_stop_and_leaves_cleanly(tmp_path: Path, sign: signal.Signals) -> None:
    async with Discord() as discord:
        child = await started(written(tmp_path, discord), discord.token, "run")
        await discord.connected()
        child.send_signal(sign)
        code, _, err = await ended(child)

    assert code == 0
    assert err.splitlines()[-1].endswith("] stopped")
    assert "Traceback" not in err
    assert "Unclosed" not in err
    assert discord.token not in err


async def test_a_lost_connection_is_resumed_and_costs_no_identify(tmp_path: Path) -> None:
    async with Discord() as discord:
        child = await started(written(tmp_path, discord), discord.token, "run")
        await discord.connected()
        discord.gateway.reconnect()
        await discord.until(lambda: discord.gateway.resumes)
        child.terminate()
        code, _, _ = await ended(child)

    assert (code, len(discord.identifies)) == (0, 1)


async def test_run_is_stopped_while_discord_keeps_it_waiting_for_a_new_connection(tmp_path: Path) -> None:
    async with Discord() as discord:
        child = await started(written(tmp_path, discord), discord.token, "run")
        await discord.connected()
        gate = faults.Gate()
        discord.next("GET /gateway", faults.held(gate, acts=False))
        discord.gateway.cut()
        await asyncio.wait_for(gate.reached.wait(), 60)
        child.terminate()
        code, _, err = await ended(child)

    assert code == 0
    assert err.splitlines()[-1].endswith("] stopped")
    assert "Traceback" not in err
