"""Where the program starts: `zoetrope`, or `python -m bot`. Turns what an operator can mend into one sentence."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code; see `zoetrope --help`."""
    if os.getpid() == 1:  # a container's first process: without a handler the kernel keeps SIGTERM from it
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from bot.commands import line, voice  # noqa: PLC0415 - importing this module by a test or a tool costs nothing

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # an old locale must not break a table
    try:
        line.app(prog_name="zoetrope")
    except Exception as error:
        words = voice.explained(error)
        if words is None:
            raise
        voice.complain(words)
        sys.exit(voice.OPERATOR)


if __name__ == "__main__":
    main()
