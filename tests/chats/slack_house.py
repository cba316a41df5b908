"""The whole house in one process, in a pretended Slack: all of it real but Slack and the maker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import config
from bot.chats.slack.handlers import SCOPES
from tests.chats.house import MAKER, PICTURE, TOY, Inhabited, inhabited
from tests.fakes.slack import Channel, Message, Slack
from tests.fakes.slack_people import Person

__all__ = ["PICTURE", "TOY", "House", "house", "written"]
CONFIG = f"""{MAKER}
[chat.slack]
bot_token = "env:SLACK_BOT_TOKEN"
app_token = "env:SLACK_APP_TOKEN"
api_url = "{{slack.api_url}}"
file_hosts = {{hosts}}
{{more}}
"""


def written(folder: Path, slack: Slack, toy: str = TOY, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    hosts = list(slack.file_hosts)
    path.write_text(CONFIG.format(folder=folder, slack=slack, hosts=hosts, toy=toy, more=more))
    return path


@dataclass
class House(Inhabited):
    slack: Slack

    def said(self, channel: Channel) -> Sequence[str]:
        return [one.text for one in self.slack.messages(channel) if one.author is self.slack.bot]

    def whispered(self, person: Person) -> Sequence[str]:
        """Return what was told to one person alone, in a channel or in direct messages."""
        here = [one.text for one in self.slack.ephemerals if one.reader is person]
        return [*here, *self.said(self.slack.dm(person))]

    async def told(self, person: Person, words: str) -> None:
        await self.slack.until(lambda: any(words in said for said in self.whispered(person)))

    async def statuses(self, channel: Channel, count: int = 1) -> list[Message]:
        """Wait until that many of our messages have a button to stop."""

        def found() -> list[Message]:
            ours = [one for one in self.slack.messages(channel) if one.author is self.slack.bot]
            return [one for one in ours if any("cancel" in part["action_id"] for part in one.elements)]

        await self.slack.until(lambda: len(found()) >= count)
        return found()


@asynccontextmanager
async def house(
    folder: Path, slack: Slack, toy: str = TOY, more: str = "", port: int | None = None
) -> AsyncIterator[House]:
    """Run all of it, as `zoetrope run` does, until the block ends; `port`: where it listens when it has no socket."""
    slack.scopes.intersection_update({*SCOPES, "usergroups:read"})  # as docs/slack-manifest.yaml asks
    env = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token}
    env["SLACK_SIGNING_SECRET"] = slack.signing_secret
    read = config.load(written(folder, slack, toy, more), env)
    async with inhabited(read, "slack", lambda: slack.connected() if port is None else _listening(port)) as world:
        yield House(world, slack)


async def _listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return await writer.wait_closed()
