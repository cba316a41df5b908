"""The toy server's clients: a `VideoProvider` and a `Chat` over httpx. They translate and remember nothing."""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.toys import SENDER
from bot.chats.contract import Address, ChatBusy, ChatUnsure, Desk, Reply, Status
from providers import atomic
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    Unsure,
    Waiting,
)


def client(port: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    headers = {SENDER: str(os.getpid())}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10, limits=limits)


@dataclass
class Vendor:
    """One kind of vendor; `recovery` is its kind, and the first part of its address."""

    http: httpx.AsyncClient
    recovery: Recovery
    is_full: Callable[[], bool] = lambda: False  # whether the disk has no room for a download

    @property
    def _at(self) -> str:
        return f"/vendor/{self.recovery}"

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - any picture will do
        try:
            answer = await self.http.post(self._at, json={"key": key})
        except httpx.ConnectError as error:
            raise Busy("not reached") from error
        except httpx.HTTPError as error:
            raise Unsure(repr(error)) from error
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise Refused(Reason.POLICY)
        return Ticket(str(_read(answer)["id"]))

    async def check(self, ticket: Ticket) -> Progress:
        said = await self._ask("GET", f"{self._at}/{ticket}")
        match said["state"]:
            case "waiting":
                return Waiting()
            case "finished":
                return Finished(f"/video/{ticket}")
            case "failed" | "stopped":
                raise Refused(Reason.FAILED, charged=said["charged"])
            case _:
                return Rendering()

    async def fetch(self, source: str, into: Path) -> None:
        if self.is_full():
            raise OSError(errno.ENOSPC, "no space left")
        try:
            answer = await self.http.get(source)
        except httpx.HTTPError as error:
            raise Busy(repr(error)) from error
        if answer.status_code != httpx.codes.OK:
            raise Busy("come back later")
        await asyncio.to_thread(_write, into, answer.content)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        return Cancelled((await self._ask("DELETE", f"{self._at}/{ticket}"))["cancelled"])

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - keys are unique here
        number = (await self._ask("GET", f"{self._at}?key={key}"))["id"]
        return None if number is None else Ticket(str(number))

    async def ping(self) -> str:
        return "fine"

    async def close(self) -> None:
        pass

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        try:
            return _read(await self.http.request(method, path))
        except httpx.HTTPError as error:
            raise Busy(repr(error)) from error


@dataclass
class Chat:
    """One kind of chat: "nonce" drops a second post with the same key, in "history" we look for our own."""

    http: httpx.AsyncClient
    name: str
    edit_every: float = 1
    connected: bool = True

    async def listen(self, desk: Desk) -> None:  # noqa: ARG002 - nobody talks
        await asyncio.Event().wait()

    async def show(self, address: Address, status: Status) -> None:  # noqa: ARG002 - one place
        await self._ask("PUT", {"words": status.words})

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:  # noqa: ARG002 - one place
        if again and self.name == "history":
            found = (await self._ask("GET", {"key": key}))["id"]
            if found is not None:
                return str(found)
        data = b"" if reply.video is None else await asyncio.to_thread(reply.video.read_bytes)
        try:
            answer = await self.http.post(f"/chat/{self.name}", params={"key": key}, content=data)
        except httpx.ConnectError as error:
            raise ChatBusy("not reached") from error
        except httpx.HTTPError as error:
            raise ChatUnsure(repr(error)) from error
        if answer.status_code != httpx.codes.OK:
            raise ChatBusy("slow down", float(answer.headers["Retry-After"]))
        return str(answer.json()["id"])

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - the same everywhere
        return 10_000_000

    async def ping(self) -> str:
        return "fine"

    async def _ask(self, method: str, params: dict[str, str]) -> dict[str, Any]:
        try:
            return _read(await self.http.request(method, f"/chat/{self.name}", params=params))
        except (httpx.HTTPError, Busy) as error:
            raise ChatBusy(repr(error)) from error


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != httpx.codes.OK:
        raise Busy("come back later", float(answer.headers.get("Retry-After", 0)))
    said: dict[str, Any] = answer.json()
    return said


def _write(into: Path, data: bytes) -> None:
    part = atomic.part_of(into)
    part.write_bytes(data)
    part.replace(into)
