"""One way to print figures beside their goals."""

from collections.abc import Sequence
from dataclasses import dataclass

_PARTS = 100


@dataclass(frozen=True)
class Figure:
    what: str
    figure: str
    goal: str = ""
    met: bool | None = None  # None: stated, without a goal


def show(title: str, figures: Sequence[Figure]) -> None:
    width = max(len(one.what) for one in figures)
    wide = max(len(one.figure) for one in figures)
    print(title)
    for one in figures:
        verdict = {True: "pass", False: "MISS", None: ""}[one.met]
        print(f"  {one.what:{width}}  {one.figure:>{wide}}  {one.goal:24} {verdict}".rstrip())


def at_most(what: str, value: float, most: float, unit: str) -> Figure:
    return Figure(what, f"{value:.3g} {unit}", f"goal <= {most:g} {unit}", value <= most)


def at_least(what: str, value: float, least: float, unit: str) -> Figure:
    return Figure(what, f"{value:.3g} {unit}", f"goal >= {least:g} {unit}", value >= least)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which that part (0..100) of the values lies; 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(len(values) * part / _PARTS))]
