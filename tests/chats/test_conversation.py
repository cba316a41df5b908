"""What is said when, whatever the chat: seen in a chat of one's own, which has nothing but its `Turn`."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.chats.contract import Act, Action, ChatUnsure
from bot.chats.conversation import Conversation
from bot.domain.job import Job
from bot.domain.options import ChosenOptions
from bot.domain.policy import MODERATED
from tests.chats.house import PICTURE, TOY
from tests.chats.murmur_house import House, house
from tests.chats.test_actions import Exam
from tests.fakes.murmur import upload


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, f"{TOY}\ntakes = 600") as found:
        yield found


@dataclass
class InOnesOwn:
    house: House
    moderated = MODERATED

    async def press(self, who: str, act: str, job: Job) -> None:
        chat = self.house.chat
        await chat.press(chat.turn(who, moderator=who == "moderator"), Action(act, job.id))

    def told(self, who: str) -> list[str]:
        return self.house.chat.told(who)

    def forms(self, who: str) -> int:
        return sum(person == who for person, _ in self.house.chat.forms)

    async def until(self, so: Callable[[], object]) -> None:
        assert so()


class TestInAChatOfOnesOwn(Exam):
    @pytest.fixture
    async def stage(self, here: House) -> InOnesOwn:
        await here.chat.ask(here.chat.turn("requester"), "waves", PICTURE)
        await here.all_closed()
        return InOnesOwn(here)


async def test_the_status_says_the_quote_gets_its_button_and_the_video_its_own(here: House) -> None:
    await here.chat.ask(here.chat.turn("ann"), "waves", PICTURE)
    [job] = await here.all_closed()

    status, answer = here.chat.posts.values()
    await here.chat.until(lambda: status.words == "Finished.")
    assert status.wordings[0].startswith("toy: 5 s")
    assert status.actions == ()
    assert answer.video
    assert [action.act for action in answer.actions] == [Act.RETRY, Act.EDIT, Act.DELETE]
    assert job.address.place["status"] in here.chat.posts


async def test_what_is_declined_is_told_in_private_and_leaves_no_status(here: House) -> None:
    for pictures in ((), (b"no picture",)):
        await here.chat.ask(here.chat.turn("ann"), "waves", *pictures)

    assert here.chat.told("ann") == [
        "There is no picture. Send one together with your words.",
        "The picture is of a kind that can't be read. Send a JPEG, PNG, WebP, GIF, HEIC or AVIF.",
    ]
    assert here.chat.posts == {}


async def test_our_missing_rights_are_named(here: House) -> None:
    await here.chat.ask(replace(here.chat.turn("ann"), lacks=("permission.attach_files",)), "waves", PICTURE)

    assert here.chat.told("ann") == [
        "I may not answer here, so nothing was started. Ask a moderator to allow me: Attach Files."
    ]


async def test_where_we_may_not_post_the_chat_says_how_we_could(here: House) -> None:
    here.chat.closed = True
    await here.chat.ask(here.chat.turn("ann"), "waves", PICTURE)

    assert here.chat.told("ann") == ["Open the door first."]
    assert await here.jobs() == []


async def test_the_same_act_twice_is_one_job_and_one_status(slow: House) -> None:
    for _ in range(2):
        await slow.chat.ask(slow.chat.turn("ann", "act 1"), "waves", PICTURE)

    assert len(await slow.jobs()) == len(slow.chat.posts) == 1


async def test_the_same_act_after_a_restart_is_one_job_and_one_status(slow: House) -> None:
    await slow.chat.ask(slow.chat.turn("ann", "act 1"), "waves", PICTURE)
    anew = Conversation(slow.app.desk, "murmur")
    await anew.request(slow.chat.turn("ann", "act 1"), "waves", [upload(PICTURE)], ChosenOptions())

    assert len(await slow.jobs()) == len(slow.chat.posts) == 1


async def test_the_same_act_twice_is_declined_once(here: House) -> None:
    for _ in range(2):
        await here.chat.ask(here.chat.turn("ann", "act 1"), "waves")

    assert len(here.chat.told("ann")) == 1


async def test_two_presses_of_a_button_are_one_act_but_not_those_of_two_people(slow: House) -> None:
    chat = slow.chat
    await chat.ask(chat.turn("ann"), "waves", PICTURE)
    [job] = await slow.jobs()
    for person in ("ann", "ann", "eve"):
        await chat.press(chat.turn(person), Action(Act.CANCEL, job.id))

    assert (len(chat.told("ann")), len(chat.told("eve"))) == (1, 1)


async def test_an_edit_opens_its_form_however_often_it_is_pressed(here: House) -> None:
    chat = here.chat
    await chat.ask(chat.turn("ann"), "waves", PICTURE)
    [job] = await here.all_closed()
    for _ in range(2):
        await chat.press(chat.turn("ann"), Action(Act.EDIT, job.id))
    await (await chat.conversation()).fill_in(chat.turn("ann"), Action(Act.EDIT, job.id), "storm", {"seconds": 10.0})
    again, _ = await here.all_closed(2)

    assert chat.forms == [("ann", Action(Act.EDIT, job.id))] * 2
    assert (again.prompt, again.options.seconds, again.parent) == ("storm", 10, job.id)


async def test_what_can_not_be_made_again_is_said_before_anything_is_posted(here: House) -> None:
    chat = here.chat
    await chat.ask(chat.turn("ann"), "waves", PICTURE)
    [job] = await here.all_closed()
    here.app.files.forget(job.id)
    posts = dict(chat.posts)
    await chat.press(chat.turn("ann"), Action(Act.RETRY, job.id))

    assert "no longer kept" in chat.told("ann")[-1]
    assert chat.posts == posts


@pytest.mark.parametrize(
    ("error", "words"),
    [(ChatUnsure("lost"), "That could not be done just now."), (KeyError("x"), "Something went wrong")],
)
async def test_whatever_breaks_is_one_sentence_with_a_reference_that_is_in_the_log(
    here: House, caplog: pytest.LogCaptureFixture, error: Exception, words: str
) -> None:
    here.chat.breaks = error
    await here.chat.ask(here.chat.turn("ann"), "a secret garden", PICTURE)

    [told] = here.chat.told("ann")
    assert told.startswith(words)
    reference = re.search(r"reference (\w+)\.", told)
    assert reference
    assert reference[1] in caplog.text
    assert "secret garden" not in caplog.text
    assert await here.jobs() == []


async def test_only_the_rooms_that_were_allowed_may_ask_and_make_again(tmp_path: Path) -> None:
    async with house(tmp_path, more='rooms = ["hall"]') as here:
        chat = here.chat
        await chat.ask(chat.turn("ann", room="cellar"), "waves", PICTURE)
        assert chat.told("ann") == [
            "Videos can't be asked for here. Try another channel, or ask whoever runs this bot."
        ]
        await chat.ask(chat.turn("ann"), "waves", PICTURE)
        [job] = await here.all_closed()
        await chat.press(chat.turn("ann", room="cellar"), Action(Act.RETRY, job.id))

        assert len(chat.told("ann")) == 2
        assert len(await here.jobs()) == 1


async def test_a_list_and_help_are_for_one_person_alone(here: House) -> None:
    chat, talk = here.chat, await here.chat.conversation()
    await chat.ask(chat.turn("ann"), "waves", PICTURE)
    await here.all_closed()
    for person in ("ann", "eve"):
        await talk.list_jobs(chat.turn(person))
    await talk.help(chat.turn("eve"))

    assert chat.told("ann")[0].startswith("Here is your video")
    assert chat.told("eve")[0] == ""
    assert chat.told("eve")[1].startswith("Send me a picture")
