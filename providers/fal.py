"""fal.ai's queue: one POST per paid job, looks, downloads. Its models are data, in fal.toml; no model is named here.

Facts of the wire: fal's documentation and fal-client 1.0.3, read 2026-11-20. fal-client reads the queue's status; the
paid POST is ours, because fal-client repeats it when an answer is lost, and fal knows no idempotency key.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from fal_client import AsyncRequestHandle, Completed, FalClientHTTPError, Queued, Status, encode

from providers import http
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Picture,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Secret,
    Ticket,
    Unsure,
    Waiting,
)
from providers.mapping import Ends, Names, said

SMALL_PICTURE = 64 * 1024  # bytes; fal advises against larger data URIs
PLACING_SECONDS = 45.0  # for the pictures, so that the paid POST has time left
NOBODY = "00000000-0000-0000-0000-000000000000"

PICTURE_FAULTS = {
    "image_too_small",
    "image_too_large",
    "image_load_error",
    "face_detection_error",
    "file_download_error",
    "file_too_large",
    "unsupported_image_format",
}
POLICY_FAULTS = {"content_policy_violation"}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Secret
    queue_url: str = "https://queue.fal.run"
    rest_url: str = "https://rest.fal.ai"
    start_within_seconds: float = 3600.0  # how long a job may wait in fal's queue; past it, it is dropped, free

    def __post_init__(self) -> None:
        http.check_base_url(self.queue_url, "queue_url")
        http.check_base_url(self.rest_url, "rest_url")


class Handle(msgspec.Struct, frozen=True):
    """Our ticket. The URLs are built from it and our own settings, never taken from an answer."""

    endpoint: str
    id: str
    unit: int | None = None


class Provider:
    name = "fal"
    recovery = Recovery.NONE
    places = None  # what is too much waits in fal's own queue, and costs nothing there

    def __init__(self, settings: Settings, folder: Path) -> None:  # noqa: ARG002 - fal keeps what it needs itself
        self._settings = settings
        self._queue = settings.queue_url.rstrip("/")
        self._rest = settings.rest_url.rstrip("/")
        self._loopback = http.is_loopback(self._queue)
        self._http = http.client({"Authorization": f"Key {settings.key.reveal()}"})
        self._bare = http.client({})  # for addresses that fal hands out: they must not see the key

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - fal knows no keys of ours
        names = msgspec.convert(request.model.wire, Names)
        endpoint, body = request.model.endpoint, said(request, names)
        ends = Ends(endpoint, names.first, names.last or "")
        if request.last is not None and names.with_last is not None:
            ends = names.with_last
        try:
            async with asyncio.timeout(PLACING_SECONDS):
                body[ends.first] = await self._placed(request.first, names)
                if request.last is not None:
                    body[ends.last] = await self._placed(request.last, names)
        except TimeoutError as error:  # nothing is paid for yet, and it must not look as if it were
            raise Busy("fal's storage is slow") from error
        headers = {"X-Fal-Request-Start-Timeout": f"{self._settings.start_within_seconds:g}"}
        answer = await self._http.post(f"{self._queue}/{ends.endpoint}", json=body, headers=headers)
        if answer.status_code >= 500:
            raise Unsure(f"fal answered {answer.status_code}")
        if not answer.is_success:
            raise refusal(answer)
        return ticket(ends.endpoint, answer, names.unit)

    async def check(self, ticket: Ticket) -> Progress:
        handle = msgspec.json.decode(ticket, type=Handle)
        match await self._status(handle):
            case Queued(position):
                return Waiting(position)
            case Completed() as done:
                return await self._result(handle, done)
            case _:
                return Rendering()

    async def fetch(self, source: str, into: Path) -> None:
        await http.download(source, into, loopback=self._loopback)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        handle = msgspec.json.decode(ticket, type=Handle)
        before = await self._status(handle)
        answer = await self._http.put(f"{self._base(handle)}/cancel")
        if answer.status_code in {400, 404}:
            return Cancelled.TOO_LATE
        if not answer.is_success:
            raise unable(answer)
        return Cancelled.FREE if isinstance(before, Queued) else Cancelled.CHARGED

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - see `recovery`
        return None

    async def ping(self) -> str:
        answer = await self._http.get(f"{self._queue}/fal-ai/any/requests/{NOBODY}/status")
        if answer.status_code != 404 and not answer.is_success:
            raise unable(answer)
        return "fal answers and takes the key"

    async def close(self) -> None:
        await self._http.aclose()
        await self._bare.aclose()

    async def _status(self, handle: Handle) -> Status | None:
        """Ask where the job is; None when the answer is in no words that we know, which is no reason to give up."""
        base = self._base(handle)
        asked = AsyncRequestHandle(handle.id, base, f"{base}/status", f"{base}/cancel", client=self._http)
        try:
            return await asked.status()
        except FalClientHTTPError as error:
            raise unable(error.response) from error
        except (KeyError, ValueError, TypeError, AttributeError):
            return None

    async def _result(self, handle: Handle, done: Completed) -> Finished:
        answer = await self._http.get(self._base(handle))
        if answer.is_success:
            return finished(answer, handle)
        spent = bool((done.metrics or {}).get("inference_time"))
        if answer.status_code == 422 or (done.error and answer.status_code >= 500):
            raise refusal(answer, charged=spent and answer.status_code == 422)
        raise unable(answer)

    async def _placed(self, picture: Picture, names: Names) -> str:
        """Return an address under which fal's runners find the picture: in fal's own storage, or the picture itself."""
        if names.data_uri and len(picture.data) <= SMALL_PICTURE:
            return encode(picture.data, picture.mime)
        wish = {"content_type": picture.mime, "file_name": f"picture.{picture.mime.rpartition('/')[2]}"}
        try:
            answer = await self._http.post(f"{self._rest}/storage/upload/initiate?storage_type=fal-cdn-v3", json=wish)
        except Unsure as error:  # nothing is paid for here
            raise Busy(str(error)) from error
        if not answer.is_success:
            raise unable(answer)
        place = http.parsed(answer)
        upload, url = str(place.get("upload_url")), str(place.get("file_url"))
        if not (upload.startswith("https://") or (self._loopback and http.is_loopback(upload))):
            raise Busy("fal's storage gave no address to upload to")
        put = await self._bare.put(upload, content=picture.data, headers={"Content-Type": picture.mime})
        if not put.is_success:
            raise Busy(f"fal's storage answered {put.status_code} to a picture")
        return url

    def _base(self, handle: Handle) -> str:
        """Return the job's address: owner and app only, as fal's own clients build it."""
        parts = handle.endpoint.split("/")
        kept = 3 if parts[0] in {"workflows", "comfy"} else 2
        return f"{self._queue}/{'/'.join(parts[:kept])}/requests/{handle.id}"


def ticket(endpoint: str, answer: httpx.Response, unit: int | None) -> Ticket:
    """Return the ticket in an answer to a submission. Raises `Unsure` without one: it was accepted."""
    request_id = http.parsed(answer).get("request_id")
    if not isinstance(request_id, str) or not re.fullmatch(r"[\w-]{1,100}", request_id):
        raise Unsure(f"fal answered {answer.status_code} without a request id")
    return Ticket(msgspec.json.encode(Handle(endpoint, request_id, unit)).decode())


def finished(answer: httpx.Response, handle: Handle) -> Finished:
    """Return the video in a result. Raises `Busy` when there is none to be seen, as a later look may show one."""
    result = http.parsed(answer)
    video = result.get("video") or next(iter(result.get("videos") or []), None)
    url = video.get("url") if isinstance(video, dict) else None
    if not isinstance(url, str):
        raise Busy("fal's result holds no video")
    return Finished(url, cost(answer.headers, handle.unit))


def cost(headers: Mapping[str, str], unit: int | None) -> int | None:
    """Return what was charged in micro-dollars, when fal says how many units and the catalogue what one costs."""
    try:
        return None if unit is None else round(float(headers["x-fal-billable-units"]) * unit)
    except (KeyError, ValueError):
        return None


def refusal(answer: httpx.Response, *, charged: bool = False) -> Refused | Misconfigured:
    """Return what an answer of 4xx to a submission, or any to a finished job, means. It quotes none of our input."""
    if answer.status_code in {401, 402, 403}:
        return unable_to_pay(answer)
    detail = http.parsed(answer).get("detail")
    faults = [fault for fault in detail if isinstance(fault, dict)] if isinstance(detail, list) else []
    kinds = [str(fault.get("type")) for fault in faults]
    text = f"fal answered {answer.status_code} {', '.join(kinds)}"
    which = next(filter(None, map(at_fault, faults)), None)
    if POLICY_FAULTS & set(kinds):
        return Refused(Reason.POLICY, text, which=which, charged=charged)
    if PICTURE_FAULTS & set(kinds):
        return Refused(Reason.PICTURE, text, which=which or "picture", charged=charged)
    if answer.status_code >= 500 or "no_media_generated" in kinds:
        return Refused(Reason.FAILED, text, charged=charged)
    if which == "prompt":
        return Refused(Reason.PROMPT, text, which=which, charged=charged)
    return Refused(Reason.UNSUPPORTED, text, which=which, charged=charged)


def at_fault(fault: Mapping[str, Any]) -> str | None:
    """Return which input an entry of `detail` names."""
    place = fault.get("loc")
    name = str(place[-1]) if isinstance(place, list) and place else ""
    if "prompt" in name:
        return "prompt"
    if "image" in name or "frame_url" in name:
        return "end picture" if name.startswith(("end", "tail", "last")) else "picture"
    return None


def unable(answer: httpx.Response) -> Exception:
    """Return what a failed look means: only a forgotten request or a bad key is more than a moment's trouble."""
    if answer.status_code in {401, 402, 403}:
        return unable_to_pay(answer)
    if answer.status_code == 404:
        return Refused(Reason.FORGOTTEN, "fal does not know the request")
    return Busy(f"fal answered {answer.status_code}", http.retry_after(answer))


def unable_to_pay(answer: httpx.Response) -> Misconfigured:
    words = str(http.parsed(answer).get("detail"))
    if answer.status_code == 402 or "locked" in words.casefold() or "balance" in words.casefold():
        return Misconfigured("fal has locked the account, usually for an empty balance: top it up in fal's dashboard.")
    if answer.status_code == 401:
        return Misconfigured("fal does not accept the key: set providers.fal.key to one that works.")
    return Misconfigured("fal does not let this key use the model: give it that right in fal's dashboard.")
