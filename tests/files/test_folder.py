"""The shelf: whole folders or none, and nobody gets out of it."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.files.contract import Missing, NoSpace
from bot.files.folder import Folder
from providers import atomic
from providers.contract import Picture

FIRST = Picture(b"\xff\xd8first", "image/jpeg", 640, 360)
LAST = Picture(b"\xff\xd8last", "image/jpeg", 100, 200)


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "deep" / "jobs")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Have the kernel refuse larger files, as a full disk or a quota would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("last", [None, LAST])
def test_what_was_kept_comes_back(files: Folder, last: Picture | None) -> None:
    files.keep("job-1", FIRST, last)
    assert Folder(files.root).pictures("job-1") == (FIRST, last)
    assert (files.root / "job-1" / "first.jpg").read_bytes() == FIRST.data


def test_a_job_has_places_for_its_videos(files: Folder) -> None:
    files.keep("job-1", FIRST, None)
    places = [
        files.video("job-1"),
        files.fitted("job-1", 10_000),
        files.fitted("job-1", 500),
    ]
    for place in places:
        place.write_bytes(b"x")
    assert len(set(places)) == 3
    assert files.video("job-1").name == "video.mp4"
    assert [file.name for file in files.video("job-1").parent.iterdir()] == ["video.mp4"]  # alone


def test_only_the_owner_may_look(files: Folder) -> None:
    files.keep("job-1", FIRST, None)
    folders = [files.root, *(path for path in files.root.rglob("*") if path.is_dir())]
    assert len(folders) == 4
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@pytest.mark.parametrize("job_id", ["", ".", "..", "../x", "a/b", "A", "a b", "x" * 65, "a\n", "é", ".new-x", "a\0"])
def test_an_id_can_not_leave_the_shelf(files: Folder, job_id: str) -> None:
    for ask in (files.pictures, files.video, files.forget):
        with pytest.raises(ValueError, match="job id"):
            ask(job_id)
    with pytest.raises(ValueError, match="job id"):
        files.keep(job_id, FIRST, None)


def test_keeping_the_same_again_keeps_the_video(files: Folder) -> None:
    files.keep("job-1", FIRST, LAST)
    files.video("job-1").write_bytes(b"film")
    files.keep("job-1", FIRST, LAST)
    assert files.video("job-1").read_bytes() == b"film"


def test_keeping_other_pictures_replaces_the_job(files: Folder) -> None:
    files.keep("job-1", FIRST, LAST)
    files.keep("job-1", LAST, None)
    assert files.pictures("job-1") == (LAST, None)
    assert [folder.name for folder in files.root.iterdir()] == ["job-1"]


def test_pictures_that_are_not_there_are_missing(files: Folder) -> None:
    with pytest.raises(Missing):
        files.pictures("job-1")
    files.keep("job-1", FIRST, LAST)
    (files.root / "job-1" / "last.jpg").unlink()
    with pytest.raises(Missing):
        files.pictures("job-1")


def test_a_forgotten_job_is_gone_and_may_be_forgotten_again(files: Folder) -> None:
    files.keep("job-1", FIRST, None)
    files.keep("job-2", FIRST, None)
    files.forget("job-1")
    files.forget("job-1")
    assert [folder.name for folder in files.root.iterdir()] == ["job-2"]


def test_a_full_disk_is_named_and_leaves_nothing(files: Folder) -> None:
    large = Picture(bytes(100_000), "image/jpeg", 640, 360)
    with files_no_larger_than(50_000), pytest.raises(NoSpace, match="free some"):
        files.keep("job-1", FIRST, large)
    assert list(files.root.iterdir()) == []
    files.keep("job-1", FIRST, large)
    assert files.pictures("job-1") == (FIRST, large)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_to_be_full_is_no_space(tmp_path: Path, code: int) -> None:
    with pytest.raises(NoSpace), atomic.writing_in(tmp_path):
        raise OSError(code, os.strerror(code))


def test_another_error_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic.writing_in(tmp_path):
        raise PermissionError


def test_sweeping_removes_only_old_folders_that_no_row_knows(files: Folder) -> None:
    for name in ("known", "lost", "fresh"):
        files.keep(name, FIRST, None)
    for name in (".new-x-1", ".gone-y-2", "Not Ours"):
        (files.root / name).mkdir()
    (files.root / "file").write_bytes(b"x")
    for name in ("known", "lost", ".new-x-1", ".gone-y-2", "Not Ours", "file"):
        os.utime(files.root / name, (1000, 1000))
    swept = files.sweep({"known"}, older_than_seconds=500, now=1501)
    assert sorted(swept) == [".gone-y-2", ".new-x-1", "lost"]
    assert {path.name for path in files.root.iterdir()} == {"known", "fresh", "Not Ours", "file"}


def test_a_settled_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"old")
    part = atomic.part_of(path)
    assert part.parent == path.parent
    part.write_bytes(b"new")
    atomic.settle(part, path)
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["film"]
