"""What goes wrong between us and the toy server, seeded: busy bursts, lost and slow answers, aimed kills."""

import asyncio
import os
import time
from collections.abc import Mapping
from random import Random

from aiohttp import web

from bench.toys import SENDER

_CHANCE: Mapping[str, Mapping[str, float]] = {
    #           refused for now; under way for a moment; answer lost; answer late; sender hit before, or after the deed
    "submit": {"busy": 0.06, "under way": 0.2, "lost": 0.07, "slow": 0.05, "aimed before": 0.05, "aimed after": 0.08},
    "find": {"busy": 0.1, "aimed after": 0.05},
    "check": {"busy": 0.04, "lost": 0.02, "slow": 0.01, "aimed after": 0.02},
    "cancel": {"busy": 0.08, "lost": 0.08, "aimed after": 0.08},
    "fetch": {"busy": 0.04, "slow": 0.02, "aimed after": 0.04},
    "post": {"busy": 0.06, "under way": 0.2, "lost": 0.07, "slow": 0.05, "aimed before": 0.05, "aimed after": 0.08},
    "history": {"busy": 0.05, "aimed after": 0.05},
    "show": {"busy": 0.05, "slow": 0.02},
}
_CUT = 0.08  # of all downloads


class Weather:
    """Fine when `calm`. `under_way` is how long a request may be on its way, in seconds, by the name of the call."""

    def __init__(self, seed: int, aim: int, under_way: Mapping[str, float]) -> None:
        self._dice = Random(seed)
        self._aim = aim  # a pipe on which whoever kills is told whom to hit now
        self._under_way = under_way
        self._burst_ends = 0.0
        self._next_burst = time.monotonic() + 2
        self.calm = False

    async def before(self, name: str, request: web.Request) -> web.Response | None:
        """Pass the time until the deed; an answer means that there is no deed."""
        if self.calm:
            return None
        if self._in_burst() or self._strikes(name, "busy"):
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "5"})
        if self._strikes(name, "aimed before"):
            self._hit(request)
        if self._strikes(name, "under way"):
            await asyncio.sleep(self._dice.uniform(0, self._under_way.get(name, 0)))
        return None

    async def after(self, name: str, request: web.Request) -> None:
        """Pass the time until the answer, or lose it."""
        if self.calm:
            return
        if self._strikes(name, "aimed after"):
            self._hit(request)
            await asyncio.sleep(0.1)
        if self._strikes(name, "slow"):
            await asyncio.sleep(self._dice.uniform(0.2, 2.5))
        if self._strikes(name, "lost") and request.transport is not None:
            request.transport.close()

    def cut(self) -> bool | None:
        """Whether a download breaks off (True), ends early as if it were whole (False), or arrives (None)."""
        if self.calm or self._dice.random() >= _CUT:
            return None
        return self._dice.random() < 0.5

    def _strikes(self, name: str, what: str) -> bool:
        return self._dice.random() < _CHANCE[name].get(what, 0)

    def _in_burst(self) -> bool:
        now = time.monotonic()
        if now >= self._next_burst:
            self._burst_ends = now + self._dice.uniform(0.2, 0.8)
            self._next_burst = self._burst_ends + self._dice.uniform(1, 4)
        return now < self._burst_ends

    def _hit(self, request: web.Request) -> None:
        os.write(self._aim, request.headers[SENDER].encode() + b"\n")
