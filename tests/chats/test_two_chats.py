"""Two chats in one `zoetrope run`, in both pretended platforms: what ails one leaves the other alone."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from bot.chats.contract import ChatBusy, ChatError, Desk
from bot.cli.listening import LIVED, LONGEST_PAUSE, Listening
from bot.ops.outages import Outages
from tests.chats import discord_house, slack_house
from tests.chats.house import PICTURE
from tests.fakes import discord_faults, quiet
from tests.fakes import slack_faults as faults
from tests.fakes.discord import Discord
from tests.fakes.slack import Slack

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@dataclass
class Run:
    """A real `zoetrope run` with both chats."""

    child: asyncio.subprocess.Process
    port: int

    async def ready(self) -> dict[str, object]:
        """Wait until it says that it is ready; what it says then."""
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        found: dict[str, object] = await answer.json()
                        return found
                await asyncio.wait({asyncio.ensure_future(self.child.wait())}, timeout=0.05)

    async def ended(self) -> tuple[int | None, str]:
        _, err = await asyncio.wait_for(self.child.communicate(), 60)
        return self.child.returncode, err.decode()


@asynccontextmanager
async def running(folder: Path, discord: Discord, slack: Slack) -> AsyncIterator[Run]:
    port = free_port()
    in_slack = slack_house.written(folder, slack).read_text().partition("[chat.slack]")[2]
    more = f"[chat.slack]{in_slack}[health]\nport = {port}\n"
    file = discord_house.written(folder, discord, more=more)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "--config", str(file), "run", cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"], "DISCORD_TOKEN": discord.token,
            "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token,
        },
    )  # fmt: skip
    try:
        yield Run(child, port)
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


@pytest.mark.parametrize(
    "fault", [faults.refused("invalid_auth"), faults.refused("token_revoked"), faults.broken(503)], ids=lambda f: f.body
)
async def test_a_slack_that_is_ill_at_the_start_leaves_discord_alone_and_is_tried_again(
    tmp_path: Path, fault: faults.Fault
) -> None:
    async with Discord() as discord, Slack() as slack, running(tmp_path, discord, slack) as run:
        slack.always("auth.test", fault)  # the child has yet to load Python
        await discord.connected()
        await discord.until(lambda: discord.commands.synced)
        channel = discord.guild().text()
        await discord.slash(discord.user("ann"), channel, "animate", image=PICTURE, prompt="waves")
        await discord.until(lambda: any(m.attachments for t in discord.threads(channel) for m in discord.messages(t)))
        await slack.until(lambda: slack.count("auth.test") > 1)
        said = await run.ready()
        slack.mend()
        await slack.connected()
        run.child.send_signal(signal.SIGTERM)
        code, err = await run.ended()

    assert said["chats"] == {"discord": True, "slack": False}
    assert "Slack" in str(said["trouble"])
    assert code == 0
    assert err.count("trouble with slack began") == 1
    assert "Traceback" not in err


async def test_when_no_chat_lives_the_program_ends_with_a_sentence(tmp_path: Path) -> None:
    async with Discord() as discord, Slack() as slack:
        discord.always("GET /users/@me", discord_faults.broken(503))
        slack.always("auth.test", faults.refused("invalid_auth"))
        async with running(tmp_path, discord, slack) as run:
            code, err = await run.ended()

    assert code == 5
    assert "Traceback" not in err


# The pauses, with a clock of our own.


class Ill(quiet.Chat):
    """Fails as its script says: after so many seconds, with that error."""

    name = "ill"
    connected = False

    def __init__(self, clock: "Clock", script: list[tuple[float, ChatError]]) -> None:
        super().__init__(quiet.Settings())
        self._clock, self._script = clock, script

    async def listen(self, desk: Desk) -> None:  # noqa: ARG002 - nobody asks
        if not self._script:
            raise asyncio.CancelledError
        lived, error = self._script.pop(0)
        self._clock.time += lived
        raise error


@dataclass
class Clock:
    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


async def pauses(*script: tuple[float, ChatError]) -> list[float]:
    clock = Clock()
    ill = Ill(clock, list(script))
    ears = Listening([ill, quiet.Chat(quiet.Settings())], Outages(), clock)  # type: ignore[arg-type] # it calls nothing else
    with pytest.raises(asyncio.CancelledError):
        await ears.keep(ill, None)  # type: ignore[arg-type] # nobody asks
    return clock.slept


async def test_pauses_grow_to_their_limit() -> None:
    found = await pauses(*[(0.0, ChatError("no"))] * 11)

    assert found == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_PAUSE, LONGEST_PAUSE]


async def test_pauses_begin_anew_once_the_chat_has_lived_for_a_while() -> None:
    no = ChatError("no")

    assert await pauses((0, no), (0, no), (LIVED, no), (1, no)) == [1, 2, 1, 2]


async def test_a_platform_that_asks_for_a_longer_pause_gets_it() -> None:
    assert await pauses((0, ChatBusy("later", 30)), (0, ChatError("no"))) == [30, 2]
