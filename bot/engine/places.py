"""Says how many jobs each provider takes at once, and when who waits in its line asks again by itself."""

from collections.abc import Mapping

from providers.contract import VideoProvider

LONGEST = 600.0  # seconds


def declared(providers: Mapping[str, VideoProvider], settings: Mapping[str, int]) -> dict[str, int]:
    """Return the places of those whose number is known: the operator's word, else the provider's own."""
    own = {name: getattr(provider, "places", None) for name, provider in providers.items()}
    return {name: number for name, number in own.items() if number is not None} | dict(settings)


def pause(ahead: int) -> float:
    """Return seconds until a job behind so many others asks again.

    Whoever leaves a place wakes the oldest at once; this is for when nobody could. It grows with the line, so that
    10,000 who wait ask a few times a second together.
    """
    return min(2.0 * (ahead + 1), LONGEST)
