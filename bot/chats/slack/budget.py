"""How many edits a workspace takes in a minute, shared by all its jobs. Knows nothing of what is edited."""

import time
from collections import deque
from collections.abc import Callable

PER_MINUTE = 50  # chat.update is of tier 3: 50 and more a minute, per workspace (2026-11-20)
KEPT_BACK = 10  # of them, for the edits that matter most
MINUTE = 60.0


class Budget:
    """Counts what was taken in the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}

    def take(self, team: str, *, last: bool) -> bool:
        """Say whether one more edit may be made; the `last` one of a job always may, and counts."""
        taken, now = self._taken.setdefault(team, deque()), self._clock()
        while taken and taken[0] <= now - MINUTE:
            taken.popleft()
        if not last and len(taken) >= PER_MINUTE - KEPT_BACK:
            return False
        taken.append(now)
        return True
