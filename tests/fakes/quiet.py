"""A chat in which nobody says anything: adapter = "tests.fakes.quiet". For tests alone."""

import asyncio

import msgspec

from bot.chats.contract import Address, ChatBusy, Desk, Reply, Status


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    breaks: bool = False


class Chat:
    name = "quiet"
    edit_every = 5.0
    connected = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def listen(self, desk: Desk) -> None:  # noqa: ARG002 - nobody asks
        if self._settings.breaks:
            raise ChatBusy("The token of quiet is wrong; write a new one.")
        await asyncio.Event().wait()

    async def show(self, address: Address, status: Status) -> None:
        pass

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        raise NotImplementedError

    async def upload_limit(self, address: Address) -> int | None:
        raise NotImplementedError

    async def ping(self) -> str:
        return "quiet: fine"
