"""The commands and their options. What they do stands in the modules they load, and only the one typed loads them."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bot import logs
from bot.jobs import State

if TYPE_CHECKING:  # `zoetrope --help` must be quick
    from bot.commands.ends import End
    from bot.config import Config

_CODES = (
    "Exit codes: 0 delivered; 2 the command can be changed, nothing was started; 3 refused by the maker or by a limit; "
    "4 no video, or not in time (a job that is still open goes on with `zoetrope resume`); 5 only the operator can "
    "mend it; 130 cancelled."
)
OPERATOR = 5

app = typer.Typer(
    help="Animate pictures, here or in your chats.",
    epilog=_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
jobs_app = typer.Typer(help="List jobs, newest first, or show one.", invoke_without_command=True)
config_app = typer.Typer(help="Look at settings.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
app.add_typer(config_app, name="config")
discord_app = typer.Typer(help="Set Discord up; docs/discord.md tells every step.", no_args_is_help=True)
app.add_typer(discord_app, name="discord")

Json = Annotated[bool, typer.Option("--json", help="Print for programs: JSON and nothing else on stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="As `zoetrope jobs` shows it.")]


@app.callback()
def start(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings; else $ZOETROPE_CONFIG, else ./config.toml, else built-in defaults."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every step to stderr.")] = False,
) -> None:
    context.obj = config
    context.meta["verbose"] = verbose
    logs.to_stderr(logging.DEBUG if verbose else logging.WARNING, dated=verbose)  # who waits knows the time


@app.command(epilog=_CODES)
def animate(  # noqa: PLR0917 - Typer calls it by names
    context: typer.Context,
    picture: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURE", readable=False, help="JPEG, PNG, WebP, GIF, HEIC or AVIF.", show_default=False
        ),
    ],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What should move.", show_default=False)],
    end: Annotated[Path | None, typer.Option(readable=False, help="The picture to end on.")] = None,
    model: Annotated[str | None, typer.Option(help="As `zoetrope models` lists them.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of the clip.")] = None,
    aspect: Annotated[str | None, typer.Option(help="Shape, such as 16:9; own: the picture's.")] = None,
    resolution: Annotated[str | None, typer.Option(help="Size, such as 720p.")] = None,
    negative: Annotated[str | None, typer.Option(help="What to avoid.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely to follow the words.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same clip.")] = None,
    audio: Annotated[bool | None, typer.Option("--audio/--no-audio", help="With sound.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The video; replaced if there. Else a free name after the picture's, here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Animate a picture and wait for the video.

    Ctrl-C once asks the job to stop; twice leaves it to be finished by `zoetrope resume`.
    """
    from bot.chat.contract import Options  # noqa: PLC0415 - the same
    from bot.commands import animate as work  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.commands.bar import view  # noqa: PLC0415 - the same
    from bot.commands.ends import Code, End  # noqa: PLC0415 - the same

    options = Options(model, seconds, aspect, resolution, negative, guidance, seed, audio)
    wish = work.Wish(picture, prompt, end, out, options)
    try:
        with view(Console(stderr=True), silent=as_json) as watched:
            ended = asyncio.run(work.animate(_config(context), wish, watched))
    except Exception as error:
        words = explained(error)
        if words is None or not as_json:
            raise
        ended = End(Code.OPERATOR, words)
    _tell(ended, as_json=as_json)
    raise typer.Exit(ended.code)


@app.command()
def models(
    context: typer.Context,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table for a page of yours.")] = False,
) -> None:
    """List the models that can be asked for, and what each can do."""
    from bot.commands import tables  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.config import catalogue  # noqa: PLC0415 - the same

    config = _config(context)
    found = catalogue(config)
    if as_json:
        for spec in found.all:
            _print_json(spec)
    elif markdown:
        sys.stdout.write(tables.models_page(found))
    else:
        _print(tables.models(found, found.find(config.default_model), wide=Console().width >= 110))


@jobs_app.callback()
def jobs(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    most: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from bot.commands import ends, look, tables  # noqa: PLC0415 - only the command that was typed is loaded

    found = asyncio.run(look.jobs(_config(context), state, most))
    if as_json:
        for job in found:
            _print_json(ends.facts(job))
    elif found:
        _print(tables.jobs(found))
    else:
        _say("There are no jobs." if state is None else f"There are no jobs that are {state}.")


@jobs_app.command("show")
def show(context: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Show everything about a job: facts, files, and its history with times."""
    from bot.commands import ends, look, tables  # noqa: PLC0415 - only the command that was typed is loaded

    found = asyncio.run(look.job(_config(context), job))
    if found is None:
        raise _no_job(job)
    if as_json:
        history = [{"at": entry.at, "event": entry.event, "state": entry.state} for entry in found.history]
        _print_json({**ends.facts(found.job), "video": str(found.video), "history": history})
    else:
        _print(tables.story(found.job, found.video))
        _print("")
        _print(tables.history(found.history))


@app.command()
def resume(context: typer.Context) -> None:
    """Finish the command line's jobs that a crash, or a second Ctrl-C, left open."""
    from bot.commands import tend  # noqa: PLC0415 - only the command that was typed is loaded

    raise typer.Exit(asyncio.run(tend.resume(_config(context), lambda end: _tell(end, as_json=False), _say)))


@app.command()
def cancel(context: typer.Context, job: JobId) -> None:
    """Ask a job to stop."""
    from bot.commands import look  # noqa: PLC0415 - only the command that was typed is loaded

    asked = asyncio.run(look.cancel(_config(context), job))
    if asked is None:
        raise _no_job(job)
    if not asked:
        complain(f"Job {job} is over; there is nothing left to stop.")
        raise typer.Exit(2)
    _say(f"Job {job} is asked to stop. Whoever works on it does that; if nothing runs, `zoetrope resume` does.")


@config_app.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings to check.")]) -> None:
    """Say how settings are understood, or what is wrong with them."""
    from bot import config, world  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.commands import tables  # noqa: PLC0415 - only the command that was typed is loaded

    read = config.load(file, os.environ)
    catalogue = config.catalogue(read)
    for name in read.providers:
        world.provider_settings(read, name)
    _print(tables.settings(read, catalogue, world.surfaces(read)))


@discord_app.command("sync")
def discord_sync(context: typer.Context) -> None:
    """Give Discord the commands, if it has others. `zoetrope run` does it too."""
    from bot.commands import discord  # noqa: PLC0415 - only the command that was typed is loaded

    _say(asyncio.run(discord.sync(_config(context))))


@discord_app.command("invite")
def discord_invite(context: typer.Context) -> None:
    """Print the link that brings the bot into a server, with the least permissions it needs."""
    from bot.commands import discord  # noqa: PLC0415 - only the command that was typed is loaded

    print(asyncio.run(discord.invite(_config(context))))  # noqa: T201 - a link to be copied, on one line


@app.command()
def run(context: typer.Context) -> None:
    """Serve every configured chat until SIGTERM or Ctrl-C."""
    config = _config(context)
    if not config.chat:
        complain(
            f"No chat is set up in {config.source}, so there is nobody to serve.\n"
            "Set DISCORD_TOKEN, or fill in [chat.discord] or [chat.slack] of config.example.toml; docs/ tells how.\n"
            "Without a chat, try `zoetrope animate PICTURE PROMPT`."
        )
        raise typer.Exit(OPERATOR)
    from bot.commands import tend  # noqa: PLC0415 - only the command that was typed is loaded

    level = "debug" if context.meta["verbose"] else config.log.level
    logs.to_stderr(logging.getLevelNamesMapping()[level.upper()], as_json=config.log.format == "json")
    raise typer.Exit(asyncio.run(tend.run(config)))


@app.command()
def health(
    context: typer.Context,
    ready: Annotated[bool, typer.Option("--ready", help="Ask also for database and chats.")] = False,
) -> None:
    """Ask the running bot how it is: exit code 0 for well, else 1."""
    from bot.commands import health as work  # noqa: PLC0415 - only the command that was typed is loaded

    well, words = work.ask(_config(context), ready=ready)
    print(words)  # noqa: T201 - one line, for Docker and for people
    raise typer.Exit(not well)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at everything that the bot needs, and say what to do next. Exit code 5 when something does not work."""
    from bot.commands import doctor as work  # noqa: PLC0415 - only the command that was typed is loaded

    checks = asyncio.run(work.examine(context.find_root().obj, os.environ))
    if as_json:
        print("\n".join(work.as_json(checks)))  # noqa: T201 - what a program reads is no table
    else:
        for part in work.shown(checks):
            _print(part)
    raise typer.Exit(OPERATOR if work.fails(checks) else 0)


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE|DIR]", help="Where to; else where the nightly ones are.")
    ] = None,
) -> None:
    """Copy the database, and the pictures of open jobs, into one file. Anything may go on meanwhile."""
    from bot.commands import backup as work  # noqa: PLC0415 - only the command that was typed is loaded

    made = work.backup(_config(context), target)
    print(made.path)  # noqa: T201 - a path to be copied, on one line
    _say(work.size_and_time(made))


@app.command()
def restore(context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]) -> None:
    """Put a backup in the place of the database. Zoetrope must be stopped; what was there is kept aside."""
    from bot.commands import backup as work  # noqa: PLC0415 - only the command that was typed is loaded

    _say(work.told(work.restore(_config(context), file)))


def explained(error: Exception) -> str | None:
    """Return the sentence for an operator, or None for a bug."""
    from bot.backup import CantBackUp  # noqa: PLC0415 - only for an error
    from bot.backup.restore import CantRestore  # noqa: PLC0415 - the same
    from bot.chat.contract import ChatError  # noqa: PLC0415 - the same
    from bot.config import BadConfig  # noqa: PLC0415 - the same
    from bot.store import StoreBroken, StoreBusy  # noqa: PLC0415 - the same
    from bot.world import Unready  # noqa: PLC0415 - the same
    from providers.contract import ProviderError  # noqa: PLC0415 - the same

    known = (BadConfig, StoreBroken, StoreBusy, Unready, ProviderError, ChatError, CantBackUp, CantRestore)
    return str(error) if isinstance(error, known) else None


def complain(words: str) -> None:
    """Say on stderr what somebody has to mend."""
    Console(stderr=True).print(Text(words, style="red"), soft_wrap=True)


def _config(context: typer.Context) -> "Config":
    from bot.config import load  # noqa: PLC0415 - only what needs settings loads them

    return load(context.find_root().obj, os.environ)


def _tell(end: "End", *, as_json: bool) -> None:
    """Say how it ended: the result on stdout, trouble on stderr."""
    if as_json:
        print(end.as_json(), flush=True)  # noqa: T201 - what a program reads is no table
    elif end.code == 0 and end.job is not None:
        _print(Text(end.words))
        _print(Text.assemble((f"{end.file}", "bold"), f"  {end.size_and_time}"))
    else:
        complain(end.words)


def _no_job(job: str) -> typer.Exit:
    complain(f"There is no job {job!r}. `zoetrope jobs` lists them.")
    return typer.Exit(2)


def _say(words: str) -> None:
    Console(stderr=True).print(Text(words), soft_wrap=True)


def _print(what: Any) -> None:
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=120)
    console.print(what, soft_wrap=isinstance(what, Text))


def _print_json(what: Any) -> None:
    import msgspec  # noqa: PLC0415 - only for programs

    print(json.dumps(msgspec.to_builtins(what), ensure_ascii=False))  # noqa: T201 - the same
