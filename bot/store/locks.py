"""Lets one process of several do a thing alone, on one machine. The lock is the kernel's: it ends with its process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def hold(file: Path) -> Iterator[None]:
    """Hold the lock that this file stands for. Raises `BlockingIOError` at once when somebody else does."""
    with file.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
