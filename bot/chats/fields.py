"""Says which fields the form of a chat has for the options that can be chosen, and reads what was filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.chats.contract import Offer
from bot.domain.options import ChosenOptions, Option, asked

Say = Callable[[str], str]
Choice = tuple[str, str]  # what is read, what comes back


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. Without `choices` it is typed into; `value` is what stands there at first."""

    name: str  # the option's
    label: str
    most: int  # characters
    choices: tuple[Choice, ...] = ()
    value: str = field(default="", repr=False)


def fields(say: Say, offers: Sequence[Offer], chosen: ChosenOptions | None = None) -> list[Field]:
    """Return the fields of a form in their order, filled with what is chosen already; none for what no model has."""
    values = (chosen or ChosenOptions()).values()
    wanted = [
        option for option in asked() if option.name == "model" or any(option.name in one.choices for one in offers)
    ]
    return [_field(option, say, offers, values.get(option.name)) for option in wanted if offers]


def _field(option: Option, say: Say, offers: Sequence[Offer], value: Any) -> Field:
    choices, written = _choices(option, say, offers), option.write(value)
    if option.name == "model" and written not in {back for _, back in choices}:
        written = choices[0][1]
    elif choices and written and written not in {back for _, back in choices}:
        choices = [*choices, (written, written)]
    return Field(option.name, say(f"form.{option.words}"), option.most, tuple(choices), written)


def _choices(option: Option, say: Say, offers: Sequence[Offer]) -> list[Choice]:
    if option.name == "model":
        return [(offer.label, offer.name) for offer in offers]
    if option.kind is bool:
        return [(say(f"form.{option.words}.{answer}"), answer) for answer in ("yes", "no")]
    if option.kind is not str:
        return []
    values = dict.fromkeys(option.write(value) for offer in offers for value in offer.choices.get(option.name, ()))
    return [(say("own") if value == "own" else value, value) for value in values]


def read(given: Mapping[str, Any], say: Say) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was chosen by the options' names, None for what was left empty, and what is wrong with the others.

    A name that is not there at all was no field of that form.
    """
    chosen, wrong = dict[str, Any](), dict[str, str]()
    for option in asked():
        if option.name in given:
            try:
                chosen[option.name] = option.read(str(given[option.name]))
            except ValueError:
                wrong[option.name] = say("chat.no_whole_number" if option.kind is int else "chat.no_number")
    return chosen, wrong


def complaint(wrong: Mapping[str, str], say: Say) -> str:
    """Say what is wrong with a form that is closed already: each field by its label, on a line of its own."""
    return "\n".join(f"{say(f'form.{one.words}')}: {wrong[one.name]}" for one in asked() if one.name in wrong)
