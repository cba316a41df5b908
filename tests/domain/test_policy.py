"""Limits, by what has been used already."""

import pytest

from bot.domain.job import Usage
from bot.domain.policy import Broken, Limits, Rule, may_ask, may_last

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
