"""Processes of our own that can be killed at any moment and never stay behind. What they do is not known here."""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
TRY_LATER = 75  # what a child ends with that could do nothing now (EX_TEMPFAIL)


class TryLater(Exception):
    """Ends a child with `TRY_LATER` and no traceback."""


class Child:
    """A forked process. Start it from a process without threads."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self.frozen = False
        self.code: int | None = None  # exit code, negative for a signal; None while it lives
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be_child(parent, work)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal unless it is over; its id can't be somebody else's while we have not waited for it."""
        if not self.is_over():
            self.frozen = number is signal.SIGSTOP or (self.frozen and number is not signal.SIGCONT)
            os.kill(self.pid, number)

    def is_over(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; True when it is over."""
        until = time.monotonic() + seconds
        while not self.is_over() and time.monotonic() < until:
            select.select([], [], [], 0.01)
        return self.is_over()

    def end(self) -> None:
        """Kill it and wait."""
        self.signal(signal.SIGKILL)
        self.wait(10)


def _be_child(parent: int, work: Callable[[], object]) -> None:
    code = 1
    try:
        _die_with(parent)
        work()
        code = 0
    except (TryLater, KeyboardInterrupt):
        code = TRY_LATER
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it is: it ends here, not in the parent's code
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Have the kernel kill us when our parent ends, however it ends; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _adopt() -> None:
    """Become the parent of whatever our children leave behind; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def nobody_left() -> Iterator[list[Child]]:
    """Give a list for children; at the end all of them, and what they left behind, are killed and reaped."""
    _adopt()
    children: list[Child] = []
    try:
        yield children
    finally:
        for child in children:
            child.end()
        until = time.monotonic() + 5
        while (orphans := _orphans()) and time.monotonic() < until:
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def _orphans() -> list[int]:
    """Return the ids of our children; those we started ourselves are reaped already."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []
