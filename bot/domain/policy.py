"""Who may ask, how often, for how much, and what of a model: pure. No sentence, no database and no clock."""

import math
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.chats.contract import Options, Upload
from bot.domain.job import Usage
from providers.contract import Audio, ImageLimits, ModelSpec, Picture

UPLOAD_BYTES = 20 * 1024 * 1024  # the largest file that is looked at
SEEDS = 2**31  # seeds are below: every vendor takes these
_SHAPES = {"auto": "own", "original": "own", "square": "1:1", "landscape": "16:9", "portrait": "9:16"}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is allowed; None: unlimited; 0: nothing at all. Money is micro-dollars."""

    open_per_person: int | None = 3
    per_person_per_day: int | None = 30
    spend_per_person_per_day: int | None = None
    spend_per_day: int | None = None
    max_seconds: float | None = None  # the longest clip


class Rule(StrEnum):
    OPEN_JOBS = "open jobs"
    JOBS_PER_DAY = "jobs per day"
    PERSON_SPEND = "person spend"
    TOTAL_SPEND = "total spend"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a wish would break: what is allowed, what is used already and what was asked on top, in one unit."""

    rule: Rule
    limit: float
    used: float
    asked: float


def may_ask(usage: Usage, limits: Limits, price: int) -> Broken | None:
    """Return the first rule that a job of that price (micro-dollars) would break. A free one breaks no budget."""
    for rule, limit, used, asked in (
        (Rule.OPEN_JOBS, limits.open_per_person, usage.open_jobs, 1),
        (Rule.JOBS_PER_DAY, limits.per_person_per_day, usage.recent_jobs, 1),
        (Rule.PERSON_SPEND, limits.spend_per_person_per_day, usage.spent, price),
        (Rule.TOTAL_SPEND, limits.spend_per_day, usage.spent_by_all, price),
    ):
        if limit is not None and asked > 0 and used + asked > limit:
            return Broken(rule, limit, used, asked)
    return None


def may_last(seconds: float, limits: Limits) -> Broken | None:
    """Return the rule that a clip of that length would break."""
    if limits.max_seconds is None or seconds <= limits.max_seconds:
        return None
    return Broken(Rule.LENGTH, limits.max_seconds, 0, seconds)


class Cannot(Exception):
    """A model can't do what was asked by `option`; `choices`: what it can, none for nothing of that kind at all."""

    def __init__(self, option: str, asked: object = "", choices: Sequence[object] = ()) -> None:
        super().__init__(option)
        self.option = option
        self.asked = asked
        self.choices = choices


def fitted(asked: Options, spec: ModelSpec, limits: Limits, *, last: bool) -> dict[str, Any]:
    """Return every choice as a job keeps it, defaults filled in; `aspect` None is the picture's own shape.

    Raises `Cannot`.
    """
    if last and not spec.last_frame:
        raise Cannot("last")
    aspect = _aspect(asked.aspect, spec.aspects or ("own",), spec.aspects)
    seconds, audio = _seconds(asked.seconds, spec, limits), _audio(asked.audio, spec)
    chosen = {f"{seconds:g}s", *(["audio"] if audio else []), *(["last"] if last else [])}
    return {
        "seconds": seconds,
        "aspect": None if aspect == "own" else aspect,
        "resolution": _resolution(asked.resolution, spec, chosen),
        "negative_prompt": _negative(asked.negative_prompt, spec),
        "guidance": _guidance(asked.guidance, spec),
        "seed": _seed(asked.seed, spec),
        "audio": audio,
        "last": last,
    }


def undeclarable(upload: Upload) -> str | None:
    """Return the code of what is wrong with a file by its platform's own facts. What it does not say is found later."""
    mime = (upload.mime or "image/").casefold()
    if not mime.startswith("image/") and "octet-stream" not in mime:
        return "unsupported"
    if upload.size == 0:
        return "empty"
    return "too_large" if (upload.size or 0) > UPLOAD_BYTES else None


def misfit(picture: Picture, takes: ImageLimits) -> tuple[str, float] | None:
    """Return why a model can't take that picture: the code of the problem, and the limit; None if it can."""
    shorter, longer = sorted((picture.width, picture.height))
    for problem, wrong, limit in (
        ("absurd_shape", longer > shorter * takes.max_ratio, takes.max_ratio),
        ("too_small", shorter < takes.min_side, takes.min_side),
        ("too_wide", longer > takes.max_side, takes.max_side),
        ("too_heavy", len(picture.data) > takes.max_bytes, takes.max_bytes),
    ):
        if wrong:
            return problem, limit
    return None


def _seconds(asked: float | None, spec: ModelSpec, limits: Limits) -> float:
    """Return the length asked for, else the model's default, else the longest that the limits allow."""
    allowed = [length for length in spec.seconds if may_last(length, limits) is None]
    if asked is None:
        return spec.seconds[0] if spec.seconds[0] in allowed or not allowed else max(allowed)
    if asked not in spec.seconds:
        raise Cannot("seconds", asked, sorted(allowed or spec.seconds))
    return asked


def prompt_length(words: str, spec: ModelSpec) -> int:
    """Return how long a prompt is, as that model counts: characters or bytes."""
    return len(words.encode()) if spec.prompt_in_bytes else len(words)


def shaped(asked: Options, spec: ModelSpec, picture: Picture) -> dict[str, str]:
    """Return the `aspect` for somebody who chose none, at a model that can't keep the picture's own; else nothing."""
    if asked.aspect is not None or not spec.aspects or "own" in spec.aspects:
        return {}
    return {"aspect": _nearest_shape(picture, spec.aspects)}


def _nearest_shape(picture: Picture, aspects: Sequence[str]) -> str:
    """Return the shape ("16:9") that is least different from the picture's own."""

    def difference(aspect: str) -> float:
        wide, _, high = aspect.partition(":")
        return abs(math.log(picture.width / picture.height / (float(wide) / float(high))))

    return min(aspects, key=difference)


def _aspect(asked: str | None, shapes: Sequence[str], choices: Sequence[str]) -> str:
    if not asked:
        return shapes[0]
    plain = _plain(asked).replace("x", ":").replace("/", ":")
    found = _among(_SHAPES.get(_plain(asked), plain), shapes)
    if found is None:
        raise Cannot("aspect", asked, choices)
    return found


def _resolution(asked: str | None, spec: ModelSpec, chosen: Collection[str]) -> str | None:
    """Return the resolution asked for, else the first that goes with what is `chosen` already."""
    possible = [resolution for resolution in spec.resolutions if not spec.clash(resolution, *chosen)]
    if not asked:
        found = next(iter(possible or spec.resolutions), None)
    elif not (found := _among(_plain(asked), spec.resolutions) or _among(_plain(asked) + "p", spec.resolutions)):
        raise Cannot("resolution", asked, possible or spec.resolutions)
    if clash := spec.clash(found, *chosen):
        raise Cannot("together", clash, possible)
    return found


def _negative(asked: str | None, spec: ModelSpec) -> str | None:
    words = (asked or "").strip()
    if words and not spec.negative_prompt:
        raise Cannot("negative_prompt")
    if len(words) > spec.prompt_limit:
        raise Cannot("negative_long", choices=[spec.prompt_limit])
    return words or None


def _guidance(asked: float | None, spec: ModelSpec) -> float | None:
    low, high = spec.guidance or (1, 0)
    if asked is not None and not low <= asked <= high:
        raise Cannot("guidance", asked, spec.guidance or ())
    return asked


def _seed(asked: int | None, spec: ModelSpec) -> int | None:
    """Return the seed asked for, else one of our own, so that making it again gives the same."""
    if not spec.seed:
        if asked is not None:
            raise Cannot("seed")
        return None
    if asked is None:
        return secrets.randbelow(SEEDS)
    if not 0 <= asked < SEEDS:
        raise Cannot("seed", asked, (0, SEEDS - 1))
    return asked


def _audio(asked: bool | None, spec: ModelSpec) -> bool:
    """Sound only when asked for: it often doubles the price."""
    if asked and spec.audio is Audio.NEVER:
        raise Cannot("audio")
    if asked is False and spec.audio is Audio.ALWAYS:
        raise Cannot("silence")
    return bool(asked) or spec.audio is Audio.ALWAYS


def _among(asked: str, choices: Sequence[str]) -> str | None:
    return next((choice for choice in choices if _plain(choice) == asked), None)


def _plain(words: str) -> str:
    return re.sub(r"\s", "", words).casefold()
