"""Looking at videos and making them playable."""

import contextlib
import os
import random
from pathlib import Path

import pytest

from bot.media.films import BadVideo, Limits, Problem, prepare, probe
from tests.media.clips import SECRET, clip, decoded, facts, turned


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "video.mp4"


async def test_what_a_clip_is_is_seen(path: Path) -> None:
    seen = await probe(clip(path, seconds=1.5, sound="aac"))
    assert (seen.size, seen.width, seen.height, seen.frames) == (path.stat().st_size, 320, 180, 36)
    assert seen.seconds == pytest.approx(1.5, abs=0.05)
    assert (seen.video, seen.audio) == ("h264", "aac")
    assert seen.is_ready


async def test_an_index_at_the_end_is_seen(path: Path) -> None:
    seen = await probe(clip(path, movflags=""))
    assert (seen.faststart, seen.is_ready) == (False, False)


async def test_words_in_the_metadata_are_seen(path: Path) -> None:
    seen = await probe(clip(path, says=SECRET))
    assert (seen.metadata, seen.is_ready) == (True, False)


async def test_a_quarter_turn_swaps_the_sides(path: Path) -> None:
    seen = await probe(turned(clip(path)))
    assert (seen.width, seen.height) == (180, 320)


@pytest.mark.parametrize(
    "options", [{"profile": "baseline"}, {"profile": "main"}, {"profile": "high"}, {"x264-params": "cqm=jvt"}]
)
async def test_ordinary_pixels_are_seen(path: Path, options: dict[str, str]) -> None:
    assert (await probe(clip(path, options={"preset": "veryfast", **options}))).is_ready


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("libx264", "yuvj420p"),  # full range
        ("libx264", "yuv422p"),
        ("libx264", "yuv444p"),
        ("libx264rgb", "rgb24"),
        ("libx264", "yuv420p10le"),
        ("libx265", "yuv420p"),
    ],
)
async def test_pixels_that_not_every_player_shows_are_seen(path: Path, codec: str, pixels: str) -> None:
    assert not (await probe(clip(path, codec=codec, pixels=pixels))).plain


@pytest.mark.parametrize(("sound", "plain"), [(None, True), ("aac", True), ("libmp3lame", False)])
async def test_sound_that_not_every_player_has_is_seen(path: Path, sound: str | None, plain: bool) -> None:
    assert (await probe(clip(path, sound=sound))).plain is plain


async def test_a_ready_file_with_spoiled_pixels_further_on_is_not_touched(path: Path) -> None:
    data = clip(path, noisy=lambda _: True).read_bytes()
    path.write_bytes(spoiled := data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert (await prepare(path)).is_ready
    assert path.read_bytes() == spoiled


async def test_a_file_of_which_no_frame_can_be_decoded_is_corrupt(path: Path) -> None:
    data = clip(path).read_bytes()
    at = data.index(b"mdat") + 4
    path.write_bytes(data[:at] + bytes(len(data) - at))
    with pytest.raises(BadVideo) as caught:
        await prepare(path)
    assert caught.value.problem is Problem.CORRUPT


async def test_work_beyond_its_time_is_ended(path: Path) -> None:
    clip(path, seconds=3, size=(1280, 720), pixels="yuv444p", noisy=lambda _: True)
    with pytest.raises(BadVideo) as caught:
        await prepare(path, limits=Limits(least_cpu_seconds=1, most_cpu_seconds=1))
    assert caught.value.problem is Problem.TOO_HARD
    assert caught.value.facts["why"] in {"cpu", "time"}
    assert [file.name for file in path.parent.iterdir()] == ["video.mp4"]


async def test_a_cut_file_with_its_index_in_front_is_seen_as_truncated(path: Path) -> None:
    clip(path)
    os.truncate(path, path.stat().st_size - 500)
    assert (await probe(path)).truncated


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", Problem.EMPTY),
        (b"<!DOCTYPE html><title>Sign in</title>" * 9, Problem.NOT_A_VIDEO),
        (b"ffconcat version 1.0\nfile 'neighbour.mp4'\n", Problem.NOT_A_VIDEO),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", Problem.NOT_A_VIDEO),
        (b"\0\0\0\x10ftypisom\0\0\0\0", Problem.CORRUPT),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\xff\xffmoov", Problem.TRUNCATED),
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" * 9999, Problem.CORRUPT),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x08\x10moov" + (b"\0\0\0\x01trak" + bytes(8)) * 129, Problem.CORRUPT),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov", Problem.NO_PICTURE),
    ],
)
async def test_what_is_no_video_is_named(path: Path, data: bytes, problem: Problem) -> None:
    clip(path.with_name("neighbour.mp4"))
    path.write_bytes(data)
    with pytest.raises(BadVideo) as caught:
        await prepare(path)
    assert caught.value.problem is problem
    assert path.read_bytes() == data


async def test_a_file_over_the_cap_is_not_read(path: Path) -> None:
    clip(path)
    with pytest.raises(BadVideo) as caught:
        await probe(path, limits=Limits(max_bytes=1000))
    assert (caught.value.problem, caught.value.facts["limit"]) == (Problem.TOO_LARGE, 1000)


async def test_spoiled_bytes_give_a_clip_or_a_reason(path: Path) -> None:
    whole = clip(path, seconds=0.2, sound="aac").read_bytes()
    chance = random.Random(5)  # noqa: S311 - a repeatable walk
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(2200)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        path.write_bytes(data)
        with contextlib.suppress(BadVideo):
            assert (await probe(path)).size == len(data)


async def test_a_ready_file_is_not_touched(path: Path) -> None:
    before = clip(path, sound="aac").stat()
    seen = await prepare(path)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)
    assert seen.is_ready


@pytest.mark.parametrize("movflags", ["", "+frag_keyframe+empty_moov"])
async def test_a_new_container_keeps_every_frame_and_drops_every_word(path: Path, movflags: str) -> None:
    clip(path, sound="aac", says=SECRET, movflags=movflags, options={"preset": "veryfast"})
    pixels, times = decoded(path)
    assert SECRET.encode() in path.read_bytes()
    seen = await prepare(path)
    assert seen.is_ready
    assert seen == await probe(path)
    assert decoded(path) == (pixels, pytest.approx(times, abs=0.001))
    assert not any(word in path.read_bytes() for word in (SECRET.encode(), b"Lavf"))
    assert facts(path)["sound"] == "aac"
    assert [file.name for file in path.parent.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize(
    ("codec", "pixels", "sound"),
    [
        ("libx265", "yuv420p", "aac"),
        ("libx264", "yuvj420p", None),
        ("libx264", "yuv444p", None),
        ("libx265", "yuv420p10le", None),
        ("libx264", "yuv420p", "libmp3lame"),
        ("libsvtav1", "yuv420p", None),
    ],
)
async def test_what_not_every_player_knows_is_encoded_anew(
    path: Path, codec: str, pixels: str, sound: str | None
) -> None:
    clip(path, codec=codec, pixels=pixels, sound=sound, options={"preset": "12"} if codec == "libsvtav1" else {})
    seen = await prepare(path)
    assert seen.is_ready
    known = facts(path)
    assert (known["codec"], known["pixels"], known["sound"]) == ("h264", "yuv420p", "aac" if sound else None)
    assert known["seconds"] == pytest.approx(1, abs=0.05)
    assert (seen.width, seen.height, seen.frames) == (320, 180, 24)


async def test_what_is_made_is_nobody_elses_to_read(path: Path) -> None:
    clip(path, movflags="").chmod(0o644)
    await prepare(path)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_truncated_file_is_declined_and_left_alone(path: Path) -> None:
    clip(path)
    os.truncate(path, path.stat().st_size - 500)
    with pytest.raises(BadVideo) as caught:
        await prepare(path)
    assert caught.value.problem is Problem.TRUNCATED


async def test_an_index_that_lies_is_declined_and_nothing_half_written_is_left(path: Path) -> None:
    data = clip(path, codec="libx265").read_bytes()
    at = data.index(b"mdat") + 4
    path.write_bytes(data[:at] + bytes(5000) + data[at + 5000 :])
    with pytest.raises(BadVideo) as caught:
        await prepare(path)
    assert caught.value.problem is Problem.CORRUPT
    assert [file.name for file in path.parent.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
async def test_a_turned_clip_stays_upright(path: Path, codec: str) -> None:
    turned(clip(path, codec=codec))
    seen = await prepare(path)
    assert (seen.width, seen.height) == (180, 320)
