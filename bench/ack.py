"""How soon Discord is answered, and how soon a finished video stands there; `--slack`: how soon Slack is.

`python bench/ack.py [--slack] [--clicks 1000] [--jobs 1000]`. A real `zoetrope run` (discord.py, SQLite, worker) and
a pretended Discord in this process, on loopback. From INTERACTION_CREATE on the socket to our callback at the server:
`/animations` at 40 a second, with no job in flight; then with jobs in flight (the maker says "rendering") while two
people at a time send 12-megapixel pictures, so that two media sandboxes run. Then from the look that found a video
finished to its post, 5 MB clips, one at a time. With Slack: from the envelope on the socket to our acknowledgement of
it.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import run, slack_clicks, tables
from bench.toys.film import noisy
from bot.chats.contract import Address
from bot.chats.discord.places import place
from bot.domain.job import EffectStarted, Job, Ticketed
from bot.domain.options import ResolvedOptions
from bot.store.sqlite import Store
from providers.contract import Ticket
from tests.fakes.discord import Channel, Discord, Interaction, User
from tests.fakes.slack import Slack

PER_SECOND = 40
CLIP_BYTES = 5_000_000
CONFIG = """[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
"""


@dataclass
class Bot:
    discord: Discord
    ann: User
    channel: Channel


def picture(side: int) -> bytes:
    out = BytesIO()
    Image.effect_noise((side, side * 3 // 4), 40).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


async def seeded(folder: Path, surface: str, where: Mapping[str, str], count: int) -> None:
    """Write jobs down as if each had been asked for there, and taken by its maker."""
    store = await Store.open(folder / "data" / "zoetrope.db")
    now = time.time()
    for number in range(count):
        job = Job(
            id=f"seed{number}", key=f"seed{number}", address=Address(surface, where), requester="somebody", locale="en",
            prompt="waves", model="toy", provider="toy", options=ResolvedOptions(), price=0,
            created=now, due=now,
        )  # fmt: skip
        await store.add(job)
    for job in await store.claim(now + 1, [surface], [], count):
        job = await store.record(job, EffectStarted(now + 1))  # noqa: PLW2901 - the same job, later
        await store.record(job, Ticketed(Ticket(str(now)), now))
    await store.close()


@asynccontextmanager
async def running(folder: Path, takes: float, jobs: int) -> AsyncIterator[Bot]:
    async with Discord() as discord:
        bot = Bot(discord, discord.user("ann"), discord.guild().text())
        if jobs:
            status = await discord.say(discord.bot, bot.channel, "Rendering.")
            guild = bot.channel.guild.id if bot.channel.guild else None
            where = place(guild, bot.channel.id, status.id, bot.ann.id, "en", thread=False)
            await seeded(folder, "discord", where, jobs)
        async with run.running(folder, takes, CONFIG.format(discord=discord), DISCORD_TOKEN=discord.token):
            await discord.connected(seconds=30)
            yield bot


async def clicks(bot: Bot, count: int) -> list[Interaction]:
    """Ask for the list, evenly spaced, and wait for every answer."""
    sent: list[Interaction] = []
    start = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.monotonic()))
        sent.append(await bot.discord.slash(bot.ann, bot.channel, "animations"))
    await asyncio.sleep(4)
    return sent


async def pressing(bot: Bot, data: bytes, asked: list[Interaction]) -> None:
    """Keep one media sandbox busy until cancelled."""
    while True:
        one = await bot.discord.slash(bot.ann, bot.channel, "animate", image=data, prompt="waves")
        asked.append(one)
        await bot.discord.until(lambda one=one: one.response is not None and one.response.deleted, 60)


async def acknowledged(count: int, jobs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with running(Path(name), run.FOREVER, jobs) as bot:
            await bot.discord.until(lambda: bot.discord.commands.synced, 30)
            await asyncio.sleep(5)  # all jobs have been looked at once
            wishes: list[Interaction] = []
            large = await asyncio.to_thread(picture, 4000)
            busy = [asyncio.create_task(pressing(bot, large, wishes)) for _ in range(2 if jobs else 0)]
            sent = await clicks(bot, count)
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
    took = [one.seconds for one in [*sent, *wishes] if one.seconds is not None]
    due = len(sent) + len(wishes) - (2 if jobs else 0)  # the last two wishes were cut off
    shown("Discord", took, due, f"{count} clicks, {jobs} jobs in flight, {len(wishes)} wishes")


def shown(chat: str, took: Sequence[float], due: int, load: str) -> None:
    p50, p99, most = (tables.percentile(took, part) * 1000 for part in (50, 99, 100))
    tables.show(
        f"{chat}: {load} with a 12-megapixel picture beside them",
        [
            tables.Figure("answered in time", f"{len(took)} of {due}", "goal all", len(took) >= due),
            tables.Figure("p50", f"{p50:.1f} ms"),
            tables.at_most("p99", p99, 100, "ms"),
            tables.at_most("max", most, 1000, "ms"),
        ],
    )


async def acknowledged_on_slack(count: int, jobs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Slack() as slack, slack_clicks.running(folder, slack, jobs, seeded) as bot:
            await asyncio.sleep(5)  # all jobs have been looked at once
            large = await asyncio.to_thread(picture, 4000)
            busy = [asyncio.create_task(bot.pressing(large)) for _ in range(2 if jobs else 0)]
            await bot.clicks(count, PER_SECOND)
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
            took, due = bot.took, len(slack.envelopes)
    shown("Slack", took, due, f"{count} clicks, {jobs} jobs in flight, {bot.wishes} wishes")


async def posted(count: int) -> None:
    """Measure from the look that found a video finished to the moment it stands in the thread."""
    took: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await asyncio.to_thread(noisy, folder / "clip.mp4", CLIP_BYTES)
        size = (folder / "clip.mp4").stat().st_size
        async with running(folder, 3, 0) as bot:
            await bot.discord.until(lambda: bot.discord.commands.synced, 30)
            for number in range(count):
                await bot.discord.slash(bot.ann, bot.channel, "animate", image=picture(800), prompt=f"wave {number}")
                await bot.discord.until(lambda number=number: len(_videos(bot)) > number, 60)
                finished = max(float(path.read_text()) for path in (folder / "data/providers/toy").glob("*"))
                took.append(time.time() - finished)
    p50, p95, most = (tables.percentile(took, part) for part in (50, 95, 100))
    tables.show(
        f"{count} videos of {size / 1e6:.1f} MB, one at a time: from the look that found it finished to the post",
        [
            tables.Figure("p50", f"{p50:.2f} s"),
            tables.at_most("p95", p95, 1.5, "s"),
            tables.Figure("max", f"{most:.2f} s"),
        ],
    )


def _videos(bot: Bot) -> Sequence[object]:
    threads = bot.discord.threads(bot.channel)
    return [one for thread in threads for one in bot.discord.messages(thread) if one.attachments]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--slack", action="store_true")
    given = parser.parse_args()
    for jobs in (0, given.jobs):
        await (acknowledged_on_slack if given.slack else acknowledged)(given.clicks, jobs)
    if not given.slack:
        await posted(given.videos)


if __name__ == "__main__":
    asyncio.run(main())
