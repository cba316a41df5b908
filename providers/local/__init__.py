"""A video maker with no account: camera moves on the still, rendered here by child processes that outlive us.

This module speaks the provider's words and minds the children; what lies on disk stands in `folders`, how a move is
read and drawn in the modules beside it. No decoder is loaded here.
"""

import asyncio
import errno
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

import providers
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Progress,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    Waiting,
)
from providers.local import camera, folders, moves

_KEY = re.compile(r"[a-z0-9-]{1,64}")
_MOST_DEATHS = 3
_ROOM_BYTES = 64 << 20  # less free disk than this, and a render would die of it
_FETCHED_KEPT, _OTHERS_KEPT = 24 * 3600.0, 14 * 24 * 3600.0  # seconds; the bot may be down for days and then ask
_SWEEP_SECONDS = 3600.0
_LONGEST_SECONDS = 60
_FULL = {errno.ENOSPC, errno.EDQUOT}
_SHORT = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # all a child is given of our environment; no secret
_CODE = str(Path(providers.__file__).parents[1])


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may set under `[providers.local]`."""

    renders_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1


class _Handle(msgspec.Struct, frozen=True):
    """What a ticket says. `folder` is named by our key alone, so the data folder may be moved."""

    folder: str
    version: int = 1


class Provider:
    """Renders in `folder`, which is its own. Several processes may share it: all that they agree on is on disk."""

    recovery: ClassVar[Recovery] = Recovery.RESEND

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Make the folder ready. Raises `Misconfigured` when it can't be used."""
        self._settings = settings
        self._folder = folder.resolve()
        self._jobs, self._slots = self._folder / "jobs", self._folder / "slots"
        self._line = folders.Line(self._folder / "line")
        self._one_at_a_time = threading.Lock()  # our own threads must not meet at a job's lock
        self._swept = -_SWEEP_SECONDS
        with self._remedies():
            for part in ("jobs", "slots", "line"):
                (self._folder / part).mkdir(parents=True, exist_ok=True)
            self._sweep()

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        """Start a render; the same key twice is the same job. Raises `Refused`."""
        return await asyncio.to_thread(self._submit, request, key)

    async def check(self, ticket: Ticket) -> Progress:
        """Look, and start what waits while there is a slot. Raises `Refused`."""
        return await asyncio.to_thread(self._check, ticket)

    async def fetch(self, source: str, into: Path) -> None:
        """Copy the video to `into`, whole or not at all."""
        await asyncio.to_thread(self._fetch, source, into)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        """Stop a render; the child sees it before its next frame."""
        return await asyncio.to_thread(self._cancel, ticket)

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - here a key says it all
        """Look for a job by our key."""
        return _ticket(key) if (self._jobs / _checked(key)).is_dir() else None

    async def ping(self) -> str:
        """Say how many wait. Raises `Busy` when the disk is full."""
        with self._remedies():
            self._need_room()
            waiting = len(self._line.waiting())
        return f"local: renders here, {self._settings.renders_at_once} at a time, {waiting} waiting"

    async def close(self) -> None:
        """Nothing to let go of: children go on, and whoever looks next finds them by their locks."""

    def _submit(self, request: AnimationRequest, key: str) -> Ticket:
        name, wish, pictures = _checked(key), _wish(request), [(folders.FIRST, request.first.data)]
        if request.last is not None:
            pictures.append((folders.LAST, request.last.data))
        with self._one_at_a_time, self._remedies():
            if time.monotonic() - self._swept >= _SWEEP_SECONDS:
                self._sweep()
            self._need_room()
            if folders.build(self._jobs, name, wish, pictures):
                self._line.join(name)
            self._start_waiting()
        return _ticket(key)

    def _check(self, ticket: Ticket) -> Progress:
        job = self._jobs / _read(ticket)
        with self._one_at_a_time, self._remedies():
            if not job.is_dir():
                raise Refused(Reason.FORGOTTEN, "The render's folder is gone.")
            self._start_waiting()
            return self._look(job)

    def _look(self, job: Path) -> Progress:
        if (job / folders.CANCELLED).exists():
            raise Refused(Reason.FAILED, "It was cancelled.")
        if _is_rendering(job):
            return Rendering(folders.read_progress(job))
        if (job / folders.VIDEO).exists():
            return Finished(source=job.name, cost=0, note=folders.read_request(job).note)
        if failure := folders.read_failure(job):
            raise Refused(Reason.FAILED, failure.why, which=failure.which)
        if job.name not in self._line.waiting():  # its child died, or we did before it stood in line
            self._again(job)
            if _is_rendering(job):
                return Rendering()
        waiting = self._line.waiting()
        return Waiting(waiting.index(job.name) if job.name in waiting else None)

    def _again(self, job: Path) -> None:
        """Render once more what a dead child left: it is free."""
        self._need_room()
        if folders.count_starts(job) >= _MOST_DEATHS:
            raise Refused(Reason.FAILED, f"The renderer died {_MOST_DEATHS} times; see {job / folders.LOG}.")
        self._line.join(job.name)
        self._start_waiting()

    def _start_waiting(self) -> None:
        """Give free slots to those who wait longest, whoever asked."""
        waiting = iter(self._line.waiting())
        for number in range(self._settings.renders_at_once):
            slot = folders.lock(self._slots / str(number))
            if slot is None:
                continue
            try:
                if not any(self._started(key, slot) for key in waiting):
                    return
            finally:
                os.close(slot)  # the child has its own

    def _started(self, key: str, slot: int) -> bool:
        """Start a child unless the job is over, gone or being rendered; take it out of the line."""
        job = self._jobs / key
        held = folders.lock(job / folders.LOCK) if job.is_dir() else None
        try:
            wanted = held is not None and not folders.is_over(job)
            if held is not None and wanted:
                folders.begin(job)
                _spawn(job, slot, held)
        finally:
            if held is not None:
                os.close(held)
        self._line.leave(key)
        return wanted

    def _fetch(self, source: str, into: Path) -> None:
        job, part = self._jobs / _checked(source), into.with_name(into.name + ".part")
        with self._remedies():
            if not (job / folders.VIDEO).exists():
                raise Busy("The video is not there any more: look again.")
            try:
                shutil.copyfile(job / folders.VIDEO, part)
                folders.sync(part)
                part.replace(into)
            finally:
                part.unlink(missing_ok=True)
            folders.drop_pictures(job)

    def _cancel(self, ticket: Ticket) -> Cancelled:
        job = self._jobs / _read(ticket)
        with self._one_at_a_time, self._remedies():
            if job.is_dir() and not (job / folders.CANCELLED).exists():
                if folders.is_over(job):
                    return Cancelled.TOO_LATE
                (job / folders.CANCELLED).touch()
                self._line.leave(job.name)
        return Cancelled.FREE

    def _sweep(self) -> None:
        folders.sweep(self._jobs, fetched=_FETCHED_KEPT, others=_OTHERS_KEPT)
        self._swept = time.monotonic()

    def _need_room(self) -> None:
        if shutil.disk_usage(self._folder).free < _ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _remedies(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise Busy(f"The disk is full: free some space in {self._folder}.", 60) from error
            if error.errno in _SHORT:
                raise Busy(f"The system has no room for a render now: {error.strerror}.", 5) from error
            why = f"{error.strerror}: {error.filename}"
            raise Misconfigured(f"Let the local renderer read and write {self._folder} ({why}).") from error


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"A key is 1 to 64 of a-z, 0-9 and '-', not {key!r}.")
    return key


def _ticket(key: str) -> Ticket:
    return Ticket(msgspec.json.encode(_Handle(folder=key)).decode())


def _read(ticket: Ticket) -> str:
    try:
        return _checked(msgspec.json.decode(ticket, type=_Handle).folder)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(Reason.FORGOTTEN, "The ticket is not one of the local renderer's.") from error


def _wish(request: AnimationRequest) -> folders.Request:
    cross = request.last is not None
    move = moves.read(request.prompt, cross=cross)
    try:
        picture = (request.first.width, request.first.height)
        size = camera.frame_size(picture, request.aspect or "own", request.resolution or "720p")
    except ValueError as error:
        raise Refused(Reason.UNSUPPORTED, str(error)) from error
    if not 0 < request.seconds <= _LONGEST_SECONDS:
        raise Refused(Reason.UNSUPPORTED, f"A clip lasts up to {_LONGEST_SECONDS} s.")
    return folders.Request(
        move=move,
        note=moves.sentence(move, cross=cross),
        frames=max(round(request.seconds * camera.FPS), 1),
        size=size,
        seed=(request.seed or 0) % 2**63,
        cross=cross,
    )


def _is_rendering(job: Path) -> bool:
    """Ask the kernel: a child holds its folder's lock as long as it lives."""
    held = folders.lock(job / folders.LOCK)
    if held is None:
        return True
    os.close(held)
    return False


def _spawn(job: Path, slot: int, held: int) -> None:
    """Start a child in a session of its own that keeps both locks. Raises OSError."""
    log = str(job / folders.LOG)
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "providers.local.render", str(job)],
        env | {"PYTHONPATH": _CODE, "MALLOC_ARENA_MAX": "2"},  # an arena per thread would eat the address space
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, slot, slot),  # onto itself: open in the child, and in no other
            (os.POSIX_SPAWN_DUP2, held, held),
        ],
        setsid=True,
    )
    threading.Thread(target=_reap, args=(pid,), daemon=True, name=f"reap {pid}").start()


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # somebody else in this process waits for every child
        os.waitpid(pid, 0)
