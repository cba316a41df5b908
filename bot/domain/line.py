"""Tells whether a job may be submitted now: its provider has a place for it, and nobody older waits. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """How a provider stands, seen by one job that has yet to be submitted to it."""

    held: int  # of the provider's places, by jobs that it may be working on
    ahead: int  # older jobs that have yet to be submitted
    waiting: int  # those of them that found no place, or were refused for now

    def admits(self, places: int | None) -> bool:
        """Say whether the job may go; `places` is how many the provider takes at once, None when nobody said."""
        if self.waiting:
            return False
        return places is None or self.held + self.ahead < places
