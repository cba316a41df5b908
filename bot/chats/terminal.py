"""Delivers to the command line as to a chat: a "thread" is one file on this machine."""

import asyncio
import errno
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.chats.contract import Address, ChatBusy, ChatGone, Desk, Reply, Status

_log = logging.getLogger("zoetrope.terminal")
_NO_FILE = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}  # not every file system has them
_MOST_NAMES = 10_000


def place(out: Path, *, replace: bool) -> Mapping[str, str]:
    """Return the place that is the file `out`; unless `replace`, a file of somebody else there is left alone."""
    return {"out": str(out.absolute()), "replace": "yes" if replace else "no"}


def names(out: Path) -> Iterator[Path]:
    """Yield the names that a video may get when others are taken: clip.mp4, clip-2.mp4, clip-3.mp4..."""
    yield out
    for number in range(2, _MOST_NAMES):
        yield out.with_name(f"{out.stem}-{number}{out.suffix}")


class Chat:
    """Puts videos where their address says. Any process on this machine can do that.

    A place is `out`, the absolute path of the file ("": leave the video with its job), and `replace`: "yes" to put it
    in the place of whatever file is there, else the next free name is taken: clip.mp4, clip-2.mp4...
    """

    name = "terminal"
    edit_every = 0.2
    connected = True

    async def listen(self, desk: Desk) -> None:  # noqa: ARG002 - requests come as commands, each a process of its own
        """Wait until cancelled."""
        await asyncio.Event().wait()

    async def show(self, address: Address, status: Status) -> None:
        """Show nothing: whoever waits at a terminal reads the job's row."""

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        """Write the video, whole or not at all; returns its path. The words go to the log, and stay in the job's row.

        Raises `ChatGone` when the folder is no longer there, `ChatBusy` when it can't be written now.
        """
        _log.info("%s: %s", key, reply.words)
        out = address.place.get("out", "")
        if reply.video is None:
            return "told"
        if not out:
            return str(reply.video)
        replace = address.place.get("replace") == "yes"
        return str(await asyncio.to_thread(_placed, reply.video, Path(out), key, replace=replace, again=again))

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - the same everywhere
        return None

    async def ping(self) -> str:
        return "terminal: files are written on this machine"


def _placed(video: Path, out: Path, key: str, *, replace: bool, again: bool) -> Path:
    part = out.with_name(f".zoetrope-{key}.{secrets.token_hex(4)}.part")
    with _remedies(video, out):
        if again:
            for left in out.parent.glob(f".zoetrope-{key}.*.part"):  # by a try that was killed
                left.unlink(missing_ok=True)
            if posted := _posted(video, out, replace=replace):
                return posted
        try:
            _copy(video, part)
            path = _replaced(part, out) if replace else _linked(part, out)
            _sync(path.parent)
        finally:
            with suppress(OSError):  # the first error is the one to tell
                part.unlink(missing_ok=True)
    return path


@contextmanager
def _remedies(video: Path, out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not video.is_file():
            raise ChatGone(f"The video {video} is no longer there.") from error
        if not out.parent.is_dir():
            raise ChatGone(f"The folder {out.parent} is no longer there; the video is kept.") from error
        if error.errno in _NO_FILE:
            raise ChatGone(f"{out} can't be a file ({error.strerror}); the video is kept.") from error
        raise ChatBusy(f"{out} can't be written now ({error.strerror}); mend that, it is tried again.") from error


def _posted(video: Path, out: Path, *, replace: bool) -> Path | None:
    """Find what an earlier try put there."""
    for path in [out] if replace else names(out):
        if not path.exists():
            return None
        if _same(path, video):
            return path
    return None


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(video: Path, part: Path) -> None:
    with video.open("rb") as source, part.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def _replaced(part: Path, out: Path) -> Path:
    if out.exists() and not out.is_file():  # a rename would put a file in the place of a device
        raise IsADirectoryError(errno.EISDIR, "it is no plain file", str(out))
    part.replace(out)
    return out


def _linked(part: Path, out: Path) -> Path:
    """Take the first free name: a link, unlike a rename, never takes one that somebody else took just now."""
    for path in names(out):
        with suppress(FileExistsError):
            _link(part, path)
            return path
    raise FileExistsError(errno.EEXIST, "too many files of that name", str(out))


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        path.open("xb").close()
        part.replace(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
