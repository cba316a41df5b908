"""Says how long to wait before polling a job again: past durations in, seconds out; no clock here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

SECONDS_PER_POLL = 0.25  # how much delay one saved request is worth; smaller polls more often
CHEAP = 4.0  # floor / CHEAP: a provider that lets us poll more often is cheaper to poll
LONGEST = 60.0  # seconds between two polls
ENOUGH = 10  # past durations that say more than the catalogue's typical time
FIRST = 3.0  # seconds; the latest first poll: nothing is known yet of the job itself
# The most that a gap may be of the job's age: while its length is the catalogue's guess, and once we measured it.
GUESSED, KNOWN = 0.28, 2.0
REFUTED = 2.5  # times the typical seconds: a job that lives longer says that the guess was too short


@dataclass(frozen=True, slots=True)
class Habit:
    """How long a model usually takes: a log-normal, by the mean and spread of ln(seconds)."""

    mu: float
    spread: float
    known: bool = False  # from durations that we measured, not from the catalogue's guess

    @property
    def usual(self) -> float:
        """Seconds that half of the videos take at most."""
        return math.exp(self.mu)

    def cumulative_hazard(self, age: float) -> float:
        """-ln of the chance that it still runs at `age`; 15 % of a wider, later curve stands for busy hours."""
        if age <= 0:
            return 0.0
        survives = 0.85 * _survival(age, self.mu, self.spread) + 0.15 * _survival(age, self.mu + 0.6, 0.9)
        return -math.log(max(survives, 1e-300))


def habit(past: Sequence[float], typical: float) -> Habit:
    """Learn from past durations in seconds; from the typical time alone until there are enough."""
    if len(past) < ENOUGH:
        return Habit(math.log(max(typical, 0.1)), 0.5)
    low, middle, high = quantiles([math.log(max(seconds, 0.1)) for seconds in past], n=4)
    return Habit(middle, max((high - low) / 1.35, 0.05), known=True)


def gap(
    habit: Habit, age: float, floor: float, per_poll: float = SECONDS_PER_POLL, waited: float | None = None
) -> float:
    """Return seconds until the next poll of a job of this age (seconds since it began; `waited`: since its ticket).

    Whatever is thought to be known of its length, the gap is at most a share of what the job has lasted: so a guess
    that is wrong by any factor costs no more than that share. Within it, knowledge decides; see `_worthwhile`.
    """
    lasted = age if waited is None else waited
    if not habit.known and age > REFUTED * habit.usual:
        return min(max(floor, lasted * GUESSED), LONGEST)
    most = max(floor, FIRST - lasted, lasted * (KNOWN if habit.known else GUESSED))
    return min(_worthwhile(habit, age, floor, per_poll), most)


def _worthwhile(habit: Habit, age: float, floor: float, per_poll: float) -> float:
    """Return the smallest gap g for which g times the growth of the hazard in g reaches twice the price of a poll.

    That balances expected delay against requests. `floor` bounds it below, `LONGEST` above.
    """
    start = habit.cumulative_hazard(age)
    price = min(per_poll, floor / CHEAP) if floor < 1 else per_poll

    def worth(wait: float) -> bool:
        return wait * (habit.cumulative_hazard(age + wait) - start) >= 2 * price

    if worth(floor):
        return floor
    low, high = floor, LONGEST
    if not worth(high):
        return high
    while high - low > 0.02:
        middle = (low + high) / 2
        low, high = (low, middle) if worth(middle) else (middle, high)
    return high


def _survival(age: float, mu: float, spread: float) -> float:
    return 0.5 * math.erfc((math.log(age) - mu) / (spread * math.sqrt(2)))
