"""When trouble with a maker or a chat began and when it is over: one line of the log each. Repairs nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_log = logging.getLogger("zoetrope.outage")


@dataclass
class _Outage:
    began: float
    failing: set[str] = field(default_factory=set)  # what was tried in vain


class Outages:
    """Begins with the first thing that fails, ends when everything that failed has worked again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[str, _Outage] = {}

    def failed(self, whom: str, what: str, why: str) -> None:
        if whom not in self._open:
            self._open[whom] = _Outage(self._clock())
            _log.warning("trouble with %s began: %s", whom, why, extra={"whom": whom})
        self._open[whom].failing.add(what)

    def worked(self, whom: str, what: str) -> None:
        outage = self._open.get(whom)
        if outage is None:
            return
        outage.failing.discard(what)
        if not outage.failing:
            del self._open[whom]
            seconds = round(self._clock() - outage.began, 1)
            _log.info("trouble with %s is over", whom, extra={"whom": whom, "seconds": seconds})
