"""A real `zoetrope run`, killed (kill -9) between the steps of a job on Slack, and started again."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.chats.slack_house import PICTURE, written
from tests.chats.test_discord_crash import closed, jobs
from tests.fakes.slack import Slack

ROOT = Path(__file__).parent.parent.parent
POINTS = os.environ.get("ZOETROPE_CRASH_POINTS", "1 2 29 36").split()


@asynccontextmanager
async def running(file: Path, slack: Slack, last: str = "0") -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot as an operator would, until the block ends or it kills itself at its point `last`."""
    log = (file.parent / "log").open("ab")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.crashing_slack", str(file), last, cwd=ROOT, stdout=log, stderr=log,
        env={"PATH": os.environ["PATH"], "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token},
    )  # fmt: skip
    try:
        await slack.connected(seconds=20)
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), 60)
        await slack.until(lambda: not slack.wire.live)
        log.close()


@pytest.mark.parametrize("last", POINTS)
async def test_killed_at_any_point_one_video_arrives_in_the_thread_and_its_buttons_live(
    tmp_path: Path, last: str
) -> None:
    async with Slack() as slack:
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        theirs = ann.posts(channel, "my cat", [PICTURE]).message
        assert theirs
        file = written(tmp_path, slack, more='default_model = "local"\n[providers.local]')
        async with running(file, slack, last) as child:
            view = await ann.picks("animate_message", theirs).view()
            ann.fills(view, {"prompt": "zoom in"})
            await closed(file, 1, child)
        taken = len(await jobs(file))
        assert taken == (0 if last == "1" else 1)
        async with running(file, slack) as child:
            await closed(file, taken, child)
            videos = slack.videos()
            assert len(videos) == taken
            if videos:
                assert videos[0].thread_ts == theirs.ts
                status = next(one for one in slack.messages(channel) if one.elements)
                ann.presses(status, "Retry")
                await closed(file, 2, child)
                assert len(slack.videos()) == 2
