"""Has a video posted once more: one that could not be posted, at its own address or at another."""

import asyncio
from contextlib import suppress
from pathlib import Path

from bot import adapters
from bot.app import App, files_of, open_app, open_store
from bot.chats import terminal
from bot.chats.contract import Address
from bot.cli import exits
from bot.cli.ctrl_c import CtrlC
from bot.cli.exits import Code, End
from bot.config import Config
from bot.domain.job import Job, Outcome, State
from bot.store.contract import Store, StoreBusy

POLL_SECONDS = 0.1


async def deliver(config: Config, job_id: str, to: tuple[str, str] | None) -> End | None:
    """Put the job back to its last step; a file is written at once. None: there is no such job."""
    async with open_store(config) as store:
        job = await store.get(job_id)
        if job is None:
            return None
        try:
            address = _address(config, job, *to) if to else job.address
        except ValueError as error:
            return End(Code.REQUEST, str(error))
        if no := _why_not(job, address, files_of(config).video(job_id)):
            return End(Code.REQUEST, no)
        if address.chat != terminal.Chat.name:
            return await _put_back(store, job, address)
    return await _written(config, job, address)


async def _put_back(store: Store, job: Job, address: Address) -> End:
    if await store.redeliver(job.id, address) is None:
        return End(Code.REQUEST, f"Job {job.id} was changed meanwhile. Look at it with `zoetrope jobs show {job.id}`.")
    return End(Code.DELIVERED, f"`zoetrope run` posts the video of job {job.id} in {address.chat}.")


async def _written(config: Config, job: Job, address: Address) -> End:
    """Write the video to its file now."""
    async with open_app(config) as app:
        await app.join()
        ended = await _put_back(app.store, job, address)
        if ended.code is not Code.DELIVERED:
            return ended
        worker = app.worker(only=job.id)
        working = asyncio.create_task(worker.run(config.worker.grace_seconds))
        try:
            with CtrlC() as ctrl_c:
                job = await _told(app, job, ctrl_c, working)
        finally:
            worker.stop()
            await working
        return exits.of(job, app.files.video(job.id))


async def _told(app: App, job: Job, ctrl_c: CtrlC, working: asyncio.Task[None]) -> Job:
    """Wait until it is written, or a try failed, or Ctrl-C: it then goes on with `zoetrope resume`."""
    while True:
        with suppress(StoreBusy):  # the worker says so already
            job = await app.store.get(job.id) or job
            if job.state is State.CLOSED or job.attempts or ctrl_c.once.is_set() or working.done():
                return job
        await ctrl_c.pause(POLL_SECONDS, working)


def _address(config: Config, job: Job, chat: str, typed: str) -> Address:
    """Return what the operator typed as an address. Raises `ValueError` with what to type instead."""
    if chat == terminal.Chat.name:
        return Address(chat, terminal.place(Path(typed), replace=False))
    if chat not in config.chat:
        known = ", ".join([*config.chat, terminal.Chat.name])
        raise ValueError(f"There is no chat {chat!r} in {config.source}. Choose of: {known}.")
    adapter, _ = adapters.chat(config, chat)
    if adapter.elsewhere is None:
        raise ValueError(f"The chat {chat!r} takes no place by hand. Deliver to another, or to a file: --to terminal.")
    user = job.address.place.get("user", "") if job.chat == chat else ""
    return Address(chat, adapter.elsewhere(typed, user, job.locale))


def _why_not(job: Job, address: Address, video: Path) -> str | None:
    """Say what stands in the way, if anything does."""
    if job.state is not State.CLOSED:
        return f"Job {job.id} is not over yet ({job.state}): its answer comes by itself."
    if job.outcome is not Outcome.RENDERED:
        return f"Job {job.id} has no video: it was {job.outcome}."
    if not video.is_file():
        return f"The video of job {job.id} is no longer kept here."
    out = Path(address.place.get("out") or video)
    if address.chat == terminal.Chat.name and not out.parent.is_dir():
        return f"There is no folder {out.parent}. Make it, or choose another file with --to terminal FILE."
    return None
