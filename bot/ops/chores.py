"""Does the night's work, in one process of several: a backup, and old files thrown away. Never harms a job."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from bot.domain.job import Job
from bot.engine.lease import Clock
from bot.files.contract import Files
from bot.ops import backup
from bot.store import locks
from bot.store.contract import StoreBroken, StoreBusy
from bot.text import sentences

SOON = 60.0  # seconds after the start until the first round: whoever starts has better to do
HOUR = 3600.0  # seconds
DAY = 24 * HOUR
ALL = 1_000_000
log = logging.getLogger("zoetrope.upkeep")


class Rows(Protocol):
    """What the upkeep needs of the store."""

    async def closed_before(self, before: float) -> set[str]: ...
    async def forget_words(self, before: float) -> int: ...
    async def undelivered(self, most: int) -> list[Job]: ...
    async def give_up(self, before: float) -> int: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept, how long and where. None: no backup; files and words for ever."""

    database: Path
    backups: Path | None
    hour: int  # of the day, in this machine's time zone
    keep: int  # backups
    spare: int  # bytes that a backup leaves free
    pictures: float | None  # seconds after a job's end
    videos: float | None
    words: float | None


class Chores:
    """Runs beside the worker. Whoever has the lock does a round; a round that was done already is not done again."""

    def __init__(self, store: Rows, files: Files, clock: Clock, plan: Plan) -> None:
        self._store = store
        self._shelf = files
        self._clock = clock
        self._plan = plan
        self._thinned = 0.0  # the night for which old files were thrown away

    async def run(self) -> None:
        """Do a round soon, every hour, and when the night's hour strikes, until cancelled."""
        await self._clock.sleep(SOON)
        while True:
            await self.round()
            now = self._clock.now()
            strikes = night(now, self._plan.hour) + DAY  # an hour early in the night that has 25 hours
            await self._clock.sleep(min(max(strikes - now, SOON), HOUR))

    async def round(self) -> None:
        """Do what this night has yet to see. Never raises: what fails is logged, and left to the next round."""
        for work in (self._thin, self._back_up):  # first what makes room
            try:
                with locks.hold(self._plan.database.with_suffix(".upkeep")):
                    await work()
            except BlockingIOError:
                log.debug("another process is at it")
            except (backup.CantBackUp, OSError, StoreBusy, StoreBroken) as error:
                log.error("%s It is tried again within an hour.", error)  # noqa: TRY400 - the sentence says what to do
            except Exception:
                log.exception("a bug in the upkeep; it is tried again within an hour")

    async def _back_up(self) -> None:
        plan, now = self._plan, self._clock.now()
        if plan.backups is None:
            return
        newest = await asyncio.to_thread(backup.newest, plan.backups, now)
        if newest is not None and newest >= night(now, plan.hour):
            return
        path = backup.named(plan.backups, now)
        copy = partial(backup.make, plan.database, self._shelf, path, now, plan.spare)
        made = await asyncio.to_thread(copy)
        log.info("backup: %s, %s, took %.1f s", made.path, sentences.size(made.size), made.seconds)
        await asyncio.to_thread(backup.prune, plan.backups, plan.keep, now)

    async def _thin(self) -> None:
        plan, now = self._plan, self._clock.now()
        if night(now, plan.hour) <= self._thinned <= now:
            return
        here = await asyncio.to_thread(self._shelf.names)
        wanted = await self._wanted(now)
        pictures, videos = [here & await self._over_since(now, kept) for kept in (plan.pictures, plan.videos)]
        videos -= wanted
        for job in pictures | videos:
            thin = partial(self._shelf.thin, job, pictures=job in pictures, videos=job in videos)
            await asyncio.to_thread(thin)
        if pictures & videos:
            log.info("files of %d old jobs were removed", len(pictures & videos))
        while plan.words is not None and await self._store.forget_words(now - plan.words):
            log.info("words of old jobs were removed")
        self._thinned = now

    async def _wanted(self, now: float) -> set[str]:
        """Return the jobs whose videos nobody has got yet; they are kept twice as long, and then given up."""
        if self._plan.videos is not None and (number := await self._store.give_up(now - 2 * self._plan.videos)):
            log.warning("%d videos that could not be delivered are no longer kept", number)
        return {job.id for job in await self._store.undelivered(ALL)}

    async def _over_since(self, now: float, kept: float | None) -> set[str]:
        return set() if kept is None else await self._store.closed_before(now - kept)


def night(now: float, hour: int) -> float:
    """Return when it was last that hour of the day in this machine's time zone. Unix seconds in, Unix seconds out."""
    today = datetime.fromtimestamp(now).astimezone().date()
    days = (datetime.combine(today - timedelta(days=back), time(hour)) for back in (0, 1))
    return max(at for day in days if (at := day.astimezone().timestamp()) <= now)
