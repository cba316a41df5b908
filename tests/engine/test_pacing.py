"""When to look again."""

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


@pytest.mark.parametrize("typical", [12, 30, 60, 120, 240])
def test_nobody_looks_long_before_anything_can_be_ready(typical: float) -> None:
    assert looks(pacing.habit([], typical), typical)[0] > typical / 6


@pytest.mark.parametrize("age", [0, 1, 10, 60, 600, 7200, 10**6])
@pytest.mark.parametrize("floor", [0.1, 1, 5])
def test_a_gap_is_never_shorter_than_the_floor_nor_longer_than_a_minute(age: float, floor: float) -> None:
    gap = pacing.gap(pacing.habit([], 30), age, floor)

    assert gap >= floor
    assert gap <= 60


def test_the_first_look_at_a_slow_model_may_wait_longer_than_a_minute() -> None:
    assert pacing.gap(pacing.habit([600.0 + n for n in range(50)], 60), 0, 1) > 60


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
