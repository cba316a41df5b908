"""An old backup under a Discord that went on: who was answered already is not answered again, nor charged."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.job import Outcome, State
from bot.ops.backup import make
from bot.ops.restore import restore
from tests.chats.discord_house import PICTURE, TOY, House, house
from tests.fakes.discord import Discord

AS_IT_WAS = (
    "UPDATE jobs SET state = 'queued', ticket = NULL, ticketed = NULL, rendering_started = NULL, progress = NULL"
)


async def backed_up(here: House, file: Path) -> None:
    """Make a backup while the one job is being rendered."""
    async with asyncio.timeout(60):
        while [job.state for job in await here.jobs()] != [State.RENDERING]:  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.01)
    make(here.app.config.data_dir / "zoetrope.db", here.app.files, file, time.time())


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(statement)


@pytest.mark.parametrize(("recovery", "state"), [("none", State.RENDERING), ("find", State.QUEUED)])
async def test_a_video_that_stands_there_is_not_posted_again_from_a_backup(
    tmp_path: Path, recovery: str, state: State
) -> None:
    toy, old, data = f'{TOY}\ntakes = 1\nrecovery = "{recovery}"', tmp_path / "old.db", tmp_path / "data"
    async with Discord() as discord:
        channel, user = discord.guild("home").text(), discord.user()
        async with house(tmp_path, discord, toy) as here:
            await discord.slash(user, channel, "animate", image=PICTURE, prompt="zoom in")
            await backed_up(here, old)
            await here.all_closed()
            [posted] = here.videos()
        if state is State.QUEUED:
            change(old, AS_IT_WAS)
            old.with_name("old.db.sha256").unlink()
        found = await restore(old, data, time.time())
        assert [job.state for job in found.open_jobs] == [state]
        change(data / "zoetrope.db", "UPDATE jobs SET due = 0")  # else some seconds later

        async with house(tmp_path, discord, toy) as here:
            [job] = await here.all_closed()
            assert [message.id for message in here.videos()] == [posted.id]

    assert (job.outcome, job.receipt) == (Outcome.RENDERED, f"{posted.channel.id}/{posted.id}")
    assert len((data / "providers/toy/charges").read_text().splitlines()) == 1
