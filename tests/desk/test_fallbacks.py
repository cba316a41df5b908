"""Who else may make a promised clip: the same model, the same clip, about the same price."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bot.desk.fallbacks import Promise, fallbacks
from bot.domain.job import Fallback
from bot.domain.options import ChosenOptions, ResolvedOptions
from bot.domain.policy import Limits
from providers.catalog import Catalogue, shipped
from providers.contract import Audio, ImageLimits, ModelSpec, Picture, Price

TODAY = date(2026, 11, 20)
STILL = Picture(b"jpeg", "image/jpeg", 800, 600)
TOLD = ResolvedOptions(10, resolution="720p", seed=7)
PROMISE = Promise(ChosenOptions(), TOLD, "it moves", 1_000_000, (STILL,))
OTHER = ModelSpec("swift", "other", seconds=(5, 10), resolutions=("1080p", "720p"), price=Price(per_second=100_000))


def kept(promise: Promise = PROMISE, other: ModelSpec = OTHER, **limits: Any) -> tuple[Fallback, ...]:
    return fallbacks(promise, [other], Limits(**limits), TODAY)


def test_another_maker_gives_what_was_told_and_not_its_own_defaults() -> None:
    [other] = kept()

    assert (other.provider, other.model, other.price) == ("other", "swift", 1_000_000)
    assert (other.options.seconds, other.options.resolution) == (10, "720p")


@pytest.mark.parametrize(
    ("why", "other"),
    [
        ("too dear", replace(OTHER, price=Price(per_second=126_000))),
        ("not that long", replace(OTHER, seconds=(5,))),
        ("not that sharp", replace(OTHER, resolutions=("1080p",))),
        ("not known how sharp", replace(OTHER, resolutions=())),
        ("of another shape", replace(OTHER, aspects=("16:9", "4:3", "1:1"))),
        ("always with sound", replace(OTHER, audio=Audio.ALWAYS)),
        ("withdrawn", replace(OTHER, retired_on=TODAY)),
        ("takes fewer words", replace(OTHER, prompt_limit=5)),
        ("takes larger pictures only", replace(OTHER, image=ImageLimits(min_side=1000))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_maker_who_would_make_another_clip_is_not_asked(why: str, other: ModelSpec) -> None:  # noqa: ARG001 - names the case
    assert kept(other=other) == ()


def test_a_maker_may_cost_a_quarter_more_and_anything_less() -> None:
    for per_second in (125_000, 10_000):
        assert len(kept(other=replace(OTHER, price=Price(per_second=per_second)))) == 1


def test_a_free_clip_is_passed_on_to_free_makers_only() -> None:
    assert kept(replace(PROMISE, price=0)) == ()
    assert kept(replace(PROMISE, price=0), replace(OTHER, price=Price()))


def test_a_choice_that_the_other_does_not_have_rules_it_out() -> None:
    asked = replace(PROMISE, asked=ChosenOptions(negative_prompt="blur"))
    assert kept(asked) == ()
    assert kept(asked, replace(OTHER, negative_prompt=True))


def test_the_end_picture_needs_a_maker_who_takes_one() -> None:
    asked = replace(PROMISE, told=replace(TOLD, last=True), pictures=(STILL, STILL))
    assert kept(asked) == ()
    assert kept(asked, replace(OTHER, last_frame=True))


def test_a_maker_whose_sharpness_is_fixed_makes_what_the_model_usually_is() -> None:
    usual = replace(PROMISE, usual="720p")
    assert len(kept(usual, replace(OTHER, resolutions=()))) == 1


def test_the_shape_stays_though_the_other_has_another_default() -> None:
    [other] = kept(other=replace(OTHER, aspects=("16:9", "own")))
    assert other.options.aspect is None

    [other] = kept(replace(PROMISE, told=replace(TOLD, aspect="4:3")), replace(OTHER, aspects=("own", "4:3")))
    assert other.options.aspect == "4:3"


@pytest.mark.parametrize("name", ["hailuo-2-3", "hailuo-2-3-fast"])
def test_no_clip_of_minimax_at_1080p_becomes_one_of_fal_at_768p(name: str) -> None:
    mine, fals = (Catalogue(shipped(maker)).find(name) for maker in ("minimax", "fal"))
    for size, others in (("768p", 1), ("1080p", 0)):
        told = ResolvedOptions(6.0, resolution=size)
        price = mine.price.of(6, size)
        promise = Promise(ChosenOptions(), told, "it moves", price, (STILL,), usual=mine.resolutions[0])
        assert len(kept(promise, fals)) == others
