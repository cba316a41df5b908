"""Renders camera moves over a picture, each in a child process that outlives us. No decoder is loaded here.

How many at once is the engine's business, as with every provider. What several processes on one folder agree on is a
job's lock: its child holds it, so nothing is rendered twice and a dead child is found by whoever polls.
"""

import asyncio
import errno
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from providers import atomic
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
from providers.local import camera, child, folders, moves

_KEY = re.compile(r"[a-z0-9-]{1,64}")
_MOST_DEATHS = 3
_ROOM_BYTES = 64 << 20  # less free disk than this, and a render would die of it
_FETCHED_KEPT, _OTHERS_KEPT = 24 * 3600.0, 14 * 24 * 3600.0  # seconds; the bot may be down for days and then ask
_SWEEP_SECONDS = 3600.0
_LONGEST_SECONDS = 60
_SHORT = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may set under `[providers.local]`."""

    renders_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1


class _Handle(msgspec.Struct, frozen=True):
    """What a ticket says. `folder` is named by our key alone, so the data folder may be moved."""

    folder: str
    version: int = 1


class Provider:
    """Renders in `folder`, which is its own. Several processes may share it."""

    recovery: ClassVar[Recovery] = Recovery.RESEND

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Make the folder ready. Raises `Misconfigured` when it can't be used."""
        self.places = settings.renders_at_once
        self._folder = folder.resolve()
        self._jobs = self._folder / "jobs"
        self._swept = -_SWEEP_SECONDS
        with self._remedies():
            self._jobs.mkdir(parents=True, exist_ok=True)
            self._sweep()

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        """Start a render; the same key twice is the same job. Raises `Refused`."""
        return await asyncio.to_thread(self._submit, request, key)

    async def check(self, ticket: Ticket) -> Progress:
        """Poll, and start again what a dead child left. Raises `Refused`."""
        return await asyncio.to_thread(self._check, ticket)

    async def fetch(self, source: str, into: Path) -> None:
        """Copy the video to `into`, whole or not at all."""
        await asyncio.to_thread(self._fetch, source, into)

    async def cancel(self, ticket: Ticket) -> Cancelled:
        """Stop a render; the child sees it before its next frame."""
        return await asyncio.to_thread(self._cancel, ticket)

    async def find(self, key: str, since: float) -> Ticket | None:  # noqa: ARG002 - here a key says it all
        """Look for a job by our key."""
        return _to_ticket(key) if (self._jobs / _check_key(key)).is_dir() else None

    async def ping(self) -> str:
        """Say how many it renders at once. Raises `Busy` when the disk is full."""
        with self._remedies():
            self._need_room()
        return f"local: renders here, {self.places} at a time"

    async def close(self) -> None:
        """Nothing to let go of: children go on, and whoever polls next finds them by their locks."""

    def _submit(self, request: AnimationRequest, key: str) -> Ticket:
        job, render = self._jobs / _check_key(key), _to_request(request)
        pictures = [(folders.FIRST, request.first.data)]
        if request.last is not None:
            pictures.append((folders.LAST, request.last.data))
        with self._remedies():
            if time.monotonic() - self._swept >= _SWEEP_SECONDS:
                self._sweep()
            self._need_room()
            if folders.build(job, render, pictures):  # else the next poll says what became of it
                with folders.locked(job) as held:
                    if held is not None:
                        self._start(job, held)
        return _to_ticket(key)

    def _check(self, ticket: Ticket) -> Progress:
        job = self._jobs / _read_ticket(ticket)
        with self._remedies():
            if not job.is_dir():
                raise Refused(Reason.FORGOTTEN, "The render's folder is gone.")
            if (job / folders.CANCELLED).exists():
                raise Refused(Reason.FAILED, "It was cancelled.")
            with folders.locked(job) as held:
                if held is None:
                    return Rendering(folders.read_progress(job))
                return self._read_end(job) or self._start_again(job, held)

    def _read_end(self, job: Path) -> Finished | None:
        """Return the video of a job that has no child now; None when nothing ended it. Raises `Refused`."""
        if (job / folders.VIDEO).exists():
            return Finished(source=job.name, cost=0, note=folders.read_request(job).note)
        if failure := folders.read_failure(job):
            raise Refused(Reason.FAILED, failure.why, which=failure.which)
        return None

    def _start_again(self, job: Path, held: int) -> Progress:
        """Start what its child left when it died, or we before there was one: it is free. Raises `Refused`."""
        if folders.count_starts(job) >= _MOST_DEATHS:
            raise Refused(Reason.FAILED, f"The renderer died {_MOST_DEATHS} times; see {job / folders.LOG}.")
        return self._start(job, held)

    def _start(self, job: Path, held: int) -> Progress:
        """Start a child, unless the machine is full: whoever is asked to wait here is started by a later poll.

        The engine gives no more jobs than there are places; but after a bad night many are found dead at once.
        """
        if folders.count_locked(self._jobs) > self.places:  # this one is among them
            return Waiting()
        self._need_room()
        child.start(job, held)
        return Rendering()

    def _fetch(self, source: str, into: Path) -> None:
        job, part = self._jobs / _check_key(source), atomic.part_of(into)
        with self._remedies():
            if not (job / folders.VIDEO).exists():
                raise Busy("The video is not there any more: poll again.")
            try:
                shutil.copyfile(job / folders.VIDEO, part)
                atomic.settle(part, into)
            finally:
                part.unlink(missing_ok=True)
            folders.drop_pictures(job)

    def _cancel(self, ticket: Ticket) -> Cancelled:
        job = self._jobs / _read_ticket(ticket)
        with self._remedies():
            if job.is_dir() and not (job / folders.CANCELLED).exists():
                if folders.is_over(job):
                    return Cancelled.TOO_LATE
                (job / folders.CANCELLED).touch()
        return Cancelled.FREE

    def _sweep(self) -> None:
        folders.sweep(self._jobs, fetched=_FETCHED_KEPT, others=_OTHERS_KEPT)
        self._swept = time.monotonic()

    def _need_room(self) -> None:
        if shutil.disk_usage(self._folder).free < _ROOM_BYTES:
            raise atomic.NoSpace(self._folder)

    @contextmanager
    def _remedies(self) -> Iterator[None]:
        try:
            with atomic.writing_in(self._folder):
                yield
        except atomic.NoSpace as full:
            raise Busy(f"The disk is full: free some space in {full.folder}.", 60) from full
        except OSError as error:
            if error.errno in _SHORT:
                raise Busy(f"The system has no room for a render now: {error.strerror}.", 5) from error
            why = f"{error.strerror}: {error.filename}"
            raise Misconfigured(f"Let the local renderer read and write {self._folder} ({why}).") from error


def _check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"A key is 1 to 64 of a-z, 0-9 and '-', not {key!r}.")
    return key


def _to_ticket(key: str) -> Ticket:
    return Ticket(msgspec.json.encode(_Handle(folder=key)).decode())


def _read_ticket(ticket: Ticket) -> str:
    try:
        return _check_key(msgspec.json.decode(ticket, type=_Handle).folder)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(Reason.FORGOTTEN, "The ticket is not one of the local renderer's.") from error


def _to_request(request: AnimationRequest) -> folders.Request:
    cross = request.last is not None
    move = moves.read(request.prompt, cross=cross)
    try:
        picture = (request.first.width, request.first.height)
        size = camera.choose_size(picture, request.aspect or "own", request.resolution or "720p")
    except ValueError as error:
        raise Refused(Reason.UNSUPPORTED, str(error)) from error
    if not 0 < request.seconds <= _LONGEST_SECONDS:
        raise Refused(Reason.UNSUPPORTED, f"A clip lasts up to {_LONGEST_SECONDS} s.")
    return folders.Request(
        move=move,
        note=moves.describe(move, cross=cross),
        frames=max(round(request.seconds * camera.FPS), 1),
        size=size,
        seed=(request.seed or 0) % 2**63,
        cross=cross,
    )
