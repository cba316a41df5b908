"""Gives a command of the command line a flag for every option that can be chosen."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from bot.domain.options import ChosenOptions, Option, asked


def flagged(command: Callable[..., None]) -> Callable[..., None]:
    """Show the options where the command takes `**flags`; Typer reads the signature and calls by names."""
    signature = inspect.signature(command)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    given = sum(one.default is inspect.Parameter.empty for one in own)
    shown: Any = command
    shown.__signature__ = signature.replace(parameters=[*own[:given], *map(_flag, asked()), *own[given:]])
    return command


def _flag(option: Option) -> inspect.Parameter:
    name = f"--{option.words}/--no-{option.words}" if option.kind is bool else f"--{option.words}"
    shown = typer.Option(None, name, help=option.help)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(option.words, kind, default=shown, annotation=option.kind | None)


def chosen(flags: dict[str, Any]) -> ChosenOptions:
    """Return what was chosen by flags."""
    return ChosenOptions.of({option.name: flags[option.words] for option in asked()})
