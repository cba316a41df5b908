"""Works on what is in the database: `resume` until the command line's jobs are told, `run` until we are stopped."""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from bot.app import App, open_app
from bot.chats import terminal
from bot.chats.contract import Chat
from bot.cli import exits
from bot.cli.ctrl_c import CtrlC
from bot.cli.exits import Code, End
from bot.cli.listening import Listening
from bot.config import Config
from bot.domain.job import Job
from bot.engine.worker import Worker
from bot.store.contract import StoreBusy
from bot.web.health import Health, Pulse, serve_pages

POLL_SECONDS = 0.25  # between two reads of what is open
_log = logging.getLogger("zoetrope")


async def resume(config: Config, tell: Callable[[End], None], say: Callable[[str], None]) -> Code:
    """Finish the command line's open jobs, telling each end as it comes. Ctrl-C leaves the rest as they are."""
    async with open_app(config) as app:
        await app.join()
        mine, others = _split(await _open_jobs(app))
        if others:
            told = ", ".join(f"{number} of {name}" for name, number in sorted(others.items()))
            say(f"Open jobs that belong to a chat: {told}. `zoetrope run` finishes those.")
        if not mine:
            say("There is nothing to resume.")
            return Code.DELIVERED
        say(f"Finishing {_jobs(len(mine))}. Ctrl-C leaves the rest for another time.")
        with CtrlC() as ctrl_c:
            rest = await _finish(app, mine, tell, ctrl_c)
        if rest:
            say(f"{_jobs(len(rest))} left: {', '.join(sorted(rest))}.")
        return Code.LATE if rest else Code.DELIVERED


async def run(config: Config) -> Code:
    """Listen to every configured chat and work, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    async with open_app(config, chats=True) as app:
        await app.join()
        chats = [chat for name, chat in app.tools.chats.items() if name != terminal.Chat.name]
        worker = app.worker()
        working = asyncio.create_task(worker.run(config.worker.grace_seconds), name="the worker")
        ears = Listening(chats, app.outages, app.tools.clock)
        listening = [asyncio.create_task(ears.keep(chat, app.desk), name=f"the chat {chat.name}") for chat in chats]
        listening.append(asyncio.create_task(app.chores().run(), name="the upkeep"))
        async with _serve_health(app, chats, worker, ears):
            _log.info("running: %s; data in %s", ", ".join(chat.name for chat in chats), config.data_dir)
            try:
                await _wait(stop, [working, *listening])
            finally:
                _log.info("stopping; steps have %g s to end", config.worker.grace_seconds)
                await _cancel(listening)  # nobody may ask any more
                worker.stop()
                await working
    _log.info("stopped")
    return Code.DELIVERED


@asynccontextmanager
async def _serve_health(app: App, chats: Collection[Chat], worker: Worker, ears: Listening) -> AsyncIterator[None]:
    """Feel the pulse, and serve the pages unless they are switched off."""
    host, port = app.config.health.host, app.config.health.port
    with Pulse(app.counters.lag, chats, app.outages) as pulse:
        if port == "off":
            yield
            return
        health = Health(app.store, chats, worker, app.counters, pulse, trouble=lambda: ears.trouble)
        async with serve_pages(health, app.listener, host, port):
            yield


async def _wait(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the word to stop; what ends before it brings everything down, for whoever starts us to start anew."""
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for task in done - {stopping}:
        _log.error("%s ended; everything stops", task.get_name())  # its own error follows
        await task


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _open_jobs(app: App) -> dict[str, Job]:
    return {job.id: job for job in await app.store.open_jobs()}


def _split(jobs: dict[str, Job]) -> tuple[set[str], Counter[str]]:
    mine = {job.id for job in jobs.values() if job.chat == terminal.Chat.name}
    return mine, Counter(job.chat for job in jobs.values() if job.id not in mine)


async def _finish(app: App, mine: set[str], tell: Callable[[End], None], ctrl_c: CtrlC) -> set[str]:
    """Work until nothing of ours is open; return what was left."""
    worker = app.worker()
    working = asyncio.create_task(worker.run(app.config.worker.grace_seconds))
    try:
        while mine and not (ctrl_c.once.is_set() or working.done()):
            with suppress(StoreBusy):  # the worker says so already
                now_open, _ = _split(await _open_jobs(app))
                for job_id in mine - now_open:
                    await _tell(app, job_id, tell)
                mine = now_open
            if mine:
                await ctrl_c.pause(POLL_SECONDS, working)
    finally:
        worker.stop()
        await working
    return mine


async def _tell(app: App, job_id: str, tell: Callable[[End], None]) -> None:
    job = await app.store.get(job_id)
    if job is not None:
        tell(exits.of(job, app.files.video(job_id)))


def _jobs(number: int) -> str:
    return "1 open job" if number == 1 else f"{number} open jobs"
