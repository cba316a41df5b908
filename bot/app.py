"""Builds everything once, from the settings, and hands it in. Decides nothing about a job; reads no environment."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bot import adapters
from bot import config as settings
from bot.chats import terminal
from bot.chats.contract import Chat, Restricted
from bot.config import Config
from bot.desk.contract import Tools as DeskTools
from bot.desk.front import FrontDesk
from bot.domain.job import Job, Outcome
from bot.engine import places
from bot.engine.tools import Times, Tools
from bot.engine.worker import Habits, Time, Worker
from bot.files.folder import Folder
from bot.media import films, pictures
from bot.ops.chores import DAY, Chores
from bot.ops.chores import Plan as Upkept
from bot.store import sqlite
from bot.store.contract import Store
from bot.web.health import Counters, Outages, WatchedChat, WatchedProvider, WatchedStore
from bot.web.listener import Listener, UsesListener
from providers import network
from providers.catalog import Catalogue
from providers.contract import ModelSpec, VideoProvider

ORPHANS_KEPT = 3600.0  # seconds; a request that is being accepted has files and no row yet
T = TypeVar("T")
COPIED = (
    "the data folder %s was copied or moved here from another disk or machine: its %d open jobs may have gone on "
    "elsewhere, so each is looked for before anything is sent or posted. See that the other copy runs no more."
)
_log = logging.getLogger("zoetrope")


class NotReady(Exception):
    """What was configured can't be built here. The text tells the operator what to do."""


@dataclass(frozen=True)
class App:
    """Everything that is running in this process."""

    config: Config
    store: Store
    files: Folder
    catalogue: Catalogue
    tools: Tools
    desk: FrontDesk
    counters: Counters
    outages: Outages
    listener: Listener
    _workers: list[Worker] = field(repr=False)

    async def join(self) -> None:
        """Become one of the processes that work; call it before the first `worker`. Clears what crashes left behind."""
        doubtful = await self.store.recognise(self._has_video)
        if doubtful is not None:
            _log.warning(COPIED, self.config.data_dir, len(doubtful))
        await self.store.join()
        for job in await self.store.open_jobs():
            await self._mend(job)
        known = await self.store.known()
        await asyncio.to_thread(self.files.sweep, known, ORPHANS_KEPT)

    async def _mend(self, job: Job) -> None:
        """Give an open job its folder again, where only the database was moved; what is missing is fetched anew."""
        if not self.files.has(job.id):
            await asyncio.to_thread(self.files.keep_place, job.id)
        if job.outcome is Outcome.RENDERED and not self._has_video(job.id) and await self.store.refetch(job.id):
            _log.warning("job %s: its video is no longer here; it is fetched once more", job.id)

    def _has_video(self, job_id: str) -> bool:
        return self.files.video(job_id).is_file()

    def worker(self, only: str | None = None) -> Worker:
        """Return a worker, for all jobs of our chats or for `only` that one. The desk rings it."""
        worker = Worker(self.store, self.tools, steps_at_once=self.config.worker.steps_at_once, only=only)
        self._workers.append(worker)
        return worker

    def chores(self) -> Chores:
        """Return what makes backups and throws old files away."""
        return Chores(self.store, self.files, self.tools.clock, _upkeep(self.config))


@asynccontextmanager
async def open_app(config: Config, *, chats: bool = False) -> AsyncIterator[App]:
    """Build the house, with the configured chats or for the command line alone; close it in reverse order.

    Raises `BadConfig`, `NotReady`, `StoreBroken`, `StoreBusy`, `Misconfigured`.
    """
    catalogue = settings.catalogue(config)
    network.use(config.network)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(config))
        files = files_of(config)
        providers = {name: provider(config, name) for name in config.providers}
        for each in providers.values():
            stack.push_async_callback(each.close)
        here = terminal.Chat()
        counters, outages, listener = Counters(), Outages(), Listener()
        seen = {here.name: here, **(build_chats(config, listener) if chats else {})}
        tools = Tools(
            store=WatchedStore(store, counters),
            providers={name: WatchedProvider(name, each, counters, outages) for name, each in providers.items()},
            chats={name: WatchedChat(chat, outages) for name, chat in seen.items()},
            spec=_spec_of(catalogue),
            habit=Habits(store, Time()).of,
            files=files,
            video=films,
            clock=Time(),
            times=_times(config),
            idle_polls=[],
            places=places.declared(providers, settings.places(config)),
        )
        workers: list[Worker] = []
        desk = FrontDesk(
            DeskTools(
                catalogue=catalogue,
                store=store,
                files=files,
                look=pictures.normalise,
                limits=config.limits.as_rules(),
                default_model=config.default_model,
                ring=_ring(workers),
                clock=Time().now,
                allowed={name: chat.allowed for name, chat in seen.items() if isinstance(chat, Restricted)},
            )
        )
        yield App(config, store, files, catalogue, tools, desk, counters, outages, listener, workers)


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """Open the database alone, to read and not to work. Raises `StoreBroken`, `StoreBusy`."""
    store = await sqlite.Store.open(config.data_dir / "zoetrope.db")
    try:
        yield store
    finally:
        await store.close()


def files_of(config: Config) -> Folder:
    """Return where the files of jobs are. Raises `NotReady`."""
    try:
        return Folder(config.data_dir / "jobs", config.spare)
    except OSError as error:
        why = f"The data folder {config.data_dir} can't be written ({error.strerror})."
        raise NotReady(f"{why} Make room there, or choose another with data_dir.") from error


def build_chats(config: Config, listener: Listener) -> dict[str, Chat]:
    """Build the configured chats, connected to nothing yet. Raises `BadConfig`."""
    found: dict[str, Chat] = {}
    for name in config.chat:
        adapter, given = adapters.chat(config, name)
        chat = adapter.chat(given)
        if isinstance(chat, UsesListener):
            chat.listener = listener
        found[chat.name] = chat
    return found


def provider(config: Config, name: str) -> VideoProvider:
    """Build one provider. Raises `BadConfig`, `Misconfigured`."""
    adapter, given = adapters.provider(config, name)
    return adapter.provider(given, config.data_dir / "providers" / name)


def _upkeep(config: Config) -> Upkept:
    kept = config.retention
    return Upkept(
        database=config.data_dir / "zoetrope.db",
        backups=config.backups if config.backup.enabled else None,
        hour=config.backup.hour,
        keep=config.backup.keep,
        spare=config.spare,
        pictures=_seconds(kept.pictures_days),
        videos=_seconds(kept.videos_days),
        words=_seconds(kept.words_days),
    )


def _seconds(days: float | str) -> float | None:
    return None if isinstance(days, str) else days * DAY


def _times(config: Config) -> Times:
    worker = config.worker
    return Times(
        lease=worker.lease_seconds,
        queue_patience=worker.queue_patience_minutes * 60,
        per_poll=worker.seconds_per_look,
    )


def _spec_of(catalogue: Catalogue) -> Callable[[Job], ModelSpec]:
    """Return how to find a job's model; one that left the catalogue meanwhile must not stop its jobs."""
    known = {(spec.provider, spec.name): spec for spec in reversed(catalogue.all)}
    return lambda job: known.get((job.provider, job.model)) or ModelSpec(job.model, job.provider)


def _ring(workers: list[Worker]) -> Callable[[], None]:
    def ring() -> None:
        for worker in workers:
            worker.ring()

    return ring
