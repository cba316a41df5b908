"""Reads what each model can do from TOML tables, and finds models by name."""

import difflib
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import msgspec

from providers.contract import ModelSpec


class BadCatalogue(ValueError):
    """A model's table can't be used. `model` and `key` say where ("" when it is the whole file); the text says why."""

    def __init__(self, model: str, key: str, text: str) -> None:
        where = f"model {model!r}" + (f", key {key!r}" if key else "") if model else "model catalogue"
        super().__init__(f"{where}: {text}")
        self.model = model
        self.key = key
        self.text = text


class UnknownModel(LookupError):
    """No model has this name; `nearest` are the names that look like it, best first."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        super().__init__(f"no model is called {name!r}")
        self.name = name
        self.nearest = nearest


class Catalogue:
    """Models by name, alias or endpoint. When several answer to the same word, the provider given first wins."""

    def __init__(self, specs: Iterable[ModelSpec]) -> None:
        self.all: tuple[ModelSpec, ...] = tuple(specs)
        self._by_word: dict[str, list[ModelSpec]] = {}
        for _, models in groupby(self.all, lambda spec: spec.provider):
            self._add(tuple(models))

    def find(self, name: str, provider: str | None = None, today: date = date.min) -> ModelSpec:
        """Return the preferred model of that name, at `provider` when given; a retired one if there is no other.

        Raises `UnknownModel`.
        """
        found = [spec for spec in self.offers(name) if provider in (None, spec.provider)]
        if not found:
            raise UnknownModel(name, self._nearest(name))
        return next((spec for spec in found if not spec.retired(today)), found[0])

    def offers(self, name: str) -> tuple[ModelSpec, ...]:
        """Return everyone who makes that model, in order of preference."""
        return tuple(self._by_word.get(_folded(name), ()))

    def _add(self, models: Sequence[ModelSpec]) -> None:
        """Add one provider's: a name beats an alias, an alias beats an endpoint."""
        for words in (_names, _aliases, _endpoints):
            for spec in models:
                for word in words(spec):
                    same = self._by_word.setdefault(_folded(word), [])
                    if spec not in same:
                        same.append(spec)

    def _nearest(self, name: str) -> tuple[str, ...]:
        close = difflib.get_close_matches(_folded(name)[:100], self._by_word, n=6, cutoff=0.5)
        names = [self._by_word[word][0].name for word in close]
        return tuple(dict.fromkeys(names))[:3]


def read(provider: str, text: str) -> tuple[ModelSpec, ...]:
    """Read one provider's models: a table each, keys as in `ModelSpec`. Raises `BadCatalogue`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadCatalogue("", "", f"the text for {provider} is not TOML: {error}") from error
    return tuple(spec_from(name, table, {"name": name, "provider": provider}) for name, table in tables.items())


def shipped(provider: str) -> tuple[ModelSpec, ...]:
    """Return the models that come with us for that provider; none for a provider from elsewhere."""
    if not provider.isidentifier():
        return ()
    page = importlib.resources.files("providers").joinpath(provider, "catalogue.toml")
    return read(provider, page.read_text(encoding="utf-8")) if page.is_file() else ()


def with_own(specs: Iterable[ModelSpec], own: Mapping[str, Any]) -> tuple[ModelSpec, ...]:
    """Return `specs` changed by an operator's tables: a known model's keys are overridden, a new model goes first.

    Raises `BadCatalogue`.
    """
    known, new = list(specs), []
    for name, table in own.items():
        provider = table.get("provider") if isinstance(table, Mapping) else None
        places = [i for i, spec in enumerate(known) if spec.name == name and provider in (None, spec.provider)]
        if places:
            known[places[0]] = spec_from(name, table, msgspec.to_builtins(known[places[0]]))
        elif provider is None and isinstance(table, Mapping):
            raise BadCatalogue(name, "provider", 'say who makes it: provider = "..."')
        else:
            new.append(spec_from(name, table, {"name": name}))
    return (*new, *known)


def spec_from(name: str, table: Any, over: Mapping[str, Any]) -> ModelSpec:
    """Return the model that a table describes, laid over what is already known of it. Raises `BadCatalogue`."""
    if not isinstance(table, Mapping):
        raise BadCatalogue(name, "", f"must be a table, written [{name}]")
    for key, nearest in unknown_keys(table, ModelSpec):
        raise BadCatalogue(name, key, "is not a key of a model" + (f"; did you mean {nearest!r}?" if nearest else ""))
    for key in ("name", "provider"):
        if key in table and table[key] != over.get(key, table[key]):
            raise BadCatalogue(name, key, f"must be {over[key]!r} here; leave it out")
    try:
        spec = msgspec.convert(_laid_over(over, table), ModelSpec)
    except msgspec.ValidationError as error:
        why, key = why_and_where(error)
        raise BadCatalogue(name, key, why) from error
    for key, why in _nonsense(spec):
        raise BadCatalogue(name, key, why)
    return spec


def unknown_keys(table: Mapping[str, Any], kind: Any, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield the dotted path of every key that is no field of `kind` (dataclass or Struct), and of the nearest field."""
    shape = msgspec.inspect.type_info(kind)
    if not isinstance(shape, msgspec.inspect.DataclassType | msgspec.inspect.StructType):
        return
    fields = {field.encode_name: field.type for field in shape.fields}
    for key, value in table.items():
        if key not in fields:
            nearest = difflib.get_close_matches(key, fields, n=1)
            yield path + key, path + nearest[0] if nearest else None
        elif isinstance(value, Mapping):
            yield from unknown_keys(value, getattr(fields[key], "cls", dict), f"{path}{key}.")


def why_and_where(error: msgspec.ValidationError) -> tuple[str, str]:
    """Split "Expected `int`, got `str` - at `$.price.per_clip`" into the reason and the dotted path."""
    why, _, where = str(error).partition(" - at `$")
    return why.replace("`", ""), where.strip(".`")


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _laid_over(below, value)
        else:
            merged[key] = value
    return merged


def _nonsense(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    if not spec.seconds or min(spec.seconds) <= 0:
        yield "seconds", "list at least one length, each above 0"
    if spec.guidance and spec.guidance[0] > spec.guidance[1]:
        yield "guidance", "give the lowest value first, then the highest"
    if any(len(pair.split()) < 2 for pair in spec.never):
        yield "never", 'join choices, like "1080p 10s" or "720p last"'
    if spec.prompt_limit < 1:
        yield "prompt_limit", "must be at least 1"
    if min(spec.price.per_clip, spec.price.per_second, *spec.price.factors.values()) < 0:
        yield "price", "must not be negative"
    if min(spec.typical_seconds, spec.deadline_seconds, spec.poll_floor) <= 0:
        yield "deadline_seconds", "times must be above 0"


def _folded(word: str) -> str:
    """Treat "Kling 2.1", "kling_2-1" and "kling-2-1" alike."""
    return re.sub(r"[\s._-]+", "-", word.strip().casefold())


def _names(spec: ModelSpec) -> tuple[str, ...]:
    return (spec.name,)


def _aliases(spec: ModelSpec) -> tuple[str, ...]:
    return spec.aliases


def _endpoints(spec: ModelSpec) -> tuple[str, ...]:
    return (spec.endpoint,) if spec.endpoint else ()
