"""Draws the lines of the log, and masks what must never stand in one. Who logs what is not decided here.

Everybody logs by `logging`; structlog draws the lines, ours and the libraries', and is loaded for the first one.
"""

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

# What a line may say beside its words; a library's own extras may hold anything.
FIELDS = ("job", "provider", "model", "was", "state", "outcome", "attempt", "due_in", "whom", "seconds")
_SHORTEST_SECRET = 6  # shorter ones would black out ordinary words
_MASK = "••••••"
# Where chats and providers put tokens that no setting names: in addresses, and behind this word.
_TOKENS = re.compile(
    r"(/(?:webhooks|interactions)/\d+/|hooks\.slack\.com/|[?&](?:ticket|token)=|(?i:bearer )|eyJ)[^\s\"'\\]+"
)
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Never let this value stand in a line again."""
    if len(secret) >= _SHORTEST_SECRET:
        _secrets.update((secret, json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]))


def masked(line: str) -> str:
    """Return the line without any secret: the last defence, for what should not have been said in the first place."""
    for secret in sorted(_secrets, key=len, reverse=True):
        line = line.replace(secret, _MASK)
    return _TOKENS.sub(rf"\1{_MASK}", line)


def to_stderr(level: int, *, as_json: bool = False, dated: bool = True) -> None:
    """Log to stderr from now on: ours from that level on, libraries only warnings, as they may log what people say."""
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Stderr(as_json=as_json, dated=dated)], force=True)
    for ours in ("zoetrope", "bot", "providers"):
        logging.getLogger(ours).setLevel(level)


class _Stderr(logging.Handler):
    """Writes to whatever stderr is now: while a live line is drawn, that is above the line."""

    def __init__(self, *, as_json: bool, dated: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._dated = dated
        self._drawn: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._drawn is None:
            self._drawn = _formatter(as_json=self._as_json, dated=self._dated)
        return masked(self._drawn.format(record))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - a line that can't be drawn must not stop who logs it
            line = f"a line of {record.name} can't be shown: {type(error).__name__}"
        with contextlib.suppress(OSError, ValueError):  # full, closed or gone: nobody can be told, and work must go on
            sys.stderr.write(line + "\n")


def _formatter(*, as_json: bool, dated: bool) -> logging.Formatter:
    import structlog  # noqa: PLC0415 - 4 MiB and 40 ms for the first line of a log, which most commands never have
    from structlog import processors  # noqa: PLC0415 - the same

    stamp = processors.TimeStamper(fmt="iso" if as_json else "%Y-%m-%d %H:%M:%S", utc=as_json)
    first: list[Any] = [structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder(allow=FIELDS)]
    if as_json:
        rest: list[Any] = [structlog.stdlib.add_logger_name, processors.format_exc_info]
        draw: Any = processors.JSONRenderer(ensure_ascii=False)
    else:
        rest = [_plain]
        draw = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=16,
            sort_keys=False,
            exception_formatter=_traceback,  # structlog's rich one shows variables, and with them prompts
        )
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*first, *([stamp] if dated or as_json else []), *rest], processors=[drop, draw]
    )


def _traceback(out: TextIO, error: tuple[type[BaseException], BaseException, TracebackType | None]) -> None:
    out.writelines(f"\n  {_printable(line)}" for line in "".join(traceback.format_exception(*error)).splitlines())


def _plain(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep other people's words from steering a terminal or faking a line."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _printable(value)
    return line


def _printable(words: str) -> str:
    return words if words.isprintable() else "".join(letter if letter.isprintable() else " " for letter in words)
