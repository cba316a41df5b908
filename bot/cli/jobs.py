"""Queries the database without working on it, for the commands `jobs` and `cancel`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.app import files_of, open_store
from bot.config import Config
from bot.domain.job import Job, State
from bot.store.contract import Entry


@dataclass(frozen=True, slots=True)
class Found:
    job: Job
    history: Sequence[Entry]
    video: Path  # where it is or belongs


async def jobs(config: Config, state: State | None, most: int, *, undelivered: bool = False) -> list[Job]:
    """Return the newest first."""
    async with open_store(config) as store:
        return await (store.undelivered(most) if undelivered else store.jobs(state, most=most))


async def job(config: Config, job_id: str) -> Found | None:
    async with open_store(config) as store:
        found = await store.get(job_id)
        if found is None:
            return None
        return Found(found, await store.history(job_id), files_of(config).video(job_id))


async def cancel(config: Config, job_id: str) -> bool | None:
    """Ask a job to stop: False when it is over, None when there is no such job."""
    async with open_store(config) as store:
        return await store.ask_cancel(job_id) if await store.get(job_id) else None
