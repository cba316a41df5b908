"""The terminal sits the exam, and does well what only files can do badly."""

import errno
import logging
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.chats.contract import Address, ChatBusy, ChatGone, Reply
from bot.chats.terminal import Chat, place
from tests.chats.exam import ANSWER, Exam


class Folder:
    """A folder that videos are delivered into."""

    def __init__(self, folder: Path, log: pytest.LogCaptureFixture) -> None:
        folder.mkdir()
        self._folder = folder
        self._log = log
        self.address = Address("terminal", place(folder / "clip.mp4", replace=False))

    def surface(self) -> Chat:
        return Chat()

    def videos(self) -> list[bytes]:
        return [path.read_bytes() for path in self._folder.iterdir()]

    def words(self) -> list[str]:
        return [record.getMessage() for record in self._log.records]

    def vanish(self) -> None:
        shutil.rmtree(self._folder)


class TestTerminal(Exam):
    @pytest.fixture
    def room(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Folder:
        caplog.set_level(logging.INFO)
        return Folder(tmp_path / "here", caplog)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(range(256)) * 400)
    return path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@contextmanager
def small_files() -> Iterator[None]:
    """No file of more than 50 kB can be written, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def delivered(video: Path, out: Path, *, replace: bool = False, again: bool = False) -> str:
    address = Address("terminal", place(out, replace=replace))
    return await Chat().deliver(address, Reply(ANSWER, video), "job1", again=again)


async def test_somebody_elses_file_of_that_name_is_left_alone(video: Path, here: Path) -> None:
    (here / "clip.mp4").write_bytes(b"mine")
    (here / "clip-2.mp4").write_bytes(b"mine too")

    assert await delivered(video, here / "clip.mp4") == str(here / "clip-3.mp4")
    assert (here / "clip.mp4").read_bytes() == b"mine"
    assert await delivered(video, here / "clip.mp4", again=True) == str(here / "clip-3.mp4")
    assert len(list(here.iterdir())) == 3


async def test_a_file_that_was_named_is_replaced(video: Path, here: Path) -> None:
    (here / "clip.mp4").write_bytes(b"old")

    assert await delivered(video, here / "clip.mp4", replace=True) == str(here / "clip.mp4")
    assert [path.read_bytes() for path in here.iterdir()] == [video.read_bytes()]


async def test_what_arrived_already_is_not_written_again(video: Path, here: Path) -> None:
    await delivered(video, here / "clip.mp4", replace=True)
    before = (here / "clip.mp4").stat()
    await delivered(video, here / "clip.mp4", replace=True, again=True)

    assert (here / "clip.mp4").stat().st_ino == before.st_ino


async def test_half_a_file_that_a_killed_try_left_is_cleared_away(video: Path, here: Path) -> None:
    (here / ".zoetrope-job1.0badcafe.part").write_bytes(b"half")
    (here / ".zoetrope-job2.0badcafe.part").write_bytes(b"somebody else's")
    await delivered(video, here / "clip.mp4", again=True)

    assert sorted(path.name for path in here.iterdir()) == [".zoetrope-job2.0badcafe.part", "clip.mp4"]


async def test_the_video_is_a_copy_that_may_be_changed(video: Path, here: Path) -> None:
    await delivered(video, here / "clip.mp4")

    assert (here / "clip.mp4").stat().st_ino != video.stat().st_ino
    assert (here / "clip.mp4").stat().st_nlink == 1


async def test_a_full_disk_is_tried_again_and_leaves_nothing_half_written(video: Path, here: Path) -> None:
    with small_files(), pytest.raises(ChatBusy, match="can't be written now"):
        await delivered(video, here / "clip.mp4")
    assert list(here.iterdir()) == []


async def test_a_folder_in_the_files_place_is_said_and_not_tried_again(video: Path, here: Path) -> None:
    (here / "clip.mp4").mkdir()

    with pytest.raises(ChatGone, match="the video is kept"):
        await delivered(video, here / "clip.mp4", replace=True)
    assert await delivered(video, here / "clip.mp4") == str(here / "clip-2.mp4")


async def test_a_device_is_never_replaced(video: Path, here: Path) -> None:
    os.mkfifo(here / "pipe")

    with pytest.raises(ChatGone):
        await delivered(video, here / "pipe", replace=True)
    assert [path.name for path in here.iterdir()] == ["pipe"]


async def test_where_no_links_can_be_made_the_name_is_taken_all_the_same(
    video: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", no_links)
    (here / "clip.mp4").write_bytes(b"mine")

    assert await delivered(video, here / "clip.mp4") == str(here / "clip-2.mp4")
    assert (here / "clip-2.mp4").read_bytes() == video.read_bytes()
    assert len(list(here.iterdir())) == 2


async def test_without_a_place_the_video_stays_where_it_is(video: Path) -> None:
    reply = Reply(ANSWER, video)

    assert await Chat().deliver(Address("terminal", {}), reply, "job1", again=False) == str(video)
