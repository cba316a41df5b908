"""When is a finished video noticed, and for how many requests? Our looks against fixed intervals and the optimum.

`python bench/polling.py [--jobs 2000] [--seed 1]`. Seeded jobs on five models (log-normal render times, medians of 12
to 240 s, 20 % of them in bursts with a wait in the queue) go through the real worker, the real database and a server on
loopback that speaks fal's wire, on a clock that is pushed. The peers look at the same jobs at fixed intervals. Then the
catalogue's typical times are made wrong by ten times either way, with our own history and without any.
"""

import argparse
import asyncio
import math
import random
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.toys import instant, tables
from bot.engine import pacing
from bot.engine.tools import Times
from bot.engine.worker import Habits, Worker
from bot.store.sqlite import Store
from providers import fal
from providers.contract import ModelSpec, Picture, Secret
from tests.fakes import fal_script as script
from tests.fakes import files
from tests.fakes.fal import Fal

T = TypeVar("T")
MEDIANS = (12.0, 30.0, 60.0, 120.0, 240.0)
SPREAD = 0.3
BURSTS = 0.2
ROUND_TRIP = 0.15  # seconds
PEERS = {"fal-client's subscribe, 0.1 s": 0.1, "fixed 2 s": 2.0, "fixed 5 s": 5.0, "fixed 20 s": 20.0}
CURVE = (0.1, 0.25, 0.5, 1.0)
WRONG = (1.0, 10.0, 0.1)  # times the true median


# What a policy that knew the distribution itself would reach by dynamic programming, without seeing the queue.
OPTIMUM = mean((1.2, 1.9, 2.6, 3.8, 5.3)) * mean((4.9, 7.8, 10.9, 14.7, 20.1))
SPECS = [ModelSpec(f"m{n}", "fal", endpoint=f"bench/m{n}/run", typical_seconds=m) for n, m in enumerate(MEDIANS)]
PICTURE = Picture(b"\xff\xd8\xff", "image/jpeg", 640, 480)
VIDEO = files.File(files.film(front=True))


@dataclass(frozen=True)
class Clip:
    """One job as it is going to be: seconds in the queue, then rendering."""

    model: int
    asked: float
    queue: float
    run: float

    @property
    def took(self) -> float:
        return self.queue + self.run


@dataclass
class Pushed:
    """A clock that stands until it is pushed."""

    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    async def within(self, seconds: float, call: Awaitable[T]) -> T:  # noqa: ARG002 - the clock stands while it is made
        return await call


def clips(jobs: int, seed: int) -> list[Clip]:
    chance = random.Random(seed)
    found = []
    for number in range(jobs):
        model = number % len(MEDIANS)
        median = MEDIANS[model]
        burst = chance.random() < BURSTS
        queue = chance.gammavariate(2, 0.75 * median) if burst else 0.0
        found.append(Clip(model, number * 3.0, queue, chance.lognormvariate(math.log(median), SPREAD)))
    return found


@dataclass(frozen=True)
class Seen:
    """How a policy did with one clip: seconds from finished to noticed, and looks."""

    model: int
    delay: float
    looks: int
    took: float


def fixed(clip: Clip, every: float) -> Seen:
    looks = math.ceil(clip.took / every)
    return Seen(clip.model, looks * every - clip.took + ROUND_TRIP, max(looks, 1), clip.took)


@dataclass(frozen=True)
class Still:
    """A shelf on which every job has the same picture."""

    folder: Path

    def pictures(self, _: str) -> tuple[Picture, None]:
        return PICTURE, None

    def video(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.mp4"

    def fitted(self, job_id: str, limit: int) -> Path:
        return self.folder / f"{job_id}-{limit}.mp4"


async def ours(
    found: list[Clip], per_poll: float, folder: Path, *, wrong: float = 1.0, learns: bool = True
) -> list[Seen]:
    """Let the real worker watch them all at fal, on a pushed clock; `wrong`: times the true typical seconds."""
    specs = [replace(spec, typical_seconds=spec.typical_seconds * wrong) for spec in SPECS]
    clock = Pushed()
    store = await Store.open(folder / "zoetrope.db", clock.now)
    arrivals = deque((clock.time + clip.asked, clip) for clip in found)
    async with Fal(clock=clock.now) as server:
        settings = fal.Settings(key=Secret(server.key), queue_url=server.queue_url, rest_url=server.rest_url)
        provider = fal.Provider(settings, folder)
        tools = replace(
            instant.tools(store, folder, provider, SPECS[0], Times(per_poll=per_poll)),
            providers={"fal": provider}, spec=lambda job: specs[int(job.model[1:])],
            habit=Habits(store, clock).of if learns else _guess, files=Still(folder), clock=clock,
        )  # fmt: skip
        worker = Worker(store, tools, steps_at_once=256)
        while True:
            due = await store.next_due(["toy"])
            if due is None and not arrivals:
                break
            clock.time = max(clock.time, min([due or math.inf, *(at for at, _ in list(arrivals)[:1])]))
            while arrivals and arrivals[0][0] <= clock.time:
                await _ask(store, server, *arrivals.popleft())
            await worker._round()
            await asyncio.gather(*list(worker._steps.values()))
            await worker._put_back()
        seen = [
            Seen(
                int(job.endpoint[7:].split("/")[0]),
                (job.noticed_at or math.inf) - job.ends_at + ROUND_TRIP,
                job.looks,
                job.plan.queue_seconds + job.plan.run_seconds,
            )
            for job in server.jobs.values()
        ]
        await provider.close()
    await store.close()
    return seen


async def _guess(spec: ModelSpec) -> pacing.Habit:
    return pacing.habit([], spec.typical_seconds)


async def _ask(store: Store, server: Fal, at: float, clip: Clip) -> None:
    server.next_job(script.Plan(queue_seconds=clip.queue, run_seconds=clip.run, ends=script.Made(VIDEO)))
    name = f"j{at:.0f}"
    await store.add(replace(instant.asked(name, at), provider="fal", model=f"m{clip.model}", due=at))


def figures(seen: Iterable[Seen]) -> tuple[float, float, float]:
    """Return delay, its 95th percentile and looks a job: means over the models."""
    by_model = defaultdict(list)
    for one in seen:
        by_model[one.model].append(one)
    rows = [
        (mean(s.delay for s in some), tables.percentile([s.delay for s in some], 95), mean(s.looks for s in some))
        for some in by_model.values()
    ]
    return mean(r[0] for r in rows), mean(r[1] for r in rows), mean(r[2] for r in rows)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--jobs", type=int, default=2000)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    found = clips(asked.jobs, asked.seed)
    print(f"{asked.jobs} jobs on models of {MEDIANS} s, {BURSTS:.0%} in bursts; means over the models")
    print(f"{'policy':34} {'delay s':>8} {'p95 s':>7} {'requests':>9}")
    rows = {name: figures(fixed(clip, every) for clip in found) for name, every in PEERS.items()}
    for per_poll in CURVE:
        with tempfile.TemporaryDirectory() as folder:
            rows[f"ours, {per_poll:g} s for a look saved"] = figures(asyncio.run(ours(found, per_poll, Path(folder))))
    for name, (delay, late, looks) in rows.items():
        print(f"{name:34} {delay:8.2f} {late:7.2f} {looks:9.2f}")
    _judge(rows)
    _judge_wrong(found)


def _judge_wrong(found: list[Clip]) -> None:
    """Print what a catalogue costs that is wrong by ten times either way."""
    print(f"\n{'typical seconds are':34} {'delay s':>8} {'of length':>9} {'requests':>9}   fixed 5 s")
    often = figures(fixed(clip, 5.0) for clip in found)[2]
    for wrong in WRONG:
        for learns in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                seen = asyncio.run(ours(found, pacing.SECONDS_PER_POLL, Path(folder), wrong=wrong, learns=learns))
            delay, _, looks = figures(seen)
            share = max(
                mean(s.delay for s in some) / max(0.15 * mean(s.took for s in some), 1.0) * 0.15
                for model in range(len(MEDIANS))
                if (some := [s for s in seen if s.model == model])
            )
            good = share <= 0.15 and looks <= max(often, 8.0)
            name = f"{wrong:g} x the true ones, {'with' if learns else 'without'} history"
            print(f"{name:34} {delay:8.2f} {share:9.2f} {looks:9.2f}   {often:9.2f}  {'pass' if good else 'MISS'}")


def _judge(rows: dict[str, tuple[float, float, float]]) -> None:
    often, usual, seldom = (rows[f"ours, {per_poll:g} s for a look saved"] for per_poll in (0.1, 0.25, 1.0))
    five, twenty = rows["fixed 5 s"], rows["fixed 20 s"]
    for words, ratio, goal in (
        ("0.1 against fixed 5 s: delay", often[0] / five[0], 0.8),
        ("0.1 against fixed 5 s: requests", often[2] / five[2], 0.8),
        ("1 against fixed 20 s: delay", seldom[0] / twenty[0], 0.65),
        ("1 against fixed 20 s: requests", seldom[2] / twenty[2], 1.0),
        ("0.25: delay x requests against the optimum", usual[0] * usual[2] / OPTIMUM, 1.2),
    ):
        print(f"{words:46} {ratio:5.2f}  goal <= {goal:g}  {'pass' if ratio <= goal else 'MISS'}")


if __name__ == "__main__":
    main()
