"""Says which file on which machine a database is: what is recorded in a copy of it is not what the copy is.

What stays the same, and what does not:

- a restart, a new container on the same volume, another host name, a folder moved on its disk: same file, no doubt;
- a copy on the same machine, or a folder moved to another disk: another inode;
- a copy on another machine: another inode nearly always, another machine in any case;
- a backup that was copied over the database by hand: `copies` records inode 0 in it, which no file has.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")
MOUNTS = Path("/proc/self/mounts")
CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))


@dataclass(frozen=True, slots=True)
class Identity:
    """`machine` is None where that can't be known, as in a container: its machine id is its image's, if it has any."""

    instance: str
    machine: str | None
    inode: int

    def is_foreign_to(self, here: "Identity") -> bool:
        """Say whether this was recorded for another file, or on another machine."""
        moved = None not in {self.machine, here.machine} and self.machine != here.machine
        return moved or self.inode != here.inode


def identify(file: Path) -> Identity:
    """Return what the file is here and now, with a new name of its own."""
    return Identity(secrets.token_hex(8), machine(), file.stat().st_ino)


def machine() -> str | None:
    """Return a name for this machine that stays, and from which its id can't be had; None where there is none."""
    if any(mark.exists() for mark in CONTAINERS) or _is_overlay():
        return None
    told = _read(MACHINE_ID).strip()
    known = told not in {"", "uninitialized"}
    return hashlib.blake2s(f"zoetrope {told}".encode(), digest_size=8).hexdigest() if known else None


def _is_overlay() -> bool:
    """Say whether everything here comes out of an image."""
    return any(line.split()[1:3] == ["/", "overlay"] for line in _read(MOUNTS).splitlines())


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
