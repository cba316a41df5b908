"""An action of one's own: a line in the table and its word, and every chat offers it, hears it and answers."""

from pathlib import Path

import pytest

from bot.chats.contract import Done
from bot.desk.actions import ACTIONS, Pressed, UseCase
from bot.domain.job import State
from bot.text import sentences
from tests.chats import discord_house, slack_house
from tests.chats.house import PICTURE
from tests.fakes.discord import Discord
from tests.fakes.slack import Slack


async def praise(pressed: Pressed) -> Done:
    return Done(f"Praised: {pressed.job.prompt}.")


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    english = {**sentences.WORDS["en"], "label.praise": "Praise"}
    monkeypatch.setattr(sentences, "WORDS", {"en": english})
    monkeypatch.setattr(sentences, "_ENGLISH", english)
    monkeypatch.setitem(ACTIONS, "praise", UseCase(praise, lambda job: job.state in {State.REPLYING, State.CLOSED}))


async def test_discord_offers_and_hears_it(tmp_path: Path) -> None:
    async with Discord() as discord, discord_house.house(tmp_path, discord) as here:
        ann, eve, channel = discord.user("ann"), discord.user("eve"), discord.guild().text()
        await discord.slash(ann, channel, "animate", image=PICTURE, prompt="waves")
        await here.all_closed()
        [video] = here.videos()

        assert [button["label"] for button in video.buttons] == ["Retry", "Edit", "Delete", "Praise"]
        await here.told(await discord.press(ann, video, "Praise"), "Praised: waves.")
        await here.told(await discord.press(eve, video, "Praise"), "Only the person who asked")


async def test_slack_offers_and_hears_it(tmp_path: Path) -> None:
    async with Slack() as slack, slack_house.house(tmp_path, slack) as here:
        ann, eve = slack.person("ann"), slack.person("eve")
        channel = slack.channel("general", ann, eve)
        ann.posts(channel, f"{slack.bot.mention} waves", [PICTURE])
        await here.all_closed()
        status = next(one for one in slack.messages(channel) if one.elements)

        assert [part["text"]["text"] for part in status.elements] == ["Retry", "Edit", "Delete", "Praise"]
        ann.presses(status, "Praise")
        await here.told(ann, "Praised: waves.")
        eve.presses(status, "Praise")
        await here.told(eve, "Only the person who asked")
