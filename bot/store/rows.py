"""A job as a row and back, and what history keeps of an event. No statement and no connection lives here."""

from dataclasses import asdict, replace
from typing import Any

import msgspec
from sqlalchemy.engine import RowMapping

from bot.domain.job import Event, Job, Outcome, State, Waited
from bot.store.sql import COLUMNS
from providers.contract import Progress, Rendering, Waiting

_JSON = ("place", "options", "detail")
_BOOL = ("claimed", "cancel_answered", "late")


def told(happened: Event) -> dict[str, Any]:
    told = {name: value for name, value in asdict(happened).items() if name not in {"due", "progress", "options"}}
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
    row = {name: getattr(job, name) for name in COLUMNS}
    for name in _JSON:
        row[name] = json_text(row[name])
    for name in _BOOL:
        row[name] = int(row[name])
    row["progress"] = None if job.progress is None else json_text(_progress(job.progress))
    return row


def to_job(row: RowMapping) -> Job:
    """Return the row's job."""
    values: dict[str, Any] = dict(row)
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    for name in _BOOL:
        values[name] = bool(values[name])
    values["state"] = State(values["state"])
    if values["outcome"] is not None:
        values["outcome"] = Outcome(values["outcome"])
    if values["progress"] is not None:
        [(kind, value)] = msgspec.json.decode(values["progress"]).items()
        values["progress"] = Waiting(value) if kind == "waiting" else Rendering(value)
    return Job(**values)


def wordless(job: Job) -> Job:
    """Return the job without what its person wrote; what other makers were to be asked holds that too."""
    return replace(job, prompt="", options={**job.options, "negative_prompt": None, "elsewhere": []})
