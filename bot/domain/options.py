"""Declares once what a person may choose of a video: its type, its check against a model, its words, where it shows.

Commands, forms, flags, the row of a job and the words of a quote are made from `OPTIONS`. A new option is one record
there, its sentences ("option.<key>", "option.<key>.about", "form.<key>") and its wire name per provider. A choice that
the records below have no field for travels in their `more`, and so does a key of a row that this program does not know.
"""

import math
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from providers.contract import Audio, ModelSpec, Picture

SEEDS = 2**31  # seeds are below: every provider takes these
_SHAPES = {"auto": "own", "original": "own", "square": "1:1", "landscape": "16:9", "portrait": "9:16"}


@dataclass(frozen=True, slots=True)
class ChosenOptions:
    """What a person asked for beside picture and words. None: not said."""

    model: str | None = None
    seconds: float | None = None
    aspect: str | None = None
    resolution: str | None = None
    negative_prompt: str | None = field(default=None, repr=False)
    guidance: float | None = None
    seed: int | None = None
    audio: bool | None = None
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ChosenOptions":
        """Make it of values by the options' names; None is the same as not said."""
        return cls(**_sorted_in(cls, {name: value for name, value in values.items() if value is not None}))

    def values(self) -> dict[str, Any]:
        """Return what was said, by the options' names."""
        return {name: value for name, value in _flat(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    """Every choice as a job keeps it, defaults filled in. `aspect` None is the picture's own shape."""

    seconds: float = 5.0
    aspect: str | None = None
    resolution: str | None = None
    negative_prompt: str | None = field(default=None, repr=False)
    guidance: float | None = None
    seed: int | None = None
    audio: bool = False
    last: bool = False  # it ends on a second picture
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "ResolvedOptions":
        """Read a row's JSON; keys that are not known are kept."""
        return cls(**_sorted_in(cls, row))

    def row(self) -> dict[str, Any]:
        """Return what a row keeps, with what this program does not know."""
        return _flat(self)

    def beyond(self) -> dict[str, Any]:
        """Return the choices that are declared and have no field here; not what a row holds of another program's."""
        return {option.name: self.more[option.name] for option in asked() if option.name in self.more}

    def chosen(self, model: str) -> ChosenOptions:
        """Return the choices that make the same again."""
        row = self.row() | {"model": model, "aspect": self.aspect or "own"}
        return ChosenOptions.of({option.name: row.get(option.name) for option in asked()})


def _sorted_in(record: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {part.name for part in fields(record)} - {"more"}
    more = {name: value for name, value in values.items() if name not in names}
    return {name: value for name, value in values.items() if name in names} | {"more": more}


def _flat(record: ChosenOptions | ResolvedOptions) -> dict[str, Any]:
    values = {part.name: getattr(record, part.name) for part in fields(record)}
    return {**values.pop("more"), **values}


class Cannot(Exception):
    """A model can't do what was asked by `option`; `choices`: what it can, none for nothing of that kind at all."""

    def __init__(self, option: str, asked: object = "", choices: Sequence[object] = ()) -> None:
        super().__init__(option)
        self.option = option
        self.asked = asked
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Terms:
    """What a choice must go with: the model, the longest clip allowed (None: any), and the other choices' words."""

    spec: ModelSpec
    longest: float | None = None
    words: frozenset[str] = frozenset()

    @property
    def lengths(self) -> tuple[float, ...]:
        return tuple(length for length in self.spec.seconds if self.longest is None or length <= self.longest)


Choices = tuple[Any, ...]


def _nothing(_terms: Terms) -> Choices | None:
    return None


def _no_words(_value: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen. Where it stands in `OPTIONS` is where it stands in every command and form."""

    name: str  # in a row and in `ChosenOptions`
    kind: type[str | float | int | bool]
    help: str  # on the command line, which speaks English; people in chats read its sentences
    resolve: Callable[[Any, Terms], Any] | None = None  # what was asked, or None -> what is kept; raises `Cannot`
    choices: Callable[[Terms], Choices | None] = _nothing  # None: the model hasn't it; (): anything of its kind
    word: Callable[[Any], str] = _no_words  # of a value, as `Price` and `ModelSpec.never` say it
    key: str = ""  # of its sentences and flags, where that is not its name
    among: tuple[float, float] | None = None  # the lowest and highest number that is ever right
    most: int = 100  # characters
    quoted: bool = False  # a quote says it
    asked: bool = True  # False: it is chosen otherwise
    suggested: bool = False  # a model has a list of them, which can be shown while somebody types
    goes_with_others: bool = False  # resolved when the others are known

    @property
    def words(self) -> str:
        """Return what its sentences and flags are called by."""
        return self.key or self.name

    def read(self, typed: str) -> Any:
        """Return what somebody typed, None for nothing. Raises `ValueError` when it is not of that kind."""
        text = typed.strip()
        if not text:
            return None
        if self.kind is bool:
            return {"yes": True, "no": False}[text] if text in {"yes", "no"} else _refuse(text)
        value = self.kind(text.replace(",", ".") if self.kind is float else text)
        if isinstance(value, float) and not math.isfinite(value):
            _refuse(text)
        return value

    def write(self, value: Any) -> str:
        """Return a value as `read` takes it."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:.15g}" if isinstance(value, float) else str(value)


def _refuse(text: str) -> Any:
    raise ValueError(f"{len(text)} characters that are not of that kind")


def _last(asked: bool | None, terms: Terms) -> bool:
    if asked and not terms.spec.last_frame:
        raise Cannot("last")
    return bool(asked)


def _aspect(asked: str | None, terms: Terms) -> str | None:
    """Return the shape asked for, else the model's first; None for the picture's own."""
    shapes = terms.spec.aspects or ("own",)
    found: str | None = shapes[0]
    if asked:
        plain = _plain(asked).replace("x", ":").replace("/", ":")
        found = _among(_SHAPES.get(_plain(asked), plain), shapes)
    if found is None:
        raise Cannot("aspect", asked, terms.spec.aspects)
    return None if found == "own" else found


def _seconds(asked: float | None, terms: Terms) -> float:
    """Return the length asked for, else the model's default, else the longest that is allowed."""
    lengths, allowed = terms.spec.seconds, terms.lengths
    if asked is None:
        return lengths[0] if lengths[0] in allowed or not allowed else max(allowed)
    if asked not in lengths:
        raise Cannot("seconds", asked, sorted(allowed or lengths))
    return asked


def _audio(asked: bool | None, terms: Terms) -> bool:
    """Sound only when asked for: it often doubles the price."""
    if asked and terms.spec.audio is Audio.NEVER:
        raise Cannot("audio")
    if asked is False and terms.spec.audio is Audio.ALWAYS:
        raise Cannot("silence")
    return bool(asked) or terms.spec.audio is Audio.ALWAYS


def _sounds(terms: Terms) -> Choices | None:
    return {Audio.NEVER: None, Audio.OPTIONAL: (True, False), Audio.ALWAYS: (True,)}[terms.spec.audio]


def _resolution(asked: str | None, terms: Terms) -> str | None:
    """Return the resolution asked for, else the first that goes with what is chosen already."""
    spec = terms.spec
    possible = [resolution for resolution in spec.resolutions if not spec.clash(resolution, *terms.words)]
    if not asked:
        found = next(iter(possible or spec.resolutions), None)
    elif not (found := _among(_plain(asked), spec.resolutions) or _among(_plain(asked) + "p", spec.resolutions)):
        raise Cannot("resolution", asked, possible or spec.resolutions)
    if clash := spec.clash(found, *terms.words):
        raise Cannot("together", clash, possible)
    return found


def _negative(asked: str | None, terms: Terms) -> str | None:
    words = (asked or "").strip()
    if words and not terms.spec.negative_prompt:
        raise Cannot("negative_prompt")
    if len(words) > terms.spec.prompt_limit:
        raise Cannot("negative_long", choices=[terms.spec.prompt_limit])
    return words or None


def _guidance(asked: float | None, terms: Terms) -> float | None:
    low, high = terms.spec.guidance or (1, 0)
    if asked is not None and not low <= asked <= high:
        raise Cannot("guidance", asked, terms.spec.guidance or ())
    return asked


def _seed(asked: int | None, terms: Terms) -> int | None:
    """Return the seed asked for, else one of our own, so that making it again gives the same."""
    if not terms.spec.seed:
        if asked is not None:
            raise Cannot("seed")
        return None
    if asked is None:
        return secrets.randbelow(SEEDS)
    if not 0 <= asked < SEEDS:
        raise Cannot("seed", asked, (0, SEEDS - 1))
    return asked


def _among(asked: str, choices: Sequence[str]) -> str | None:
    return next((choice for choice in choices if _plain(choice) == asked), None)


def _plain(words: str) -> str:
    return re.sub(r"\s", "", words).casefold()


OPTIONS: tuple[Option, ...] = (
    Option("model", str, "As `zoetrope models` lists them."),  # the catalogue finds it, and offers the choices
    Option(
        "seconds",
        float,
        "Length of the clip.",
        _seconds,
        lambda terms: terms.lengths,
        "{:g}s".format,
        among=(0, 600),
        most=10,
        quoted=True,
        suggested=True,
    ),
    Option(
        "resolution",
        str,
        "Size, such as 720p.",
        _resolution,
        lambda terms: terms.spec.resolutions or None,
        str,
        most=40,
        quoted=True,
        suggested=True,
        goes_with_others=True,
    ),
    Option(
        "aspect",
        str,
        "Shape, such as 16:9; own: the picture's.",
        _aspect,
        lambda terms: terms.spec.aspects or None,
        most=40,
        quoted=True,
        suggested=True,
    ),
    Option(
        "last", bool, "", _last, word=lambda last: "last" if last else "", quoted=True, asked=False
    ),  # by the pictures
    Option("audio", bool, "With sound.", _audio, _sounds, lambda audio: "audio" if audio else "", quoted=True),
    Option(
        "negative_prompt",
        str,
        "What to avoid.",
        _negative,
        lambda terms: () if terms.spec.negative_prompt else None,
        key="negative",
        most=3000,
    ),
    Option(
        "guidance",
        float,
        "How closely to follow the words.",
        _guidance,
        lambda terms: () if terms.spec.guidance else None,
        most=10,
    ),
    Option(
        "seed",
        int,
        "The same seed makes the same clip.",
        _seed,
        lambda terms: () if terms.spec.seed else None,
        among=(0, 2**53 - 1),
        most=16,
    ),
)


def asked() -> tuple[Option, ...]:
    """Return the options that a command or a form asks for."""
    return tuple(option for option in OPTIONS if option.asked)


def resolve(chosen: ChosenOptions, spec: ModelSpec, longest: float | None = None, *, last: bool) -> ResolvedOptions:
    """Return every choice as a job keeps it; `longest`: seconds that a clip may last here. Raises `Cannot`."""
    said, found, words = {**chosen.values(), "last": last}, dict[str, Any](), set[str]()
    for option in sorted(OPTIONS, key=lambda option: (option.goes_with_others, option.asked)):
        if option.resolve is not None:
            value = option.resolve(said.get(option.name), Terms(spec, longest, frozenset(words)))
            found[option.name] = value
            words.add(option.word(value))
    return ResolvedOptions.of(found)


def carried_over(chosen: ChosenOptions, before: ChosenOptions, spec: ModelSpec) -> ChosenOptions:
    """Return the choices for another model than before: what nobody changed and it can't do is its own usual."""
    said, old = chosen.values(), before.values()
    for option in asked():
        if option.resolve is not None and said.get(option.name) == old.get(option.name):
            try:
                option.resolve(said.get(option.name), Terms(spec))
            except Cannot:
                said[option.name] = None
    return ChosenOptions.of(said)


def choices(spec: ModelSpec, longest: float | None = None) -> dict[str, Choices]:
    """Return what can be chosen of a model, by the options' names; () for anything, no entry where it has no choice."""
    found = {option.name: option.choices(Terms(spec, longest)) for option in asked()}
    return {name: values for name, values in found.items() if values is not None}


def nearest_shape(chosen: ChosenOptions, spec: ModelSpec, picture: Picture) -> str | None:
    """Return the shape for somebody who chose none, at a model that can't keep the picture's own; else None."""
    if chosen.aspect is not None or not spec.aspects or "own" in spec.aspects:
        return None

    def difference(aspect: str) -> float:
        wide, _, high = aspect.partition(":")
        return abs(math.log(picture.width / picture.height / (float(wide) / float(high))))

    return min(spec.aspects, key=difference)
