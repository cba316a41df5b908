"""Model tables: what is read, what is refused and how a model is found."""

from datetime import date

import pytest

from providers.catalog import BadCatalogue, Catalogue, UnknownModel, read, shipped, with_own
from providers.contract import Audio, ImageLimits, ModelSpec, Price

TEXT = """
[swift]
title = "Swift 2"
endpoint = "acme/swift/v2"
aliases = ["sw"]
seconds = [5, 10]
resolutions = ["720p", "1080p"]
guidance = [0, 1]
audio = "optional"
retired_on = 2026-01-31
image = { min_side = 300, max_bytes = 5_000_000 }
price = { per_second = 56_000, factors = { "1080p" = 1.5, audio = 2 } }
wire = { duration = "str" }

["slow-1.5"]
"""


def test_a_table_becomes_a_model_with_every_key_in_place() -> None:
    swift, slow = read("acme", TEXT)

    assert (swift.name, swift.provider, swift.seconds, swift.guidance) == ("swift", "acme", (5, 10), (0, 1))
    assert (swift.audio, swift.retired_on) == (Audio.OPTIONAL, date(2026, 1, 31))
    assert swift.image == ImageLimits(min_side=300, max_bytes=5_000_000)
    assert swift.price.of(5, "1080p", audio=True) == 840_000
    assert slow == ModelSpec(name="slow-1.5", provider="acme")


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ("secnds = [5]", "secnds", "did you mean 'seconds'"),
        ("image = { min_sid = 3 }", "image.min_sid", "did you mean 'image.min_side'"),
        ("price = { per_clip = 'much' }", "price.per_clip", "int"),
        ("seconds = ['five']", "seconds[0]", "float"),
        ("audio = 'loud'", "audio", "loud"),
        ("seconds = []", "seconds", "at least one"),
        ("seconds = [0]", "seconds", "above 0"),
        ("guidance = [1, 0]", "guidance", "lowest"),
        ("never = ['1080p']", "never", "join choices"),
        ("price = { per_second = -1 }", "price", "negative"),
        ("deadline_seconds = 0", "deadline_seconds", "above 0"),
        ("prompt_limit = 0", "prompt_limit", "at least 1"),
        ("name = 'other'", "name", "leave it out"),
        ("provider = 'other'", "provider", "leave it out"),
    ],
)
def test_a_bad_key_is_refused_by_model_and_key(table: str, key: str, words: str) -> None:
    with pytest.raises(BadCatalogue, match="swift") as caught:
        read("acme", f"[swift]\n{table}\n")

    assert (caught.value.model, caught.value.key) == ("swift", key)
    assert words in caught.value.text


@pytest.mark.parametrize("text", ["swift = 3", "[swift"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(BadCatalogue):
        read("acme", text)


def test_the_models_that_come_with_us_are_whole() -> None:
    assert Catalogue(shipped("local")).find("LOCAL").provider == "local"


def test_a_provider_from_elsewhere_ships_no_models_and_no_path_is_read() -> None:
    assert shipped("acme") == ()
    assert shipped("../pyproject") == ()


def test_a_model_is_found_by_name_alias_and_endpoint_in_any_case() -> None:
    catalogue = Catalogue(read("acme", TEXT))

    assert {catalogue.find(word).name for word in ("swift", " SWIFT ", "Sw", "Acme/Swift/V2")} == {"swift"}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModel) as caught:
        Catalogue(read("acme", TEXT)).find("swfit")

    assert caught.value.nearest == ("swift",)


def test_the_first_given_provider_wins_and_the_others_are_kept() -> None:
    catalogue = Catalogue([ModelSpec("swift", "acme"), ModelSpec("swift", "zenith"), ModelSpec("other", "acme")])

    assert catalogue.find("swift").provider == "acme"
    assert catalogue.find("swift", "zenith").provider == "zenith"
    assert [spec.provider for spec in catalogue.offers("swift")] == ["acme", "zenith"]
    with pytest.raises(UnknownModel):
        catalogue.find("other", "zenith")


def test_what_several_providers_make_is_preferred_in_the_order_of_the_providers() -> None:
    first, second = ModelSpec("swift-2", "acme", aliases=("swift",)), ModelSpec("swift", "rival")

    assert Catalogue([first, second]).offers("swift") == (first, second)
    assert Catalogue([second, first]).offers("swift") == (second, first)


def test_a_model_that_its_preferred_provider_withdrew_is_had_from_another() -> None:
    gone = ModelSpec("swift", "acme", retired_on=date(2026, 1, 31))
    catalogue = Catalogue([gone, ModelSpec("swift", "rival")])

    assert catalogue.find("swift", today=date(2026, 1, 30)).provider == "acme"
    assert catalogue.find("swift", today=date(2026, 1, 31)).provider == "rival"
    assert catalogue.find("swift", "acme", date(2026, 2, 1)) is gone


def test_a_name_beats_an_alias_given_earlier() -> None:
    catalogue = Catalogue([ModelSpec("a", "acme", aliases=("b",)), ModelSpec("b", "acme")])

    assert catalogue.find("b").name == "b"


def test_an_operators_keys_override_the_shipped_ones_and_leave_the_rest() -> None:
    (swift, _) = with_own(read("acme", TEXT), {"swift": {"price": {"per_second": 60_000}, "seconds": [10]}})

    assert swift.price == Price(per_second=60_000, factors={"1080p": 1.5, "audio": 2})
    assert (swift.seconds, swift.endpoint, swift.retired_on) == ((10,), "acme/swift/v2", date(2026, 1, 31))


def test_an_operators_new_model_is_preferred_to_a_shipped_one_elsewhere() -> None:
    specs = with_own(read("acme", TEXT), {"swift": {"provider": "zenith"}})

    assert [(spec.name, spec.provider) for spec in specs][:2] == [("swift", "zenith"), ("swift", "acme")]


@pytest.mark.parametrize(
    ("table", "key"), [({}, "provider"), ({"provider": "acme", "x": 1}, "x"), ({"provider": 3}, "provider"), (3, "")]
)
def test_an_operators_bad_table_is_refused(table: object, key: str) -> None:
    with pytest.raises(BadCatalogue) as caught:
        with_own((), {"mine": table})

    assert (caught.value.model, caught.value.key) == ("mine", key)
