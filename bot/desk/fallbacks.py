"""Finds who else can make the very clip that was promised, should its provider not take it: pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from bot.domain import options, policy
from bot.domain.job import Fallback
from bot.domain.options import ChosenOptions, ResolvedOptions
from providers.contract import ModelSpec, Picture

BAND = 1.25  # another provider may cost at most this much of the price that the person was told


@dataclass(frozen=True, slots=True)
class Promise:
    """What a person chose (`asked`), and what they were told they get for it: options, words and micro-dollars."""

    asked: ChosenOptions
    told: ResolvedOptions
    words: str = field(repr=False)
    price: int
    pictures: tuple[Picture, ...]
    usual: str | None = None  # the resolution that the model has by default


def fallbacks(
    promise: Promise, others: Iterable[ModelSpec], limits: policy.Limits, today: date
) -> tuple[Fallback, ...]:
    """Return those of `others` who can keep the promise.

    Length, shape, resolution, sound and end picture stay as they were told. One without resolutions makes the usual.
    """
    found = []
    for spec in others:
        same = _same(promise, spec, limits)
        if same is None or spec.retired(today) or policy.prompt_length(promise.words, spec) > spec.prompt_limit:
            continue
        price = spec.price.of(same.seconds, same.resolution, audio=same.audio)
        if price <= promise.price * BAND and not any(
            policy.misfit(picture, spec.image) for picture in promise.pictures
        ):
            found.append(Fallback(spec.provider, spec.name, same, price))
    return tuple(found)


def _same(promise: Promise, spec: ModelSpec, limits: policy.Limits) -> ResolvedOptions | None:
    asked, told = promise.asked, promise.told
    if not spec.resolutions and told.resolution not in (None, promise.usual):
        return None
    kept = replace(
        asked,
        seconds=told.seconds,
        aspect=told.aspect or "own",
        resolution=told.resolution if spec.resolutions else None,
        seed=told.seed if spec.seed else asked.seed,
        audio=told.audio,
    )
    try:
        return options.resolve(kept, spec, limits.max_seconds, last=told.last)
    except options.Cannot:
        return None
