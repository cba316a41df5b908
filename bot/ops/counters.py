"""Counts what this process has done since it began: plain numbers, because nobody may ever read them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate

from bot.domain.job import Closed, Event, Job, Settled, Ticketed

STAGE_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
LAG_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5)


class Spread:
    """How often a number of seconds came up to each bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        seconds = max(seconds, 0.0)  # somebody may have set the clock back
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def up_to(self) -> list[tuple[str, float]]:
        """Return (bound, how many up to it), the last one for all."""
        return list(zip([*(f"{bound:g}" for bound in self._bounds), "+Inf"], accumulate(self._counts), strict=True))


class Counters:
    def __init__(self) -> None:
        self.polls: Counter[str] = Counter()  # by provider
        self.errors: Counter[tuple[str, str]] = Counter()  # by provider and remedy
        self.stages: defaultdict[tuple[str, str], Spread] = defaultdict(lambda: Spread(STAGE_SECONDS))  # and provider
        self.lag = Spread(LAG_SECONDS)

    def moved(self, job: Job, happened: Event) -> None:
        """Count how long the stage took that this event ends; `job` is the one after it."""
        stages: dict[type[Event], tuple[str, float | None, float | None]] = {
            Ticketed: ("queued", job.created, job.ticketed),
            Settled: ("rendering", job.ticketed, job.settled),
            Closed: ("replying", job.settled, job.closed),
        }
        stage, began, ended = stages.get(type(happened), ("", None, None))
        if began is not None and ended is not None:
            self.stages[stage, job.provider].add(ended - began)
