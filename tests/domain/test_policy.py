"""Limits, by what has been used already."""

import pytest

from bot.chats.contract import Options
from bot.domain.job import Usage
from bot.domain.policy import Broken, Cannot, Limits, Rule, fitted, may_ask, may_last
from providers.contract import Audio, ModelSpec

NOTHING = Usage(open_jobs=0, recent_jobs=0, spent=0, spent_by_all=0)
FREE = 0


def test_a_first_wish_breaks_no_rule() -> None:
    assert may_ask(NOTHING, Limits(), FREE) is None


def test_the_third_open_job_is_fine_and_the_fourth_is_not() -> None:
    limits = Limits(open_per_person=3)

    assert may_ask(Usage(2, 0, 0, 0), limits, FREE) is None
    assert may_ask(Usage(3, 0, 0, 0), limits, FREE) == Broken(Rule.OPEN_JOBS, 3, 3, 1)


def test_the_daily_count_is_held() -> None:
    limits = Limits(per_person_per_day=30)

    assert may_ask(Usage(0, 29, 0, 0), limits, FREE) is None
    assert may_ask(Usage(0, 30, 0, 0), limits, FREE) == Broken(Rule.JOBS_PER_DAY, 30, 30, 1)


def test_a_budget_may_be_spent_to_the_last_micro_dollar() -> None:
    limits = Limits(spend_per_person_per_day=1_000_000)

    assert may_ask(Usage(0, 0, 720_000, 720_000), limits, 280_000) is None
    assert may_ask(Usage(0, 0, 720_001, 720_001), limits, 280_000) == Broken(
        Rule.PERSON_SPEND, 1_000_000, 720_001, 280_000
    )


def test_the_budget_of_all_holds_for_a_person_who_spent_nothing() -> None:
    broken = may_ask(Usage(0, 0, 0, 900_000), Limits(spend_per_day=1_000_000), 280_000)

    assert broken == Broken(Rule.TOTAL_SPEND, 1_000_000, 900_000, 280_000)


def test_a_free_job_breaks_no_budget_however_much_was_spent() -> None:
    assert may_ask(Usage(0, 0, 9_000_000, 9_000_000), Limits(spend_per_person_per_day=0, spend_per_day=0), FREE) is None


def test_zero_allows_nothing_and_none_allows_everything() -> None:
    busy = Usage(10**6, 10**6, 10**12, 10**12)

    assert may_ask(NOTHING, Limits(open_per_person=0), FREE) is not None
    assert may_ask(busy, Limits(open_per_person=None, per_person_per_day=None), 280_000) is None


@pytest.mark.parametrize(("seconds", "fine"), [(5.0, True), (10.0, True), (10.5, False)])
def test_a_clip_may_be_as_long_as_the_limit(seconds: float, fine: bool) -> None:
    assert (may_last(seconds, Limits(max_seconds=10)) is None) is fine
    assert may_last(seconds, Limits()) is None


PICKY = ModelSpec(
    "picky",
    "acme",
    seconds=(6, 10),
    resolutions=("512p", "768p", "1080p"),
    last_frame=True,
    audio=Audio.OPTIONAL,
    never=("512p last", "1080p 10s", "512p audio", "768p audio"),
)


@pytest.mark.parametrize(
    ("asked", "last", "resolution"),
    [
        (Options(), False, "512p"),
        (Options(), True, "768p"),
        (Options(audio=True), False, "1080p"),
        (Options(resolution="1080p"), True, "1080p"),
        (Options(resolution="512p", seconds=10), False, "512p"),
    ],
)
def test_a_resolution_that_nobody_asked_for_is_one_that_goes_with_the_rest(
    asked: Options, last: bool, resolution: str
) -> None:
    assert fitted(asked, PICKY, Limits(), last=last)["resolution"] == resolution


@pytest.mark.parametrize(
    ("asked", "last", "clash", "instead"),
    [
        (Options(resolution="512"), True, "512p last", ["768p", "1080p"]),
        (Options(resolution="1080p", seconds=10), False, "1080p 10s", ["512p", "768p"]),
        (Options(resolution="768p", audio=True), False, "768p audio", ["1080p"]),
        (Options(seconds=10, audio=True), False, "512p audio", []),
    ],
)
def test_choices_that_a_model_does_not_make_together_are_declined_with_what_would_do(
    asked: Options, last: bool, clash: str, instead: list[str]
) -> None:
    with pytest.raises(Cannot) as caught:
        fitted(asked, PICKY, Limits(), last=last)
    assert (caught.value.option, caught.value.asked, caught.value.choices) == ("together", clash, instead)
