"""Speaks to whoever typed a command, and finds the settings for it. Defines no command."""

import errno
import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:  # `zoetrope --help` must be quick
    from bot.config import Config

OPERATOR = 5

Json = Annotated[bool, typer.Option("--json", help="Print for programs: JSON and nothing else on stdout.")]


def explained(error: Exception) -> str | None:
    """Return the sentence for an operator, or None for a bug."""
    from bot.app import NotReady  # noqa: PLC0415 - the same
    from bot.chats.contract import ChatError  # noqa: PLC0415 - the same
    from bot.config import BadConfig  # noqa: PLC0415 - the same
    from bot.ops.backup import CantBackUp  # noqa: PLC0415 - only for an error
    from bot.ops.restore import CantRestore  # noqa: PLC0415 - the same
    from bot.store.contract import StoreBroken, StoreBusy  # noqa: PLC0415 - the same
    from providers.contract import ProviderError  # noqa: PLC0415 - the same

    if isinstance(error, OSError) and error.errno == errno.ENOLCK:
        return "The data folder is on a share that has no locks. Choose one on this machine's own disk with data_dir."
    known = (BadConfig, StoreBroken, StoreBusy, NotReady, ProviderError, ChatError, CantBackUp, CantRestore)
    return str(error) if isinstance(error, known) else None


def complain(words: str) -> None:
    """Say on stderr what somebody has to mend."""
    Console(stderr=True).print(Text(words, style="red"), soft_wrap=True)


def config_of(context: typer.Context) -> "Config":
    from bot.config import load  # noqa: PLC0415 - only what needs settings loads them

    return load(context.find_root().obj, os.environ)


def say(words: str) -> None:
    Console(stderr=True).print(Text(words), soft_wrap=True)


def draw(what: Any) -> None:
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=120)
    console.print(what, soft_wrap=isinstance(what, Text))


def print_json(what: Any) -> None:
    import msgspec  # noqa: PLC0415 - only for programs

    print(json.dumps(msgspec.to_builtins(what), ensure_ascii=False))  # noqa: T201 - the same
