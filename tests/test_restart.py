"""Kill -9 of a real `zoetrope run` on Discord and fal with a job in hand in every state, and a start after it."""

import asyncio
import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.store.contract import UNDER_WAY
from tests.chats.house import png
from tests.fakes import discord_faults, fal_script, faults
from tests.fakes.discord import Discord, Message
from tests.fakes.fal import Fal

ROOT = Path(__file__).parent.parent
STATES = {"queued", "submitting", "rendering", "overdue", "replying"}
WITHIN_SECONDS = 2
QUIET_START = 1.0  # seconds that a start takes on a quiet machine; a busy one is as much slower in all it does
POSTS = "POST /channels/{}/messages"
CONFIG = """
data_dir = "data"
default_model = "kling-2-1"
[health]
port = "off"
[limits]
open_per_person = "unlimited"
[worker]
steps_at_once = 4
lease_seconds = 600
[providers.fal]
key = "env:FAL_KEY"
queue_url = "{fal.queue_url}"
rest_url = "{fal.rest_url}"
[models.kling-2-1]
provider = "fal"
typical_seconds = 0.3
poll_floor = 0.1
[models.kling-2-1-pro]
provider = "fal"
typical_seconds = 0.3
poll_floor = 0.1
deadline_seconds = 0.1
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
"""


@dataclass(frozen=True)
class Row:
    state: str
    outcome: str | None
    claimed: int
    fence: int


@dataclass
class Place:
    folder: Path
    fal: Fal
    discord: Discord

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the bot as an operator would, until the block ends or it is killed."""
        (self.folder / "config.toml").write_text(CONFIG.format(fal=self.fal, discord=self.discord))
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        env |= {"DISCORD_TOKEN": self.discord.token, "FAL_KEY": self.fal.key}
        before = len(self.discord.identifies)
        with (self.folder / "log").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", cwd=self.folder, env=env, stdout=log, stderr=log
            )
            try:
                await self.discord.until(lambda: len(self.discord.identifies) > before)
                yield child
            finally:
                with contextlib.suppress(ProcessLookupError):  # it was killed
                    child.terminate()
                await asyncio.wait_for(child.wait(), 60)

    def rows(self) -> dict[str, Row]:
        """Return the jobs by their words."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "zoetrope.db")) as database:
            found = database.execute("SELECT prompt, state, outcome, claimed, fence FROM jobs").fetchall()
        return {prompt: Row(*facts) for prompt, *facts in found}

    def hurry(self, prompt: str) -> None:
        """Let a job's next look be due, as if its minute had passed."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "zoetrope.db")) as database, database:
            database.execute("UPDATE jobs SET due = 0 WHERE prompt = ?", (prompt,))

    async def until_state(self, prompt: str, state: str) -> None:
        await self.discord.until(lambda: prompt in self.rows() and self.rows()[prompt].state == state)

    def told(self) -> dict[str, list[Message]]:
        """Return what the bot posted in each job's thread, by the job's words."""
        threads = [one for one in self.discord.world.channels.values() if one.parent is not None]
        return {one.name: [m for m in self.discord.messages(one) if m.author.bot] for one in threads}


async def in_every_state(here: Place) -> None:
    """Bring a job into each state, in hand where a state can be: an answer that never comes holds it there."""
    fal, discord = here.fal, here.discord
    ann, channel = discord.user("ann"), discord.guild().text()

    async def ask(prompt: str, model: str = "kling-2-1") -> None:
        await discord.slash(ann, channel, "animate", image=png((400, 300)), prompt=prompt, model=model)

    def held_look() -> faults.Gate:
        gate = faults.Gate()
        fal.next("status", faults.held(gate))
        return gate

    fal.next_job(fal_script.Plan(run_seconds=1))
    await ask("overdue", "kling-2-1-pro")
    await here.until_state("overdue", "overdue")
    look = held_look()
    here.hurry("overdue")
    await look.reached.wait()

    look = held_look()
    await ask("replying")
    await look.reached.wait()
    post = faults.Gate()
    discord.next(POSTS, discord_faults.held(post))
    look.open.set()
    await post.reached.wait()

    look = held_look()
    await ask("rendering")
    await look.reached.wait()

    submission = faults.Gate()
    fal.next("submit", faults.held(submission))
    await ask("submitting")
    await submission.reached.wait()

    await ask("queued")
    await here.until_state("queued", "queued")
    await discord.until(lambda: here.told().keys() >= STATES)  # a thread that a crash prevents gets another name


async def test_after_kill_9_every_open_job_is_watched_within_two_seconds_and_ends_well(tmp_path: Path) -> None:
    async with Fal() as fal, Discord() as discord:
        here = Place(tmp_path, fal, discord)
        async with here.running() as child:
            async with asyncio.timeout(60):
                await in_every_state(here)
            child.kill()
            await child.wait()
        before = here.rows()
        assert {row.state for row in before.values()} == set(before) == STATES
        assert {name for name, row in before.items() if row.claimed} == STATES - {"queued"}

        start = time.monotonic()
        async with here.running():
            slower = max(1.0, (time.monotonic() - start) / QUIET_START)

            def watched(name: str) -> bool:
                return here.rows()[name].fence > before[name].fence

            await discord.until(lambda: all(map(watched, STATES - {"replying"})), WITHIN_SECONDS * slower)
            under_way = UNDER_WAY * slower  # the dead one's post may show up until then
            await discord.until(lambda: watched("replying"), under_way)
            await discord.until(lambda: {row.state for row in here.rows().values()} == {"closed"})
        ends = {name: row.outcome for name, row in here.rows().items()}
        videos = {name: sum(bool(post.attachments) for post in posts) for name, posts in here.told().items()}
        last_words = here.told()["submitting"][-1].content

    assert ends == {
        **dict.fromkeys(STATES, "rendered"),
        "submitting": "interrupted",
    }  # fal can't be asked about that one
    assert videos == {**dict.fromkeys(STATES, 1), "submitting": 0}
    assert "may have been charged" in last_words
    assert (len(fal.billed), fal.posts) == (5, 5)
