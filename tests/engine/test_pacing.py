"""When to poll again."""

import random
from statistics import mean

import pytest

from bot.engine import pacing


def looks(habit: pacing.Habit, until: float, floor: float = 1) -> list[float]:
    ages, age = [], 0.0
    while age < until:
        age += pacing.gap(habit, age, floor)
        ages.append(age)
    return ages


LENGTHS = [2.0, 5.0, 12.0, 22.0, 35.0, 60.0, 120.0, 240.0, 600.0]


@pytest.mark.parametrize("took", LENGTHS)
@pytest.mark.parametrize("wrong", [0.1, 0.3, 1.0, 3.0, 10.0, 100.0])
def test_no_guess_however_wrong_makes_a_video_late_by_more_than_a_share_of_its_length(
    took: float, wrong: float
) -> None:
    habit, shares = pacing.habit([], took * wrong), []
    for part in range(50):  # the length varies a little, so that no poll hits it by luck
        length = took * (1 + part / 50)
        shares.append((looks(habit, length)[-1] - length) / max(0.15 * length, 1))

    assert mean(shares) <= 1


@pytest.mark.parametrize("wrong", [0.1, 1.0, 10.0])
def test_no_guess_however_wrong_asks_more_often_than_every_five_seconds(wrong: float) -> None:
    lengths = [took * (0.7 + part / 25) for took in (12, 30, 60, 120, 240) for part in range(15)]
    asked = [len(looks(pacing.habit([], took * wrong), took)) for took in lengths]

    assert mean(asked) <= mean(took // 5 + 1 for took in lengths)


@pytest.mark.parametrize("took", LENGTHS)
def test_a_history_that_no_longer_holds_costs_at_most_twice_the_length_of_the_job(took: float) -> None:
    habit = pacing.habit([10 * took + n / 10 for n in range(50)], 60)

    assert looks(habit, took)[-1] - took <= max(pacing.KNOWN * took, pacing.FIRST)


def test_a_queue_is_polled_by_how_long_it_has_lasted() -> None:
    habit = pacing.habit([], 300)

    assert pacing.gap(habit, 0, 1, waited=0) == pacing.FIRST
    assert pacing.gap(habit, 0, 1, waited=100) == pytest.approx(100 * pacing.GUESSED)


@pytest.mark.parametrize("age", [0, 1, 10, 60, 600, 7200, 10**6])
@pytest.mark.parametrize("floor", [0.1, 1, 5])
def test_a_gap_is_never_shorter_than_the_floor_nor_longer_than_a_minute(age: float, floor: float) -> None:
    gap = pacing.gap(pacing.habit([], 30), age, floor)

    assert gap >= floor
    assert gap <= 60


def test_past_durations_say_more_than_the_catalogue_once_there_are_enough() -> None:
    assert pacing.habit([100.0] * 9, 30) == pacing.habit([], 30)
    assert pacing.habit([100.0 + n for n in range(20)], 30).mu == pytest.approx(4.7, abs=0.05)


def test_learned_looks_beat_a_fixed_interval_at_both_delay_and_requests() -> None:
    chance = random.Random(1)  # noqa: S311 - durations, not secrets
    past = [chance.lognormvariate(4.1, 0.3) for _ in range(200)]
    habit = pacing.habit(past, 60)
    delays, counts, fixed_delays, fixed_counts = [], [], [], []
    for _ in range(300):
        took = chance.lognormvariate(4.1, 0.3)
        ages = looks(habit, took)
        delays.append(ages[-1] - took)
        counts.append(len(ages))
        fixed_counts.append(took // 5 + 1)
        fixed_delays.append(fixed_counts[-1] * 5 - took)

    assert mean(counts) < 0.8 * mean(fixed_counts)
    assert mean(delays) * mean(counts) < 0.8 * mean(fixed_delays) * mean(fixed_counts)
