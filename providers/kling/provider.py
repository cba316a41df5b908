"""Makes videos by Kling's own API, in both of its generations: one POST per paid job, polls in batches, downloads.

Its models are data, in catalogue.toml. `mapping`, `tasks` and `errors` know its wire. Facts of the wire: Kling's pages,
read 2026-11-20; our key is its `external_task_id`, unique in an account, so a lost answer can be found.
"""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from providers import http
from providers.batch import Batch
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Misconfigured,
    Progress,
    Reason,
    Recovery,
    Refused,
    Secret,
    Ticket,
    Unsure,
)
from providers.kling.errors import INPUT, OFF_CLOCK, Answer, poll_error, read_answer, submission_error
from providers.kling.mapping import IMAGE_TO_VIDEO, Api, Names, to_wire
from providers.kling.signed import Signer
from providers.kling.tasks import Task, read_progress, read_tasks

TOGETHER = 50  # tasks in one poll: how many Kling takes is not documented, and an address should stay below 2000 bytes
WITHIN = 0.25  # seconds that a poll waits for others
MONTH = 30 * 24 * 3600


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two: `api_key`, or `access_key` and `secret_key` with the older API."""

    api: Api = "2.0"
    api_key: Secret | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    base_url: str = "https://api-singapore.klingai.com"

    def __post_init__(self) -> None:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together; set both, or an api_key alone")
        if (self.api_key is None) == (self.access_key is None):
            raise ValueError("set an api_key, or access_key and secret_key; not both, not neither")
        if self.access_key is not None and self.api != "legacy":
            raise ValueError('access_key and secret_key only open the older API; add api = "legacy", or set an api_key')
        http.check_base_url(self.base_url)


class Handle(msgspec.Struct, frozen=True):
    """Our ticket. A task is polled where it was made: at /tasks in API 2.0, below image2video in the older one."""

    api: Api
    id: str


class Provider:
    name = "kling"
    recovery = Recovery.FIND
    places = None  # as many as the account's pack has, which Kling's codes tell

    def __init__(self, settings: Settings, folder: Path) -> None:  # noqa: ARG002 - Kling keeps what it needs itself
        self._settings = settings
        self._url = settings.base_url.rstrip("/")
        self._signer: Signer | None = None
        self._bearer: Callable[[], str]
        if settings.api_key is not None:
            self._bearer = settings.api_key.reveal
        elif settings.access_key is not None and settings.secret_key is not None:
            self._signer = Signer(settings.access_key, settings.secret_key)
            self._bearer = self._signer.token
        self._http = http.client({}, own_codes=True)
        self._polls: Batch[Task] = Batch(self._many, most=TOGETHER, within=WITHIN)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        names = msgspec.convert(request.model.wire, Names)
        path, body = to_wire(self._settings.api, request, names, key)
        answer = await self._ask("POST", path, json=body)
        if answer.code != 0:
            raise submission_error(answer)
        made = read_tasks(self._settings.api, answer.data)
        if not made:
            raise Unsure("Kling took it and named no task")
        return self._ticket(made[0])

    async def check(self, ticket: Ticket) -> Progress:
        handle = msgspec.json.decode(ticket, type=Handle)
        if handle.api == "legacy":
            return read_progress(await self._one(handle.id))
        if self._signer is not None:
            raise Misconfigured("A video is still in the making at Kling's API 2.0: set providers.kling.api_key.")
        return read_progress(await self._polls.one(handle.id))

    async def fetch(self, source: str, into: Path) -> None:
        await http.download(source, into, loopback=http.is_loopback(self._url))

    async def cancel(self, ticket: Ticket) -> Cancelled:  # noqa: ARG002 - Kling stops nothing that it has begun
        return Cancelled.TOO_LATE

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - a key is unique for ever
        try:
            if self._settings.api == "2.0":
                found = read_tasks("2.0", await self._get("/tasks", params={"external_task_ids": key}))
            else:
                found = [await self._one(key)]
        except Refused:  # forgotten: a poll is never refused for anything else
            found = []
        return next((self._ticket(task) for task in found if task.key in {key, ""}), None)

    async def ping(self) -> str:
        now = int(time.time())
        month = {"start_time": (now - MONTH) * 1000, "end_time": now * 1000}
        return account(await self._get("/account/costs", params=month))

    async def close(self) -> None:
        await self._polls.close()
        await self._http.aclose()

    async def _many(self, ids: Sequence[str]) -> dict[str, Task]:
        answer = await self._ask("GET", "/tasks", params={"task_ids": ",".join(ids)})
        if answer.code in INPUT and len(ids) > 1:
            raise Refused(Reason.UNSUPPORTED, "Kling takes one of the ids, or so many of them, for wrong")
        return {task.id: task for task in read_tasks("2.0", _data(answer))}

    async def _one(self, name: str) -> Task:
        """Poll one task of the older API, by its id or by our key."""
        found = read_tasks("legacy", await self._get(f"{IMAGE_TO_VIDEO}/{quote(name, safe='')}"))
        if not found:
            raise Busy("Kling's answer holds no task")
        return found[0]

    async def _get(self, path: str, **more: Any) -> Any:
        return _data(await self._ask("GET", path, **more))

    async def _ask(self, method: Literal["GET", "POST"], path: str, **more: Any) -> Answer:
        token = self._bearer()
        headers = {"Authorization": f"Bearer {token}"}
        response = await self._http.request(method, f"{self._url}{path}", headers=headers, **more)
        answer = read_answer(response)
        if answer.code in OFF_CLOCK and self._signer is not None:
            off = self._signer.learn(response.headers.get("date"))
            if off is not None:
                raise Busy(
                    f"Kling's clock is {off:+.0f} s from this machine's; from now on tokens are signed by Kling's"
                )
            if token != self._bearer():  # another answer has told of the clock meanwhile
                raise Busy("Kling refused a token that has been replaced since")
        return answer

    def _ticket(self, task: Task) -> Ticket:
        return Ticket(msgspec.json.encode(Handle(self._settings.api, task.id)).decode())


def _data(answer: Answer) -> Any:
    if answer.code != 0:
        raise poll_error(answer)
    return answer.data


def account(data: Any) -> str:
    """Say what is left in the account's packs; Kling's own figures lag by up to 12 hours."""
    packs = data.get("resource_pack_subscribe_infos") if isinstance(data, dict) else None
    online = [pack for pack in packs or [] if isinstance(pack, dict) and pack.get("status") == "online"]
    if not online:
        return "Kling answers and takes the key; no resource pack is active, so the account's balance pays"
    left, whole = (sum(number(pack.get(key)) for pack in online) for key in ("remaining_quantity", "total_quantity"))
    return f"Kling answers and takes the key; {left:g} of {whole:g} units are left, as of up to 12 hours ago"


def number(value: Any) -> float:
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", str(value)) else 0.0
