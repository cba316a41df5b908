"""The pages of a running bot, asked over real sockets; what ails it is done to it for real."""

import asyncio
import json
import logging
import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.toys import instant, media
from bot.chats.contract import Address, ChatBusy, ChatGone, ChatUnsure, TooBig
from bot.cli.health import ask
from bot.config import Config, load
from bot.domain.job import Job, Outcome, State
from bot.engine.worker import Worker
from bot.ops.metrics import Books, Page
from bot.ops.outages import FORGOTTEN_SECONDS
from bot.store.sqlite import Store
from bot.web.health import Counters, Health, Outages, Pulse, WatchedChat, WatchedProvider, WatchedStore, serve_pages
from bot.web.listener import Listener
from providers.contract import (
    AnimationRequest,
    Busy,
    Misconfigured,
    ModelSpec,
    Picture,
    ProviderError,
    Reason,
    Refused,
    Ticket,
    Unsure,
)
from tests.chats.discord_house import house
from tests.fakes.discord import Discord
from tests.fakes.discord_faults import Gate, held
from tests.fakes.memory import Now

ROOT = Path(__file__).parents[2]
SPEC = ModelSpec("toy", "toy", typical_seconds=1, poll_floor=0.1)
PATIENCE = 0.3


class Vendor(instant.Vendor):
    """Says once what it was told to, then works."""

    def __init__(self, clip: Path) -> None:
        super().__init__(clip)
        self.says: list[ProviderError] = []

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        if self.says:
            raise self.says.pop(0)
        return await super().submit(request, key)


@dataclass
class Bot:
    folder: Path
    store: Store
    vendor: Vendor
    chat: instant.Chat
    counters: Counters
    outages: Outages
    worker: Worker
    working: asyncio.Task[None]
    url: str

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as answer:
            return answer.status, await answer.text()

    async def becomes(self, path: str, status: int) -> str:
        async with asyncio.timeout(60):
            while True:
                found, words = await self.get(path)
                if found == status:
                    return words
                await asyncio.wait({self.working}, timeout=0.05)

    async def closed(self, *jobs: Job) -> None:
        for job in jobs:
            self.keep(job)
            await self.store.add(job)
        async with asyncio.timeout(60):
            while len(await self.store.jobs(State.CLOSED)) < len(jobs):
                self.hurry()
                await asyncio.wait({self.working}, timeout=0.05)

    def hurry(self) -> None:
        """Let no job sit out its back-off."""
        with closing(sqlite3.connect(self.folder / "zoetrope.db", isolation_level=None)) as db:
            db.execute("UPDATE jobs SET due = 0 WHERE claimed = 0 AND state <> 'closed'")
        self.worker.ring()

    def keep(self, job: Job) -> None:
        self.worker._tools.files.keep(job.id, Picture(b"jpeg", "image/jpeg", 8, 8), None)  # type: ignore[attr-defined]

    async def sample(self, name: str, **labels: str) -> float | None:
        _, text = await self.get("/metrics")
        found = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return next((s.value for s in found if s.name == name and s.labels == labels), None)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bot]:
    """Run store, worker and pages as `zoetrope run` does, with a maker and a chat that answer at once."""
    store = await Store.open(folder / "zoetrope.db")
    media.clip(folder / "clip.mp4")
    vendor, chat, counters, outages = Vendor(folder / "clip.mp4"), instant.Chat(), Counters(), Outages()
    seen = WatchedChat(chat, outages)
    tools = replace(
        instant.tools(store, folder, vendor, SPEC),
        store=WatchedStore(store, counters),
        providers={"toy": WatchedProvider("toy", vendor, counters, outages)},
        chats={"toy": seen},
    )
    worker = Worker(store, tools)
    working = asyncio.create_task(worker.run())
    try:
        with Pulse(counters.lag, [seen], outages, every=0.02) as pulse:
            health = Health(store, [seen], worker, counters, pulse, patience=PATIENCE, store_patience=PATIENCE)
            worker.ring()
            async with serve_pages(health, Listener(), "127.0.0.1", 0) as port:
                url = f"http://127.0.0.1:{port}"
                yield Bot(folder, store, vendor, chat, counters, outages, worker, working, url)
    finally:
        worker.stop()
        await asyncio.wait({working}, timeout=5)
        working.cancel()  # a test may have made it hang
        await asyncio.gather(working, return_exceptions=True)
        await store.close()


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Bot]:
    async with running(tmp_path) as bot:
        yield bot


# Is it alive?


async def test_a_bot_that_is_well_says_ok(bot: Bot) -> None:
    await bot.closed(instant.asked("a", time.time()))

    assert await bot.becomes("/healthz", 200) == "ok\n"


async def test_a_loop_that_stood_still_is_told_with_how_long_and_forgotten_later(bot: Bot) -> None:
    time.sleep(PATIENCE + 0.1)  # noqa: ASYNC251 - this is what is broken: nothing else can run meanwhile
    status, words = await bot.get("/healthz")

    assert status == 503
    assert words.startswith("the event loop stood still")
    assert await bot.becomes("/healthz", 200) == "ok\n"


async def test_a_worker_that_hangs_is_told(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(bot.store, "claim", never)
    assert "the worker has not looked for work" in await bot.becomes("/healthz", 503)
    bot.working.cancel()


async def test_a_worker_that_is_dead_is_told(bot: Bot) -> None:
    bot.working.cancel()
    await asyncio.gather(bot.working, return_exceptions=True)
    health_clock = time.monotonic()
    async with asyncio.timeout(60):
        while time.monotonic() < health_clock + PATIENCE:
            await bot.get("/healthz")

    assert "the worker has not looked for work" in (await bot.get("/healthz"))[1]


# Is it ready?


async def ready(bot: Bot) -> tuple[int, dict[str, object]]:
    status, words = await bot.get("/readyz")
    found: dict[str, object] = json.loads(words)
    assert (status == 200) is found["ready"]
    return status, found


async def test_with_a_database_and_a_chat_it_is_ready(bot: Bot) -> None:
    assert await ready(bot) == (200, {"ready": True, "database": "ok", "chats": {"toy": True}, "undelivered": 0})


async def test_without_a_chat_that_is_connected_it_is_not_ready(bot: Bot) -> None:
    bot.chat.connected = False

    status, found = await ready(bot)
    assert (status, found["database"], found["chats"]) == (503, "ok", {"toy": False})
    assert await bot.sample("zoetrope_chat_connected", chat="toy") == 0


async def test_videos_that_nobody_got_are_counted_and_make_it_no_less_ready(bot: Bot) -> None:
    over = replace(instant.asked("lost", 0), state=State.CLOSED, outcome=Outcome.RENDERED, undelivered_since=1.0)
    await instant.seed(bot.store, [over, replace(over, id="tried", key="tried", state=State.REPLYING, due=1e12)])
    status, found = await ready(bot)

    assert (status, found["undelivered"]) == (200, 1)
    assert await bot.sample("zoetrope_jobs_undelivered") == 1


async def test_with_a_locked_database_it_is_not_ready_until_it_is_free(bot: Bot) -> None:
    file = bot.folder / "zoetrope.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # it waits for the bot, which must go on meanwhile
        _, found = await ready(bot)
        assert found["database"] == f"no answer within {PATIENCE:g} s"
        assert await bot.sample("zoetrope_database_up") == 0
        other.execute("ROLLBACK")

    await bot.becomes("/readyz", 200)


async def test_with_a_database_that_was_taken_away_it_is_not_ready(bot: Bot) -> None:
    (bot.folder / "zoetrope.db").rename(bot.folder / "elsewhere.db")
    _, found = await ready(bot)

    assert "taken away" in str(found["database"])


# What it has done.


async def test_the_metrics_say_what_became_of_every_job_and_its_money(bot: Bot) -> None:
    done = [
        replace(instant.asked(f"{n}", 0), state=State.CLOSED, outcome=outcome, price=280_000, cost=n * 10_000)
        for n, outcome in enumerate(Outcome)
    ]
    await instant.seed(bot.store, done)
    late = time.time() + 1000
    waiting = [
        replace(instant.asked(f"w{n}", 0), price=500_000, address=Address("other", {}), due=n * late) for n in range(3)
    ]
    await instant.seed(bot.store, waiting)

    for outcome in Outcome:
        assert await bot.sample("zoetrope_jobs", state="closed", outcome=outcome.value) == 1
    assert await bot.sample("zoetrope_jobs", state="queued", outcome="") == 3
    assert await bot.sample("zoetrope_queue_length") == 1
    assert await bot.sample("zoetrope_money_reserved_dollars") == pytest.approx(1.5)
    assert await bot.sample("zoetrope_money_spent_dollars_total") == pytest.approx(0.21)
    assert await bot.sample("zoetrope_database_up") == 1


async def test_the_metrics_count_looks_errors_and_seconds_of_this_process(bot: Bot) -> None:
    bot.vendor.says = [Refused(Reason.POLICY), Misconfigured("no key"), Busy("later", 0.1), Unsure("lost")]
    asked = time.time() - 1.5
    await bot.closed(*(instant.asked(name, asked) for name in "abc"))

    for remedy in ("refused", "misconfigured", "busy", "unsure"):
        assert await bot.sample("zoetrope_provider_errors_total", provider="toy", remedy=remedy) == 1, remedy
    assert await bot.sample("zoetrope_looks_total", provider="toy") == 1
    assert await bot.sample("zoetrope_stage_seconds_count", stage="queued", provider="toy") == 1
    assert await bot.sample("zoetrope_stage_seconds_count", stage="rendering", provider="toy") == 1
    assert await bot.sample("zoetrope_stage_seconds_count", stage="replying", provider="toy") == 3
    assert await bot.sample("zoetrope_stage_seconds_bucket", stage="queued", provider="toy", le="1") == 0
    assert await bot.sample("zoetrope_stage_seconds_bucket", stage="queued", provider="toy", le="+Inf") == 1
    assert await bot.sample("zoetrope_event_loop_lag_seconds_count") is not None


def rows_of_the_table() -> set[str]:
    text = (ROOT / "docs/operate.md").read_text()
    section = text.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(zoetrope_\w+)", section, re.MULTILINE))


def test_the_table_of_metrics_in_the_docs_is_what_there_is() -> None:
    families = list(Page(Counters(), [], Books([], 0)).collect())

    assert rows_of_the_table() == {f.name + ("_total" if f.type == "counter" else "") for f in families}


# Trouble is logged when it begins and when it ends.


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "zoetrope")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "zoetrope.outage"]


async def test_an_outage_of_a_maker_is_logged_once_when_it_begins_and_once_when_it_ends(
    bot: Bot, lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    bot.vendor.says = [Busy("bad gateway", 0.1)] * 3
    await bot.closed(*(instant.asked(name, time.time()) for name in "abc"))

    assert lines() == ["trouble with toy began: Busy: bad gateway", "trouble with toy is over"]
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_a_chat_that_goes_away_is_logged_once_when_it_goes_and_once_when_it_is_back(
    bot: Bot, lines: Callable[[], list[str]]
) -> None:
    async def beats(number: int) -> None:
        until = bot.counters.lag.up_to()[-1][1] + number
        async with asyncio.timeout(60):
            while bot.counters.lag.up_to()[-1][1] < until:
                await asyncio.wait({bot.working}, timeout=0.02)

    await beats(2)
    for connected in (False, True):
        bot.chat.connected = connected
        await beats(5)

    assert lines() == ["trouble with toy began: the connection is lost", "trouble with toy is over"]


def test_trouble_is_over_when_all_that_failed_works_again_and_says_how_long_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "zoetrope")
    clock = Now()
    outages = Outages(clock.monotonic)
    outages.worked("fal", "submit")
    for what in ("submit", "check", "submit"):
        outages.failed("fal", what, "Busy: bad gateway")
    clock.time += 40
    outages.worked("fal", "submit")
    assert len(caplog.records) == 1
    clock.time += 3
    outages.worked("fal", "check")

    begun, over = caplog.records
    assert (begun.levelname, over.levelname) == ("WARNING", "INFO")
    assert over.__dict__["seconds"] == 43


def test_what_nobody_tries_any_more_keeps_no_outage_open(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zoetrope")
    clock = Now()
    outages = Outages(clock.monotonic)
    outages.failed("fal", "cancel", "Busy: bad gateway")  # and then the job ended by itself
    clock.time += FORGOTTEN_SECONDS - 1
    outages.worked("fal", "check")
    assert len(caplog.records) == 1, "it may be tried again"
    clock.time += 2
    outages.worked("fal", "check")
    outages.failed("fal", "submit", "Busy: bad gateway")

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


class Hung(instant.Chat):
    async def deliver(self, *_: object, **__: object) -> str:
        return await asyncio.Event().wait()  # type: ignore[return-value]  # never


async def test_a_chat_that_does_not_answer_in_time_is_trouble_too(lines: Callable[[], list[str]]) -> None:
    chat = WatchedChat(Hung(), Outages())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await chat.deliver(None, None, "key", again=False)  # type: ignore[arg-type]  # nobody reads them

    assert lines() == ["trouble with toy began: no answer in time"]


class Says(instant.Chat):
    says: Exception

    async def deliver(self, *_: object, **__: object) -> str:
        raise self.says


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [(ChatBusy("slow down"), True), (ChatUnsure("lost"), True), (ChatGone("left"), False), (TooBig(8), False)],
)
async def test_a_chat_that_says_no_has_answered(
    lines: Callable[[], list[str]], answer: Exception, *, trouble: bool
) -> None:
    inner = Says()
    inner.says = answer
    with pytest.raises(type(answer)):
        await WatchedChat(inner, Outages()).deliver(None, None, "key", again=False)  # type: ignore[arg-type]  # the same

    assert bool(lines()) is trouble


# The command.


def settings(folder: Path, port: object) -> Config:
    (folder / "config.toml").write_text(f"[health]\nport = {port!r}\n".replace("'", '"'))
    return load(folder / "config.toml", {})


async def test_zoetrope_health_asks_the_pages(bot: Bot, tmp_path: Path) -> None:
    config = settings(tmp_path, int(bot.url.rpartition(":")[2]))

    assert await asyncio.to_thread(ask, config, ready=False) == (True, "ok")
    assert await asyncio.to_thread(ask, config, ready=True) == (True, "ready: database ok; toy connected")
    bot.chat.connected = False
    assert await asyncio.to_thread(ask, config, ready=True) == (False, "not ready: database ok; toy not connected")


async def test_zoetrope_health_says_when_nobody_or_somebody_else_answers(tmp_path: Path) -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(chatter, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        well, words = await asyncio.to_thread(ask, settings(tmp_path, port), ready=False)
        assert (well, "Another program" in words) == (False, True)
    well, words = await asyncio.to_thread(ask, settings(tmp_path, port), ready=False)
    assert (well, "Is `zoetrope run` running?" in words) == (False, True)
    well, words = ask(settings(tmp_path, "off"), ready=False)
    assert (well, "Give it a number" in words) == (False, True)


async def test_the_command_loads_nothing_heavy() -> None:
    words = "import sys, bot.cli.commands, bot.cli.health; print(*sys.modules)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", words, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    out, _ = await child.communicate()
    loaded = set(out.decode().split())

    assert "bot.cli.health" in loaded
    assert not loaded & {"aiohttp", "httpx", "structlog", "prometheus_client", "sqlalchemy", "av", "PIL", "discord"}


async def test_a_port_that_is_taken_leaves_the_bot_running(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    taken = int(bot.url.rpartition(":")[2])
    with Pulse(bot.counters.lag, [], bot.outages) as pulse:
        async with serve_pages(
            Health(bot.store, [], bot.worker, bot.counters, pulse), Listener(), "127.0.0.1", taken
        ) as port:
            assert port is None
    assert "choose another place with [health]" in caplog.text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def test_a_real_run_is_asked_by_the_real_command_and_logs_json(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        f'data_dir = "data"\n[health]\nport = {free_port()}\n[log]\nformat = "json"\n'
        '[chat.quiet]\nadapter = "tests.fakes.quiet"\n'
    )
    env, pipe = {**os.environ, "PYTHONPATH": str(ROOT)}, asyncio.subprocess.PIPE

    async def zoetrope(*words: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "bot", *words]
        return await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe)

    serving = await zoetrope("run")
    assert serving.stderr is not None
    said = [await asyncio.wait_for(serving.stderr.readline(), 60)]
    while b"running: quiet" not in said[-1]:
        said.append(await asyncio.wait_for(serving.stderr.readline(), 60))
    answers = [await (await zoetrope("health", *more)).communicate() for more in ((), ("--ready",))]
    serving.terminate()
    _, rest = await serving.communicate()
    after = await zoetrope("health")
    await after.communicate()

    assert answers == [(b"ok\n", b""), (b"ready: database ok; quiet connected\n", b"")]
    events = [json.loads(line)["event"] for line in [*said, *rest.splitlines()]]
    assert events[-1] == "stopped"
    assert (serving.returncode, after.returncode) == (0, 1)


async def test_discord_is_connected_while_its_gateway_is(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    async with Discord() as discord, house(tmp_path / "house", discord) as here:
        chat = here.app.tools.chats["discord"]
        with Pulse(here.app.counters.lag, [chat], here.app.outages, every=0.02):
            await discord.until(lambda: chat.connected)
            gate = Gate()
            discord.next("GET /gateway", held(gate, acts=False))
            discord.gateway.cut()
            try:
                await discord.until(lines)
                assert not chat.connected
            finally:
                gate.open.set()
            await discord.until(lambda: chat.connected)
            await discord.until(lambda: len(lines()) == 2)
    assert not chat.connected
    assert lines() == ["trouble with discord began: the connection is lost", "trouble with discord is over"]
    assert not logging.getLogger("discord.shard").isEnabledFor(logging.ERROR), "it logs a traceback for each try"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
