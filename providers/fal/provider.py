"""Makes videos by fal.ai's queue: one POST per paid job, polls, downloads. Its models are data, in catalogue.toml.

Facts of the wire: fal's documentation and fal-client 1.0.3, read 2026-11-20. fal-client reads the queue's status; the
paid POST is ours, because fal-client repeats it when an answer is lost, and fal knows no idempotency key.
"""

import asyncio
from pathlib import Path

import msgspec
from fal_client import AsyncRequestHandle, Completed, FalClientHTTPError, Queued, Status, encode

from providers import http
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
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
from providers.fal.errors import poll_error, result_error, submission_error
from providers.fal.tasks import Handle, read_result, read_ticket
from providers.mapping import Ends, Names, to_wire

SMALL_PICTURE = 64 * 1024  # bytes; fal advises against larger data URIs
PLACING_SECONDS = 45.0  # for the pictures, so that the paid POST has time left
NOBODY = "00000000-0000-0000-0000-000000000000"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Secret
    queue_url: str = "https://queue.fal.run"
    rest_url: str = "https://rest.fal.ai"
    start_within_seconds: float = 3600.0  # how long a job may wait in fal's queue; past it, it is dropped, free

    def __post_init__(self) -> None:
        http.check_base_url(self.queue_url, "queue_url")
        http.check_base_url(self.rest_url, "rest_url")


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
        endpoint, body = request.model.endpoint, to_wire(request, names)
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
            raise submission_error(answer)
        return read_ticket(ends.endpoint, answer, names.unit)

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
            raise poll_error(answer)
        return Cancelled.FREE if isinstance(before, Queued) else Cancelled.CHARGED

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - see `recovery`
        return None

    async def ping(self) -> str:
        answer = await self._http.get(f"{self._queue}/fal-ai/any/requests/{NOBODY}/status")
        if answer.status_code != 404 and not answer.is_success:
            raise poll_error(answer)
        return "fal answers and takes the key"

    async def close(self) -> None:
        await self._http.aclose()
        await self._bare.aclose()

    async def _status(self, handle: Handle) -> Status | None:
        """Ask where the job is; None when the answer is nothing that we know, which is no reason to give up."""
        base = self._base(handle)
        asked = AsyncRequestHandle(handle.id, base, f"{base}/status", f"{base}/cancel", client=self._http)
        try:
            return await asked.status()
        except FalClientHTTPError as error:
            raise poll_error(error.response) from error
        except (KeyError, ValueError, TypeError, AttributeError):
            return None

    async def _result(self, handle: Handle, done: Completed) -> Finished:
        answer = await self._http.get(self._base(handle))
        if answer.is_success:
            try:
                return read_result(answer, handle)
            except Busy:
                if done.error and http.parsed(answer):
                    raise Refused(Reason.FAILED, "fal tells of an error, and of no video") from None
                raise
        spent = bool((done.metrics or {}).get("inference_time"))
        raise result_error(answer, failed=bool(done.error), spent=spent)

    async def _placed(self, picture: Picture, names: Names) -> str:
        """Return an address under which fal's runners find the picture: in fal's own storage, or the picture itself."""
        if names.data_uri and len(picture.data) <= SMALL_PICTURE:
            return encode(picture.data, picture.mime)
        wanted = {"content_type": picture.mime, "file_name": f"picture.{picture.mime.rpartition('/')[2]}"}
        try:
            answer = await self._http.post(f"{self._rest}/storage/upload/initiate?storage_type=fal-cdn-v3", json=wanted)
        except Unsure as error:  # nothing is paid for here
            raise Busy(str(error)) from error
        if not answer.is_success:
            raise poll_error(answer)
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
