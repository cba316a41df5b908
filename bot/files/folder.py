"""The only place that knows where a job's files are: one folder per job. Who makes them is not known here.

Calls block for as long as the disk takes: a few milliseconds for two pictures of some hundred KB, more when an fsync
has to wait. From the event loop, call `keep`, `forget` and `sweep` through `asyncio.to_thread` on a slow disk.
"""

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from bot.files.contract import Missing, NoSpace
from providers import atomic
from providers.contract import Picture

_JOB = re.compile(r"[a-z0-9-]{1,64}")
_NAMES = ("first", "last")
_INNER = ("video", "fitted")
_INDEX = "pictures.json"
_PRIVATE = 0o700


class Folder:
    """Folders of jobs under `root`. A folder has a job's name only when everything in it is whole and on the disk.

    Every method raises `ValueError` for a job id that is not 1 to 64 of a-z, 0-9 and "-".
    """

    def __init__(self, root: Path, spare: int = 0) -> None:
        """Keep nothing new when fewer than `spare` bytes are free: what is under way needs them."""
        self.root = root
        self._spare = spare
        root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)

    def keep(self, job_id: str, first: Picture, last: Picture | None = None) -> None:
        """Keep a job's pictures, whole and synced or not at all: a row written after it can trust them.

        Keeping the same pictures again changes nothing; other ones take their place. Raises `NoSpace`.
        """
        folder = self._folder(job_id)
        if shutil.disk_usage(self.root).free < self._spare:
            raise NoSpace(self.root)
        if folder.exists():
            if self._holds(job_id, first, last):
                return
            self.forget(job_id)
        self._make(job_id, partial(_fill, first=first, last=last))

    def keep_place(self, job_id: str) -> None:
        """Make the folder of a job whose pictures are lost, unless it is there: its video may come yet."""
        if not self._folder(job_id).exists():
            self._make(job_id, partial(_fill, first=None, last=None))

    def adopt(self, job_id: str, folder: Path) -> None:
        """Take over a copy of a job's folder from another place, whole or not at all. Raises `NoSpace`."""
        self._make(job_id, lambda new: shutil.copytree(folder, new, copy_function=atomic.link_or_copy))

    def has(self, job_id: str) -> bool:
        return self._folder(job_id).exists()

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]:
        """Return first and last picture. Raises `Missing`."""
        folder = self._folder(job_id)
        try:
            index = json.loads((folder / _INDEX).read_bytes())
            first, last = (_read(folder, name, index[name]) for name in _NAMES)
        except FileNotFoundError as error:
            raise Missing(job_id, self.root) from error
        if first is None:
            raise Missing(job_id, self.root)
        return first, last

    def video(self, job_id: str) -> Path:
        """Return where the job's video is or belongs. It lies alone in its folder, which exists once kept."""
        return self._folder(job_id) / "video" / "video.mp4"

    def fitted(self, job_id: str, limit: int) -> Path:
        """Return where the job's video for places that take at most `limit` bytes is or belongs."""
        return self._folder(job_id) / "fitted" / f"{int(limit)}.mp4"

    def forget(self, job_id: str) -> None:
        """Remove all files of a job. Forgetting twice does no harm."""
        gone = self.root / f".gone-{job_id}-{secrets.token_hex(4)}"
        try:
            self._folder(job_id).rename(gone)  # at once: half a folder never bears a job's name
        except FileNotFoundError:
            return
        shutil.rmtree(gone)

    def thin(self, job_id: str, *, pictures: bool, videos: bool) -> None:
        """Remove a job's pictures, its videos, or with both its folder. Doing it twice does no harm."""
        folder = self._folder(job_id)
        if pictures and videos:
            return self.forget(job_id)
        if pictures:
            for name in (_INDEX, *(f"{name}.jpg" for name in _NAMES)):
                (folder / name).unlink(missing_ok=True)
        if videos and folder.exists():
            for file in (*(folder / "video").iterdir(), *(folder / "fitted").iterdir()):
                file.unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Return the ids of all jobs that have a folder."""
        return {folder.name for folder in self.root.iterdir() if _JOB.fullmatch(folder.name)}

    def sweep(self, known: Collection[str], older_than_seconds: float, now: float | None = None) -> list[str]:
        """Remove the folders that are no job in `known` and have been there for `older_than_seconds`.

        Return their names. They are what a crash between the files and the row left behind. `now` is Unix time.
        """
        before = (time.time() if now is None else now) - older_than_seconds
        swept = []
        for folder in list(self.root.iterdir()):
            if folder.name in known or not folder.is_dir() or not _is_ours(folder.name):
                continue
            if folder.stat().st_mtime <= before:
                shutil.rmtree(folder)
                swept.append(folder.name)
        return swept

    def _folder(self, job_id: str) -> Path:
        if not _JOB.fullmatch(job_id):
            raise ValueError("a job id is 1 to 64 of a-z, 0-9 and -")
        return self.root / job_id

    def _make(self, job_id: str, fill: Callable[[Path], object]) -> None:
        new = self.root / f".new-{job_id}-{secrets.token_hex(4)}"
        try:
            with atomic.writing_in(self.root):
                fill(new)
                new.rename(self._folder(job_id))
                atomic.sync(self.root)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)  # the first error is the one to tell
            raise

    def _holds(self, job_id: str, first: Picture, last: Picture | None) -> bool:
        try:
            return self.pictures(job_id) == (first, last)
        except Missing:
            return False


def _is_ours(name: str) -> bool:
    return bool(_JOB.fullmatch(name)) or name.startswith((".new-", ".gone-"))


def _fill(folder: Path, first: Picture | None, last: Picture | None) -> None:
    folder.mkdir(mode=_PRIVATE)
    for inner in _INNER:
        (folder / inner).mkdir(mode=_PRIVATE)
    index: dict[str, object] = {}
    for name, picture in zip(_NAMES, (first, last), strict=True):
        index[name] = picture and {"mime": picture.mime, "width": picture.width, "height": picture.height}
        if picture:
            atomic.write_synced(folder / f"{name}.jpg", picture.data)
    atomic.write_synced(folder / _INDEX, json.dumps(index).encode())
    atomic.sync(folder)


def _read(folder: Path, name: str, shape: dict[str, object] | None) -> Picture | None:
    if shape is None:
        return None
    data = (folder / f"{name}.jpg").read_bytes()
    return Picture(data, str(shape["mime"]), int(str(shape["width"])), int(str(shape["height"])))
