"""What a person may choose: read, checked against a model, kept in a row and read from it again."""

from typing import Any

import pytest

from bot.domain.options import OPTIONS, Cannot, ChosenOptions, ResolvedOptions, choices, resolve
from providers.contract import Audio, ModelSpec

PICKY = ModelSpec(
    "picky",
    "acme",
    seconds=(6, 10),
    resolutions=("512p", "768p", "1080p"),
    last_frame=True,
    audio=Audio.OPTIONAL,
    never=("512p last", "1080p 10s", "512p audio", "768p audio"),
)


@pytest.mark.parametrize(
    ("asked", "last", "resolution"),
    [
        (ChosenOptions(), False, "512p"),
        (ChosenOptions(), True, "768p"),
        (ChosenOptions(audio=True), False, "1080p"),
        (ChosenOptions(resolution="1080p"), True, "1080p"),
        (ChosenOptions(resolution="512p", seconds=10), False, "512p"),
    ],
)
def test_a_resolution_that_nobody_asked_for_is_one_that_goes_with_the_rest(
    asked: ChosenOptions, last: bool, resolution: str
) -> None:
    assert resolve(asked, PICKY, last=last).resolution == resolution


@pytest.mark.parametrize(
    ("asked", "last", "clash", "instead"),
    [
        (ChosenOptions(resolution="512"), True, "512p last", ["768p", "1080p"]),
        (ChosenOptions(resolution="1080p", seconds=10), False, "1080p 10s", ["512p", "768p"]),
        (ChosenOptions(resolution="768p", audio=True), False, "768p audio", ["1080p"]),
        (ChosenOptions(seconds=10, audio=True), False, "512p audio", []),
    ],
)
def test_choices_that_a_model_does_not_make_together_are_declined_with_what_would_do(
    asked: ChosenOptions, last: bool, clash: str, instead: list[str]
) -> None:
    with pytest.raises(Cannot) as caught:
        resolve(asked, PICKY, last=last)
    assert (caught.value.option, caught.value.asked, caught.value.choices) == ("together", clash, instead)


def test_a_rows_unknown_keys_are_kept_and_not_asked_for_again() -> None:
    row = {"seconds": 5, "aspect": None, "tempo": "slow"}
    kept = ResolvedOptions.of(row)

    assert kept.row().items() >= row.items()
    assert ResolvedOptions.of(kept.row()) == kept
    assert kept.chosen("picky") == ChosenOptions("picky", 5, "own", audio=False)


def test_a_model_offers_what_it_can_do_and_is_silent_on_what_it_can_not() -> None:
    assert choices(PICKY, longest=8) == {
        "seconds": (6,),
        "resolution": ("512p", "768p", "1080p"),
        "audio": (True, False),
    }
    assert choices(ModelSpec("loud", "acme", guidance=(0, 1), seed=True, audio=Audio.ALWAYS)) == {
        "seconds": (5,),
        "audio": (True,),
        "guidance": (),
        "seed": (),
    }


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("seconds", " 2,5 ", 2.5),
        ("seconds", "", None),
        ("seed", "7", 7),
        ("audio", "no", False),
        ("negative_prompt", "blur, text", "blur, text"),
    ],
)
def test_what_is_typed_is_read_by_the_options_kind(name: str, typed: str, value: Any) -> None:
    [option] = [option for option in OPTIONS if option.name == name]

    assert option.read(typed) == value
    assert option.read(option.write(value)) == value


@pytest.mark.parametrize(("name", "typed"), [("seconds", "long"), ("seconds", "inf"), ("seed", "1.5"), ("audio", "?")])
def test_what_is_not_of_the_options_kind_is_told_apart(name: str, typed: str) -> None:
    [option] = [option for option in OPTIONS if option.name == name]

    with pytest.raises(ValueError, match=r"."):
        option.read(typed)
