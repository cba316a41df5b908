"""A desk with real rows and real files, and jobs at it."""

from dataclasses import dataclass
from datetime import date

from bot.chats.contract import Actor, Address
from bot.desk.contract import Tools
from bot.desk.front import FrontDesk
from bot.domain.job import Closed, EffectStarted, Job, Outcome, Settled, Ticketed
from bot.domain.options import ResolvedOptions
from bot.domain.policy import Limits
from bot.files.folder import Folder
from bot.media.pictures import Looked
from bot.store.sqlite import Store
from providers.catalog import Catalogue
from providers.contract import ModelSpec, Picture, Price, Ticket

PICTURE = Picture(b"jpeg", "image/jpeg", 200, 200)
NOW = 1_780_000_000.0  # 28 May 2026
SPECS = (
    ModelSpec("local", "local", seconds=(5, 2)),
    ModelSpec("swift", "acme", title="Swift 2", aliases=("sw",), seconds=(5, 10), price=Price(per_second=56_000)),
    ModelSpec("swift", "other", title="Swift elsewhere"),
    ModelSpec("long", "acme", seconds=(30,)),
    ModelSpec("old", "acme", retired_on=date(2026, 5, 28)),
)


ANN = Actor("discord", "ann", {"guild": "7"})


async def _look(data: bytes) -> Looked:
    return Looked(Picture(data, "image/jpeg", 200, 200), ())


def tools(store: Store, files: Folder, limits: Limits | None = None, specs: tuple[ModelSpec, ...] = SPECS) -> Tools:
    return Tools(
        catalogue=Catalogue(specs),
        store=store,
        files=files,
        look=_look,
        limits=limits or Limits(),
        default_model="swift",
        ring=lambda: None,
        clock=lambda: NOW,
    )


def desk(store: Store, files: Folder, limits: Limits | None = None, specs: tuple[ModelSpec, ...] = SPECS) -> FrontDesk:
    return FrontDesk(tools(store, files, limits, specs))


@dataclass
class Here:
    desk: FrontDesk
    store: Store
    files: Folder

    async def job(self, name: str, requester: str = "ann", chat: str = "discord") -> Job:
        self.files.keep(name, PICTURE)
        address = Address(chat, {"guild": "7", "channel": "1"})
        job = Job(
            id=name, key=name, address=address, requester=requester, locale="en", prompt="waves", model="swift",
            provider="acme", options=ResolvedOptions(), price=0, created=NOW, due=NOW,
        )  # fmt: skip
        return await self.store.add(job)

    async def ended(self, name: str) -> None:
        [job] = await self.store.claim(NOW + 30, ["discord"], [], 1, name)
        for event in (
            EffectStarted(NOW), Ticketed(Ticket("t"), NOW), Settled(Outcome.RENDERED, {"seconds": 5.0}), Closed("1/2"),
        ):  # fmt: skip
            job = await self.store.record(job, event)
