"""Draws models, jobs and settings for a terminal. Reads nothing and decides nothing."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from bot.config import Config
from bot.domain.job import Job, Outcome, State
from bot.store.contract import Entry
from bot.text import sentences
from providers.catalog import Catalogue
from providers.contract import Audio, ModelSpec

RETIRED = "retired"
_FOLDED = {"Model", "Shapes", "Sizes", "Price"}  # the other columns are short
_HIDDEN = {"ticket", "note", "cost", "detail"}  # the provider's own handle, and what the facts above say already


def models(catalogue: Catalogue, default: ModelSpec, *, wide: bool) -> Table:
    """Return one row per model; the default one in bold, retired ones dim and marked. Sizes need a `wide` terminal."""
    table = _table("Model", "Provider", "Seconds", "Shapes", *(["Sizes"] if wide else []), "End", "Price", "Takes")
    for column in table.columns:
        column.no_wrap = column.header not in _FOLDED
    if wide:
        table.columns[0].no_wrap = True
    for spec in catalogue.all:
        cells = list(_cells(spec))
        style = "dim" if RETIRED in cells else "bold" if spec is default else ""
        table.add_row(*(cells if wide else cells[:4] + cells[5:]), style=style)
    return table


def models_page(catalogue: Catalogue) -> str:
    """Return all models as a table in Markdown, which says the same on any day."""
    head = ("Model", "Provider", "Seconds", "Shapes", "Sizes", "End picture", "Price", "Takes")
    rows = [_cells(spec) for spec in catalogue.all if spec.retired_on is None]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *rows))


def _cells(spec: ModelSpec) -> Iterable[str]:
    yield spec.name
    yield spec.provider
    yield _lengths(spec.seconds)
    yield ", ".join(spec.aspects or ("own",))
    yield ", ".join(spec.resolutions) or "-"
    yield "yes" if spec.last_frame else "-"
    yield RETIRED if spec.retired(datetime.now(UTC).date()) else price(spec)
    yield f"~{_rough(spec.typical_seconds)}"


def price(spec: ModelSpec) -> str:
    """Return what the default clip costs, and the dearest one when that is more."""
    usual = spec.price.of(spec.seconds[0], spec.resolutions[0] if spec.resolutions else None)
    sound = "audio" if spec.audio is not Audio.NEVER else None
    every = product(spec.seconds, spec.resolutions or (None,), {None, sound})
    made = [choice for choice in every if not spec.clash(f"{choice[0]:g}s", *choice[1:])]
    most = max((spec.price.of(seconds, size, audio=bool(audio)) for seconds, size, audio in made), default=usual)
    return f"{sentences.money(usual)} - {sentences.money(most)}" if most > usual else sentences.money(usual)


def jobs(found: Sequence[Job]) -> Table:
    """Return one row per job."""
    now = time.time()
    table = _table("Job", "State", "Asked", "Model", "Chat", "Cost")
    table.add_column("Words", no_wrap=True, ratio=1, overflow="ellipsis")
    table.expand = True
    for job in found:
        cost = sentences.money(job.price if job.cost is None else job.cost)
        table.add_row(
            job.id, standing(job), f"{_rough(now - job.created)} ago", job.model, job.chat, cost, plain(job.prompt)
        )
    return table


def standing(job: Job) -> Text:
    """Return the outcome once there is one, else the state."""
    if job.outcome is None:
        return Text(job.state, style="cyan")
    if job.undelivered_since is not None:
        return Text(f"{job.outcome}, undelivered", style="red")
    words = job.outcome if job.state is State.CLOSED else f"{job.outcome}, {job.state}"
    return Text(words, style=_colour(job.outcome))


def _colour(outcome: Outcome) -> str:
    match outcome:
        case Outcome.RENDERED:
            return "green"
        case Outcome.REFUSED | Outcome.UNAVAILABLE:
            return "yellow"
        case Outcome.CANCELLED:
            return "bright_black"
        case Outcome.INTERRUPTED | Outcome.MISCONFIGURED | Outcome.TIMED_OUT:
            return "red"


def story(job: Job, kept: Path) -> Text:
    """Return everything about one job but its history; `kept` is where its video is or belongs."""
    return _sheet(_facts(job, kept))


def history(entries: Sequence[Entry]) -> Table:
    """Return one row per event of a job."""
    table = _table("Time", "After", "Event", "State", "Detail")
    start = entries[0].at if entries else 0.0
    for entry in entries:
        detail = ", ".join(_details(json.loads(entry.detail)))
        table.add_row(_clock(entry.at), f"{entry.at - start:.2f} s", entry.event, entry.state, plain(detail))
    return table


def settings(config: Config, catalogue: Catalogue, chats: Iterable[str]) -> Text:
    """Return what the settings say, without anything secret."""
    providers = [
        f"{name} ({_count(sum(spec.provider == name for spec in catalogue.all))})" for name in config.providers
    ]
    limits = config.limits
    each, everybody = limits.dollars_per_person_per_day, limits.dollars_per_day
    facts = {
        "settings": config.source,
        "data folder": str(config.data_dir),
        "default model": config.default_model,
        "providers": ", ".join(providers),
        "chats": ", ".join(chats) or "none",
        "per person": f"{limits.open_per_person} at once, {limits.per_person_per_day} per day",
        "dollars per day": f"{each} per person, {everybody} for everybody",
    }
    return _sheet((name, Text(plain(value))) for name, value in facts.items())


def plain(words: str) -> str:
    """Return other people's words without anything that could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _rough(seconds: float) -> str:
    """Return "45 s", "2 min", "3 h" or "5 days"."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit == "days" else 1) * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _lengths(seconds: Sequence[float]) -> str:
    """Return "2-10" for a run of whole numbers or for many lengths, else "5, 10"."""
    ordered = sorted(seconds)
    low, high = ordered[0], ordered[-1]
    if len(ordered) > 4 or (len(ordered) > 2 and ordered == [low + step for step in range(len(ordered))]):
        return f"{low:g}-{high:g}"
    return ", ".join(f"{length:g}" for length in ordered)


def _count(number: int) -> str:
    return "1 model" if number == 1 else f"{number} models"


def _sheet(facts: Iterable[tuple[str, Text]]) -> Text:
    """Return a line per fact. A long one is wrapped by the terminal alone, so that a path can be copied."""
    lines = [Text.assemble((f"{name:<17}", "bright_black"), value) for name, value in facts]
    return Text("\n").join(lines)


def _facts(job: Job, kept: Path) -> Iterable[tuple[str, Text]]:
    yield "state", standing(job)
    took = None if job.settled is None else sentences.duration(job.settled - job.created)
    chosen = {name: value for name, value in job.options.row().items() if value not in (None, False, [])}
    others = [other.provider for other in job.fallbacks]
    facts = {
        "asked": f"{_when(job.created)} by {job.requester} in {job.chat}",
        "model": f"{job.model} at {job.provider}",
        "words": job.prompt,
        "options": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in chosen.items()),
        "also made by": ", ".join(others),
        "price": sentences.money(job.price),
        "cost": None if job.cost is None else sentences.money(job.cost),
        "took": took,
        "answer": None if job.outcome is None else sentences.answer(job),
        "asked into": job.address.place.get("out") if job.chat == "terminal" else None,
        "delivered": job.receipt,
        "pictures": str(kept.parent.parent),
        "video": str(kept) if kept.is_file() else None,
    }
    yield from ((name, Text(plain(value))) for name, value in facts.items() if value)


def _details(detail: Mapping[str, Any]) -> Iterable[str]:
    for name, value in detail.items():
        if name in _HIDDEN or value in (None, False):
            continue
        yield _progress(value) if name == "progress" else f"{name.replace('_', ' ')} {_amount(name, value)}"


def _progress(told: Mapping[str, float | None]) -> str:
    [(kind, number)] = told.items()
    if number is None:
        return kind
    return f"{number * 100:.0f} %" if kind == "rendering" else f"{number:g} before it"


def _amount(name: str, value: object) -> str:
    return sentences.money(value) if name == "price" and isinstance(value, int) else str(value)


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
