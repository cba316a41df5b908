"""Turns a job into a row and back, and an event into what history keeps of it."""

from dataclasses import asdict, fields, replace
from typing import Any

import msgspec
from sqlalchemy.engine import RowMapping

from bot.chats.contract import Address
from bot.domain.job import Event, Fallback, FellBack, Job, Outcome, Relation, State, Waited
from bot.domain.options import ResolvedOptions
from bot.store.sql import COLUMNS
from providers.contract import Progress, Rendering, Waiting

_JSON = ("options", "detail", "fallbacks", "notices", "passed_providers")
_TEXTS = ("detail", "notices", "passed_providers")
_BOOL = ("claimed", "cancel_answered", "late")
_FIELDS = {one.name for one in fields(Job)}


def told(happened: Event) -> dict[str, Any]:
    if isinstance(happened, FellBack):
        return {"provider": happened.to.provider, "model": happened.to.model, "price": happened.to.price}
    told = {name: value for name, value in asdict(happened).items() if name not in {"due", "progress"}}
    if isinstance(happened, Waited) and happened.progress is not None:
        told["progress"] = _progress(happened.progress)
    return told


def _progress(progress: Progress | None) -> dict[str, Any] | None:
    match progress:
        case Waiting(position):
            return {"waiting": position}
        case Rendering(fraction):
            return {"rendering": fraction}
        case _:
            return None


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def from_job(job: Job) -> dict[str, Any]:
    """Return the job's row."""
    row = {name: getattr(job, name) for name in COLUMNS if name != "address"}
    for name in _TEXTS:
        row[name] = json_text(row[name])
    for name in _BOOL:
        row[name] = int(row[name])
    row["options"] = json_text(job.options.row())
    row["fallbacks"] = json_text([_kept(one) for one in job.fallbacks])
    row["address"] = json_text(job.address.place)
    row["progress"] = None if job.progress is None else json_text(_progress(job.progress))
    return row


def to_job(row: RowMapping) -> Job:
    """Return the row's job. Columns that this program does not know are left alone."""
    values: dict[str, Any] = {name: value for name, value in row.items() if name in _FIELDS}
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    for name in _BOOL:
        values[name] = bool(values[name])
    for name, kind in (("state", State), ("outcome", Outcome), ("relation", Relation)):
        values[name] = None if values[name] is None else kind(values[name])
    for name in ("notices", "passed_providers"):
        values[name] = tuple(values[name])
    values["options"] = ResolvedOptions.of(values["options"])
    values["fallbacks"] = tuple(_fallback(one) for one in values["fallbacks"])
    values["address"] = Address(row["chat"], msgspec.json.decode(row["address"]))
    if values["progress"] is not None:
        [(kind, value)] = msgspec.json.decode(values["progress"]).items()
        values["progress"] = Waiting(value) if kind == "waiting" else Rendering(value)
    return Job(**values)


def _fallback(kept: dict[str, Any]) -> Fallback:
    return Fallback(kept["provider"], kept["model"], ResolvedOptions.of(kept["options"]), kept["price"])


def _kept(one: Fallback) -> dict[str, Any]:
    return {"provider": one.provider, "model": one.model, "options": one.options.row(), "price": one.price}


def wordless(job: Job) -> Job:
    """Return the job without what its person wrote; what other providers were to be asked holds that too."""
    return replace(job, prompt="", options=replace(job.options, negative_prompt=None), fallbacks=())
