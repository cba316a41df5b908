"""Examines this machine for the doctor: folder, database, room, backups, and the sandbox that reads pictures."""

import base64
import fcntl
import shutil
import tempfile
import time
from pathlib import Path

from bot.chats.contract import Check, Verdict
from bot.config import Config
from bot.media import pictures
from bot.media.sandbox.process import SandboxBroke
from bot.ops import backup
from bot.store import copies, migrations
from bot.store.contract import StoreBroken, StoreBusy
from bot.text import sentences

_DAY = 24 * 3600.0
_WHITE_PNG = base64.b64decode(  # 64 by 64 pixels
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAFElEQVR42mP8zwABTAyjjFEGyQwAzx8Bf7QK4E8AAAAASUVORK5CYII="
)


def folder(read: Config) -> Check:
    """Write there for a moment, and before anybody else makes the folder: it is nobody else's to read."""
    try:
        read.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=read.data_dir) as file:
            file.write(b"room for one byte")
            fcntl.flock(file, fcntl.LOCK_EX)  # some shares have no locks
    except OSError as error:
        step = "Give this user the right to write there, make room, or choose another with data_dir."
        return Check("data folder", Verdict.FAIL, f"{read.data_dir} can't be written ({error.strerror})", step)
    return Check("data folder", Verdict.OK, str(read.data_dir))


def database(read: Config) -> Check:
    file = read.data_dir / "zoetrope.db"
    if not file.exists():
        return Check("database", Verdict.OK, "none yet; the first start makes it")
    try:
        version, jobs = copies.examine(file)
    except (StoreBusy, StoreBroken) as error:
        return Check("database", Verdict.FAIL, str(error))
    if version not in migrations.KNOWN:
        words = f"version {version} is newer than this Zoetrope, which knows {migrations.HEAD}"
        return Check("database", Verdict.FAIL, words, "Install that newer Zoetrope, or restore an older backup.")
    old = "" if version == migrations.HEAD else f", brought to {migrations.HEAD} at the next start"
    return Check("database", Verdict.OK, f"version {version}{old}; {jobs} jobs open")


def undelivered(read: Config) -> list[Check]:
    """Warn of videos that nobody has got."""
    jobs = copies.undelivered(read.data_dir / "zoetrope.db")
    step = "`zoetrope jobs --undelivered` lists them; `zoetrope deliver ID`, or with --to CHAT PLACE, posts one."
    words = f"{jobs} could not be delivered, and their place is gone"
    return [Check("videos", Verdict.WARN, words, step)] if jobs else []


def disk(read: Config) -> Check:
    there = _nearest(read.data_dir)
    free = shutil.disk_usage(there).free
    words = f"{free / 1e9:.1f} GB free, of which the last {read.spare / 1e9:.1f} GB are for jobs that are open"
    if free < read.spare:
        return Check("disk", Verdict.FAIL, f"{words}: nothing new is taken", "Make room, or lower limits.min_free_mb.")
    if free < 2 * read.spare:
        return Check("disk", Verdict.WARN, words, "Make room before it is full: new jobs are declined then.")
    return Check("disk", Verdict.OK, words)


def backups(read: Config) -> Check:
    if not read.backup.enabled:
        return Check("backups", Verdict.WARN, "switched off", "Set backup.enabled, or run `zoetrope backup` yourself.")
    newest = backup.newest(read.backups, time.time())
    if newest is None:
        return Check("backups", Verdict.OK, f"none yet in {read.backups}; `zoetrope run` makes one every night")
    age = time.time() - newest
    words = f"the newest is {sentences.duration(age)} old, in {read.backups}"
    if age > 2 * _DAY:
        return Check("backups", Verdict.WARN, words, "Look into the log of `zoetrope run`, or run `zoetrope backup`.")
    return Check("backups", Verdict.OK, words)


async def media() -> list[Check]:
    """Have a sandbox decode a small picture and encode it anew."""
    began = time.monotonic()
    try:
        await pictures.normalise(_WHITE_PNG)
    except (SandboxBroke, pictures.BadPicture, OSError) as error:
        step = "Install Zoetrope anew; if memory is limited, allow 1 GB."
        return [Check("pictures", Verdict.FAIL, f"the process that reads pictures does not work: {error}", step)]
    took = time.monotonic() - began
    return [Check("pictures", Verdict.OK, f"read in a process of their own, {took * 1000:.0f} ms")]


def _nearest(folder: Path) -> Path:
    """Return the folder, or what is there of the way to it."""
    return next(path for path in (folder, *folder.parents) if path.exists())
