"""Kling's models as data: the page reads, a name means the same at fal, and prices are those of Kling's page."""

import re
from datetime import date
from itertools import product

import msgspec
import pytest

from providers.catalog import Catalogue, shipped
from providers.contract import Audio, ModelSpec
from providers.kling.mapping import Names
from tests.fakes.kling_inputs import LEGACY, MODELS, Model

KLING, FAL = shipped("kling"), shipped("fal")
LIVE = tuple(spec for spec in KLING if spec.retired_on is None)
RETIRED = tuple(spec for spec in KLING if spec.retired_on is not None)
FAMILIES = {
    "kling": "kling-2-6",
    "Kling 2.6": "kling-2-6",
    "kling 2.6 standard": "kling-2-6-standard",
    "kling turbo": "kling-2-5-turbo",
    "kling 3": "kling-3",
    "kling 3.0 pro": "kling-3-pro",
    "kling 4k": "kling-3-4k",
    "kling 3 turbo": "kling-3-turbo",
    "kling o1": "kling-o1",
}
PRICES: list[tuple[str, float, bool, float]] = [  # seconds, sound, dollars
    ("kling-2-5-turbo", 5, False, 0.35),
    ("kling-2-5-turbo-standard", 10, False, 0.42),
    ("kling-2-6", 5, False, 0.35),
    ("kling-2-6", 5, True, 0.70),
    ("kling-2-6-standard", 5, False, 0.21),
    ("kling-3", 5, False, 0.42),
    ("kling-3", 5, True, 0.63),
    ("kling-3-pro", 10, False, 1.12),
    ("kling-3-pro", 10, True, 1.68),
    ("kling-3-4k", 5, False, 2.10),
    ("kling-3-4k", 5, True, 2.10),
    ("kling-3-turbo", 5, True, 0.56),
    ("kling-3-turbo-pro", 15, True, 2.10),
    ("kling-o1", 5, False, 0.56),
    ("kling-o1-standard", 10, False, 0.84),
]


def words_of(spec: ModelSpec) -> set[str]:
    return {re.sub(r"[\s._-]+", " ", word.strip().casefold()) for word in (spec.name, *spec.aliases)}


def test_no_two_models_share_a_name() -> None:
    owner: dict[str, str] = {}
    for spec in KLING:
        for word in words_of(spec):
            assert owner.setdefault(word, spec.name) == spec.name, word


@pytest.mark.parametrize(("typed", "name"), FAMILIES.items())
def test_a_short_name_finds_the_same_model_at_kling_and_at_fal(typed: str, name: str) -> None:
    assert Catalogue(KLING).find(typed).name == name
    offers = Catalogue((*KLING, *FAL)).offers(typed)
    assert {spec.name for spec in offers} == {name}
    assert [spec.provider for spec in offers][:1] == ["kling"]
    assert {spec.provider for spec in offers} == {"kling", "fal"} or name not in {spec.name for spec in FAL}


def test_every_word_means_the_same_model_at_kling_and_at_fal() -> None:
    theirs = {word: spec.name for spec in FAL for word in words_of(spec)}
    for spec in KLING:
        clash = {word: theirs[word] for word in words_of(spec) if theirs.get(word, spec.name) != spec.name}
        assert clash == {}, spec.name
    same = {spec.name: words_of(spec) for spec in FAL}
    assert all(words_of(spec) == same[spec.name] for spec in KLING if spec.name in same)


def test_what_kling_makes_at_fals_name_fal_makes_too_or_says_in_another_quality() -> None:
    """A job that is passed on to the other vendor keeps its length and its end picture."""
    fals = {spec.name: spec for spec in FAL}
    for spec in LIVE:
        if (other := fals.get(spec.name)) is not None:
            assert set(spec.seconds) <= set(other.seconds)
            assert spec.seconds[0] == other.seconds[0]
            assert not spec.resolutions or not other.resolutions or set(spec.resolutions) & set(other.resolutions)


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_a_model_offers_what_kling_documents_for_it_and_nothing_else(spec: ModelSpec) -> None:
    names, model = msgspec.convert(spec.wire, Names), MODELS[spec.endpoint]

    assert set(spec.seconds) <= set(model.seconds)
    assert all(resolution in model.units for resolution in spec.resolutions)
    assert not spec.last_frame or set(spec.resolutions) <= set(model.last)
    assert (spec.audio is Audio.OPTIONAL) == any(
        f"{resolution} native" in model.units for resolution in spec.resolutions
    )
    off = {**({"multi_shot": False} if model.shots else {}), **({"audio": "off"} if model.audio else {})}
    assert names.send == off, "left to Kling's own defaults"
    assert names.legacy is None or LEGACY[names.legacy] is model
    assert (spec.negative_prompt, spec.guidance, spec.seed, spec.aspects) == (False, None, False, ("own",))
    assert (spec.image.min_side, spec.image.max_ratio) == (300, 2.5)
    assert spec.image.max_bytes * 4 / 3 < 10_000_000


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_every_choice_costs_what_kling_takes_for_it(spec: ModelSpec) -> None:
    model = MODELS[spec.endpoint]
    for seconds, resolution, sound in product(spec.seconds, spec.resolutions, (False, True)):
        if sound and spec.audio is Audio.NEVER:
            continue
        per_second = units(model, resolution, sound=sound and spec.audio is Audio.OPTIONAL)
        assert spec.price.of(seconds, resolution, audio=sound) == round(per_second * seconds * 140_000)


@pytest.mark.parametrize(("name", "seconds", "audio", "dollars"), PRICES)
def test_a_price_is_what_klings_page_says(name: str, seconds: float, *, audio: bool, dollars: float) -> None:
    spec = Catalogue(KLING).find(name)
    assert spec.price.of(seconds, spec.resolutions[0], audio=audio) == round(dollars * 1_000_000)


@pytest.mark.parametrize("spec", RETIRED, ids=lambda spec: spec.name)
def test_a_withdrawn_model_names_a_living_one_instead(spec: ModelSpec) -> None:
    assert spec.retired_on == date(2026, 9, 15)
    assert spec.successor in {living.name for living in LIVE}


@pytest.mark.parametrize("typed", ["kling 1.6", "kling-v1-6", "kling 2 master", "kling 2.1", "kling-2-1-master"])
def test_a_withdrawn_model_keeps_its_name(typed: str) -> None:
    assert Catalogue(KLING).find(typed) in RETIRED


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_a_model_gets_three_times_its_usual_time(spec: ModelSpec) -> None:
    assert spec.deadline_seconds >= max(3 * spec.typical_seconds, 900)


def units(model: Model, resolution: str, *, sound: bool) -> float:
    return model.units[f"{resolution} native" if sound else resolution]
