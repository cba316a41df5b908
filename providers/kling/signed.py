"""Signs tokens for Kling's older API with a pair of keys, each good for half an hour.

Kling's page on authentication, read 2026-11-20: HS256 over `iss`, `exp` and `nbf`.
"""

import email.utils
import time
from collections.abc import Callable

import jwt

from providers.contract import Secret

LASTS = 1800.0  # seconds; as in Kling's example
EARLY = 5.0  # seconds that a token is dated back
RENEWED = 300.0  # seconds before its end


class Signer:
    """Signs by this machine's clock, or by Kling's once the two are known to differ."""

    def __init__(self, access_key: Secret, secret_key: Secret, clock: Callable[[], float] = time.time) -> None:
        self._access = access_key
        self._secret = secret_key
        self._clock = clock
        self._ahead = 0.0  # seconds that Kling's clock is ahead of ours
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        now = self._clock() + self._ahead
        if not self._until - LASTS - EARLY <= now < self._until - RENEWED:  # a clock may also be set back
            self._until = now + LASTS
            self._token = signed(self._access, self._secret, int(self._until), int(now - EARLY))
        return self._token

    def learn(self, date: str | None) -> float | None:
        """Take over Kling's clock from the `Date` of its answer; return by how many seconds it was off ours.

        None, and nothing is taken over, when the clocks agree: then they are not why a token was refused.
        """
        try:
            theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return None
        off = theirs - (self._clock() + self._ahead)
        if abs(off) < EARLY:
            return None
        self._ahead += off
        self._until = 0.0
        return off


def signed(access_key: Secret, secret_key: Secret, exp: int, nbf: int) -> str:
    claims = {"iss": access_key.reveal(), "exp": exp, "nbf": nbf}
    return jwt.encode(claims, secret_key.reveal(), algorithm="HS256")
