"""Reads tasks in MiniMax's answers: the ticket, how far it is, how it ended. No request is made here."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from providers import http
from providers.contract import Busy, Finished, Progress, Rendering, Ticket, Unsure, Waiting
from providers.minimax import director
from providers.minimax.errors import Meaning, read_fault
from providers.minimax.mapping import Api

FILE = "file:"


class Handle(msgspec.Struct, frozen=True, omit_defaults=True):
    """Our ticket. `camera`: the commands that we put into the prompt."""

    api: Api
    id: str
    camera: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where to poll."""
        return f"{self.api}/query/video_generation{'?task_id=' if self.api == 'v1' else '/'}{self.id}"


def read_ticket(api: Api, answer: httpx.Response, camera: tuple[str, ...]) -> Ticket:
    """Return the ticket in an answer to a submission. Raises `Unsure` without one: it was accepted."""
    task_id = str(http.parsed(answer).get("task_id"))
    if not is_id(task_id):
        raise Unsure(f"MiniMax answered {answer.status_code} without a task id")
    return Ticket(msgspec.json.encode(Handle(api, task_id, camera)).decode())


def is_id(word: str) -> bool:
    return bool(re.fullmatch(r"[\w-]{1,100}", word)) and word != "None"


def read_progress(answer: httpx.Response, handle: Handle) -> Progress | None:
    """Return how far a task is, and None for an answer that says nothing of it. Raises `Refused` for its end."""
    told = http.parsed(answer) if answer.is_success else {}
    task, name = (told, "task_id") if handle.api == "v1" else (told.get("task"), "id")
    if not isinstance(task, dict) or not task.get("status") or str(task.get(name, handle.id)) != handle.id:
        return None
    match str(task["status"]).casefold():
        case "success" | "succeeded":
            return read_result(task, handle)
        case "fail" | "failed" | "cancelled" | "canceled" | "expired":
            raise read_failure(task, answer)
        case "preparing" | "queueing" | "queued":
            return Waiting()
        case _:
            return Rendering()


def read_result(task: Mapping[str, Any], handle: Handle) -> Finished:
    """Return where the video is. Raises `Busy` when that is not to be seen, as a later poll may show it."""
    if handle.api == "v1":
        file = str(task.get("file_id") or "")
        source = FILE + file if is_id(file) else ""
    else:
        content = task.get("content")
        url = str(content.get("url")) if isinstance(content, dict) else ""
        source = url if url.startswith("http") else ""
    if not source:
        raise Busy("MiniMax's finished task holds no video")
    return Finished(source, note=director.sentence(handle.camera))


def read_failure(task: Mapping[str, Any], answer: httpx.Response) -> Exception:
    """Return why a task made no video.

    Charged is what has a usage, and a video that was made and then withheld: MiniMax does not say that it is free.
    """
    told = task.get("error") or task.get("base_resp")
    told = told if isinstance(told, dict) else {}
    wrong = read_fault(told, answer)
    usage = task.get("usage")
    spent = isinstance(usage, dict) and bool(usage.get("total_seconds"))
    return wrong.of_task(charged=spent or wrong.meaning is Meaning.OUTPUT)
