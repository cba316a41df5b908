"""Makes videos by MiniMax's two APIs, Hailuo's and H3's: one POST per paid job, polls, downloads.

Its models are data, in catalogue.toml.

Facts of the wire: MiniMax's documentation, read 2026-11-20. A ticket says which API it belongs to. Neither knows a key
of ours, and the second one's list of tasks shows neither words nor pictures: of two tasks alike nobody can say which
is ours. So an answer that is lost stays lost, and the person is told.
"""

from dataclasses import replace
from pathlib import Path

import msgspec

from providers import http
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Misconfigured,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Secret,
    Ticket,
    Waiting,
)
from providers.minimax import director, errors, tasks
from providers.minimax.mapping import Names, to_wire
from providers.minimax.tasks import Handle

NO_TASK = Handle("v1", "0")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    api_key: Secret
    base_url: str = "https://api.minimax.io"  # a key belongs to one region; mainland China: https://api.minimax.cn
    camera_commands: bool = False  # turn camera words of a prompt into commands, where the model takes them

    def __post_init__(self) -> None:
        http.check_base_url(self.base_url)


class Provider:
    name = "minimax"
    recovery = Recovery.NONE
    places = None  # not documented; MiniMax's codes tell

    def __init__(self, settings: Settings, folder: Path) -> None:  # noqa: ARG002 - MiniMax keeps what it needs itself
        self._settings = settings
        self._base = settings.base_url.rstrip("/")
        self._loopback = http.is_loopback(self._base)
        self._http = http.client({"Authorization": f"Bearer {settings.api_key.reveal()}"}, own_codes=True)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - MiniMax knows no keys of ours
        names = msgspec.convert(request.model.wire, Names)
        camera: tuple[str, ...] = ()
        if names.camera and self._settings.camera_commands:
            prompt, camera = director.directed(request.prompt, request.model.prompt_limit)
            request = replace(request, prompt=prompt)
        answer = await self._http.post(f"{self._base}/{names.api}/video_generation", json=to_wire(request, names))
        if wrong := errors.find_fault(answer):
            raise wrong.of_submission()
        return tasks.read_ticket(names.api, answer, camera)

    async def check(self, ticket: Ticket) -> Progress:
        return await self._poll(msgspec.json.decode(ticket, type=Handle))

    async def fetch(self, source: str, into: Path) -> None:
        if source.startswith(tasks.FILE):
            source = await self._link(source.removeprefix(tasks.FILE))
        await http.download(source, into, loopback=self._loopback)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        """Only a queued task is asked to stop: asked about a finished one, MiniMax deletes the video."""
        handle = msgspec.json.decode(ticket, type=Handle)
        if handle.api == "v1":
            return Cancelled.TOO_LATE
        if not isinstance(await self._poll(handle), Waiting):
            return Cancelled.TOO_LATE
        answer = await self._http.delete(f"{self._base}/v2/video_generation/{handle.id}")
        wrong = errors.find_fault(answer)
        if wrong and wrong.meaning is errors.Meaning.PARAMETERS:
            return Cancelled.TOO_LATE
        if wrong:
            raise wrong.of_poll()
        try:
            await self._poll(handle)
        except Refused as end:  # forgotten: it had just been finished
            return Cancelled.CHARGED if end.charged or end.reason is Reason.FORGOTTEN else Cancelled.FREE
        return Cancelled.TOO_LATE

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - see the top of this module
        return None

    async def ping(self) -> str:
        """Ask for a task that nobody has: no documented request costs less."""
        answer = await self._http.get(f"{self._base}/{NO_TASK.path}")
        wrong = errors.find_fault(answer)
        if wrong and wrong.meaning is not errors.Meaning.PARAMETERS:
            raise wrong.of_poll()
        if not http.parsed(answer):
            raise Busy("something answers, but not as MiniMax does: is providers.minimax.base_url right?")
        return "MiniMax answers and takes the key"

    async def close(self) -> None:
        await self._http.aclose()

    async def _poll(self, handle: Handle) -> Progress:
        answer = await self._http.get(f"{self._base}/{handle.path}")
        if (seen := tasks.read_progress(answer, handle)) is not None:
            return seen
        if wrong := errors.find_fault(answer):
            raise wrong.of_poll()
        return Rendering()

    async def _link(self, file: str) -> str:
        """Return a fresh link to a file of the first API; it lives for an hour."""
        answer = await self._http.get(f"{self._base}/v1/files/retrieve?file_id={file}")
        if wrong := errors.find_fault(answer):
            error = wrong.of_poll()
            raise error if isinstance(error, Misconfigured) else Busy(wrong.text)
        told = http.parsed(answer).get("file")
        link = told.get("download_url") if isinstance(told, dict) else None
        if not isinstance(link, str):
            raise Busy("MiniMax gave no link to the video")
        return link
