"""What does one job cost a vendor's line, and what do 200 at once? Requests and bytes, and what batched looks save.

`python bench/providers.py [--jobs 200] [--minutes 10] [--seed 1]`. The real adapters speak to servers on loopback, on a
clock that is pushed; looks follow the worker's own pace. A vendor is one entry in `VENDORS`.
"""

import argparse
import asyncio
import io
import itertools
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.engine import pacing
from providers import fal, http, kling, minimax
from providers.catalog import Catalogue, shipped
from providers.contract import (
    AnimationRequest,
    Finished,
    ModelSpec,
    Picture,
    Progress,
    Role,
    Secret,
    Ticket,
    VideoProvider,
    Waiting,
)
from tests.fakes import fal_script, kling_task
from tests.fakes.fal import Fal
from tests.fakes.kling import Kling
from tests.fakes.minimax import MiniMax
from tests.fakes.minimax import Plan as MiniMaxPlan

QUEUE = 5.0  # seconds that each job waits at the vendor
SPREAD = 0.3  # of how long it renders: log-normal around the model's usual time
SLICE = 0.25  # seconds: looks due within it go out together, as the adapters gather them

Took = Callable[[], float]
"""Seconds that the next job renders."""


@dataclass
class Pushed:
    """A clock that stands until it is pushed."""

    time: float = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@dataclass(frozen=True)
class Vendor:
    """One row. `alone` makes its provider look at one job a request; None: it never does otherwise."""

    provider: str
    model: str
    open: Callable[[Pushed, Took, Path], AbstractAsyncContextManager[VideoProvider]]
    alone: Callable[[Any], None] | None = None


@asynccontextmanager
async def at_fal(clock: Pushed, took: Took, folder: Path) -> AsyncIterator[VideoProvider]:
    async with Fal(clock=clock, plan=lambda *_: fal_script.Plan(QUEUE, took())) as server:
        settings = fal.Settings(key=Secret(server.key), queue_url=server.queue_url, rest_url=server.rest_url)
        async with closing(fal.Provider(settings, folder)) as provider:
            yield provider


@asynccontextmanager
async def at_kling(
    clock: Pushed, took: Took, folder: Path, api: Literal["2.0", "legacy"] = "2.0"
) -> AsyncIterator[VideoProvider]:
    async with Kling(clock=clock, plan=lambda _: kling_task.Plan(QUEUE, took())) as server:
        settings = kling.Settings(api=api, api_key=Secret(server.api_key), base_url=server.url)
        async with closing(kling.Provider(settings, folder)) as provider:
            provider._polls._within = 0.001  # the pushed clock has made them come together
            yield provider


def at_klings_older(clock: Pushed, took: Took, folder: Path) -> AbstractAsyncContextManager[VideoProvider]:
    return at_kling(clock, took, folder, "legacy")


@asynccontextmanager
async def at_minimax(clock: Pushed, took: Took, folder: Path) -> AsyncIterator[VideoProvider]:
    async with MiniMax(clock=clock, plan=lambda: MiniMaxPlan(QUEUE, took())) as server:
        settings = minimax.Settings(api_key=Secret(server.key), base_url=server.url)
        async with closing(minimax.Provider(settings, folder)) as provider:
            yield provider


def one_by_one(provider: kling.Provider) -> None:
    provider._polls._most = 1


VENDORS = {
    "fal": Vendor("fal", "kling-2-6", at_fal),
    "Kling, API 2.0": Vendor("kling", "kling-2-6", at_kling, one_by_one),
    "Kling, the older API": Vendor("kling", "kling-2-6", at_klings_older),
    "MiniMax, Hailuo": Vendor("minimax", "hailuo-2-3", at_minimax),
    "MiniMax, H3": Vendor("minimax", "minimax-h3", at_minimax),
}


@dataclass
class Meter:
    """Counts what leaves through `wire`: looks are read with GET, everything else begins a job."""

    requests: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)  # bytes: line, headers and body

    def watch(self) -> None:
        real = http.Manners.handle_async_request

        async def counted(transport: http.Manners, request: httpx.Request) -> httpx.Response:
            line = len(request.method) + len(request.url.raw_path) + len(" HTTP/1.1\r\n\r\n") + 1
            headers = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
            doing = "looks" if request.method == "GET" else "start"
            self.requests[doing] += 1
            self.sent[doing] += line + headers + len(await request.aread())
            return await real(transport, request)

        http.Manners.handle_async_request = counted  # type: ignore[method-assign, assignment]


@asynccontextmanager
async def closing(provider: Any) -> AsyncIterator[Any]:
    try:
        yield provider
    finally:
        await provider.close()


@dataclass(order=True)
class Running:
    """A job in flight, or one to begin: when to look next, and since when it renders."""

    due: float
    ticket: Ticket | None = field(default=None, compare=False)
    since: float | None = field(default=None, compare=False)

    def saw(self, progress: Progress, now: float, spec: ModelSpec) -> None:
        if self.since is None and not isinstance(progress, Waiting):
            self.since = now
        self.due = now + gap(spec, self, now)


def gap(spec: ModelSpec, job: Running, now: float) -> float:
    age = 0.0 if job.since is None else now - job.since
    return pacing.gap(pacing.habit([], spec.typical_seconds), age, spec.poll_floor, pacing.SECONDS_PER_POLL)


async def one_job(vendor: Vendor, request: AnimationRequest, meter: Meter, folder: Path) -> str:
    """Make one video; return its row."""
    meter.requests.clear()
    meter.sent.clear()
    clock = Pushed()
    async with vendor.open(clock, lambda: request.model.typical_seconds, folder) as provider:
        job, ticket = Running(clock.time), await provider.submit(request, "bench")
        while not isinstance(progress := await provider.check(ticket), Finished):
            job.saw(progress, clock.time, request.model)
            clock.time = job.due
        await provider.fetch(progress.source, folder / "video.mp4")
    start, looks = ((meter.requests[part], meter.sent[part]) for part in ("start", "looks"))
    return f"{start[0]:6} {start[1]:9,} {looks[0]:6} {looks[1]:9,} {1:9} {(folder / 'video.mp4').stat().st_size:11,}"


async def many_jobs(
    vendor: Vendor, request: AnimationRequest, meter: Meter, folder: Path, asked: argparse.Namespace, *, alone: bool
) -> tuple[float, float]:
    """Keep that many jobs in flight; return looks and requests a second."""
    chance, clock, spec = random.Random(asked.seed), Pushed(), request.model
    keys, looks = itertools.count(), 0

    def took() -> float:
        return chance.lognormvariate(math.log(spec.typical_seconds), SPREAD)

    async def looked(job: Running) -> None:
        """Begin it, look at it, or begin another in its place."""
        nonlocal looks
        if job.ticket is not None:
            looks += 1
            progress = await provider.check(job.ticket)
            if not isinstance(progress, Finished):
                return job.saw(progress, clock.time, spec)
        job.ticket, job.since = await provider.submit(request, f"b{next(keys)}"), None
        job.due = clock.time + gap(spec, job, clock.time)

    async with vendor.open(clock, took, folder) as provider:
        if alone and vendor.alone is not None:
            vendor.alone(provider)
        line = [Running(clock.time + n * spec.typical_seconds / asked.jobs) for n in range(asked.jobs)]
        warm = clock.time + 2 * spec.typical_seconds  # by then they have forgotten that they began in step
        while clock.time < warm + asked.minutes * 60:
            clock.time = max(clock.time, line[0].due) + SLICE
            if clock.time < warm:
                looks = 0
                meter.requests.clear()
            now = list(itertools.takewhile(lambda job: job.due <= clock.time, line))
            await asyncio.gather(*map(looked, now))
            line.sort()
        seconds = clock.time - warm
    return looks / seconds, meter.requests["looks"] / seconds


def picture(width: int, height: int) -> Picture:
    into = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(into, "JPEG", quality=85)
    return Picture(into.getvalue(), "image/jpeg", width, height)


def a_request(vendor: Vendor, still: Picture) -> AnimationRequest:
    spec = Catalogue(shipped(vendor.provider)).find(vendor.model)
    size = spec.resolutions[0] if spec.resolutions else None
    return AnimationRequest("she turns and smiles", {Role.FIRST: still}, spec, seconds=spec.seconds[0], resolution=size)


async def table(asked: argparse.Namespace, folder: Path) -> None:
    meter = Meter()
    meter.watch()
    large, small = picture(1280, 720), picture(320, 320)
    print(f"One job with a picture of {len(large.data):,} bytes; requests, and bytes sent (the video's: received)")
    print(f"{'vendor':22} {'start':>6} {'bytes':>9} {'looks':>6} {'bytes':>9} {'download':>9} {'bytes':>11}")
    for name, vendor in VENDORS.items():
        print(f"{name:22} {await one_job(vendor, a_request(vendor, large), meter, folder)}")
    print(f"\n{asked.jobs} jobs in flight for {asked.minutes} minutes: requests a second for looks")
    print(f"{'vendor':22} {'looks/s':>9} {'one by one':>11} {'in batches':>11} {'saved':>7}")
    for name, vendor in VENDORS.items():
        request = a_request(vendor, small)
        looks, single = await many_jobs(vendor, request, meter, folder, asked, alone=True)
        if vendor.alone is None:
            print(f"{name:22} {looks:9.2f} {single:11.2f} {'-':>11} {'-':>7}")
            continue
        _, batched = await many_jobs(vendor, request, meter, folder, asked, alone=False)
        print(f"{name:22} {looks:9.2f} {single:11.2f} {batched:11.2f} {1 - batched / single:7.0%}")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--jobs", type=int, default=200)
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--seed", type=int, default=1)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(table(words.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
