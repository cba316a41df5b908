"""Starts the program: `zoetrope`, or `python -m bot`. Turns what an operator can mend into one sentence."""

import errno
import os
import signal
import sys

OPERATOR = 5  # as in `bot.cli.exits`, which may be what could not be loaded
_FILES = "This process may not open as many files as it needs. Allow it 1024 (ulimit -n, or LimitNOFILE= of a service)."
_MEMORY = "This process does not get the memory it needs. Allow it 1 GB (ulimit -v, or MemoryMax= of a service)."
_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "can't start new thread")  # of libraries and threads


def main() -> None:
    """Run the command line and exit with its code; see `zoetrope --help`."""
    os.umask(0o077)  # what is written is nobody else's to read
    if os.getpid() == 1:  # a container's first process: without a handler the kernel keeps SIGTERM from it
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    try:
        _run()
    except Exception as error:
        words = _scarce(error)
        if words is None:
            raise
        sys.stderr.write(f"{words}\n")  # nothing more may be loaded
        sys.exit(OPERATOR)


def _run() -> None:
    from bot.cli import commands, console  # noqa: PLC0415 - importing this module by a test or a tool costs nothing

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # an old locale must not break a table
    try:
        commands.app(prog_name="zoetrope")
    except Exception as error:
        words = None if _scarce(error) else console.explained(error)
        if words is None:
            raise
        console.complain(words)
        sys.exit(console.OPERATOR)


def _scarce(error: BaseException) -> str | None:
    """Return what this machine gives too little of, where that was the reason."""
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return _FILES
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or no_memory or any(words in str(error).lower() for words in _NO_MEMORY):
        return _MEMORY
    return _scarce(error.__cause__) if error.__cause__ else None


if __name__ == "__main__":
    main()
