"""What a person may see of their jobs and of the models."""

from dataclasses import replace
from datetime import date

import pytest

from bot.chats.contract import Act
from bot.domain.policy import Limits
from tests.desk.here import ANN, SPECS, Here, desk


async def test_a_job_is_shown_as_it_stands_and_as_it_ended(here: Here) -> None:
    await here.job("bcd")
    shown = await here.desk.job(ANN, "bcd")
    assert shown
    assert (shown.words, shown.open, [action.act for action in shown.actions]) == (
        "Waiting to start.",
        True,
        [Act.CANCEL],
    )

    await here.ended("bcd")
    shown = await here.desk.job(ANN, "bcd")
    assert shown
    assert (shown.words, shown.open, shown.receipt) == ("Here is your video.", False, "1/2")
    assert [action.act for action in shown.actions] == [Act.RETRY, Act.EDIT, Act.DELETE]
    assert "waves" not in repr(shown)


async def test_an_unknown_job_is_nothing(here: Here) -> None:
    assert await here.desk.job(ANN, "nope") is None


async def test_a_job_is_shown_to_who_asked_and_to_who_moderates_there_and_to_nobody_else(here: Here) -> None:
    await here.job("bcd")
    there = replace(ANN, person="mod", server={"guild": "8"}, moderator=True)

    assert await here.desk.job(replace(ANN, person="eve"), "bcd") is None
    assert await here.desk.job(there, "bcd") is None
    assert await here.desk.job(replace(there, server={"guild": "7"}), "bcd")


async def test_recent_jobs_are_ones_own_of_that_chat(here: Here) -> None:
    for name, who in (("a1", "ann"), ("b1", "bob"), ("a2", "ann")):
        await here.job(name, who)

    assert len(await here.desk.recent(ANN, most=1)) == 1
    await here.job("t1", "ann", chat="terminal")
    assert {one.id for one in await here.desk.recent(ANN)} == {"a1", "a2"}


async def test_models_are_offered_with_length_and_price_the_usual_one_first(here: Here) -> None:
    offers = here.desk.offers("")

    assert [offer.name for offer in offers] == ["swift", "local", "long"]
    assert offers[0].label == "Swift 2 · 5 s · $0.28"
    assert offers[1].label == "local · 5 s · free"
    assert [offer.name for offer in here.desk.offers("", 2, first="long")] == ["long", "swift"]


@pytest.mark.parametrize(("typed", "found"), [("SW", ["swift"]), ("swift 2", ["swift"]), ("o", ["local", "long"])])
async def test_what_was_typed_narrows_the_offers(here: Here, typed: str, found: list[str]) -> None:
    assert [offer.name for offer in here.desk.offers(typed)] == found


async def test_lengths_that_are_not_allowed_here_are_not_offered(here: Here) -> None:
    short = desk(here.store, here.files, replace(Limits(), max_seconds=5))

    assert [(offer.name, offer.choices["seconds"]) for offer in short.offers("")] == [
        ("swift", (5,)),
        ("local", (5, 2)),
    ]


async def test_a_name_that_its_first_maker_has_withdrawn_is_offered_as_the_next_one_makes_it(here: Here) -> None:
    withdrawn = replace(SPECS[1], retired_on=date(2026, 5, 28))
    [offer] = desk(here.store, here.files, specs=(withdrawn, SPECS[2])).offers("")

    assert offer.label == "Swift elsewhere · 5 s · free"


async def test_at_most_so_many_are_offered(here: Here) -> None:
    assert len(here.desk.offers("", most=1)) == 1


def test_every_sentence_can_be_said_in_a_language(here: Here) -> None:
    assert here.desk.say("label.retry", "de") == "Noch einmal"
    assert here.desk.say("label.retry", "xx") == "Retry"
    with pytest.raises(LookupError):
        here.desk.say("no such sentence", "en")
