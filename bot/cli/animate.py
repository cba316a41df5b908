"""Takes one request from a terminal, from consider to delivered. What is drawn while it waits is not decided here."""

import asyncio
import errno
import getpass
import os
import secrets
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.app import App, open_app
from bot.chats import terminal
from bot.chats.contract import Act, Action, Actor, Address, ChatGone, Declined, Done, Press, Request, Upload
from bot.cli import exits
from bot.cli.ctrl_c import CtrlC
from bot.cli.exits import Code, End
from bot.cli.progress import View
from bot.config import Config
from bot.domain.job import Job, State
from bot.domain.options import ChosenOptions
from bot.store.contract import StoreBusy

LOOK_SECONDS = 0.1  # between two looks at the job's row
_PROBE_BYTES = 64 * 1024  # so much room is found, or the disk is called full before anything is started
_TRIES = 2  # failed tries to save the video, then somebody has to mend something


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was typed. `out` None: a free name in this folder, after the picture's."""

    picture: Path
    prompt: str = field(repr=False)
    end: Path | None = None
    out: Path | None = None
    options: ChosenOptions = field(default_factory=ChosenOptions)


class BadArguments(Exception):
    """It can't be tried; nothing was started. The text says what to do instead."""

    def __init__(self, words: str, code: Code = Code.REQUEST) -> None:
        super().__init__(words)
        self.end = End(code, words)


async def animate(config: Config, arguments: Arguments, view: View) -> End:
    """Make the video and wait for it. Whatever happens to this process, the job goes on with `zoetrope resume`."""
    try:
        return await _animated(config, arguments, view)
    except BadArguments as bad:
        return bad.end


async def _animated(config: Config, arguments: Arguments, view: View) -> End:
    actor, request = _actor(), _request(arguments)
    address = Address(terminal.Chat.name, _place(arguments))
    async with open_app(config) as app:
        quote = await app.desk.consider(actor, request)
        if isinstance(quote, Declined):
            return exits.declined(quote)
        view.say(quote.words)
        view.stage("Looking at the picture")
        with CtrlC() as ctrl_c:
            await app.join()
            job_id = await app.desk.accept(quote, address)
            if isinstance(job_id, Declined):
                return exits.declined(job_id)
            return await _followed(app, job_id, view, ctrl_c)


async def _followed(app: App, job_id: str, view: View, ctrl_c: CtrlC) -> End:
    worker = app.worker(only=job_id)
    working = asyncio.create_task(worker.run(app.config.worker.grace_seconds))
    try:
        job = await _watched(app, job_id, view, ctrl_c, working)
    finally:
        worker.stop()
        await working
    if ctrl_c.twice.is_set() and job.state is not State.CLOSED:
        return exits.left(job)
    return exits.of(job, app.files.video(job.id))


async def _watched(app: App, job_id: str, view: View, ctrl_c: CtrlC, working: asyncio.Task[None]) -> Job:
    """Look at the row until nothing more will come, or until two Ctrl-C; any process may work on it meanwhile."""
    asked = False
    while True:
        with suppress(StoreBusy):  # the worker says so already
            job = await app.store.get(job_id)
            if job is None:
                raise BadArguments(f"Job {job_id} has vanished from the database; start again.", Code.OPERATOR)
            view.job(job)
            if _is_over(job) or ctrl_c.twice.is_set() or working.done():
                return job
            if ctrl_c.once.is_set() and not asked:
                asked = await _cancel(app, job_id, view)
        await ctrl_c.pause(LOOK_SECONDS, working)


async def _cancel(app: App, job_id: str, view: View) -> bool:
    """Ask for a stop, as the operator; False when the database is busy: ask again."""
    press = Press(f"terminal:{uuid.uuid4().hex}", Action(Act.CANCEL, job_id))
    answer = await app.desk.press(_actor(), press)
    if isinstance(answer, Declined):
        view.say(answer.words)
        return False
    words = answer.words if isinstance(answer, Done) else ""
    view.say(f"{words} Ctrl-C again leaves it for `zoetrope resume`.")
    return True


def _is_over(job: Job) -> bool:
    stuck = job.state is State.REPLYING and job.attempts >= _TRIES
    return job.state is State.CLOSED or job.late or stuck


def _actor() -> Actor:
    """Return who types: whoever can is the operator."""
    return Actor(terminal.Chat.name, f"terminal:{_user()}", operator=True)


def _request(arguments: Arguments) -> Request:
    for words in (arguments.prompt, arguments.options.negative_prompt or ""):
        _check_text(words, "The words")
    uploads = [_upload(path) for path in (arguments.picture, arguments.end) if path is not None]
    return Request(f"terminal:{uuid.uuid4().hex}", arguments.prompt, tuple(uploads), arguments.options)


def _check_text(words: str, what: str) -> None:
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise BadArguments(f"{what} are not UTF-8 text. Type them anew.") from error


def _user() -> str:
    try:
        return getpass.getuser().encode(errors="replace").decode()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _upload(path: Path) -> Upload:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise BadArguments(f"{path} is not a file. Give a picture.")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadArguments(f"There is no file {path}. Check the name.") from error
    except OSError as error:
        raise BadArguments(f"{path} can't be read ({error.strerror}). Give this user the right to.") from error
    return Upload(path.name, None, info.st_size, lambda cap: asyncio.to_thread(_read, path, cap))


def _read(path: Path, cap: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(cap)
    except OSError as error:
        raise ChatGone(f"{path}: {error.strerror}") from error


def _place(arguments: Arguments) -> dict[str, str]:
    given = arguments.out
    out = (given if given is not None else Path(f"{arguments.picture.stem}.mp4")).absolute()
    _check_text(str(out), "The letters of the output's name")
    with _writing_at(out):
        if out.exists() and not out.is_file():
            raise BadArguments(f"{out} is not a file. Give the video's own name with --out.")
        for picture in filter(None, (arguments.picture, arguments.end)):
            if given is not None and out.exists() and out.samefile(picture):
                raise BadArguments(f"{out} is the picture itself. Give the video another name with --out.")
        _probe(out.with_name(f".zoetrope-{secrets.token_hex(6)}.part"))
    return dict(terminal.place(out, replace=given is not None))


def _probe(file: Path) -> None:
    try:
        with file.open("xb") as handle:
            handle.write(bytes(_PROBE_BYTES))
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _writing_at(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = out.parent
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            words = f"There is no room left in {folder}. Free some, or give another place with --out."
            raise BadArguments(words, Code.OPERATOR) from error
        if not folder.is_dir():
            raise BadArguments(f"There is no folder {folder}. Make it, or give another place with --out.") from error
        raise BadArguments(f"{out} can't be written ({error.strerror}). Give another place with --out.") from error
