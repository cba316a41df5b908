"""From a wheel to the first video, and what the installed bot costs: to get ready, to idle, to stop.

`python bench/install.py`. The Dockerfile's own steps in a folder, downloads from pip's cache where it has them. Then
the installed `zoetrope run` with Discord, Slack (both pretended, on loopback) and fal set up, in which nobody talks.
Ready: our health page says that the database and both chats are there. Medians of the starts; a first start makes the
database.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import tables
from tests.dockerfile import ROOT, Image, free_port
from tests.fakes.discord import Discord
from tests.fakes.slack import Slack

STARTS, IDLE_SECONDS = 5, 10.0
CONFIG = """
[health]
port = {port}
[providers.local]
[providers.fal]
key = "env:FAL_KEY"
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
[chat.slack]
bot_token = "env:SLACK_BOT_TOKEN"
app_token = "env:SLACK_APP_TOKEN"
api_url = "{slack.api_url}"
file_hosts = {hosts}
"""


async def first_video(image: Image) -> float:
    """Return the seconds that the program takes for a clip of 5 s, 720p."""
    began = time.perf_counter()
    code, said = await image.ends("animate", str(ROOT / "docs/sample.jpg"), "slow zoom in while panning left")
    if code:
        raise RuntimeError(said)
    return time.perf_counter() - began


async def served(
    image: Image, discord: Discord, slack: Slack, port: int, idle: float
) -> tuple[float, float, float, float]:
    """Return seconds to connected and to ready, MiB resident after idling, and seconds to stop."""
    began, before = time.perf_counter(), len(discord.identifies)
    keys = {"DISCORD_TOKEN": discord.token, "FAL_KEY": "nobody:asks"}
    keys |= {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token}
    async with image.run("run", **keys) as child:
        await discord.until(lambda: len(discord.identifies) > before, 30)
        connected = time.perf_counter() - began
        while await chats(port) != {"discord": True, "slack": True}:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
        ready = time.perf_counter() - began
        await asyncio.sleep(idle)
        memory = resident(child.pid)
        told = time.perf_counter()
        child.terminate()
        out, _ = await child.communicate()
        if child.returncode:
            raise RuntimeError(out.decode())
        return connected, ready, memory, time.perf_counter() - told


async def chats(port: int) -> dict[str, bool]:
    """Return which chats are connected, as /readyz says it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return {}
    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    found: dict[str, bool] = json.loads(body)["chats"]
    return {name: found[name] for name in ("discord", "slack")}


def resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def measured(folder: Path) -> list[tables.Figure]:
    image = Image(folder)
    began = time.perf_counter()
    await asyncio.to_thread(image.build)
    installed = time.perf_counter() - began
    video = await first_video(image)
    async with Discord() as discord, Slack() as slack:
        discord.guild()
        port = free_port()
        hosts = list(slack.file_hosts)
        (folder / "data/config.toml").write_text(CONFIG.format(discord=discord, slack=slack, hosts=hosts, port=port))
        idle = [0.0] * STARTS + [IDLE_SECONDS]
        rounds = [await served(image, discord, slack, port, seconds) for seconds in idle]
    connected, ready, _, stop = (statistics.median(one) for one in zip(*rounds, strict=True))
    size = sum(file.stat().st_size for file in (folder / "opt/zoetrope").rglob("*") if not file.is_symlink())
    return [
        tables.Figure("wheel built, all of it installed", f"{installed:.1f} s"),
        tables.Figure("first video, 5 s at 720p", f"{video:.1f} s"),
        tables.Figure("on the disk", f"{size / 2**20:.0f} MiB"),
        tables.Figure("start to Discord's gateway", f"{connected:.2f} s"),
        tables.Figure("start to ready", f"{ready:.2f} s"),
        tables.at_most("idle memory, both chats and fal", rounds[-1][2], 90, "MiB"),
        tables.at_most("stop", stop, 10, "s"),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tables.show("from a wheel to a running bot", asyncio.run(measured(Path(folder))))


if __name__ == "__main__":
    main()
