"""A real `zoetrope run`, killed (kill -9) between the steps of a job on Discord, and started again."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.job import Job, State
from bot.store.sqlite import Store
from tests.chats.discord_house import PICTURE, written
from tests.fakes.discord import Channel, Discord, Message, User

ROOT = Path(__file__).parent.parent.parent
POINTS = os.environ.get("ZOETROPE_CRASH_POINTS", "1 2 14 21").split()


@asynccontextmanager
async def running(file: Path, discord: Discord, last: str = "0") -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot as an operator would, until the block ends or it kills itself at its point `last`."""
    log = (file.parent / "log").open("ab")
    live = len(discord.identifies)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.crashing_discord", str(file), last, cwd=ROOT, stdout=log, stderr=log,
        env={"PATH": os.environ["PATH"], "DISCORD_TOKEN": discord.token},
    )  # fmt: skip
    try:
        await discord.until(lambda: len(discord.identifies) > live)
        await discord.connected()
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), 60)
        log.close()


async def jobs(file: Path) -> list[Job]:
    store = await Store.open(file.parent / "data" / "zoetrope.db")
    found = await store.jobs()
    await store.close()
    return found


async def closed(file: Path, count: int, child: asyncio.subprocess.Process) -> None:
    """Wait until that many jobs are over, or the process is."""
    end = asyncio.get_running_loop().time() + 40
    while child.returncode is None and asyncio.get_running_loop().time() < end:
        found = await jobs(file)
        if len(found) >= count and all(job.state is State.CLOSED for job in found):
            return
        await asyncio.sleep(0.1)


def videos(discord: Discord, channel: Channel) -> list[Message]:
    places = [channel, *discord.threads(channel), *(one for one in discord.world.channels.values() if not one.guild)]
    return [message for place in places for message in discord.messages(place) if message.attachments]


async def ask(discord: Discord, ann: User, channel: Channel) -> None:
    await discord.slash(ann, channel, "animate", image=PICTURE, prompt="zoom in", model="local", seconds=2)


@pytest.mark.parametrize("last", POINTS)
async def test_killed_at_any_point_one_video_arrives_in_the_thread_and_its_buttons_live(
    tmp_path: Path, last: str
) -> None:
    async with Discord() as discord:
        ann, channel = discord.user("ann"), discord.guild().text()
        file = written(tmp_path, discord, more="[providers.local]")
        async with running(file, discord, last) as child:
            await ask(discord, ann, channel)
            await closed(file, 1, child)
        taken = len(await jobs(file))
        assert taken == (0 if last == "1" else 1)
        async with running(file, discord) as child:
            await closed(file, taken, child)
            found = videos(discord, channel)
            assert len(found) == taken
            if found:
                [video] = found
                assert video.channel in discord.threads(channel)
                await discord.press(ann, video, "Retry")
                await closed(file, 2, child)
                assert len(videos(discord, channel)) == 2
