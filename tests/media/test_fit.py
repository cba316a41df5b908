"""A video under a limit: always under it, never at the loop's cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.media.films import BadVideo, Problem, fit, probe
from bot.media.sandbox import bitrate, process
from tests.media.clips import SECRET, clip, facts


@pytest.fixture(scope="module")
def back_loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "back.mp4"
    return clip(path, seconds=2, size=(640, 360), sound="aac", noisy=lambda at: at >= 0.5)


@pytest.fixture(scope="module")
def front_loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "front.mp4"
    return clip(path, seconds=2, size=(360, 640), movflags="", noisy=lambda at: at < 0.3)


@pytest.mark.parametrize("limit", [1_500_000, 500_000, 200_000, 100_000])
@pytest.mark.parametrize("name", ["back_loaded", "front_loaded"])
async def test_a_limit_is_kept(name: str, limit: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source: Path = request.getfixturevalue(name)
    into = tmp_path / "small.mp4"
    made = await fit(source, limit, into)
    assert into.stat().st_size == made.size <= limit < source.stat().st_size
    assert made.is_ready
    known = facts(into)
    assert known["seconds"] == pytest.approx(2, abs=0.1)
    assert known["sound"] == ("aac" if name == "back_loaded" else None)
    assert [file.name for file in tmp_path.iterdir()] == ["small.mp4"]


async def test_a_ready_video_that_is_small_enough_is_the_same_bytes(back_loaded: Path, tmp_path: Path) -> None:
    into = tmp_path / "small.mp4"
    for _ in range(2):  # the second time it is there already
        made = await fit(back_loaded, 10**8, into)
        assert made == await probe(back_loaded)
        assert into.read_bytes() == back_loaded.read_bytes()
        assert [file.name for file in tmp_path.iterdir()] == ["small.mp4"]


async def test_a_small_video_with_words_in_it_gets_a_new_container(tmp_path: Path) -> None:
    source = clip(tmp_path / "said.mp4", says=SECRET)
    made = await fit(source, 10**8, tmp_path / "small.mp4")
    assert made.is_ready
    assert SECRET.encode() not in (tmp_path / "small.mp4").read_bytes()
    assert SECRET.encode() in source.read_bytes()


async def test_a_limit_that_no_quality_meets_is_said_and_leaves_nothing(back_loaded: Path, tmp_path: Path) -> None:
    with pytest.raises(BadVideo) as caught:
        await fit(back_loaded, 20_000, tmp_path / "small.mp4")
    assert caught.value.problem is Problem.TOO_LONG_FOR_LIMIT
    assert caught.value.facts == {"size": back_loaded.stat().st_size, "limit": 20_000, "seconds": 2}
    assert list(tmp_path.iterdir()) == []


async def test_a_sandbox_that_breaks_the_limit_is_not_believed(
    back_loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def boastful(_: str, request: dict[str, str], *__: object, **___: object) -> process.Answer:
        Path(request["part"]).write_bytes(back_loaded.read_bytes())
        return process.Answer(None, {"seconds": 2.0})

    monkeypatch.setattr(process, "run", boastful)
    with pytest.raises(BadVideo) as caught:
        await fit(back_loaded, 200_000, tmp_path / "small.mp4")
    assert caught.value.problem is Problem.TOO_LONG_FOR_LIMIT
    assert list(tmp_path.iterdir()) == []


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Note how late each tick of the loop comes, in seconds."""
    late: list[float] = []

    async def tick() -> None:
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(0.005)
            late.append(clock() - before - 0.005)

    task = asyncio.create_task(tick())
    try:
        yield late
    finally:
        task.cancel()


async def test_the_loop_goes_on_while_a_video_is_made(back_loaded: Path, tmp_path: Path) -> None:
    async with ticking() as late:
        await fit(back_loaded, 200_000, tmp_path / "small.mp4")
    assert len(late) > 20
    assert sorted(late)[len(late) // 2] < 0.05


def test_sizes_go_down_and_stay_even_and_in_shape() -> None:
    assert bitrate.sizes(3840, 2160) == [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]
    assert bitrate.sizes(641, 361) == [(640, 360), (426, 240)]
    assert bitrate.sizes(720, 1280)[0] == (720, 1280)
    assert all(side % 2 == 0 for size in bitrate.sizes(1023, 767) for side in size)


def film(**changes: object) -> bitrate.Measured:
    return bitrate.Measured(1920, 1080, 10.0, 300, 0, 0, audio_copies=True)._replace(**changes)  # type: ignore[arg-type]


def tried(clip: bitrate.Measured, limit: int) -> bitrate.Try:
    attempt = bitrate.first_try(clip, limit)
    assert attempt is not None
    return attempt


def test_a_smaller_limit_never_gives_a_larger_picture_or_more_bits() -> None:
    tries = [bitrate.first_try(film(), mib * 2**18) for mib in (40, 20, 8, 4, 2, 1)]
    areas = [one.width * one.height for one in tries if one]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) > 3
    assert all(one.maxrate * 10.9 < mib * 2**21 for one, mib in zip(tries, (40, 20, 8, 4, 2, 1), strict=True) if one)


def test_sound_is_copied_when_there_is_room_and_made_small_when_not() -> None:
    loud = film(audio_bytes=200_000, audio_packets=430)
    assert tried(loud, 10 * 2**20).audio_bits is None
    assert tried(loud, 500_000).audio_bits == 64_000
    opus = loud._replace(audio_copies=False)
    assert tried(opus, 10 * 2**20).audio_bits == 128_000


def test_each_further_try_is_smaller_and_every_second_one_a_rung_lower() -> None:
    first = tried(film(), 10 * 2**20)
    second = bitrate.next_try(film(), first, 11 * 2**20, 10 * 2**20, tries=1)
    third = bitrate.next_try(film(), second, 11 * 2**20, 10 * 2**20, tries=2)
    assert first.maxrate > second.maxrate > third.maxrate
    assert first[:2] == second[:2] > third[:2]
