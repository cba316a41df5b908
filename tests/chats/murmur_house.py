"""The whole house in one process, with a chat of one's own: all of it real but the maker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import config
from tests.chats.house import MAKER, TOY, Inhabited, inhabited
from tests.fakes import murmur
from tests.fakes.murmur import Chat


@dataclass
class House(Inhabited):
    chat: Chat


@asynccontextmanager
async def house(folder: Path, toy: str = TOY, more: str = "") -> AsyncIterator[House]:
    """Run all of it, as `zoetrope run` does, until the block ends."""
    file = folder / "config.toml"
    file.write_text(f'{MAKER.format(folder=folder, toy=toy)}\n[chat.murmur]\nadapter = "tests.fakes.murmur"\n{more}\n')

    async def ready() -> None:
        await murmur.CHATS[-1].conversation()

    async with inhabited(config.load(file, {}), "murmur", ready) as app:
        yield House(app, murmur.CHATS[-1])
