"""Reads tasks in Kling's answers, in either API's shape: how far one is, how it ended, what it cost.

Kling's pages on querying tasks, read 2026-11-20. A video's address lives 30 days and needs no key.
"""

import functools
import logging
import re
from typing import Any, Literal

import msgspec

from providers.contract import Busy, Finished, Progress, Reason, Refused, Rendering, Waiting

log = logging.getLogger("zoetrope.kling")

UNIT = 140_000  # micro-dollars, as on Kling's price page
DONE = {"succeed", "succeeded", "success", "completed"}
FAILED = {"fail", "failed"}
# Kling says why in free text, in English or Chinese: review, risk control, sensitive, against the rules.
POLICY = re.compile(r"risk|sensitive|policy|content|moderat|violat|审核|风控|敏感|违规")


class Task(msgspec.Struct, frozen=True):
    id: str
    key: str  # ours; "" where Kling does not say it
    word: str
    message: str
    url: str | None
    cost: int | None  # micro-dollars; None where Kling does not say it in units or dollars


def read_tasks(api: Literal["2.0", "legacy"], data: Any) -> list[Task]:
    """Return the tasks in an answer's `data`; what is none is left out."""
    found = data if isinstance(data, list) else [data]
    objects = [task for task in found if isinstance(task, dict)]
    found_tasks = [(_read_2 if api == "2.0" else _read_legacy)(task) for task in objects]
    return [task for task in found_tasks if re.fullmatch(r"[\w-]{1,100}", task.id)]


def read_progress(task: Task) -> Progress:
    """Return how far it is. Raises `Refused` when it failed; a word that Kling never used means it goes on."""
    word = task.word.casefold()
    if word in DONE:
        if task.url is None:
            raise Busy("Kling's task is done and shows no video yet")
        return Finished(task.url, task.cost)
    if word in FAILED:
        reason = Reason.POLICY if POLICY.search(task.message.casefold()) else Reason.FAILED
        raise Refused(reason, f"Kling's task failed ({reason})", charged=bool(task.cost))
    if word == "submitted":
        return Waiting()
    if word != "processing":
        _strange(word[:40])
    return Rendering()


@functools.lru_cache(maxsize=64)
def _strange(word: str) -> None:
    log.warning("Kling says %r of a task, which is in no documentation: taken as still running", word)


def _read_2(task: dict[str, Any]) -> Task:
    videos = [output for output in _objects(task.get("outputs")) if output.get("type", "video") == "video"]
    costs = [_cost(entry) for entry in _objects(task.get("billing"))]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if costs and len(known) == len(costs) else None
    words = str(task.get("external_id") or ""), str(task.get("status")), str(task.get("message"))
    return Task(str(task.get("id")), *words, _url(videos), cost)


def _read_legacy(task: dict[str, Any]) -> Task:
    result, info = task.get("task_result"), task.get("task_info")
    key = str(info.get("external_task_id") or "") if isinstance(info, dict) else ""
    videos = _objects(result.get("videos")) if isinstance(result, dict) else []
    units = task.get("final_unit_deduction")
    cost = _micros(units, UNIT) or None  # none were taken from a pack: it failed, or the balance has paid
    words = str(task.get("task_status")), str(task.get("task_status_msg"))
    return Task(str(task.get("task_id")), key, *words, _url(videos), cost)


def _cost(entry: dict[str, Any]) -> int | None:
    match entry.get("charge_type"), entry.get("currency", "USD"):
        case "unit", _:
            return _micros(entry.get("amount"), UNIT)
        case "cash", "USD":
            return _micros(entry.get("amount"), 1_000_000)
    return None


def _micros(amount: Any, each: int) -> int | None:
    try:
        return round(float(amount) * each)
    except (TypeError, ValueError, OverflowError):
        return None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _url(videos: list[dict[str, Any]]) -> str | None:
    return next((video["url"] for video in videos if isinstance(video.get("url"), str) and video["url"]), None)
