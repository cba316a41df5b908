"""A world in which the power may go at every point: a job, a vendor and a chat that count, a pushed clock.

The real `bot.engine.step.Step` runs in it, line for line, without an event loop: its coroutines are driven by hand,
so that a fault can strike before and after every call and every write. For tests alone.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from bot.chats import contract
from bot.chats.contract import Address, ChatBusy, ChatUnsure, Reply, Status
from bot.domain.job import EffectStarted, Event, Fallback, Job, Outcome, State
from bot.domain.line import Line
from bot.domain.options import ResolvedOptions
from bot.engine import pacing
from bot.engine.step import Step
from bot.engine.tools import Times, Tools
from bot.engine.worker import Worker
from bot.media.films import BadVideo, Clip, Problem
from bot.store.contract import StoreBusy
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    ModelSpec,
    Picture,
    Price,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    Unsure,
    VideoProvider,
    Waiting,
)
from tests.fakes.memory import MemoryStore, Now, Rows

T = TypeVar("T")
PRICE = 280_000
START = 1_000_000.0
SPEC = ModelSpec("toy", "toy", typical_seconds=30, deadline_seconds=60, price=Price(per_clip=PRICE))
HABIT = pacing.habit([20.0 + n for n in range(20)], 30)  # known, so that a life is not made of polls alone
CLIP = Clip(
    size=1_000_000, seconds=5, width=1280, height=720, frames=120, video="h264", audio=None,
    plain=True, faststart=True, metadata=False, fragmented=False, truncated=False,
)  # fmt: skip
STILL = Picture(b"jpeg", "image/jpeg", 64, 64)


class Fault(Enum):
    KILL = "kill"  # the power goes
    FREEZE = "freeze"  # the process stops for longer than its lease, then goes on as if nothing had been
    TROUBLE = "trouble"  # before: it can't be done now; after: it was done, and the answer is lost
    SLOW = "slow"  # a call to the outside takes longer than a lease, though not longer than it may


class Jump(Enum):
    """The wall clock is set, by so many seconds; no time passes."""

    DAYS_ON = 3 * 86400.0
    HOUR_BACK = -3600.0
    DAYS_BACK = -3 * 86400.0


@dataclass(frozen=True)
class Absence:
    """The power goes, and comes back after so many seconds."""

    seconds: float


Strike = Fault | Jump | Absence


@dataclass(frozen=True)
class Spell:
    """Bad weather: from the first call of that name on, and for so many seconds, the answer is this error."""

    call: str
    error: Exception
    lasts: float = math.inf


class Killed(BaseException):
    """The power went. No `except Exception` may notice."""


SLOW_CALLS = {"submit:before", "fetch:before", "prepare:before", "deliver:before"}


class _Asleep:
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def __await__(self) -> Generator[Fault, None, None]:
        yield self._fault


class Power:
    """Counts the points that a run passes and strikes at those it was told."""

    def __init__(self, faults: Mapping[int, Strike], clock: "Clock", weather: Sequence[Spell] = ()) -> None:
        self._faults = faults
        self._clock = clock
        self._weather = weather
        self._began: dict[Spell, float] = {}
        self.last_trouble = START  # in elapsed time
        self.passed = 0
        self.names: list[str] = []
        self.struck: list[tuple[str, Strike]] = []

    async def point(self, name: str) -> bool:
        """Pass a point; True when there is trouble."""
        here, self.passed = self.passed, self.passed + 1
        self.names.append(name)
        fault = self._faults.get(here)
        if fault is None or (fault is Fault.SLOW and name not in SLOW_CALLS):
            return False
        self.struck.append((name, fault))
        self.last_trouble = self._clock.elapsed()
        if isinstance(fault, Jump):
            self._clock.jump(fault.value)
            return False
        if isinstance(fault, Absence):
            self._clock.time += fault.seconds
            self.last_trouble = self._clock.elapsed()
        if fault is Fault.KILL or isinstance(fault, Absence):
            raise Killed
        if fault in {Fault.FREEZE, Fault.SLOW}:
            await _Asleep(fault)
            return False
        return True

    def suffer(self, call: str) -> None:
        """Raise what the weather has for this call, while it lasts."""
        now = self._clock.elapsed()
        for spell in self._weather:
            if spell.call == call and now < self._began.setdefault(spell, now) + spell.lasts:
                self.last_trouble = now if math.isinf(spell.lasts) else self._began[spell] + spell.lasts
                raise spell.error


class Clock(Now):
    """`time` is the wall's; it may be set. What has elapsed since the start goes its own way."""

    ahead = 0.0  # of what has elapsed: by how much the wall clock was set
    jumped = False  # and nobody has had the time to notice

    def elapsed(self) -> float:
        return self.time - self.ahead

    def monotonic(self) -> float:
        return self.elapsed() - 777.0

    def jump(self, seconds: float) -> None:
        self.time += seconds
        self.ahead += seconds
        self.jumped = True

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    async def within(self, seconds: float, call: Awaitable[T]) -> T:  # noqa: ARG002 - calls take no time here
        return await call


class FaultyStore(MemoryStore):
    def __init__(self, rows: Rows, clock: Clock, power: Power, *, fenced: bool = True) -> None:
        super().__init__(rows, clock, fenced=fenced)
        self._power = power

    async def claim(self, *args: Any, **kwargs: Any) -> list[Job]:
        return await self._write("claim", super().claim(*args, **kwargs))

    async def record(self, job: Job, happened: Event) -> Job:
        return await self._write(type(happened).__name__, super().record(job, happened))

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        return await self._write("EffectStarted", super().take_place(job, started, places))

    async def wait(self, looks: Sequence[tuple[Job, float]]) -> None:
        await self._write("wait", super().wait(looks))

    async def extend(self, job: Job, until: float) -> Job:
        return await self._write("extend", super().extend(job, until))

    async def _write(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        try:
            if await self._power.point(f"{name}:before"):
                raise StoreBusy("locked")
            done = await work
            if await self._power.point(f"{name}:after"):
                raise StoreBusy("the answer to a commit was lost")
            return done
        finally:
            work.close()


@dataclass
class Vendor:
    """Counts charges. Its clips take `takes` seconds; its list shows a submission after `lag` seconds."""

    recovery: Recovery
    clock: Clock
    power: Power
    takes: float = 40
    lag: float = 20
    refuses: bool = False
    busy_until: float = 0
    busy_after: float = 0  # seconds for which it takes nothing, once it has taken something
    places: int | None = None
    charges: list[tuple[str, float]] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:  # noqa: ARG002 - any picture will do
        if await self.power.point("submit:before") or self.clock.elapsed() < self.busy_until:
            raise Busy("come back later")
        self.power.suffer("submit")
        self.busy_until = self.clock.elapsed() + self.busy_after
        number = self._known(key)
        if number is None or self.recovery is not Recovery.RESEND:
            self.charges.append((key, self.clock.elapsed()))
            number = len(self.charges) - 1
        if await self.power.point("submit:after"):
            raise Unsure("the answer was lost")
        return Ticket(str(number))

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - keys are unique here
        if await self.power.point("find:before"):
            raise Busy("come back later")
        self.power.suffer("find")
        number = self._known(key)
        if number is None or self.clock.elapsed() < self.charges[number][1] + self.lag:
            return None
        return Ticket(str(number))

    async def check(self, ticket: Ticket) -> Progress:
        if await self.power.point("check:before"):
            raise Busy("bad gateway")
        self.power.suffer("check")
        if ticket in self.stopped:
            raise Refused(Reason.FAILED, "stopped", charged=True)
        age = self.clock.elapsed() - self.charges[int(ticket)][1]
        if self.refuses:
            raise Refused(Reason.POLICY, charged=True)
        if age >= self.takes:
            return Finished(f"clip {ticket}", PRICE)
        return Rendering() if age > 5 else Waiting(3)

    async def fetch(self, source: str, into: Path) -> None:  # noqa: ARG002 - no files here
        if await self.power.point("fetch:before"):
            raise Busy("bad gateway")
        self.power.suffer("fetch")
        await self.power.point("fetch:after")

    async def cancel(self, ticket: Ticket) -> Cancelled:
        if await self.power.point("cancel:before"):
            raise Busy("bad gateway")
        if ticket in self.stopped:
            return Cancelled.TOO_LATE
        self.stopped.add(ticket)
        if await self.power.point("cancel:after"):
            raise Busy("the answer was lost")
        return Cancelled.CHARGED

    async def ping(self) -> str:
        return "fine"

    async def close(self) -> None:
        pass

    def _known(self, key: str) -> int | None:
        return next((number for number, (known, _) in enumerate(self.charges) if known == key), None)


class Dedupe(Enum):
    NONCE = "nonce"  # the platform itself drops a second post with the same key
    HISTORY = "history"  # we can look for our own post
    NONE = "none"


@dataclass
class Chat:
    """Counts posts."""

    dedupe: Dedupe
    power: Power
    name: str = "toy"
    edit_every: float = 5
    connected: bool = True
    posts: list[tuple[str, Reply]] = field(default_factory=list)

    async def show(self, address: Address, status: Status) -> None:  # noqa: ARG002 - nobody reads it
        if await self.power.point("show:before"):
            raise ChatBusy("slow down")

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - the same everywhere
        if await self.power.point("limit:before"):
            raise ChatBusy("slow down")
        return 10_000_000

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:  # noqa: ARG002 - one place
        looked = self.dedupe is Dedupe.HISTORY and again and self._known(key)
        if await self.power.point("deliver:before"):
            raise ChatBusy("slow down")
        self.power.suffer("deliver")
        if reply.video is not None:
            self.power.suffer("upload")
        if not looked and not (self.dedupe is Dedupe.NONCE and self._known(key)):
            self.posts.append((key, reply))
        if await self.power.point("deliver:after"):
            raise ChatUnsure("the answer was lost")
        return f"message {key}"

    async def listen(self, desk: object) -> None:
        raise NotImplementedError

    async def ping(self) -> str:
        return "fine"

    def _known(self, key: str) -> bool:
        return any(known == key for known, _ in self.posts)


class Files:
    """The shelf and the video room, which only fail as a disk fails."""

    def __init__(self, power: Power) -> None:
        self._power = power

    def pictures(self, job_id: str) -> tuple[Picture, None]:  # noqa: ARG002 - one job
        return STILL, None

    def video(self, job_id: str) -> Path:
        return Path(job_id)

    def fitted(self, job_id: str, limit: int) -> Path:
        return Path(f"{job_id}-{limit}")

    async def prepare(self, path: Path) -> Clip:  # noqa: ARG002 - always the same clip
        if await self._power.point("prepare:before"):
            raise OSError("no space left")
        await self._power.point("prepare:after")
        return CLIP

    async def fit(self, path: Path, limit: int, into: Path) -> Clip:  # noqa: ARG002 - no files here
        if limit < CLIP.size // 10:
            raise BadVideo(Problem.TOO_LARGE)
        return CLIP


@dataclass(frozen=True)
class Story:
    """What happens in a run, faults aside."""

    name: str
    recovery: Recovery
    dedupe: Dedupe
    takes: float = 20
    refuses: bool = False
    busy_until: float = 0
    busy_after: float = 0
    fallback: bool = False  # there is another maker of the same model
    cancel_at: float | None = None  # seconds after the start
    alone: bool = True  # a new process knows that the old one is dead; else it waits for the lease
    thaw_late: bool = False
    fenced: bool = True
    weather: tuple[Spell, ...] = ()


FALLBACK = Fallback("other", "toy", ResolvedOptions(), PRICE)


class World:
    """One run of one story under some faults."""

    turns = 900  # enough for any job to be closed

    def __init__(
        self,
        story: Story,
        faults: Mapping[int, Strike],
        step: type[Step] = Step,
        worker: type[Worker] = Worker,
    ) -> None:
        self.story = story
        self.clock = Clock(START)
        self.power = Power(faults, self.clock, story.weather)
        self.vendor = Vendor(story.recovery, self.clock, self.power, story.takes, refuses=story.refuses)
        self.vendor.busy_until = START + story.busy_until
        self.vendor.busy_after = story.busy_after
        self.other = Vendor(story.recovery, self.clock, self.power, story.takes, refuses=story.refuses)
        self.chat = Chat(story.dedupe, self.power)
        self.rows = Rows()
        self.rows.jobs["job"] = Job(
            "job",
            "key",
            contract.Address("toy", {}),
            "me",
            "en",
            "it moves",
            "toy",
            "toy",
            ResolvedOptions(),
            PRICE,
            START,
            due=START,
            fallbacks=(FALLBACK,) if story.fallback else (),
        )
        self.step, self.worker = step, worker
        self._asleep: list[Coroutine[Fault, None, None]] = []
        self._cancelled = False
        self._working: Process | None = None

    @property
    def job(self) -> Job:
        return self.rows.jobs["job"]

    def run(self) -> "World":
        """Let processes come and go until the job is closed and every sleeper has woken."""
        self._until_closed()
        while self._asleep:
            self._drive(self._asleep.pop(0), None)
            self._until_closed()  # who slept may have brought a ticket that the job was closed without
        return self

    def _until_closed(self) -> None:
        for _ in range(self.turns):
            if self.job.state is State.CLOSED:
                return
            self.turn()

    def turn(self) -> None:
        """Let the time come at which the job is due, and one process take its turn."""
        if self.clock.jumped:  # a process looks for work once a second, or the next one starts
            self.clock.time += 1
        else:
            self._pass_time()
        self.clock.jumped = False
        if self._working is None:
            self._working = self._process()
        self._working = self._drive(self._working.round(), self._working)

    def _pass_time(self) -> None:
        asked = self.story.cancel_at
        if asked is not None and not self._cancelled and self.job.due >= START + asked:
            self.clock.time = max(self.clock.time, START + asked)
            self._cancelled = True
            finish(MemoryStore(self.rows, self.clock).ask_cancel("job"))
        self.clock.time = max(self.clock.time, self.job.due)

    def _drive(self, work: Coroutine[Fault, None, None], process: "Process | None") -> "Process | None":
        try:
            while work.send(None) is Fault.SLOW:
                self.clock.time += Times().lease * 1.5
                self._drive(Process(self, FaultyStore(self.rows, self.clock, self.power)).round(), None)
        except StopIteration:
            pass
        except Killed:
            return None
        else:  # frozen: its lease runs out, and somebody else takes over
            self._asleep.append(work)
            self.clock.time = max(self.clock.time, self.job.due) + 200
            return None
        if self._asleep and not self.story.thaw_late:
            self._drive(self._asleep.pop(0), None)
        return process

    def _process(self) -> "Process":
        store = FaultyStore(self.rows, self.clock, self.power, fenced=self.story.fenced)
        if self.story.alone and not self._asleep:
            finish(store.join())
        return Process(self, store)

    def _spec(self, job: Job) -> ModelSpec:  # noqa: ARG002 - one model
        return SPEC

    async def _habit(self, spec: ModelSpec) -> pacing.Habit:  # noqa: ARG002 - one model
        return HABIT

    def tools(self, store: FaultyStore) -> Tools:
        files = Files(self.power)
        providers: dict[str, VideoProvider] = {"toy": self.vendor, "other": self.other}
        chats: dict[str, contract.Chat] = {"toy": self.chat}
        return Tools(store, providers, chats, self._spec, self._habit, files, files, self.clock, Times(), [])


class Process:
    """What a worker's round does, for one job: claim, step, put back."""

    def __init__(self, world: World, store: FaultyStore) -> None:
        self._world = world
        self._store = store
        self._tools = world.tools(store)
        self._worker = world.worker(store, self._tools)

    async def round(self) -> None:
        clock, lease = self._world.clock, self._tools.times.lease
        lease_end = clock.monotonic() + lease
        try:
            await self._worker._notice_jump()
            jobs = await self._store.claim(clock.now() + lease, ["toy"], [], 1)
            for job in jobs:
                await self._world.step(self._tools, job, lease_end).take()
            if self._tools.idle_polls:
                await self._store.wait(self._tools.idle_polls)
                self._tools.idle_polls.clear()
        except StoreBusy:
            clock.time += 1


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited")


@dataclass(frozen=True)
class Verdict:
    """What must be zero, and what became of it."""

    double_charge: bool
    double_post: bool
    double_late: bool  # "it takes longer" said twice
    lost: bool  # paid for and not delivered, or never told
    unknown: bool  # told as "may have been charged"
    wrong_bill: bool  # the books say less than was charged
    stuck: bool


def judge(world: World) -> Verdict:
    job, keys = world.job, Counter(key for key, _ in world.chat.posts)
    charges = [*world.vendor.charges, *world.other.charges]
    charged = bool(charges)
    told = bool(keys["job"] or keys["job-adopted"])  # a video whose ticket came late corrects what was said before
    finished = charged and not world.story.refuses and not (world.vendor.stopped | world.other.stopped)
    honest_end = job.outcome in {Outcome.RENDERED, Outcome.INTERRUPTED}
    return Verdict(
        double_charge=len(charges) > 1,
        double_post=keys["job"] > 1 or keys["job-adopted"] > 1,
        double_late=keys["job-late"] > 1,
        lost=job.state is State.CLOSED and (not told or (finished and not honest_end)),
        unknown=job.outcome is Outcome.INTERRUPTED,
        wrong_bill=job.state is State.CLOSED and charged and (job.cost or 0) < PRICE,
        stuck=job.state is not State.CLOSED,
    )
