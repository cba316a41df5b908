"""Defines the commands of whoever runs the bot: start it, look after it, save it."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.console import OPERATOR, Json, complain, config_of, draw, say
from bot.ops import logs

app = typer.Typer()
discord_app = typer.Typer(help="Set Discord up; docs/discord.md tells every step.", no_args_is_help=True)
app.add_typer(discord_app, name="discord")


@discord_app.command("sync")
def discord_sync(context: typer.Context) -> None:
    """Give Discord the commands, if it has others. `zoetrope run` does it too."""
    from bot.cli import discord  # noqa: PLC0415 - only the command that was typed is loaded

    say(asyncio.run(discord.sync(config_of(context))))


@discord_app.command("invite")
def discord_invite(context: typer.Context) -> None:
    """Print the link that brings the bot into a server, with the least permissions it needs."""
    from bot.cli import discord  # noqa: PLC0415 - only the command that was typed is loaded

    print(asyncio.run(discord.invite(config_of(context))))  # noqa: T201 - a link to be copied, on one line


@app.command()
def run(context: typer.Context) -> None:
    """Serve every configured chat until SIGTERM or Ctrl-C."""
    config = config_of(context)
    if not config.chat:
        complain(
            f"No chat is set up in {config.source}, so there is nobody to serve.\n"
            "Set DISCORD_TOKEN, or SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or fill in [chat.discord] or [chat.slack] of "
            "config.example.toml; docs/ tells how.\n"
            "Without a chat, try `zoetrope animate PICTURE PROMPT`."
        )
        raise typer.Exit(OPERATOR)
    from bot.cli import serve  # noqa: PLC0415 - only the command that was typed is loaded

    level = "debug" if context.meta["verbose"] else config.log.level
    logs.to_stderr(logging.getLevelNamesMapping()[level.upper()], as_json=config.log.format == "json")
    raise typer.Exit(asyncio.run(serve.run(config)))


@app.command()
def health(
    context: typer.Context,
    ready: Annotated[bool, typer.Option("--ready", help="Ask also for database and chats.")] = False,
) -> None:
    """Ask the running bot how it is: exit code 0 for well, else 1."""
    from bot.cli import health as work  # noqa: PLC0415 - only the command that was typed is loaded

    well, words = work.ask(config_of(context), ready=ready)
    print(words)  # noqa: T201 - one line, for Docker and for people
    raise typer.Exit(not well)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at everything that the bot needs, and say what to do next. Exit code 5 when something does not work."""
    from bot.cli import doctor as work  # noqa: PLC0415 - only the command that was typed is loaded

    checks = asyncio.run(work.examine(context.find_root().obj, os.environ))
    if as_json:
        print("\n".join(work.as_json(checks)))  # noqa: T201 - what a program reads is no table
    else:
        for part in work.draw(checks):
            draw(part)
    raise typer.Exit(OPERATOR if work.any_fails(checks) else 0)


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE|DIR]", help="Where to; else where the nightly ones are.")
    ] = None,
) -> None:
    """Copy the database, and the pictures of open jobs, into one file. Anything may go on meanwhile."""
    from bot.cli import backup as work  # noqa: PLC0415 - only the command that was typed is loaded

    made = work.backup(config_of(context), target)
    print(made.path)  # noqa: T201 - a path to be copied, on one line
    say(work.size_and_time(made))


@app.command()
def restore(context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]) -> None:
    """Put a backup in the place of the database. Zoetrope must be stopped; what was there is kept aside."""
    from bot.cli import backup as work  # noqa: PLC0415 - only the command that was typed is loaded

    say(work.told(work.restore(config_of(context), file)))
