"""Examines everything that the bot needs, and says of each how it is and what to do next. Mends nothing.

It stands here and not with what else an operator does, because it builds every provider and chat to ask them.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import yarl
from rich import box
from rich.table import Table
from rich.text import Text

from bot import adapters, app, config, environment
from bot.chats.contract import ChatError, Check, Verdict
from bot.cli import machine
from bot.config import BadConfig, Config
from providers import http, network, transfer
from providers.contract import Busy, Misconfigured, ProviderError
from providers.network import Network

PATIENCE = 20.0  # seconds that one service may take
OFF, FAR_OFF = 30.0, 300.0  # seconds between two clocks: something will go wrong, signed tokens are refused
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


async def examine(path: Path | None, env: Mapping[str, str]) -> list[Check]:
    """Return every check, in the order of the things they are about."""
    try:
        read = config.load(path, env)
        models = len(config.catalogue(read).all)
    except BadConfig as error:
        return [Check("configuration", Verdict.FAIL, str(error))]
    understood = f"{read.source}: {models} {'model' if models == 1 else 'models'}, {_chats(read)}"
    found = [Check("configuration", Verdict.OK, understood), *_half_set(read, env)]
    found += [machine.folder(read), machine.database(read), *machine.undelivered(read), machine.disk(read)]
    found.append(machine.backups(read))
    providers, chats = (_provider(read, name) for name in read.providers), (_chat(read, name) for name in read.chat)
    network.use(read.network)
    for checks in await asyncio.gather(machine.media(), *providers, *chats, _clock(read), _downloads(read)):
        found += checks
    return found


def draw(checks: Sequence[Check]) -> Iterator[Table | Text]:
    """Yield a table with a line per check and the next step below, then each link on a line that can be copied."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=False)
    for fixed in (True, True, False):
        table.add_column(no_wrap=fixed, overflow="fold")
    links = [check for check in checks if check.words.startswith("https://")]
    for check in (check for check in checks if check not in links):
        step = Text(f"\n{check.step}" if check.step else "", style="bold")
        verdict = Text(check.verdict, style=_COLOURS[check.verdict])
        table.add_row(verdict, check.name, Text.assemble(check.words, step))
    yield table
    yield from (Text(f"{check.name}: {check.words}") for check in links)


def as_json(checks: Iterable[Check]) -> Iterable[str]:
    """Yield one line per check."""
    for check in checks:
        facts = {"check": check.name, "verdict": check.verdict, "words": check.words, "step": check.step}
        yield json.dumps(facts, ensure_ascii=False)


def any_fails(checks: Iterable[Check]) -> bool:
    return any(check.verdict is Verdict.FAIL for check in checks)


def _chats(read: Config) -> str:
    return ", ".join(read.chat) or "no chat (`zoetrope run` needs one)"


def _half_set(read: Config, env: Mapping[str, str]) -> Iterator[Check]:
    """Yield what somebody who set one key of two may wait for in vain."""
    for tables, used in ((environment.PROVIDERS, read.providers), (environment.CHATS, read.chat)):
        if used == environment.found(tables, env):  # else the file decides what is on
            for name, missing in environment.half_set(tables, env):
                step = f"Set it too, if {name} is to be on."
                yield Check(name, Verdict.WARN, f"off, because {', '.join(missing)} is not set", step)


async def _provider(read: Config, name: str) -> list[Check]:
    async def query() -> list[Check]:
        provider = app.provider(read, name)
        try:
            return [Check(name, Verdict.OK, (await provider.ping()).removeprefix(f"{name}: "))]
        finally:
            await provider.close()

    return await _ask(name, query)


async def _chat(read: Config, name: str) -> list[Check]:
    """Ask the chat's module for its checks, or at least whether the chat can be reached."""

    async def query() -> list[Check]:
        adapter, given = adapters.chat(read, name)
        if adapter.checks is None:
            return [Check(name, Verdict.OK, (await adapter.chat(given).ping()).removeprefix(f"{name}: "))]
        async with aclosing(adapter.checks(given)) as checks:
            return [Check(f"{name} {one.name}", one.verdict, one.words, one.step) async for one in checks]

    return await _ask(name, query)


async def _ask(name: str, query: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await query()
    except TimeoutError:
        step = "Check this machine's network, and whether the service is up."
        return [Check(name, Verdict.FAIL, f"no answer in {PATIENCE:g} s", step)]
    except (BadConfig, ChatError, Misconfigured) as error:
        return [Check(name, Verdict.FAIL, str(error))]
    except ProviderError as error:
        return [Check(name, Verdict.WARN, str(error), "Jobs wait for it; look again in some minutes.")]


async def _clock(read: Config) -> list[Check]:
    """Compare our clock with that of a configured service: signed tokens and time-outs go by it."""
    url = next(_addresses(read), None)
    if url is None:
        return [Check("clock", Verdict.OK, "nothing is configured to compare it with")]
    try:
        async with asyncio.timeout(PATIENCE), http.client({}) as client:
            answer = await client.head(url)
        off = time.time() - parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (ProviderError, TimeoutError, httpx.HTTPError, KeyError, ValueError) as error:
        words = f"can't be compared with {httpx.URL(url).host} ({type(error).__name__})"
        return [Check("clock", Verdict.WARN, words, "See that it is set by NTP.")]
    if abs(off) <= OFF:
        return [Check("clock", Verdict.OK, f"agrees with {httpx.URL(url).host}")]
    words = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {httpx.URL(url).host}"
    verdict = Verdict.FAIL if abs(off) > FAR_OFF else Verdict.WARN
    return [Check("clock", verdict, words, "Set this machine's clock by NTP.")]


async def _downloads(read: Config) -> list[Check]:
    """Say how the outside is reached, and go the way of a download to each provider."""
    found = [Check("network", Verdict.OK, f"{_proxies(read.network)}; trusts {read.network.trusted}")]
    for name in read.providers:
        with suppress(BadConfig):
            for url in adapters.addresses(*adapters.provider(read, name)):
                found += await _probe(name, url)
    return found


def _proxies(of: Network) -> str:
    proxies = {of.proxy_for(yarl.URL(f"{kind}://example.com")) for kind in ("https", "http")} - {None}
    return ", ".join(f"by the proxy {url.host}:{url.port}" for url in proxies if url) or "by no proxy"


async def _probe(name: str, url: str) -> list[Check]:
    try:
        async with asyncio.timeout(PATIENCE):
            await transfer.probe(url, loopback=http.is_loopback(url))
    except (Busy, TimeoutError) as error:
        step = "Jobs could be paid for and not fetched: docs/operate.md, Networks, says what to set."
        return [Check(f"{name} downloads", Verdict.WARN, str(error) or f"no answer in {PATIENCE:g} s", step)]
    return []


def _addresses(read: Config) -> Iterator[str]:
    """Yield where chats and providers are reached, as their settings say it."""
    for name in read.chat:
        with suppress(BadConfig):  # that is a line of its own
            yield from adapters.addresses(*adapters.chat(read, name))
    for name in read.providers:
        with suppress(BadConfig):
            yield from adapters.addresses(*adapters.provider(read, name))
