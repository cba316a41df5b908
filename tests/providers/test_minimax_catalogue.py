"""MiniMax's models as data: the page reads, its matrix is the documented one, and fal's names find the same models."""

import re
from itertools import product

import msgspec
import pytest

from bot.cli import tables
from providers.catalog import Catalogue, shipped
from providers.contract import Audio, ModelSpec
from providers.minimax.mapping import Names
from tests.fakes.minimax_inputs import MODELS as DOCUMENTED

MODELS = shipped("minimax")
EVERYBODY = Catalogue((*shipped("fal"), *MODELS))
PRICES: list[tuple[str, float, str | None, float]] = [
    ("hailuo-2-3", 6, "768p", 0.28),
    ("hailuo-2-3", 10, "768p", 0.56),
    ("hailuo-2-3", 6, "1080p", 0.49),
    ("hailuo-2-3-pro", 6, "1080p", 0.49),
    ("hailuo-2-3-fast", 6, "768p", 0.19),
    ("hailuo-2-3-fast", 6, "1080p", 0.33),
    ("hailuo-02", 6, "512p", 0.10),
    ("hailuo-02", 10, "768p", 0.56),
    ("hailuo-02-pro", 6, "1080p", 0.49),
    ("i2v-01-director", 6, None, 0.43),
    ("minimax-h3", 5, "768p", 0.40),
    ("minimax-h3", 15, "2k", 1.95),
    ("minimax-h3-max", 5, "768p", 0.40),
]


def names(spec: ModelSpec) -> Names:
    return msgspec.convert(spec.wire, Names)  # an unknown key is an error


def offered(spec: ModelSpec) -> set[tuple[str | None, float]]:
    pairs = set(product(spec.resolutions or (None,), spec.seconds))
    return {(r, s) for r, s in pairs if f"{r} {s:g}s" not in spec.never}


def test_every_model_is_there_once_under_names_nobody_shares() -> None:
    owner: dict[str, str] = {}
    for spec in MODELS:
        for word in (spec.name, *spec.aliases):
            loose = re.sub(r"[\s._-]+", " ", word.strip().casefold())
            assert owner.setdefault(loose, spec.name) == spec.name, word


def test_every_documented_model_is_offered() -> None:
    assert {spec.endpoint for spec in MODELS} == DOCUMENTED.keys()


@pytest.mark.parametrize("endpoint", DOCUMENTED)
def test_a_model_makes_the_lengths_and_resolutions_that_minimax_documents_and_no_other(endpoint: str) -> None:
    lengths = DOCUMENTED[endpoint].lengths
    documented: set[tuple[str | None, float]] = {
        (r.lower(), float(seconds)) for r, many in lengths.items() for seconds in many
    }

    made = {pair for spec in MODELS if spec.endpoint == endpoint for pair in offered(spec)}

    assert made == (documented or {(None, 6.0)})


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_what_a_model_takes_has_a_name_on_its_wire_and_nothing_else_has(spec: ModelSpec) -> None:
    model, wire = DOCUMENTED[spec.endpoint], names(spec)

    assert (wire.api, spec.last_frame, wire.camera) == (model.api, model.last_frame, model.commands)
    assert (wire.last is None, wire.seconds is None, wire.resolution is None) == (
        not spec.last_frame,
        not model.lengths,
        not model.lengths,
    )


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_no_choice_stands_twice_and_every_resolution_has_minimaxs_word(spec: ModelSpec) -> None:
    wire = names(spec)
    for choices in (spec.seconds, spec.resolutions, spec.never):
        assert len(choices) == len(set(choices))
    assert set(spec.resolutions) == set(wire.resolution.values if wire.resolution else ())
    words = {*spec.resolutions, *(f"{seconds:g}s" for seconds in spec.seconds), "last", "audio"}
    assert all(words.issuperset(pair.split()) for pair in spec.never)
    assert spec.price.factors.keys() <= words


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_pictures_are_within_what_minimax_takes(spec: ModelSpec) -> None:
    side = 301 if names(spec).api == "v1" else 256

    assert (spec.image.min_side, spec.image.max_ratio) == (side, 2.5)
    assert spec.image.max_bytes * 2 * 4 / 3 < 64_000_000  # both ends, in base64, in one body


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_h3_brings_sound_and_hailuo_none_and_polls_keep_minimaxs_pace(spec: ModelSpec) -> None:
    h3 = names(spec).api == "v2"

    assert spec.audio is (Audio.ALWAYS if h3 else Audio.NEVER)
    assert spec.prompt_required is h3
    assert spec.poll_floor == (5 if h3 else 10)
    assert spec.deadline_seconds >= max(3 * spec.typical_seconds, 900)


@pytest.mark.parametrize(("name", "seconds", "resolution", "dollars"), PRICES)
def test_a_price_is_the_one_that_was_read(name: str, seconds: float, resolution: str | None, dollars: float) -> None:
    spec = Catalogue(MODELS).find(name)

    assert (resolution, seconds) in offered(spec)
    assert spec.price.of(seconds, resolution, audio=spec.audio is Audio.ALWAYS) == round(dollars * 1_000_000)


def test_the_list_of_models_says_no_price_of_a_clip_that_is_not_made() -> None:
    assert tables.price(Catalogue(MODELS).find("hailuo-2-3")) == "$0.28 - $0.56"


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_choice_has_a_likely_price(spec: ModelSpec) -> None:
    prices = [spec.price.of(seconds, resolution) for resolution, seconds in offered(spec)]

    assert min(prices) >= 100_000
    assert max(prices) <= 2_000_000


@pytest.mark.parametrize(
    "typed",
    ["hailuo", "Hailuo 2.3", "hailuo pro", "hailuo fast", "hailuo 2.3 fast pro", "hailuo 02", "h3", "minimax"],
)
def test_one_name_finds_the_same_model_at_fal_and_at_minimax(typed: str) -> None:
    offers = EVERYBODY.offers(typed)

    assert {spec.provider for spec in offers} == {"fal", "minimax"}
    assert len({spec.name for spec in offers}) == 1


def test_every_hailuo_and_h3_of_fal_is_offered_here_under_all_its_names() -> None:
    theirs = [spec for spec in shipped("fal") if "minimax" in spec.endpoint and spec.retired_on is None]
    ours = {spec.name: {spec.name, *spec.aliases} for spec in MODELS}

    assert theirs
    assert all({spec.name, *spec.aliases} <= ours[spec.name] for spec in theirs)
