"""Where the program starts: `zoetrope`, or `python -m bot`. Turns what an operator can mend into one sentence."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code; see `zoetrope --help`."""
    if os.getpid() == 1:  # a container's first process: without a handler the kernel keeps SIGTERM from it
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from bot.cli import commands, console  # noqa: PLC0415 - importing this module by a test or a tool costs nothing

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # an old locale must not break a table
    try:
        commands.app(prog_name="zoetrope")
    except Exception as error:
        words = console.explained(error)
        if words is None:
            raise
        console.complain(words)
        sys.exit(console.OPERATOR)


if __name__ == "__main__":
    main()
