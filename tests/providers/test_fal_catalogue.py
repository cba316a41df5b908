"""fal's models as data: the page reads, says the wire's words in full, and prices as fal's pages do."""

import re
from collections import Counter
from datetime import date
from itertools import product

import msgspec
import pytest

from providers.catalog import Catalogue, shipped
from providers.contract import AnimationRequest, Audio, ModelSpec, Picture, Role
from providers.mapping import Names, to_wire

MODELS = shipped("fal")
LIVE = tuple(spec for spec in MODELS if spec.retired_on is None)
RETIRED = tuple(spec for spec in MODELS if spec.retired_on is not None)
CENT = 10_000  # micro-dollars
PICTURE = Picture(b"", "image/jpeg", 1280, 720)

THE_TEN = {
    "wan-i2v": "fal-ai/wan-i2v",
    "kling-2-1": "fal-ai/kling-video/v2.1/standard/image-to-video",
    "kling-2-1-master": "fal-ai/kling-video/v2.1/master/image-to-video",
    "ltx-13b-distilled": "fal-ai/ltx-video-13b-distilled/image-to-video",
    "pixverse-4-5": "fal-ai/pixverse/v4.5/image-to-video",
    "wan-pro": "fal-ai/wan-pro/image-to-video",
    "hunyuan": "fal-ai/hunyuan-video-image-to-video",
    "vidu-1": "fal-ai/vidu/image-to-video",
    "luma-ray-2": "fal-ai/luma-dream-machine/ray-2/image-to-video",
    "lucy-5b": "fal-ai/decart/lucy-5b/image-to-video",
}
FAMILIES = {
    "kling": "kling-2-6",
    "kling 2.1": "kling-2-1",
    "wan": "wan-2-7",
    "veo": "veo-3-1",
    "Veo Fast": "veo-3-1-fast",
    "seedance": "seedance-2-mini",
    "hailuo": "hailuo-2-3",
    "minimax": "minimax-h3-max",
    "ltx": "ltx-2-3",
    "pixverse": "pixverse-5-6",
    "vidu": "vidu-q2-pro",
    "luma": "luma-ray-2",
    "ray": "luma-ray-2",
    "hunyuan": "hunyuan",
    "fal-ai/wan-i2v": "wan-i2v",
}
# Seconds, resolution and sound, and the dollars that fal's page says.
PRICES: list[tuple[str, float, str | None, bool, float]] = [
    ("wan-i2v", 5, "480p", False, 0.20),
    ("wan-i2v", 5, "720p", False, 0.40),
    ("wan-i2v", 6, "720p", False, 0.50),  # 97 frames: x1.25
    ("kling-2-1", 5, None, False, 0.28),
    ("kling-2-1-pro", 10, None, False, 0.98),
    ("kling-2-1-master", 5, None, False, 1.40),
    ("kling-2-5-turbo", 5, None, False, 0.35),
    ("kling-2-5-turbo-standard", 10, None, False, 0.42),
    ("kling-2-6", 5, None, False, 0.35),
    ("kling-2-6", 5, None, True, 0.70),
    ("kling-3-4k", 5, None, False, 2.10),
    ("kling-3-turbo", 5, "720p", False, 0.56),
    ("kling-o1", 10, None, False, 1.12),
    ("ltx-13b-distilled", 5, "720p", False, 0.04),
    ("pixverse-4-5", 5, "540p", False, 0.15),
    ("pixverse-4-5", 8, "720p", False, 0.40),
    ("pixverse-4-5-1080p", 5, "1080p", False, 0.40),
    ("pixverse-4-5-fast", 5, "360p", False, 0.30),
    ("pixverse-5-6", 5, "720p", False, 0.45),
    ("pixverse-5-6", 5, "360p", True, 0.80),
    ("pixverse-5-6-1080p", 5, "1080p", True, 1.50),
    ("wan-pro", 6, "1080p", False, 0.80),
    ("wan-2-2", 5, "720p", False, 0.405),  # 81 frames are 5.0625 s
    ("wan-2-2-turbo", 5, "580p", False, 0.075),
    ("wan-2-5", 10, "480p", False, 0.50),
    ("wan-2-5", 5, "1080p", False, 0.75),
    ("wan-2-6-flash", 5, "720p", True, 0.25),
    ("wan-2-6-flash", 5, "720p", False, 0.125),
    ("wan-2-7", 15, "1080p", False, 2.25),
    ("wan-3-prime", 5, "480p", False, 0.34),
    ("wan-3-prime", 5, "1080p", False, 1.40),
    ("hunyuan", 5, "720p", False, 0.40),
    ("hunyuan-1-5", 5, "480p", False, 0.375),
    ("vidu-1", 4, None, False, 0.20),
    ("vidu-q1", 5, "1080p", False, 0.40),
    ("vidu-q2-pro", 8, "720p", False, 0.50),
    ("vidu-q2-pro", 2, "1080p", False, 0.50),
    ("luma-ray-2", 5, "540p", False, 0.50),
    ("luma-ray-2", 9, "1080p", False, 4.00),
    ("luma-ray-2-flash", 5, "720p", False, 0.40),
    ("luma-ray-3-2", 5, "1080p", False, 2.00),
    ("veo-3-1", 8, "720p", False, 1.60),
    ("veo-3-1", 8, "1080p", True, 3.20),
    ("veo-3-1", 4, "4k", False, 1.60),
    ("veo-3-1", 4, "4k", True, 2.40),
    ("veo-3-1-fast", 8, "720p", True, 1.20),
    ("veo-3-1-fast", 4, "4k", True, 1.40),
    ("seedance-1-pro-fast", 5, "1080p", False, 0.243),
    ("seedance-1-5-pro", 5, "720p", True, 0.2592),
    ("seedance-2", 5, "720p", True, 1.512),
    ("seedance-2-fast", 5, "720p", False, 1.2096),
    ("seedance-2-5", 5, "480p", False, 1.10),
    ("hailuo-02", 6, "768p", False, 0.27),
    ("hailuo-02", 10, "512p", False, 0.17),
    ("hailuo-02-pro", 6, "1080p", False, 0.48),
    ("hailuo-2-3", 10, None, False, 0.56),
    ("hailuo-2-3-fast", 6, None, False, 0.19),
    ("hailuo-2-3-fast", 10, None, False, 0.32),
    ("minimax-h3", 5, "2k", False, 1.30),
    ("minimax-h3-max", 5, "768p", True, 0.40),
    ("ltx-2-5-fast", 6, "2160p", False, 1.80),
    ("ltx-13b-098-distilled", 5, "720p", False, 0.100833),  # 121 frames are 5.0417 s
    ("framepack", 6, "720p", False, 0.2997),
    ("pika-2-2", 5, "720p", False, 0.20),
]
FRAMES = {  # fewest and most that the schema takes
    "wan-i2v": (81, 100),
    "wan-2-2": (17, 161),
    "wan-2-2-5b": (17, 161),
    "ltx-13b-distilled": (9, 121),
    "ltx-13b-098-distilled": (9, 1441),
    "ltx-2-19b": (9, 481),
    "ltx-2-19b-distilled": (9, 481),
    "ltx-2-3-22b": (9, 481),
}


def test_every_model_is_there_once_under_names_nobody_shares() -> None:
    owner: dict[str, str] = {}
    for spec in MODELS:
        for word in (spec.name, *spec.aliases):
            loose = re.sub(r"[\s._-]+", " ", word.strip().casefold())  # "Kling 2.1", "kling-2-1": one name to a person
            assert owner.setdefault(loose, spec.name) == spec.name, word
        assert len({alias.casefold() for alias in spec.aliases} | {spec.name}) == len(spec.aliases) + 1, spec.name
    assert len(MODELS) > 90


@pytest.mark.parametrize(("name", "endpoint"), THE_TEN.items())
def test_the_ten_asked_for_are_there_under_their_ids(name: str, endpoint: str) -> None:
    assert Catalogue(MODELS).find(name).endpoint == endpoint


@pytest.mark.parametrize(("typed", "name"), FAMILIES.items())
def test_a_short_name_finds_the_familys_current_model(typed: str, name: str) -> None:
    found = Catalogue(MODELS).find(typed)

    assert found.name == name
    assert found.retired_on is None


def test_every_endpoint_reads_as_owner_app_and_maybe_more() -> None:
    odd = [e for spec in MODELS for e in _endpoints(spec) if not re.fullmatch(r"[a-z0-9-]+(/[a-z0-9.-]+){1,6}", e)]

    assert odd == []


def test_an_endpoint_stands_twice_only_where_the_models_make_different_sizes_or_lengths() -> None:
    shared = [endpoint for endpoint, times in Counter(spec.endpoint for spec in MODELS).items() if times > 1]
    for endpoint in shared:
        made = [c for spec in MODELS if spec.endpoint == endpoint for c in product(spec.seconds, spec.resolutions)]
        assert len(made) == len(set(made)), endpoint


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_what_a_model_takes_has_a_name_on_the_wire_and_nothing_else_has(spec: ModelSpec) -> None:
    names = _names(spec)

    assert spec.negative_prompt == (names.negative_prompt is not None)
    assert (spec.guidance is not None) == (names.guidance is not None)
    assert spec.seed == (names.seed is not None)
    assert (spec.audio is Audio.OPTIONAL) == (names.audio is not None)
    assert spec.last_frame == (names.last is not None or names.with_last is not None)
    assert names.seconds is not None or len(spec.seconds) == 1
    assert names.resolution is not None or len(spec.resolutions) <= 1
    assert names.resolution is None or set(names.resolution.values) <= set(spec.resolutions)
    if names.aspect is None:
        assert spec.aspects in ((), ("own",))
    else:
        assert ("own" in spec.aspects) == (names.aspect.own is not None)


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_no_choice_stands_twice_and_the_pictures_own_shape_comes_first(spec: ModelSpec) -> None:
    for choices in (spec.seconds, spec.resolutions, spec.aspects):
        assert len(choices) == len(set(choices))
    assert spec.aspects[:1] == ("own",) or "own" not in spec.aspects
    assert all(word == word.lower() for word in spec.resolutions)


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_sound_that_costs_more_is_refused_aloud_unless_asked_for(spec: ModelSpec) -> None:
    dearer = any(_price(spec, s, r, audio=True) > _price(spec, s, r, audio=False) for s, r in _choices(spec))

    assert not (dearer and spec.audio is not Audio.OPTIONAL)
    if spec.audio is Audio.OPTIONAL:
        assert (
            to_wire(AnimationRequest("", {Role.FIRST: PICTURE}, spec), _names(spec))[str(_names(spec).audio)] is False
        )


def test_nothing_that_is_always_sent_turns_on_more_than_was_asked_for() -> None:
    sent = {(name, value) for spec in MODELS for name, value in _names(spec).send.items() if value is True}

    assert sent == set()


def test_the_length_is_sent_in_the_form_of_the_models_own_schema() -> None:
    forms = {"kling-2-1": "5", "hailuo-02": "6", "veo-3-1": "8s", "luma-ray-2": "5s", "wan-2-7": 5, "ltx-2-3": 6}
    for name, wanted in forms.items():
        spec = Catalogue(MODELS).find(name)
        body = to_wire(AnimationRequest("", {Role.FIRST: PICTURE}, spec, seconds=spec.seconds[0]), _names(spec))
        assert body["duration"] == wanted, name
        assert type(body["duration"]) is type(wanted), name


def test_lengths_in_frames_stay_within_the_schema_and_the_default_is_its_own() -> None:
    counted = {spec.name: _names(spec).seconds for spec in LIVE}
    by_frames = {name: length for name, length in counted.items() if length is not None and length.form == "frames"}

    assert by_frames.keys() == FRAMES.keys()
    for name, length in by_frames.items():
        low, high = FRAMES[name]
        seconds = Catalogue(MODELS).find(name).seconds
        frames = [length.to_wire(s)[length.name] for s in seconds]
        assert all(isinstance(n, int) and low <= n <= high for n in frames), (name, frames)
        assert frames[0] == (81 if length.fps == 16 else 121), name
        assert length.fps_name in length.to_wire(5), name


@pytest.mark.parametrize(("name", "seconds", "resolution", "audio", "dollars"), PRICES)
def test_a_price_is_what_fals_page_says(
    name: str, seconds: float, resolution: str | None, *, audio: bool, dollars: float
) -> None:
    spec = Catalogue(MODELS).find(name)

    assert seconds in spec.seconds
    assert resolution in (spec.resolutions or (None,))
    assert spec.audio in ((Audio.OPTIONAL, Audio.ALWAYS) if audio else (Audio.OPTIONAL, Audio.NEVER))
    assert _price(spec, seconds, resolution, audio=audio) == round(dollars * 1_000_000)


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_every_choice_of_a_live_model_has_a_likely_price(spec: ModelSpec) -> None:
    words = {f"{seconds:g}s" for seconds in spec.seconds} | {"audio"}
    words |= {f"{resolution}{sound}" for resolution in spec.resolutions for sound in ("", " audio")}
    dearest = max(_price(spec, s, r, audio=spec.audio is not Audio.NEVER) for s, r in _choices(spec))
    cheapest = min(_price(spec, s, r, audio=spec.audio is Audio.ALWAYS) for s, r in _choices(spec))

    assert spec.price.factors.keys() <= words, "a factor for something that can't be chosen"
    assert 2 * CENT <= cheapest <= dearest <= 4100 * CENT  # the dearest: 15 s of 4k by Seedance
    if CENT in (spec.price.per_clip, spec.price.per_second):  # the factors are cents, so none may be missing
        first = [f"{s:g}s" for s in spec.seconds]
        assert set(spec.resolutions or first) <= spec.price.factors.keys()


@pytest.mark.parametrize("spec", LIVE, ids=lambda spec: spec.name)
def test_a_model_gets_three_times_its_usual_time_and_a_quarter_of_an_hour_at_least(spec: ModelSpec) -> None:
    assert spec.deadline_seconds >= max(3 * spec.typical_seconds, 900)
    assert spec.poll_floor == 1


@pytest.mark.parametrize("spec", RETIRED, ids=lambda spec: spec.name)
def test_a_withdrawn_model_names_a_living_one_instead(spec: ModelSpec) -> None:
    assert spec.retired_on is not None
    assert spec.retired_on <= date(2026, 11, 20)
    assert spec.successor in {living.name for living in LIVE}


@pytest.mark.parametrize("typed", ["lucy-5b", "veo 2", "veo3", "sora", "sora-2-pro", "ltx 2", "seedance lite"])
def test_a_withdrawn_model_keeps_its_name(typed: str) -> None:
    assert Catalogue(MODELS).find(typed) in RETIRED


def _names(spec: ModelSpec) -> Names:
    return msgspec.convert(spec.wire, Names)  # an unknown key is an error


def _endpoints(spec: ModelSpec) -> list[str]:
    other = _names(spec).with_last
    return [spec.endpoint] + ([other.endpoint] if other else [])


def _choices(spec: ModelSpec) -> list[tuple[float, str | None]]:
    return list(product(spec.seconds, spec.resolutions or (None,)))


def _price(spec: ModelSpec, seconds: float, resolution: str | None, *, audio: bool) -> int:
    return spec.price.of(seconds, resolution, audio=audio)
