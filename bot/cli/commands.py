"""Defines the commands for jobs, and their options. Only what was typed is loaded, from the module that does it."""

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bot.cli import operate
from bot.cli.console import Json, complain, config_of, draw, explained, print_json, say
from bot.cli.flags import chosen, flagged
from bot.domain.job import State
from bot.ops import logs

if TYPE_CHECKING:  # `zoetrope --help` must be quick
    from bot.cli.exits import End

_CODES = (
    "Exit codes: 0 delivered; 2 the command can be changed, nothing was started; 3 refused by the maker or by a limit; "
    "4 no video, or not in time (a job that is still open goes on with `zoetrope resume`); 5 only the operator can "
    "mend it; 130 cancelled."
)

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
app.add_typer(operate.app)

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
@flagged
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
    out: Annotated[
        Path | None, typer.Option(help="The video; replaced if there. Else a free name after the picture's, here.")
    ] = None,
    as_json: Json = False,
    **flags: Any,
) -> None:
    """Animate a picture and wait for the video.

    Ctrl-C once asks the job to stop; twice leaves it to be finished by `zoetrope resume`.
    """
    from bot.cli import animate as work  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.cli.exits import Code, End  # noqa: PLC0415 - the same
    from bot.cli.progress import view  # noqa: PLC0415 - the same

    arguments = work.Arguments(picture, prompt, end, out, chosen(flags))
    try:
        with view(Console(stderr=True), silent=as_json) as watched:
            ended = asyncio.run(work.animate(config_of(context), arguments, watched))
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
    from bot.cli import tables  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.config import catalogue  # noqa: PLC0415 - the same

    config = config_of(context)
    found = catalogue(config)
    if as_json:
        for spec in found.all:
            print_json(spec)
    elif markdown:
        print(tables.models_page(found), end="")  # noqa: T201 - a page for a file, not for a terminal
    else:
        draw(tables.models(found, found.find(config.default_model), wide=Console().width >= 110))


@jobs_app.callback()
def jobs(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="Only those whose video could not be posted; `deliver` posts it.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from bot.cli import exits, jobs, tables  # noqa: PLC0415 - only the command that was typed is loaded

    found = asyncio.run(jobs.jobs(config_of(context), state, most, undelivered=undelivered))
    if as_json:
        for job in found:
            print_json(exits.facts(job))
    elif found:
        draw(tables.jobs(found))
    elif undelivered:
        say("Every video was delivered.")
    else:
        say("There are no jobs." if state is None else f"There are no jobs that are {state}.")


@jobs_app.command("show")
def show(context: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Show everything about a job: facts, files, and its history with times."""
    from bot.cli import exits, jobs, tables  # noqa: PLC0415 - only the command that was typed is loaded

    found = asyncio.run(jobs.job(config_of(context), job))
    if found is None:
        raise _no_job(job)
    if as_json:
        history = [{"at": entry.at, "event": entry.event, "state": entry.state} for entry in found.history]
        print_json({**exits.facts(found.job), "video": str(found.video), "history": history})
    else:
        draw(tables.story(found.job, found.video))
        draw("")
        draw(tables.history(found.history))


@app.command()
def resume(context: typer.Context) -> None:
    """Finish the command line's jobs that a crash, or a second Ctrl-C, left open."""
    from bot.cli import serve  # noqa: PLC0415 - only the command that was typed is loaded

    raise typer.Exit(asyncio.run(serve.resume(config_of(context), lambda end: _tell(end, as_json=False), say)))


@app.command()
def deliver(
    context: typer.Context,
    job: JobId,
    to: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="CHAT PLACE",
            help="Elsewhere: discord CHANNEL-ID, slack TEAM/CHANNEL, or terminal FILE.",
        ),
    ] = None,
) -> None:
    """Post a video once more that could not be posted, where it belongs or elsewhere."""
    from bot.cli import deliver as work  # noqa: PLC0415 - only the command that was typed is loaded

    ended = asyncio.run(work.deliver(config_of(context), job, to))
    if ended is None:
        raise _no_job(job)
    if ended.code == 0 and ended.job is None:
        say(ended.words)
    else:
        _tell(ended, as_json=False)
    raise typer.Exit(ended.code)


@app.command()
def cancel(context: typer.Context, job: JobId) -> None:
    """Ask a job to stop."""
    from bot.cli import jobs  # noqa: PLC0415 - only the command that was typed is loaded

    asked = asyncio.run(jobs.cancel(config_of(context), job))
    if asked is None:
        raise _no_job(job)
    if not asked:
        complain(f"Job {job} is over; there is nothing left to stop.")
        raise typer.Exit(2)
    say(f"Job {job} is asked to stop. Whoever works on it does that; if nothing runs, `zoetrope resume` does.")


@config_app.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The settings to check.")]) -> None:
    """Say how settings are understood, or what is wrong with them."""
    from bot import adapters, app, config  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.cli import tables  # noqa: PLC0415 - only the command that was typed is loaded
    from bot.web.listener import Listener  # noqa: PLC0415 - the same

    read = config.load(file, os.environ)
    catalogue = config.catalogue(read)
    for name in read.providers:
        adapters.provider(read, name)
    draw(tables.settings(read, catalogue, app.build_chats(read, Listener())))


def _tell(end: "End", *, as_json: bool) -> None:
    """Say how it ended: the result on stdout, trouble on stderr."""
    if as_json:
        print(end.as_json(), flush=True)  # noqa: T201 - what a program reads is no table
    elif end.code == 0 and end.job is not None:
        draw(Text(end.words))
        draw(Text.assemble((f"{end.file}", "bold"), f"  {end.size_and_time}"))
    else:
        complain(end.words)


def _no_job(job: str) -> typer.Exit:
    complain(f"There is no job {job!r}. `zoetrope jobs` lists them.")
    return typer.Exit(2)
