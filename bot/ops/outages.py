"""Logs when trouble with a provider or a chat begins and when it is over, in one line each. Repairs nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

FORGOTTEN_SECONDS = 1800.0  # nothing that is tried again waits longer (`Hold._retry`: ten minutes)
_log = logging.getLogger("zoetrope.outage")


@dataclass
class _Outage:
    began: float
    failing: dict[str, float] = field(default_factory=dict)  # what was tried in vain, and when last


class Outages:
    """Begins with the first thing that fails, ends when everything that failed works again or is tried no more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[str, _Outage] = {}

    def failed(self, whom: str, what: str, why: str) -> None:
        if whom not in self._open:
            self._open[whom] = _Outage(self._clock())
            _log.warning("trouble with %s began: %s", whom, why, extra={"whom": whom})
        self._open[whom].failing[what] = self._clock()

    def worked(self, whom: str, what: str) -> None:
        outage = self._open.get(whom)
        if outage is None:
            return
        now = self._clock()
        tried = {name: at for name, at in outage.failing.items() if name != what and at > now - FORGOTTEN_SECONDS}
        outage.failing = tried
        if not tried:
            del self._open[whom]
            seconds = round(now - outage.began, 1)
            _log.info("trouble with %s is over", whom, extra={"whom": whom, "seconds": seconds})
