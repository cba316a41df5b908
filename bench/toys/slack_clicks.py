"""A real `zoetrope run` against a pretended Slack, and people who click. What is made of it: `bench/ack.py`."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.toys import run
from bot.chats.slack.places import place
from tests.fakes.slack import Channel, Message, Slack, Upload
from tests.fakes.slack_people import Person

CONFIG = """[chat.slack]
bot_token = "env:SLACK_BOT_TOKEN"
app_token = "env:SLACK_APP_TOKEN"
api_url = "{slack.api_url}"
file_hosts = {hosts}
"""
Seed = Callable[[Path, str, Mapping[str, str], int], Awaitable[None]]


@dataclass
class Bot:
    slack: Slack
    ann: Person
    channel: Channel
    wishes: int = 0

    @property
    def took(self) -> list[float]:
        """Return seconds from each envelope to its acknowledgement."""
        return [one.acks[0].seconds for one in self.slack.envelopes if one.acks]

    async def clicks(self, count: int, per_second: float) -> None:
        """Ask for the form, evenly spaced, and wait for every answer."""
        start = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
            self.ann.types("/animate", "waves", self.channel)
        await asyncio.sleep(4)

    async def pressing(self, data: bytes) -> None:
        """Keep one media sandbox busy until cancelled."""
        while True:
            self.wishes += 1
            wish = self.ann.posts(self.channel, f"{self.slack.bot.mention} waves", [Upload(data, "wave.jpg")]).message
            root = wish.ts if wish else ""
            await self.slack.until(lambda root=root: self._accepted(root), 60)

    def _accepted(self, root: str) -> bool:
        return any(one.elements for one in self.slack.thread(self.channel, root))


@asynccontextmanager
async def running(folder: Path, slack: Slack, jobs: int, seed: Seed) -> AsyncIterator[Bot]:
    """Run the bot with that many jobs in flight, until the block ends."""
    ann = slack.person("ann")
    bot = Bot(slack, ann, slack.channel("general", ann))
    if jobs:
        status = Message(slack.world.new_ts(), bot.channel, slack.bot, "Rendering.", time.time())
        where = place(slack.team.id, bot.channel.id, "", slack.world.stand(status).ts, user=ann.id, locale="en")
        await seed(folder, "slack", where, jobs)
    chat = CONFIG.format(slack=slack, hosts=list(slack.file_hosts))
    tokens = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token}
    async with run.running(folder, run.FOREVER, chat, **tokens):
        await slack.connected(seconds=30)
        yield bot
