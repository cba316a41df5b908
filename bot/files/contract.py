"""Says what any place for the files of jobs promises; `folder` is one answer.

Calls block while the disk works. Every one raises `ValueError` for a job id that is not 1 to 64 of a-z, 0-9 and "-".
"""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from providers.atomic import NoSpace
from providers.contract import Picture

__all__ = ["Files", "Missing", "NoSpace"]


class Missing(Exception):
    """The pictures of a job are not where they were kept: they can't be had again, so settle the job."""

    def __init__(self, job_id: str, root: Path) -> None:
        super().__init__(f"The pictures of job {job_id} are gone from {root}: ask for them again.")


class Files(Protocol):
    """The pictures and videos of jobs, whole and on the disk or not there at all."""

    def keep(self, job_id: str, first: Picture, last: Picture | None = None) -> None:
        """Keep a job's pictures: a row written after it can trust them. The same again changes nothing.

        Other ones take their place. Raises `NoSpace`.
        """

    def has(self, job_id: str) -> bool: ...

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]:
        """Return first and last picture. Raises `Missing`."""
        ...

    def video(self, job_id: str) -> Path:
        """Return where the job's video is or belongs."""
        ...

    def fitted(self, job_id: str, limit: int) -> Path:
        """Return where the job's video for places that take at most `limit` bytes is or belongs."""
        ...

    def forget(self, job_id: str) -> None:
        """Remove all files of a job. Forgetting twice does no harm."""

    def thin(self, job_id: str, *, pictures: bool, videos: bool) -> None:
        """Remove a job's pictures, its videos, or all. Doing it twice does no harm."""

    def names(self) -> set[str]:
        """Return the ids of all jobs that have files."""
        ...

    def sweep(self, known: Collection[str], older_than_seconds: float, now: float | None = None) -> list[str]:
        """Remove what belongs to no job in `known` and has been there for so long; return its names."""
        ...
