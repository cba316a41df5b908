"""The exam of every chat in actions: each one there is, pressed by the requester, by a stranger and by a moderator."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from bot import config
from bot.chats.contract import Action, Actor, Address, AsksWords, Declined, Done, Press, Request, Upload
from bot.chats.terminal import place
from bot.desk.actions import ACTIONS
from bot.desk.requests import Quote
from bot.domain.job import Job
from bot.domain.policy import MODERATED
from tests.chats import discord_house, slack_house
from tests.chats.house import MAKER, PICTURE, TOY, Inhabited, inhabited
from tests.fakes.discord import Discord, Interaction, Message
from tests.fakes.discord_things import User
from tests.fakes.discord_words import Permission
from tests.fakes.slack import Message as SlackMessage
from tests.fakes.slack import Slack
from tests.fakes.slack_people import Person

NOT_YOURS = "Only the person who asked for this video, or a moderator, can do that."


class Stage(Protocol):
    """A running house in which somebody has got a video."""

    house: Inhabited
    moderated: frozenset[str]  # what a moderator may there

    async def press(self, who: str, act: str, job: Job) -> None:
        """Press that button of that job as "requester", "stranger" or "moderator", whether it is shown or not."""

    def told(self, who: str) -> list[str]:
        """Return what that person was told alone so far."""

    def forms(self, who: str) -> int:
        """Return how many forms were opened for that person so far."""

    async def until(self, so: Callable[[], object]) -> None: ...


class Exam:
    """A chat's test subclasses it and gives a fixture `stage`. A new action is pressed without a word here."""

    async def test_a_stranger_is_told_so_and_nothing_happens(self, stage: Stage) -> None:
        [job] = await stage.house.jobs()
        for number, act in enumerate(ACTIONS, 1):
            await stage.press("stranger", act, job)
            await stage.until(lambda number=number: len(stage.told("stranger")) == number)

        assert set(stage.told("stranger")) == {NOT_YOURS}
        assert stage.forms("stranger") == 0
        assert await stage.house.jobs() == [job]
        assert stage.house.app.files.video(job.id).exists()

    async def test_a_moderator_may_what_costs_nothing(self, stage: Stage) -> None:
        [job] = await stage.house.jobs()
        for number, act in enumerate(ACTIONS, 1):
            await stage.press("moderator", act, job)
            await stage.until(lambda number=number: len(stage.told("moderator")) == number)

        answers = dict(zip(ACTIONS, stage.told("moderator"), strict=True))
        assert {act for act, words in answers.items() if words != NOT_YOURS} == stage.moderated
        assert stage.forms("moderator") == 0
        assert await stage.house.jobs() == [job]

    async def test_the_requester_may_all(self, stage: Stage) -> None:
        [job] = await stage.house.jobs()
        for act, case in ACTIONS.items():
            told, forms, jobs = stage.told("requester"), stage.forms("requester"), await stage.house.jobs()
            await stage.press("requester", act, job)
            if case.asks_words:
                await stage.until(lambda forms=forms: stage.forms("requester") == forms + 1)
            elif case.makes_job:
                await stage.house.all_closed(len(jobs) + 1)
            else:
                await stage.until(lambda told=told: stage.told("requester") != told)

        assert NOT_YOURS not in stage.told("requester")


@dataclass
class OnDiscord:
    house: discord_house.House
    people: dict[str, User]
    post: Message
    pressed: list[Interaction] = field(default_factory=list)
    moderated = MODERATED

    async def press(self, who: str, act: str, job: Job) -> None:
        button = {"type": 2, "style": 1, "label": act, "custom_id": f"zoetrope:{act}:{job.id}"}
        self.post.components = [{"type": 1, "components": [button]}]
        self.pressed.append(await self.house.discord.press(self.people[who], self.post, act))

    def told(self, who: str) -> list[str]:
        return [one.words for one in self._acts(who) if one.words]

    def forms(self, who: str) -> int:
        return sum(one.modal is not None for one in self._acts(who))

    async def until(self, so: Callable[[], object]) -> None:
        await self.house.discord.until(so, 20)

    def _acts(self, who: str) -> list[Interaction]:
        return [one for one in self.pressed if one.user is self.people[who]]


class TestOnDiscord(Exam):
    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[OnDiscord]:
        async with Discord() as discord, discord_house.house(tmp_path, discord) as house:
            people = {who: discord.user(who) for who in ("requester", "stranger", "moderator")}
            guild = discord.guild()
            guild.role("mods", Permission.MANAGE_MESSAGES | Permission.VIEW_CHANNEL, people["moderator"])
            channel = guild.text()
            await discord.slash(people["requester"], channel, "animate", image=PICTURE, prompt="waves")
            await house.all_closed()
            yield OnDiscord(house, people, await discord.say(discord.bot, channel, "a post of ours"))


@dataclass
class OnSlack:
    house: slack_house.House
    people: dict[str, Person]
    post: SlackMessage
    moderated = MODERATED

    async def press(self, who: str, act: str, job: Job) -> None:
        await self.people[who].presses(self.post, f"zoetrope:{act}:0", value=job.id, forged=True).acked()

    def told(self, who: str) -> list[str]:
        return list(self.house.whispered(self.people[who]))

    def forms(self, who: str) -> int:
        return sum(view.owner.id == self.people[who].id for view in self.house.slack.views)

    async def until(self, so: Callable[[], object]) -> None:
        await self.house.slack.until(so, 20)


class TestOnSlack(Exam):
    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[OnSlack]:
        async with Slack() as slack, slack_house.house(tmp_path, slack) as house:
            people = {
                who: slack.person(who, admin=who == "moderator") for who in ("requester", "stranger", "moderator")
            }
            channel = slack.channel("general", *people.values())
            people["requester"].posts(channel, f"{slack.bot.mention} waves", [PICTURE])
            await house.all_closed()
            status = next(one for one in slack.messages(channel) if one.elements)
            yield OnSlack(house, people, status)


@dataclass
class AtTheTerminal:
    """Whoever types there is the operator; nobody moderates files."""

    house: Inhabited
    answers: dict[str, list[Done | AsksWords | Quote | Declined]] = field(default_factory=lambda: defaultdict(list))
    moderated = frozenset[str]()

    async def press(self, who: str, act: str, job: Job) -> None:
        actor = Actor("terminal", f"terminal:{who}", moderator=who == "moderator", operator=who == "requester")
        answer = await self.house.app.desk.press(actor, Press(f"{who}:{act}", Action(act, job.id)))
        self.answers[who].append(answer)
        if isinstance(answer, Quote):
            await self.house.app.desk.accept(answer, job.address)

    def told(self, who: str) -> list[str]:
        return [one.words for one in self.answers[who] if isinstance(one, Done | Declined)]

    def forms(self, who: str) -> int:
        return sum(isinstance(one, AsksWords) for one in self.answers[who])

    async def until(self, so: Callable[[], object]) -> None:
        assert so()


class TestAtTheTerminal(Exam):
    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[AtTheTerminal]:
        file = tmp_path / "config.toml"
        file.write_text(MAKER.format(folder=tmp_path, toy=TOY))
        async with inhabited(config.load(file, {}), "terminal", lambda: asyncio.sleep(0)) as app:
            house = Inhabited(app)
            picture = Upload("a.png", "image/png", len(PICTURE), read)
            actor = Actor("terminal", "terminal:requester", operator=True)
            quote = await app.desk.consider(actor, Request("key", "waves", (picture,)))
            assert isinstance(quote, Quote)
            await app.desk.accept(quote, Address("terminal", place(tmp_path / "clip.mp4", replace=False)))
            await house.all_closed()
            yield AtTheTerminal(house)


async def read(cap: int) -> bytes:
    return PICTURE[:cap]
