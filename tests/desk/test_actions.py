"""What can be done about a job, by whom, and that nobody else can: real rows, real files."""

from dataclasses import replace

import pytest

from bot.chats.contract import Act, Action, Actor, AsksWords, Declined, Done, Press
from bot.desk.actions import ACTIONS, Pressed, UseCase, offered
from bot.desk.requests import Quote
from bot.domain.job import Job, Outcome, State
from bot.files.contract import Missing
from tests.desk.here import ANN, Here

EVE = replace(ANN, person="eve")
MOD = replace(ANN, person="mod", moderator=True)
NOT_YOURS = "Only the person who asked for this video, or a moderator, can do that."


def pressed(act: str, words: str | None = None) -> Press:
    return Press("k2", Action(act, "bcd"), words=words)


async def ended(here: Here) -> Job:
    await here.job("bcd")
    await here.ended("bcd")
    job = await here.store.get("bcd")
    assert job
    return job


def test_every_act_has_its_use_case() -> None:
    assert set(ACTIONS) == set(Act)


async def test_an_open_job_can_be_stopped_once_and_an_ended_one_made_again_or_deleted(here: Here) -> None:
    job = await here.job("bcd")

    assert offered(job) == (Action(Act.CANCEL, "bcd"),)
    assert offered(replace(job, cancel_asked=1.0)) == ()
    for outcome in Outcome:
        over = replace(job, outcome=outcome, state=State.REPLYING)
        assert offered(over) == tuple(Action(act, "bcd") for act in (Act.RETRY, Act.EDIT, Act.DELETE))


@pytest.mark.parametrize("act", ACTIONS)
@pytest.mark.parametrize(
    "stranger",
    [
        EVE,
        replace(ANN, chat="slack"),
        replace(MOD, server={"guild": "8"}),
        replace(MOD, server={}),
        replace(MOD, chat="slack"),
    ],
    ids=["stranger", "same name elsewhere", "moderator elsewhere", "moderator in private", "moderator of another chat"],
)
async def test_nobody_else_can_do_anything_about_a_job(here: Here, act: str, stranger: Actor) -> None:
    await ended(here)

    for words in (None, "storm"):
        no = await here.desk.press(stranger, pressed(act, words))
        assert isinstance(no, Declined)
        assert no.words == NOT_YOURS
    assert here.files.pictures("bcd")


async def test_a_moderator_may_do_what_costs_nothing(here: Here) -> None:
    await ended(here)

    for act in (Act.RETRY, Act.EDIT):
        assert isinstance(await here.desk.press(MOD, pressed(act)), Declined)
    for act in (Act.CANCEL, Act.DELETE):
        assert isinstance(await here.desk.press(MOD, pressed(act)), Done)


async def test_a_job_that_there_is_not_and_an_action_that_there_is_not_are_nobodys(here: Here) -> None:
    await ended(here)
    for press in (pressed("explode"), Press("k2", Action(Act.DELETE, "nope"))):
        no = await here.desk.press(ANN, press)
        assert isinstance(no, Declined)
        assert no.words == NOT_YOURS


async def test_an_edit_asks_for_words_first(here: Here) -> None:
    await ended(here)

    asks = await here.desk.press(ANN, pressed(Act.EDIT))
    assert isinstance(asks, AsksWords)
    assert (asks.action, asks.job.prompt) == (Action(Act.EDIT, "bcd"), "waves")
    quote = await here.desk.press(ANN, pressed(Act.EDIT, "storm"))
    assert isinstance(quote, Quote)
    assert (quote.title, quote.words) == ("storm", "Once more, with the same picture.")


async def test_only_a_closed_job_is_deleted(here: Here) -> None:
    await here.job("bcd")
    assert await here.desk.press(ANN, pressed(Act.DELETE)) == Done(
        "It is still being made. Stop it first, then delete it."
    )
    assert here.files.pictures("bcd")

    await here.ended("bcd")
    done = await here.desk.press(ANN, pressed(Act.DELETE))
    assert isinstance(done, Done)
    assert done.deleted
    assert done.deleted.receipt == "1/2"
    with pytest.raises(Missing):
        here.files.pictures("bcd")
    job = await here.store.get("bcd")
    assert job
    assert job.state is State.CLOSED


async def test_an_action_of_ones_own_is_a_line_in_the_table(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    async def praise(pressed: Pressed) -> Done:
        return Done(f"{pressed.actor.person} likes {pressed.job.id}")

    monkeypatch.setitem(ACTIONS, "praise", UseCase(praise, lambda job: job.state is State.CLOSED))
    job = await ended(here)

    assert offered(job)[-1] == Action("praise", "bcd")
    assert await here.desk.press(ANN, pressed("praise")) == Done("ann likes bcd")
    for other in (EVE, MOD):  # who may is for the policy to say: it does not name it
        assert isinstance(await here.desk.press(other, pressed("praise")), Declined)
