"""What the tests of every chat are given: a video on its shelf."""

from pathlib import Path

import pytest


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "shelf" / "video.mp4"
    path.parent.mkdir()
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(50_000))
    return path
