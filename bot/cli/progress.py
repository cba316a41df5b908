"""Shows what happens to whoever waits at a terminal: a live line, plain lines where none can be drawn, or nothing."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from rich.console import Console

from bot.domain.job import Job, State
from providers.contract import Rendering, Waiting

_BAR = 24  # letters
_STAGES = {
    State.QUEUED: "Waiting to start",
    State.SUBMITTING: "Handing it to the maker",
    State.RENDERING: "Rendering",
    State.OVERDUE: "Rendering, longer than usual",
    State.REPLYING: "Saving",
    State.CLOSED: "Saving",
}
_TROUBLE = {
    State.QUEUED: "The maker is busy, trying again",
    State.RENDERING: "The maker does not answer, trying again",
    State.REPLYING: "It can't be saved yet, trying again",
}


def stage_of(job: Job) -> str:
    """Return what is being done, in a few words."""
    if job.to_cancel and job.outcome is None:
        return "Stopping"
    if job.attempts and job.state in _TROUBLE:
        return _TROUBLE[job.state]
    if job.state is State.RENDERING and isinstance(job.progress, Waiting):
        before = job.progress.position
        return f"In the maker's queue, {before} before yours" if before else "In the maker's queue"
    return _STAGES[job.state]


def fraction_of(job: Job) -> float | None:
    """Return the part done, only where it was measured."""
    return job.progress.fraction if job.state is State.RENDERING and isinstance(job.progress, Rendering) else None


class Silent:
    """For programs: the result alone counts."""

    def say(self, words: str) -> None:
        pass

    def stage(self, words: str) -> None:
        pass

    def job(self, job: Job) -> None:
        pass


class Lines:
    """One line on stderr for each stage, for files and pipes."""

    def __init__(self) -> None:
        self._last = ""

    def say(self, words: str) -> None:
        sys.stderr.write(f"{words}\n")

    def stage(self, words: str) -> None:
        if words != self._last:
            self.say(f"{words} ...")
        self._last = words

    def job(self, job: Job) -> None:
        self.stage(stage_of(job))


class View(Protocol):
    """Where somebody watches."""

    def say(self, words: str) -> None: ...
    def stage(self, words: str) -> None: ...
    def job(self, job: Job) -> None:
        """Show how far the job is."""


class Live(AbstractContextManager[View]):
    """One line that moves: the stage, how much of it is done when that is measured, and the time since the start."""

    def __init__(self, console: Console) -> None:
        from rich import progress as rich  # noqa: PLC0415 - 20 ms that plain lines and programs need not pay

        columns = (rich.SpinnerColumn(), rich.TextColumn("{task.description}"), rich.TimeElapsedColumn())
        self._progress = rich.Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("Starting", total=None)

    def __enter__(self) -> View:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, words: str) -> None:
        self._progress.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def stage(self, words: str) -> None:
        self._progress.update(self._task, description=words)

    def job(self, job: Job) -> None:
        done = fraction_of(job)
        self.stage(stage_of(job) if done is None else f"{stage_of(job)} {_drawn(done)}")


def view(console: Console, *, silent: bool) -> AbstractContextManager[View]:
    """Return what fits the place; it draws while it is entered."""
    if silent:
        return nullcontext(Silent())
    return Live(console) if console.is_terminal and not console.is_dumb_terminal else nullcontext(Lines())


def _drawn(done: float) -> str:
    full = min(max(round(done * _BAR), 0), _BAR)
    return f"[cyan]{'━' * full}[/][dim]{'━' * (_BAR - full)}[/] {round(done * 100):3d} %"
