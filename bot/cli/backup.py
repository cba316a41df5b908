"""Copies the database to a safe place and brings it back, while an operator waits."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from bot.app import NotReady, files_of
from bot.config import Config
from bot.ops import backup as copies
from bot.ops import restore as bringing
from bot.text import sentences


def backup(config: Config, target: Path | None) -> copies.Made:
    """Back up to a file, to a folder, or to where the nightly ones are. Raises `CantBackUp`."""
    database = config.data_dir / "zoetrope.db"
    if not database.exists():  # and make no folder for its files
        raise copies.CantBackUp(f"There is no database {database} yet, so there is nothing to back up. Check data_dir.")
    now = time.time()
    path = target.absolute() if target else copies.named(config.backups, now)
    return copies.make(database, files_of(config), path, now)


def restore(config: Config, file: Path) -> bringing.Restored:
    """Put a backup in the place of the database. Raises `CantRestore`, `NotReady`."""
    try:
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = f"The data folder {config.data_dir} can't be made ({error.strerror})."
        raise NotReady(f"{why} Choose another with data_dir.") from error
    return asyncio.run(bringing.restore(file, config.data_dir, time.time()))


def size_and_time(made: copies.Made) -> str:
    return f"{_jobs(made.jobs)}, {made.open_jobs} of them open; {sentences.size(made.size)} in {made.seconds:.1f} s."


def told(found: bringing.Restored) -> str:
    """Say what was restored, and what becomes of the open jobs."""
    last = f", the last of {_when(found.newest)}" if found.newest else ""
    lines = [f"Restored {_jobs(found.jobs)}{last}."]
    if not found.checked:
        lines.append("There was no checksum beside it; the file itself is whole.")
    if found.open_jobs:
        states = Counter(job.state for job in found.open_jobs)
        open_now = ", ".join(f"{number} {state}" for state, number in states.items())
        lines.append(
            f"Open: {open_now}. They may have gone further since, so nothing is paid or posted again unasked; "
            "docs/operate.md says how each ends."
        )
    if found.aside:
        lines.append(f"What was here before is in {found.aside}. Delete it when all is well.")
    return "\n".join(lines)


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number} jobs"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
