"""Starts the child process that renders a job, and waits for its end so that it leaves no zombie."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import providers
from providers.local import folders

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # all a child is given of our environment; no secret
_CODE = str(Path(providers.__file__).parents[1])


def start(job: Path, held: int) -> None:
    """Start a child in a session of its own, which keeps the job's lock as long as it lives. Raises OSError."""
    folders.count_start(job)
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
            (os.POSIX_SPAWN_DUP2, held, held),  # onto itself: open in the child, and in no other
        ],
        setsid=True,
    )
    threading.Thread(target=_reap, args=(pid,), daemon=True, name=f"reap {pid}").start()


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # somebody else in this process waits for every child
        os.waitpid(pid, 0)
