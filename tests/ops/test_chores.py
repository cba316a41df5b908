"""What is done every night: one backup, old files thrown away, by one process, and never a job harmed."""

import asyncio
import fcntl
import logging
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from bot.domain.job import Fallback, Outcome, State
from bot.domain.options import ResolvedOptions
from bot.files.contract import Missing, NoSpace
from bot.files.folder import Folder
from bot.ops.chores import DAY, HOUR, SOON, Chores, Plan, night
from bot.store.sqlite import Store
from providers.contract import Picture
from tests.store.test_store import a_job

EIGHT = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()
FIRST = Picture(b"\xff\xd8first", "image/jpeg", 640, 360)
T = TypeVar("T")


class Hands:
    """A clock that a test turns: whoever sleeps is asked for how long, and woken when the test says so."""

    def __init__(self) -> None:
        self.at = EIGHT
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self._go = asyncio.Semaphore(0)

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self._go.acquire()
        self.at += seconds

    async def within(self, seconds: float, call: Awaitable[T]) -> T:
        raise NotImplementedError

    def wake(self) -> None:
        self._go.release()


class House:
    def __init__(self, folder: Path, store: Store, **changes: object) -> None:
        self.store, self.files, self.clock = store, Folder(folder / "jobs"), Hands()
        plan = Plan(folder / "zoetrope.db", folder / "backups", 3, 2, 0, 30 * DAY, 60 * DAY, 90 * DAY)
        self.plan = replace(plan, **changes)  # type: ignore[arg-type]
        self.chores = Chores(store, self.files, self.clock, self.plan)

    @property
    def backups(self) -> list[str]:
        return sorted(path.name for path in (self.plan.database.parent / "backups").glob("*.db"))

    async def job(self, name: str, days: float | None, **more: object) -> None:
        """Add a job that has been over for so many days, or None: is open; with a picture and a video."""
        over = (
            {} if days is None else {"state": State.CLOSED, "outcome": Outcome.RENDERED, "closed": EIGHT - days * DAY}
        )
        self.files.keep(name, FIRST)
        self.files.video(name).write_bytes(b"video")
        await self.store.add(a_job(name, **over, **more))

    def has(self, name: str) -> tuple[bool, bool]:
        """Say whether the job's picture and its video are there."""
        try:
            picture = self.files.pictures(name) == (FIRST, None)
        except Missing:
            picture = False
        return picture, self.files.video(name).exists()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "zoetrope.db")
    yield store
    await store.close()


async def test_one_backup_is_made_a_night_and_the_newest_are_kept(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store)
    for hours in (0, 1, 18.9, 19.1, 20, 43.1):  # 8:00, 9:00, 2:54, 3:06, 4:00, 3:06
        house.clock.at = EIGHT + hours * HOUR
        await house.chores.round()

    assert house.backups == ["zoetrope-20270116T030600Z.db", "zoetrope-20270117T030600Z.db"]


async def test_what_was_missed_is_made_up_soon_after_the_start_then_at_the_hour(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store)
    house.clock.at = EIGHT - 5.5 * HOUR  # 2:30
    running = asyncio.create_task(house.chores.run())
    async with asyncio.timeout(60):
        slept = [await house.clock.asked.get()]
        assert house.backups == []
        house.clock.wake()
        slept.append(await house.clock.asked.get())
        assert house.backups == ["zoetrope-20270115T023100Z.db"]
        house.clock.wake()
        slept.append(await house.clock.asked.get())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert slept == [SOON, 29 * 60, HOUR]
    assert house.backups == ["zoetrope-20270115T023100Z.db", "zoetrope-20270115T030000Z.db"]


async def test_in_the_night_that_has_25_hours_it_sleeps_too(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    house = House(tmp_path, store)
    house.clock.at = datetime(2027, 10, 31, 1, 30, tzinfo=UTC).timestamp()  # 2:30 for the second time
    running = asyncio.create_task(house.chores.run())
    async with asyncio.timeout(60):
        await house.clock.asked.get()
        house.clock.wake()
        pause = await house.clock.asked.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert pause >= SOON


async def test_a_clock_that_was_ahead_for_a_while_stops_no_later_night(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store, keep=1)
    house.clock.at += 365 * DAY
    await house.chores.round()
    house.clock.at -= 365 * DAY
    await house.job("old", 400)
    await house.chores.round()

    assert house.files.names() == set()
    assert house.backups == ["zoetrope-20270115T080000Z.db"]


async def test_a_folder_of_backups_may_have_any_name(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "zoetrope.backups"
    house = House(tmp_path, store, backups=folder)
    await house.chores.round()

    assert [path.name for path in folder.glob("*.db")] == ["zoetrope-20270115T080000Z.db"]


async def test_only_one_process_of_several_does_it(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store)
    with (tmp_path / "zoetrope.upkeep").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await house.chores.round()
        assert house.backups == []
    await house.chores.round()
    assert len(house.backups) == 1


async def test_a_backup_that_fails_is_said_and_tried_again(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, store)
    (tmp_path / "backups").touch()
    await house.chores.round()
    [said] = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith(f"The backup can't be written to {tmp_path}/backups (")
    assert said.endswith("It is tried again within an hour.")

    (tmp_path / "backups").unlink()
    await house.chores.round()
    assert len(house.backups) == 1


async def test_files_that_can_not_be_removed_are_no_reason_to_make_no_backup(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, store)
    await house.job("old", 31)
    (tmp_path / "jobs" / "old" / "first.jpg").unlink()
    (tmp_path / "jobs" / "old" / "first.jpg").mkdir()
    await house.chores.round()

    assert "first.jpg" in caplog.text
    assert len(house.backups) == 1


async def test_a_bug_in_it_does_not_end_it(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(tmp_path, store, keep="two")
    await house.chores.round()
    assert "a bug in the upkeep" in caplog.text


async def test_without_backups_only_files_are_looked_after(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store, backups=None)
    await house.chores.round()
    assert house.backups == []


async def test_old_pictures_and_videos_go_and_their_rows_stay(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store)
    for name, days in (("open", None), ("young", 29), ("middle", 31), ("old", 61)):
        await house.job(name, days)
    await house.chores.round()

    kept = {name: house.has(name) for name in ("open", "young", "middle", "old")}
    assert kept == {"open": (True, True), "young": (True, True), "middle": (False, True), "old": (False, False)}
    assert house.files.names() == {"open", "young", "middle"}
    assert await store.known() == {"open", "young", "middle", "old"}

    house.clock.at += 30 * DAY
    await house.chores.round()
    assert house.files.names() == {"open", "young"}
    assert house.has("young") == (False, True)


async def test_a_video_that_nobody_got_is_kept_twice_as_long_and_then_given_up(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, store)
    for name, days in (("wanted", 119), ("given up", 121)):
        await house.job(name.replace(" ", "-"), days, undelivered_since=EIGHT - (days + 1) * DAY)
    await house.chores.round()

    assert house.has("wanted") == (False, True)
    assert house.has("given-up") == (False, False)
    assert [job.id for job in await store.undelivered()] == ["wanted"]
    assert "1 videos that could not be delivered are no longer kept" in caplog.messages


async def test_old_words_go_and_the_rest_of_the_row_stays(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store)
    over: dict[str, object] = {"state": State.CLOSED, "outcome": Outcome.RENDERED}
    options = ResolvedOptions(seconds=5, negative_prompt="blur")
    over["fallbacks"] = (Fallback("other", "n", options, 300_000),)
    await store.add(a_job("old", **over, closed=EIGHT - 91 * DAY, options=options))
    await store.add(a_job("young", **over, closed=EIGHT - 89 * DAY, options=options))
    await store.add(a_job("open", options=options))
    await house.chores.round()

    found = {job.id: (job.prompt, job.options.negative_prompt) for job in await store.jobs()}
    assert found == {"old": ("", None), "young": ("it moves", "blur"), "open": ("it moves", "blur")}
    old = await store.get("old")
    assert old is not None
    assert (old.options.seconds, old.price, old.outcome) == (5, 280_000, Outcome.RENDERED)
    assert "blur" not in str(old.options)
    assert old.fallbacks == ()


async def test_videos_may_go_before_pictures(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store, pictures=None, videos=1.0)
    await house.job("old", 400)
    house.files.fitted("old", 1000).write_bytes(b"small")
    await house.chores.round()

    assert house.has("old") == (True, False)
    assert not house.files.fitted("old", 1000).exists()


async def test_files_for_ever_stay(store: Store, tmp_path: Path) -> None:
    house = House(tmp_path, store, pictures=None, videos=None, words=None)
    await house.job("old", 4000)
    await house.chores.round()
    assert house.has("old") == (True, True)
    assert [job.prompt for job in await store.jobs()] == ["it moves"]


async def test_a_damaged_database_is_not_copied_over_good_backups(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, store, keep=1)
    await house.chores.round()
    good = house.backups
    await store.close()
    with closing(sqlite3.connect(tmp_path / "zoetrope.db", isolation_level=None)) as db:
        [[page]] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").fetchall()
        [[size]] = db.execute("PRAGMA page_size").fetchall()
        db.execute("PRAGMA journal_mode = DELETE")
    with (tmp_path / "zoetrope.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    house = House(tmp_path, store, keep=1, pictures=None, videos=None)
    house.clock.at += DAY
    await house.chores.round()

    assert house.backups == good
    assert "The database file is damaged. Stop Zoetrope and restore the newest backup" in caplog.text


@pytest.mark.parametrize(
    ("zone", "now", "last"),
    [
        ("UTC", "2027-01-15T08:00Z", "2027-01-15T03:00Z"),
        ("UTC", "2027-01-15T02:59Z", "2027-01-14T03:00Z"),
        ("Europe/Berlin", "2027-01-15T02:00Z", "2027-01-15T02:00Z"),
        ("Europe/Berlin", "2027-03-28T00:59Z", "2027-03-27T02:00Z"),  # the night whose clocks go forward
        ("Europe/Berlin", "2027-03-28T01:00Z", "2027-03-28T01:00Z"),
        ("Europe/Berlin", "2027-10-31T02:30Z", "2027-10-31T02:00Z"),  # and back
        ("Pacific/Auckland", "2027-01-15T14:30Z", "2027-01-15T14:00Z"),
    ],
)
def test_the_hour_is_the_one_of_this_machines_clock(
    zone: str, now: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    found = night(datetime.fromisoformat(now).timestamp(), 3)
    assert datetime.fromtimestamp(found, UTC) == datetime.fromisoformat(last)


def test_nothing_new_is_kept_once_the_room_for_others_is_needed(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    roomy, full = Folder(tmp_path / "jobs", free // 2), Folder(tmp_path / "jobs", free * 2)
    roomy.keep("one", FIRST)
    with pytest.raises(NoSpace):
        full.keep("two", FIRST)

    full.video("one").write_bytes(b"what is under way goes on")
    assert full.names() == {"one"}
