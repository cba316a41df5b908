"""MiniMax's tasks as JSON: a request of ours in its words, and what its answers say of a task. Nothing is sent here."""

import base64
import re
from collections.abc import Mapping
from typing import Any, Literal

import httpx
import msgspec

from providers import http, mapping
from providers.contract import AnimationRequest, Busy, Finished, Picture, Progress, Rendering, Ticket, Unsure, Waiting
from providers.minimax import director
from providers.minimax.faults import Meaning, fault

Api = Literal["v1", "v2"]
FILE = "file:"


class Names(mapping.Names, frozen=True, forbid_unknown_fields=True):
    """A model's `wire` table."""

    api: Api = "v1"
    first: str = "first_frame_image"
    camera: bool = False  # the model takes camera commands in brackets


class Handle(msgspec.Struct, frozen=True, omit_defaults=True):
    """Our ticket. `camera`: the commands that we put into the prompt."""

    api: Api
    id: str
    camera: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where to look."""
        return f"{self.api}/query/video_generation{'?task_id=' if self.api == 'v1' else '/'}{self.id}"


def body(request: AnimationRequest, names: Names) -> dict[str, Any]:
    """Return the request as its model's API takes it."""
    said: dict[str, Any] = {"model": request.model.endpoint, **mapping.said(request, names)}
    ends = {"first_frame": request.first, "last_frame": request.last}
    pictures = {role: data_url(picture) for role, picture in ends.items() if picture is not None}
    if names.api == "v1":
        return said | {f"{role}_image": url for role, url in pictures.items()}
    text = {"type": "text", "text": said.pop(names.prompt)}
    frames = [{"type": "image_url", "image_url": {"url": url}, "role": role} for role, url in pictures.items()]
    return said | {"content": [text, *frames]}


def data_url(picture: Picture) -> str:
    return f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"


def ticket(api: Api, answer: httpx.Response, camera: tuple[str, ...]) -> Ticket:
    """Return the ticket in an answer to a submission. Raises `Unsure` without one: it was accepted."""
    task_id = str(http.parsed(answer).get("task_id"))
    if not is_id(task_id):
        raise Unsure(f"MiniMax answered {answer.status_code} without a task id")
    return Ticket(msgspec.json.encode(Handle(api, task_id, camera)).decode())


def is_id(word: str) -> bool:
    return bool(re.fullmatch(r"[\w-]{1,100}", word)) and word != "None"


def progress(answer: httpx.Response, handle: Handle) -> Progress | None:
    """Return how far a task is, and None for an answer that says nothing of it. Raises `Refused` for its end."""
    told = http.parsed(answer) if answer.is_success else {}
    task, name = (told, "task_id") if handle.api == "v1" else (told.get("task"), "id")
    if not isinstance(task, dict) or not task.get("status") or str(task.get(name, handle.id)) != handle.id:
        return None
    match str(task["status"]).casefold():
        case "success" | "succeeded":
            return finished(task, handle)
        case "fail" | "failed" | "cancelled" | "canceled" | "expired":
            raise failure(task, answer)
        case "preparing" | "queueing" | "queued":
            return Waiting()
        case _:
            return Rendering()


def finished(task: Mapping[str, Any], handle: Handle) -> Finished:
    """Return where the video is. Raises `Busy` when that is not to be seen, as a later look may show it."""
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


def failure(task: Mapping[str, Any], answer: httpx.Response) -> Exception:
    """Return why a task made no video.

    Charged is what has a usage, and a video that was made and then withheld: MiniMax does not say that it is free.
    """
    told = task.get("error") or task.get("base_resp")
    told = told if isinstance(told, dict) else {}
    wrong = fault(told, answer)
    usage = task.get("usage")
    spent = isinstance(usage, dict) and bool(usage.get("total_seconds"))
    return wrong.of_task(charged=spent or wrong.meaning is Meaning.OUTPUT)
