"""Run one piece of work on other people's bytes in a sandbox: a short-lived process, fed, capped, killed, reaped."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

_START = "import sys; sys.path[:] = sys.argv[4:]; from bot.media.sandbox import entry; entry.main(*sys.argv[1:4])"
_HANDED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")  # where libraries and scratch files are: no secret
_GRACE_SECONDS = 5.0  # the sandbox's own alarm comes first
_ERR_BYTES = 4096
_FROM_OUTSIDE = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_WHY = {signal.SIGXCPU: "cpu", signal.SIGALRM: "time", signal.SIGKILL: "memory"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use; see `providers.sandbox.limit_process`."""

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sandbox answered: a problem or none, numbers and words about it, and bytes."""

    problem: str | None
    facts: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


class SandboxBroke(RuntimeError):
    """The sandbox ended for a reason that is not the file's: a broken installation, or a signal from outside."""


class Slots:
    """How many sandboxes may run at once. Transcodes take half, so that no picture waits behind two of them."""

    def __init__(self, count: int | None = None) -> None:
        number = max(1, count or os.cpu_count() or 1)
        self._any = asyncio.Semaphore(number)
        self._long = asyncio.Semaphore(max(1, number // 2))

    @contextlib.asynccontextmanager
    async def take(self, *, long: bool) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as held:
            if long:
                await held.enter_async_context(self._long)
            await held.enter_async_context(self._any)
            yield


_SLOTS: WeakKeyDictionary[asyncio.AbstractEventLoop, Slots] = WeakKeyDictionary()


def shared_slots() -> Slots:
    """Return the bound that everything on the running loop shares."""
    return _SLOTS.setdefault(asyncio.get_running_loop(), Slots())


async def run(
    work: str,
    request: Mapping[str, Any],
    limits: Limits,
    *,
    data: bytes = b"",
    answer_bytes: int = 65536,
    slots: Slots | None = None,
) -> Answer:
    """Have a sandbox do `work` ("picture", "probe" or "transcode") within `limits` and return what it answers.

    A limit that was hit, or a crash, is an answer too: problem "too_hard" with the fact `why`: cpu, time, memory,
    answer (more than `answer_bytes`) or crash. When this coroutine is cancelled, the sandbox is killed first.
    Raises `SandboxBroke`.
    """
    async with (slots or shared_slots()).take(long=work == "transcode"):
        exchange = await _exchange(work, request, limits, data, answer_bytes)
    if exchange.stopped_for is not None:
        return Answer("too_hard", {"why": exchange.stopped_for})
    if exchange.code < 0:
        return Answer("too_hard", {"why": _why(exchange.code)})
    head, newline, body = bytes(exchange.out).partition(b"\n")
    if exchange.code or not newline:
        words = exchange.err.decode(errors="replace").strip()
        raise SandboxBroke(f"A media sandbox ended with code {exchange.code}: {words}")
    said = json.loads(head)
    return Answer(said.pop("problem"), said, body)


def _why(code: int) -> str:
    if -code in _FROM_OUTSIDE:
        raise SandboxBroke(f"A media sandbox was stopped from outside by signal {-code}: try again.")
    return _WHY.get(signal.Signals(-code), "crash")


class _Exchange(asyncio.SubprocessProtocol):
    """Collects an answer, up to a cap. It never pauses reading, so that the end of the process is always seen."""

    def __init__(self, cap: int) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self.code = 0
        self.stopped_for: str | None = None
        self.ended = asyncio.Event()
        self._cap = cap
        self._process: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.err += data[: _ERR_BYTES - len(self.err)]
        elif len(self.out) + len(data) <= self._cap:
            self.out += data
        else:
            self.stop("answer")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        self.code = self._process.get_returncode() or 0
        self.ended.set()

    def feed(self, data: bytes) -> None:
        pipe = cast("asyncio.WriteTransport", self._process.get_pipe_transport(0))
        pipe.write(data)
        pipe.write_eof()

    def stop(self, why: str | None) -> None:
        self.stopped_for = self.stopped_for or why
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            self._process.kill()

    async def end(self) -> None:
        """Leave no process, pipe or zombie behind."""
        try:
            if not self.ended.is_set():
                self.stop(None)
                await self.ended.wait()
        finally:
            self._process.close()


async def _exchange(work: str, request: Mapping[str, Any], limits: Limits, data: bytes, cap: int) -> _Exchange:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _START,
        work,
        json.dumps(asdict(limits)),
        json.dumps(request),
        *_path(),
    ]
    _, exchange = await asyncio.get_running_loop().subprocess_exec(
        lambda: _Exchange(cap),
        *command,
        env=_environment(),
        cwd="/",
        start_new_session=True,  # Ctrl-C at a terminal is for us; we decide what becomes of it
    )
    try:
        exchange.feed(data)
        async with asyncio.timeout(limits.wall_seconds + _GRACE_SECONDS):
            await exchange.ended.wait()
    except TimeoutError:
        exchange.stop("time")
    finally:
        await exchange.end()
    return exchange


def _path() -> list[str]:
    """Return where our own imports come from: the same for a checkout, an editable install and a wheel."""
    ours = str(Path(__file__).resolve().parents[3])
    path = [str(Path(entry).resolve()) for entry in sys.path if entry]
    return path if ours in path else [*path, ours]


def _environment() -> dict[str, str]:
    """Return an environment without our secrets; few malloc arenas, because address space is what the limit counts."""
    kept = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", **kept}
