"""Puts bytes on disk as whole files or not at all, for both wings."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # the disk, a quota, a limit on file sizes


class NoSpace(Exception):
    """The disk takes no more. The operator's business; nothing half-written was left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"There is no space left in {folder}: free some there, then try again.")
        self.folder = folder


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Turn "disk full" into `NoSpace`; every other error passes."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise NoSpace(folder) from error
        raise


def part_of(path: Path) -> Path:
    """Return a fresh name beside `path`, so that two writers never share a half-written file."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it has reached the disk. Raises `FileExistsError` if it is there already."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def link_or_copy(path: str | Path, into: str | Path) -> None:
    """Make a second name for a file, which takes no room; a synced copy where the disk can't."""
    try:
        os.link(path, into)
    except OSError:
        shutil.copy2(path, into)
        sync(Path(into))


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, have reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def settle(part: Path, path: Path) -> None:
    """Put the finished `part` in the place of `path`, for good. Raises `NoSpace`. Blocking: an fsync may take long."""
    with writing_in(path.parent):
        sync(part)
        part.replace(path)
        sync(path.parent)
