"""The sandboxes of the media room: few at a time, limited, without our secrets, and none left behind."""
# ruff: noqa: ASYNC110 - what another process does has no event: only a look into /proc tells

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import PIL
import pytest

from bot.media.films import fit, prepare
from bot.media.pictures import Limits, normalise
from bot.media.sandbox import process
from tests.media.clips import clip
from tests.media.pictures import as_bytes, four_corners, noise, scan_bomb

LIMITS = process.Limits(2**30, cpu_seconds=5, wall_seconds=10, file_bytes=2**20)
SLOW = Limits(max_scans=10**6, cpu_seconds=60, wall_seconds=60)
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


def children() -> set[int]:
    """Return the ids of this process's child processes, zombies too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it ended while we looked
        if parent == os.getpid():
            found.add(int(stat.parent.name))
    return found


async def a_sandbox_besides(before: set[int]) -> int:
    async with asyncio.timeout(60):
        while not (new := {pid for pid in children() - before if b"sandbox import entry" in _told(pid)}):
            await asyncio.sleep(0.01)
    return new.pop()


def _told(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_a_cancelled_sandbox_is_killed_and_reaped() -> None:
    before = children()
    task = asyncio.create_task(normalise(scan_bomb((6000, 6000), 3000), SLOW))
    await a_sandbox_besides(before)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == before


async def test_a_cancelled_fit_leaves_no_sandbox_and_no_file(tmp_path: Path) -> None:
    source = clip(tmp_path / "long.mp4", seconds=3, size=(640, 360), noisy=lambda _: True)
    before = children()
    task = asyncio.create_task(fit(source, 300_000, tmp_path / "small.mp4"))
    await a_sandbox_besides(before)
    async with asyncio.timeout(60):
        while not list(tmp_path.glob(".small*")):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == before
    assert [file.name for file in tmp_path.iterdir()] == ["long.mp4"]


async def test_a_sandbox_is_nice_and_limited_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOETROPE_TOKEN", "otter-secret")
    before = children()
    task = asyncio.create_task(normalise(scan_bomb((6000, 6000), 3000), SLOW))
    pid = await a_sandbox_besides(before)
    async with asyncio.timeout(60):
        while os.getpriority(os.PRIO_PROCESS, pid) != min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19):
            await asyncio.sleep(0.01)
        while f"{2**30}" not in Path(f"/proc/{pid}/limits").read_text():
            await asyncio.sleep(0.01)
    assert b"otter-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert os.getsid(pid) != os.getsid(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_more_sandboxes_than_slots() -> None:
    slots, most, before = process.Slots(1), 0, children()
    data = as_bytes(noise((1500, 1500)), "JPEG")
    tasks = [asyncio.create_task(normalise(data, slots=slots)) for _ in range(3)]
    while not all(task.done() for task in tasks):
        most = max(most, len(children() - before))
        await asyncio.sleep(0.005)
    assert most == 1
    assert {(await task).picture.width for task in tasks} == {1500}


async def test_a_long_video_leaves_a_slot_for_a_picture() -> None:
    slots = process.Slots(2)
    async with slots.take(long=True):
        second = asyncio.create_task(slots.take(long=True).__aenter__())
        await asyncio.sleep(0)  # the second long one has asked
        async with asyncio.timeout(60), slots.take(long=False):
            assert not second.done()
    await second


async def test_a_ready_video_does_not_wait_behind_a_long_one(tmp_path: Path) -> None:
    slots, ready = process.Slots(2), clip(tmp_path / "ready.mp4")
    async with slots.take(long=True), asyncio.timeout(60):
        assert (await prepare(ready, slots=slots)).is_ready


def test_each_loop_has_its_own_slots() -> None:
    data = as_bytes(four_corners(), "PNG")

    async def several() -> int:
        return len(await asyncio.gather(*(normalise(data) for _ in range(4))))

    assert [asyncio.run(several()), asyncio.run(several())] == [4, 4]


async def test_an_answer_over_its_cap_is_not_read_on() -> None:
    data = as_bytes(noise((600, 600)), "JPEG")
    answer = await process.run("picture", asdict(Limits()), LIMITS, data=data, answer_bytes=1000)
    assert (answer.problem, answer.facts) == ("too_hard", {"why": "answer"})


async def test_a_sandbox_that_hears_no_alarm_is_killed_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.3)
    before = children()
    deaf = process.Limits(2**30, cpu_seconds=60, wall_seconds=0, file_bytes=2**20)  # 0 sets no alarm
    answer = await process.run("picture", asdict(SLOW), deaf, data=scan_bomb((6000, 6000), 3000))
    assert (answer.problem, answer.facts) == ("too_hard", {"why": "time"})
    assert children() == before


async def test_a_fault_of_our_own_is_not_blamed_on_the_file() -> None:
    with pytest.raises(process.SandboxBroke, match="KeyError"):
        await process.run("picture", {}, LIMITS, data=b"x")


async def test_a_sandbox_stopped_from_outside_is_not_blamed_on_the_file() -> None:
    before = children()
    task = asyncio.create_task(normalise(scan_bomb((6000, 6000), 3000), SLOW))
    os.kill(await a_sandbox_besides(before), 15)
    with pytest.raises(process.SandboxBroke, match="outside"):
        await task


@pytest.mark.parametrize("how", ["installed", "checkout"])
def test_sandboxes_start_from_wherever_we_were_imported(tmp_path: Path, how: str) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    for wing in ("bot", "providers"):
        shutil.copytree(ROOT / wing, site / wing, ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere.mkdir()
    picture = tmp_path / "picture.png"
    picture.write_bytes(as_bytes(four_corners(), "PNG"))
    program = (
        "import asyncio, sys; from pathlib import Path; from bot.media import pictures;"
        "from bot.media.sandbox import process;"
        "Path('json.py').write_text('raise SystemExit(1)');"  # a file of the current folder must not be imported
        "looked = asyncio.run(pictures.normalise(Path(sys.argv[1]).read_bytes()));"
        "print(Path(process.__file__).resolve(), looked.picture.width)"
    )
    path = [str(Path(PIL.__file__).parents[1])] + ([str(site)] if how == "installed" else [])
    done = subprocess.run(
        [sys.executable, "-c", program, str(picture)],
        cwd=site if how == "checkout" else elsewhere,
        env={"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(site / "bot/media/sandbox/process.py"), "320"], done.stderr
