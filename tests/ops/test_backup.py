"""Backups: whole while others write, refused when they are not, and brought back without paying or posting twice."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest
from PIL import Image

from bot import config as settings
from bot.app import App, open_app
from bot.chats import terminal
from bot.chats.contract import Actor, Address, Declined, Request, Upload
from bot.config import Config
from bot.domain.job import EffectStarted, Event, Job, Outcome, State
from bot.domain.line import Line
from bot.engine.worker import Worker
from bot.files.contract import Missing
from bot.files.folder import Folder
from bot.ops import backup
from bot.ops.backup import CantBackUp, checksum_of, make, prune
from bot.ops.restore import CantRestore, restore
from bot.store import migrations
from bot.store.contract import StoreBroken
from bot.store.sqlite import Store
from providers.contract import Picture, Recovery, Ticket
from tests.files.test_folder import files_no_larger_than
from tests.store.test_migration import STATES, as_it_was
from tests.store.test_store import a_job

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
FIRST, LAST = Picture(b"\xff\xd8first", "image/jpeg", 640, 360), Picture(b"\xff\xd8last", "image/jpeg", 100, 200)
TOY = """
default_model = "toy"
[providers.toy]
adapter = "tests.fakes.toy"
recovery = "{recovery}"
[models.toy]
provider = "toy"
price = {{ per_clip = 280000 }}
poll_floor = 0.05
typical_seconds = 0.1
"""


@dataclass
class Place:
    """A data folder as a bot leaves it."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "zoetrope.db"

    @property
    def files(self) -> Folder:
        return Folder(self.folder / "jobs")

    async def add(self, *names: str, **changes: object) -> None:
        store = await Store.open(self.database)
        for name in names:
            self.files.keep(name, FIRST, LAST)
            await store.add(a_job(name, **changes))
        await store.close()

    def back_up(self, target: Path | None = None, now: float = NOW) -> Path:
        return make(self.database, self.files, target or self.folder / "backups", now).path

    def ids(self) -> set[str]:
        return {row[0] for row in rows(self.database, "SELECT id FROM jobs")}


@pytest.fixture
async def here(tmp_path: Path) -> Place:
    place = Place(tmp_path / "data")
    await place.add("open")
    await place.add("over", state=State.CLOSED, outcome=Outcome.RENDERED, closed=1.0)
    return place


def rows(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        return db.execute(statement).fetchall()


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file's bytes but what SQLite and the kernel keep for themselves."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".lock", ".db-shm"})
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if data or not name.endswith("-wal")}


# Making one.


async def test_a_backup_is_one_whole_private_file_with_its_checksum(here: Place) -> None:
    made = make(here.database, here.files, here.folder / "backups", NOW)

    assert made.path.name == "zoetrope-20270115T080000Z.db"
    assert (made.jobs, made.open_jobs, made.size) == (2, 1, made.path.stat().st_size)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert {path.name for path in made.path.parent.iterdir()} == {made.path.name, f"{made.path.name}.sha256"}
    assert checksum_of(made.path).read_text() == f"{backup.digest(made.path)}  {made.path.name}\n", "for sha256sum -c"
    assert rows(made.path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(made.path, "SELECT id FROM jobs ORDER BY id") == [("open",), ("over",)]
    assert rows(made.path, "SELECT job, place, data FROM kept_pictures ORDER BY place") == [
        ("open", "first", FIRST.data),
        ("open", "last", LAST.data),
    ]


async def test_a_backup_is_one_moment_while_others_write(here: Place) -> None:
    rows(
        here.database,
        "WITH RECURSIVE n(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM n WHERE x < 5000) "
        "INSERT INTO history SELECT 'over', x, 0, 'Waited', 'closed', hex(zeroblob(1000)) FROM n",
    )
    store = await Store.open(here.database)
    begun = asyncio.create_task(asyncio.to_thread(here.back_up))
    added = 0
    while not begun.done():
        await store.add(a_job(f"new{added}", state=State.CLOSED, outcome=Outcome.RENDERED))
        added += 1
    path = await begun
    await store.close()

    assert added > 2, "the writer went on"
    asked = "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM history WHERE event = 'Asked')"
    [(jobs, told)] = rows(path, asked)
    assert jobs == told, "a job and its history are in it together or not at all"


async def test_a_full_disk_makes_no_backup_and_leaves_nothing(here: Place) -> None:
    before = everything(here.folder)
    with files_no_larger_than(20_000), pytest.raises(CantBackUp, match=r"There is no room for a backup in .*backups\."):
        here.back_up()
    assert everything(here.folder) == before


async def test_a_backup_leaves_the_room_that_jobs_need(here: Place) -> None:
    spare = 2 * shutil.disk_usage(here.folder).free
    with pytest.raises(CantBackUp, match=r"There is no room for a backup in .*backups\."):
        make(here.database, here.files, here.folder / "backups", NOW, spare)


async def test_what_can_not_be_backed_up_says_what_to_do(here: Place, tmp_path: Path) -> None:
    with pytest.raises(CantBackUp, match=r"There is no database .* Check data_dir"):
        make(tmp_path / "nothing.db", here.files, tmp_path, NOW)
    (tmp_path / "there.db").touch()
    with pytest.raises(CantBackUp, match=r"there.db is there already"):
        here.back_up(tmp_path / "there.db")
    (tmp_path / "file").touch()
    with pytest.raises(CantBackUp, match=r"The backup can't be written to .*File exists"):
        here.back_up(tmp_path / "file" / "x.db")
    here.database.write_bytes(b"this is no database, it is a sentence" * 200)
    with pytest.raises(CantBackUp, match=r"The database file is damaged\. Stop Zoetrope and restore"):
        here.back_up()


def test_a_backup_of_the_future_pushes_no_new_one_out(tmp_path: Path) -> None:
    names = ["zoetrope-20270115T070000Z.db", "zoetrope-20270115T080000Z.db", "zoetrope-20990101T000000Z.db"]
    for name in names:
        (tmp_path / name).touch()
    prune(tmp_path, 1, NOW)

    assert {path.name for path in tmp_path.iterdir()} == {names[1]}


def test_only_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    names = [f"zoetrope-202701{day:02}T080000Z.db" for day in range(1, 5)]
    old_part, new_part = f".{names[0]}.0123abcd.part", f".{names[0]}.4567abcd.part"
    for name in [*names, *(f"{name}.sha256" for name in names), "zoetrope-mine.db", old_part, new_part]:
        (tmp_path / name).touch()
    os.utime(tmp_path / old_part, (1, 1))
    removed = prune(tmp_path, 2, (tmp_path / new_part).stat().st_mtime)

    assert [path.name for path in removed] == names[:2]
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {*names[2:], *(f"{name}.sha256" for name in names[2:]), "zoetrope-mine.db", new_part}
    assert backup.newest(tmp_path, NOW) == 1_799_049_600.0
    assert backup.newest(tmp_path, 1_799_000_000.0) == 1_798_963_200.0, "the clock had been wrong"


# Bringing it back: what is refused changes nothing.


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])
    checksum_of(path).unlink()


def rot(path: Path) -> None:
    """Spoil a page that nothing but a look at every page reads."""
    [[page]] = rows(path, "SELECT rootpage FROM sqlite_master WHERE name = 'ledger'")
    [[size]] = rows(path, "PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((int(str(page)) - 1) * int(str(size)))
        file.write(b"\xff" * int(str(size)))
    checksum_of(path).unlink()


def sentence(path: Path) -> None:
    path.write_text("this is no database, it is a sentence")


def foreign(path: Path) -> None:
    path.unlink()
    checksum_of(path).unlink()
    rows(path, "CREATE TABLE jobs (id)")


def newer(path: Path) -> None:
    rows(path, "UPDATE alembic_version SET version_num = '9999'")
    checksum_of(path).unlink()


def booby_trapped(path: Path) -> None:
    rows(path, "CREATE TRIGGER t AFTER UPDATE ON jobs BEGIN DELETE FROM ledger; END")
    checksum_of(path).unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (flip, "is damaged: it does not match zoetrope-.*sha256. Choose another backup"),
        (cut, "is damaged. Choose another backup"),
        (rot, "is damaged. Choose another backup"),
        (sentence, "is no backup of Zoetrope, or it is damaged"),
        (foreign, "is a database, but none of Zoetrope's"),
        (booby_trapped, "is a database, but none of Zoetrope's"),
        (newer, "was made by a newer Zoetrope .its version is 9999.* Update Zoetrope"),
        (Path.unlink, r"can't be used \(No such file"),
    ],
)
async def test_what_is_no_good_is_refused_with_nothing_changed(
    here: Place, harm: Callable[[Path], None], words: str
) -> None:
    path = here.back_up()
    harm(path)
    before = everything(here.folder)
    with pytest.raises(CantRestore, match=words):
        await restore(path, here.folder, NOW)
    assert everything(here.folder) == before


async def test_nothing_is_restored_while_a_bot_runs_there(here: Place) -> None:
    path = here.back_up()
    with (here.folder / "zoetrope.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(CantRestore, match=r"Zoetrope is running on .* Stop it, then restore again"):
            await restore(path, here.folder, NOW)


async def test_nothing_is_restored_while_a_program_has_the_database_open(here: Place) -> None:
    path = here.back_up()
    with closing(sqlite3.connect(here.database)) as db:
        db.execute("SELECT count(*) FROM jobs")
        with pytest.raises(CantRestore, match="Some program has the database open"):
            await restore(path, here.folder, NOW)


async def test_the_database_itself_or_half_of_one_is_no_backup(here: Place, tmp_path: Path) -> None:
    with pytest.raises(CantRestore, match="is the database itself"):
        await restore(here.database, here.folder, NOW)
    live = Place(tmp_path / "live")
    store = await Store.open(live.database)
    with pytest.raises(CantRestore, match=r"is not whole without zoetrope\.db-wal"):
        await restore(live.database, here.folder, NOW)
    await store.close()


async def test_no_room_to_restore_changes_nothing(here: Place) -> None:
    path = here.back_up()
    before = everything(here.folder)
    with files_no_larger_than(20_000), pytest.raises(CantRestore, match="no space left in"):
        await restore(path, here.folder, NOW)
    assert everything(here.folder) == before


async def test_a_data_folder_that_can_not_be_used_is_told(here: Place, tmp_path: Path) -> None:
    path = here.back_up()
    for number, spoil in enumerate(
        (lambda there: (there / "jobs").touch(), lambda there: (there / "zoetrope.lock").mkdir())
    ):
        there = tmp_path / str(number)
        there.mkdir()
        spoil(there)
        with pytest.raises(CantRestore, match=r"can't be used \(.*\)\. Mend that, then restore again"):
            await restore(path, there, NOW)


# What comes back, and what was there.


async def test_what_was_there_is_kept_aside_with_the_files_that_nobody_knows_any_more(here: Place) -> None:
    path = here.back_up()
    await here.add("younger")
    here.files.video("younger").write_bytes(b"paid")
    found = await restore(path, here.folder, NOW)

    assert (found.jobs, [job.id for job in found.open_jobs], found.checked) == (2, ["open"], True)
    assert here.ids() == {"open", "over"}
    assert found.aside == here.folder / "before-restore-20270115T080000Z"
    former = Place(found.aside)
    assert former.ids() == {"open", "over", "younger"}
    assert former.files.video("younger").read_bytes() == b"paid"
    assert here.files.names() == {"open", "over"}
    assert not list(here.folder.glob(".restoring*"))

    await restore(former.database, here.folder, NOW + 1)  # and back again
    assert here.ids() == {"open", "over", "younger"}


async def test_a_restore_that_is_taken_back_brings_the_files_of_its_jobs_too(here: Place) -> None:
    path = here.back_up()
    await here.add("younger", state=State.REPLYING, outcome=Outcome.RENDERED, ticket="t")
    here.files.video("younger").write_bytes(b"paid")
    there = await restore(path, here.folder, NOW)
    assert there.aside is not None
    await restore(there.aside / "zoetrope.db", here.folder, NOW + 1)

    assert here.files.pictures("younger") == (FIRST, LAST)
    assert here.files.video("younger").read_bytes() == b"paid"
    assert rows(here.database, "SELECT state FROM jobs WHERE id = 'younger'") == [("replying",)], "no need to fetch it"
    assert Place(there.aside).files.names() == {"younger"}, "what is aside stays there"


async def test_a_new_machine_gets_rows_and_pictures_of_open_jobs(here: Place, tmp_path: Path) -> None:
    path, there = here.back_up(), Place(tmp_path / "there")
    there.folder.mkdir()
    found = await restore(path, there.folder, NOW)

    assert (found.aside, there.ids()) == (None, {"open", "over"})
    assert there.files.pictures("open") == (FIRST, LAST)
    with pytest.raises(Missing):
        there.files.pictures("over")
    assert rows(there.database, "SELECT name FROM sqlite_master WHERE name = 'kept_pictures'") == []


async def test_an_open_job_whose_pictures_are_lost_has_a_place_for_its_video(here: Place, tmp_path: Path) -> None:
    here.files.forget("open")
    path, there = here.back_up(), Place(tmp_path / "there")
    there.folder.mkdir()
    await restore(path, there.folder, NOW)

    with pytest.raises(Missing):
        there.files.pictures("open")
    there.files.video("open").write_bytes(b"fetched")


async def test_what_a_lost_database_left_behind_is_put_aside_too(here: Place) -> None:
    path = here.back_up()
    await here.add("younger")
    here.database.unlink()
    here.database.with_name("zoetrope.db-wal").write_bytes(b"a log without its database")
    found = await restore(path, here.folder, NOW)

    assert here.ids() == {"open", "over"}
    assert found.aside is not None
    assert {entry.name for entry in found.aside.iterdir()} == {"zoetrope.db-wal", "jobs"}
    assert Place(found.aside).files.names() == {"younger"}


async def test_a_damaged_database_is_no_hindrance(here: Place) -> None:
    path = here.back_up()
    here.database.write_bytes(b"not a database any more" * 500)
    here.database.with_name("zoetrope.db-wal").write_bytes(b"nor is this a log")
    found = await restore(path, here.folder, NOW)

    assert here.ids() == {"open", "over"}
    assert found.aside is not None
    assert (found.aside / "zoetrope.db").read_bytes().startswith(b"not a database any more")


async def test_an_older_backup_is_brought_up_to_date(here: Place, tmp_path: Path) -> None:
    as_it_was(tmp_path / "old.db", "0001")
    here.database.unlink()
    await restore(tmp_path / "old.db", here.folder, NOW)

    assert rows(here.database, "SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]
    assert here.ids() == set(STATES)
    in_doubt = {"queued": "submitting", "replying": "rendering"}  # asked for once more; fetched once more
    assert rows(here.database, "SELECT id, state FROM jobs WHERE restored IS NOT NULL ORDER BY id") == [
        (state, in_doubt.get(state, state)) for state in sorted(STATES) if state != "closed"
    ]


async def test_who_opened_the_database_before_it_was_replaced_does_not_work_on_the_old_one(here: Place) -> None:
    path = here.back_up()
    store = await Store.open(here.database)
    here.database.unlink()
    shutil.copy(path, here.database)
    with pytest.raises(StoreBroken, match=r"was restored while this started\. Start it again"):
        await store.join()
    await store.close()


async def test_nor_does_who_was_replaced_while_it_took_its_place(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.back_up()
    store = await Store.open(here.database)
    real = fcntl.flock

    def flock(lock: IO[bytes], kind: int) -> None:
        real(lock, kind)
        if kind == fcntl.LOCK_SH:  # the kernel gives the old lock up first: a restore may slip in between
            here.database.unlink()
            shutil.copy(path, here.database)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreBroken, match=r"was restored while this started\. Start it again"):
        await store.join()
    await store.close()


# Nobody pays twice, nothing is posted twice, every paid video arrives.


class Photographed:
    """The store, and a backup of the database after each write of a step: the power may go anywhere."""

    def __init__(self, app: App, folder: Path) -> None:
        self._world = app
        self._folder = folder
        self.names: list[str] = []

    def picture(self, name: str) -> None:
        data = self._world.config.data_dir
        make(data / "zoetrope.db", self._world.files, self._folder / f"{name}.db", NOW)
        self.names.append(name)

    async def record(self, job: Job, happened: Event) -> Job:
        after = await self._world.store.record(job, happened)
        self.picture(f"{type(happened).__name__} {after.state}")
        return after

    async def take_place(self, job: Job, started: EffectStarted, places: int | None) -> Job | Line:
        answer = await self._world.store.take_place(job, started, places)
        if isinstance(answer, Job):
            self.picture(f"{type(started).__name__} {answer.state}")
        return answer

    async def adopt(self, job_id: str, ticket: Ticket) -> bool:
        return await self._world.store.adopt(job_id, ticket)

    async def extend(self, job: Job, until: float) -> Job:
        return await self._world.store.extend(job, until)


MOMENTS = (
    "asked",
    "EffectStarted submitting",
    "Ticketed rendering",
    "Settled replying",
    "EffectStarted replying",
    "Closed closed",
)


def configured(folder: Path, recovery: Recovery) -> Config:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(TOY.format(recovery=recovery))
    return settings.load(folder / "config.toml", {"ZOETROPE_DATA": str(folder / "data")})


async def lived(config: Config, out: Path, backups: Path) -> Job:
    """Let one job live to its end, with a backup of every moment."""
    Image.new("RGB", (160, 120), "teal").save(out / "photo.png")

    async def read(cap: int) -> bytes:
        return (out / "photo.png").read_bytes()[:cap]

    async with open_app(config) as app:
        await app.join()
        plan = await app.desk.consider(
            Actor("terminal", "me", operator=True), Request("key", "go", (Upload("photo.png", None, None, read),))
        )
        assert not isinstance(plan, Declined)
        job = await app.desk.accept(plan, Address("terminal", terminal.place(out / "clip.mp4", replace=False)))
        assert isinstance(job, str)
        store = Photographed(app, backups)
        store.picture("asked")
        await to_the_end(app, Worker(app.store, replace(app.tools, store=store)))
        assert set(MOMENTS) <= set(store.names), store.names
        found = await app.store.get(job)
    assert found is not None
    return found


async def to_the_end(app: App, worker: Worker) -> None:
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while any(job.state is not State.CLOSED for job in await app.store.jobs()):  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.02)
    worker.stop()
    await working


@pytest.fixture(scope="module", params=list(Recovery))
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recovery, Path]:
    """Return a folder with one whole life: data, the video where it was wished, and the backups."""
    folder = tmp_path_factory.mktemp(str(request.param))
    (folder / "out").mkdir()
    asyncio.run(lived(configured(folder, request.param), folder / "out", folder / "backups"))
    return request.param, folder


async def again(life: tuple[Recovery, Path], folder: Path, moment: str, *, new_disk: bool) -> Job:
    """Restore the backup of that moment, and let the job come to its end once more."""
    recovery, first = life
    config = configured(folder, recovery)
    shutil.copytree(first / "data", config.data_dir)
    if new_disk:  # the toy's own folder stays: it is the vendor
        shutil.rmtree(config.data_dir / "jobs")
        (config.data_dir / "zoetrope.db").unlink()
    await restored_a_day_later(first / "backups" / f"{moment}.db", config.data_dir)
    async with open_app(config) as app:
        await app.join()
        await to_the_end(app, app.worker())
        [job] = await app.store.jobs()
    return job


async def restored_a_day_later(file: Path, data_dir: Path) -> None:
    """Restore a copy whose times are all a day ago, and take it up at once; else it is due some seconds later."""
    old = data_dir / "a day old.db"
    shutil.copy(file, old)
    times = ", ".join(f"{name} = {name} - 86400" for name in ("created", "effect_started", "ticketed", "settled"))
    rows(old, f"UPDATE jobs SET {times}")  # noqa: S608 - names of ours
    await restore(old, data_dir, NOW)
    rows(data_dir / "zoetrope.db", "UPDATE jobs SET due = 0")


@pytest.mark.parametrize("new_disk", [False, True], ids=["same disk", "new disk"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_old_backup_makes_nobody_pay_or_read_twice(
    life: tuple[Recovery, Path], tmp_path: Path, moment: str, *, new_disk: bool
) -> None:
    job = await again(life, tmp_path, moment, new_disk=new_disk)
    recovery, first = life

    assert len((tmp_path / "data/providers/toy/charges").read_text().splitlines()) == 1
    assert [path.name for path in (first / "out").glob("*.mp4")] == ["clip.mp4"]
    unknowable = recovery is Recovery.NONE and moment in ("asked", "EffectStarted submitting")
    assert job.outcome is (Outcome.INTERRUPTED if unknowable else Outcome.RENDERED)
    assert (job.cost, job.receipt) == (280_000, "told" if unknowable else str(first / "out" / "clip.mp4"))
    assert rows(tmp_path / "data/zoetrope.db", "SELECT sum(amount) FROM ledger") == [(280_000,)]


async def test_a_video_that_was_paid_but_not_posted_arrives_from_a_backup(
    life: tuple[Recovery, Path], tmp_path: Path
) -> None:
    clip = life[1] / "out" / "clip.mp4"
    posted = hashlib.sha256(clip.read_bytes()).digest()
    clip.unlink()
    await again(life, tmp_path, "Ticketed rendering", new_disk=True)

    assert hashlib.sha256(clip.read_bytes()).digest() == posted


@pytest.mark.parametrize("life", [Recovery.FIND], indirect=True)
async def test_what_the_makers_list_does_not_show_yet_is_not_submitted_again(
    life: tuple[Recovery, Path], tmp_path: Path
) -> None:
    recovery, first = life
    config = configured(tmp_path, recovery)  # a new vendor: its list is empty
    config.data_dir.mkdir()
    await restored_a_day_later(first / "backups" / "asked.db", config.data_dir)
    async with open_app(config) as app:
        await app.join()
        worker = app.worker()
        working = asyncio.create_task(worker.run())
        async with asyncio.timeout(60):
            while (job := (await app.store.jobs())[0]).fence < 2 or job.claimed:  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.02)
        worker.stop()
        await working
        [job] = await app.store.jobs()

    assert job.state is State.SUBMITTING
    assert not (config.data_dir / "providers/toy/charges").exists()


# The power goes while a backup is brought back.

TOUCHES = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect", "shutil.move"}


def restored_until(last: int, file: Path, data_dir: Path) -> bool:
    """Restore in a child that dies, as by kill -9, when it touches the disk for the time `last`; False: it did not."""
    child = os.fork()
    if child == 0:
        seen = iter(range(1, last))

        def hook(event: str, _: object) -> None:
            if event in TOUCHES and next(seen, None) is None:
                os._exit(9)

        sys.addaudithook(hook)
        asyncio.run(restore(file, data_dir, NOW))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {0, 9}
    return status != 0


def test_killed_at_any_moment_the_old_database_is_whole_or_the_new_one_is(tmp_path: Path) -> None:
    first = Place(tmp_path / "first")
    asyncio.run(first.add("open"))
    path = first.back_up(tmp_path / "old.db")
    asyncio.run(first.add("younger"))
    first.files.forget("open")  # so that it has to be brought
    seen, last, killed = set(), 0, True
    while killed:
        last += 1
        here = Place(tmp_path / str(last))
        shutil.copytree(first.folder, here.folder)
        killed = restored_until(last, path, here.folder)
        asyncio.run(opened_and_closed(here.database))
        new = here.ids() == {"open"}
        assert new or here.ids() == {"open", "younger"}
        places = [here.files, *(Folder(aside / "jobs") for aside in here.folder.glob("before-restore-*") if new)]
        assert any(files.has("younger") for files in places)
        assert not new or here.files.pictures("open") == (FIRST, LAST)
        asyncio.run(restore(path, here.folder, NOW + last))
        assert here.ids() == {"open"}
        assert not list(here.folder.glob(".restoring*")), "the next one clears away what a killed one left"
        seen.add(new)
        shutil.rmtree(here.folder)
    assert seen == {True, False}
    assert last > 20


async def opened_and_closed(database: Path) -> None:
    store = await Store.open(database)
    assert await store.join()
    await store.close()
