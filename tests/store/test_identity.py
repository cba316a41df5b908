"""A database that was copied or moved is noticed, and one that only lives on is not."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.job import EffectStarted, Job, Outcome, Settled, State
from bot.store import copies, identity
from bot.store.sqlite import Store
from providers.contract import Ticket
from tests.store.test_store import CLOCK, a_job

HERE = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an id of its own, which no container hides."""
    monkeypatch.setattr(identity, "MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(identity, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(identity, "CONTAINERS", (tmp_path / ".dockerenv",))
    (tmp_path / "mounts").write_text("/dev/sda1 / ext4 rw 0 0\noverlay /var/lib/docker/x overlay rw 0 0\n")
    (tmp_path / "machine-id").write_text(f"{HERE}\n")
    return tmp_path


async def started(file: Path, *, has_video: bool = True) -> list[Job] | None:
    """Recognise the database as a start does."""
    store = await Store.open(file, CLOCK.now)
    try:
        doubtful = await store.recognise(lambda _: has_video)
        await store.join()
    finally:
        await store.close()
    return doubtful


async def filled(folder: Path, *jobs: Job) -> Path:
    file = folder / "data" / "zoetrope.db"
    store = await Store.open(file, CLOCK.now)
    for job in jobs or [a_job("queued")]:
        await store.add(job)
    await store.close()
    assert await started(file) is None, "whoever comes first is at home"
    return file


async def open_jobs(file: Path) -> list[Job]:
    store = await Store.open(file, CLOCK.now)
    try:
        return await store.open_jobs()
    finally:
        await store.close()


async def test_a_restart_and_a_folder_that_is_moved_on_its_disk_raise_no_doubt(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    assert await started(file) is None
    file.parent.rename(tmp_path / "moved")

    assert await started(tmp_path / "moved" / "zoetrope.db") is None
    assert [job.restored for job in await open_jobs(tmp_path / "moved" / "zoetrope.db")] == [None]


async def test_the_open_jobs_of_a_copy_are_marked_as_those_of_a_backup_are_and_once(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    shutil.copytree(file.parent, tmp_path / "copy")
    copy = tmp_path / "copy" / "zoetrope.db"

    assert [job.state for job in await started(copy) or []] == [State.QUEUED]
    [job] = await open_jobs(copy)
    assert (job.state, job.restored) == (State.SUBMITTING, CLOCK.now()), "it is looked for before it is sent"
    assert await started(copy) is None
    assert await started(file) is None, "the original is where it was"


async def test_another_machine_is_another_home_though_the_inode_is_the_same(a_machine: Path) -> None:
    file = await filled(a_machine)
    (a_machine / "machine-id").write_text("f" * 32)

    assert await started(file)
    assert await started(file) is None


@pytest.mark.parametrize("container", ["marked", "overlay", "no id", "uninitialized"])
async def test_a_new_container_on_the_same_volume_raises_no_doubt(a_machine: Path, container: str) -> None:
    if container == "marked":
        (a_machine / ".dockerenv").touch()
    elif container == "overlay":
        (a_machine / "mounts").write_text("overlay / overlay rw,lowerdir=/a 0 0\n")
    ids = {"no id": "", "uninitialized": "uninitialized\n"}
    (a_machine / "machine-id").write_text(ids.get(container, HERE))
    file = await filled(a_machine)
    (a_machine / "machine-id").write_text(ids.get(container, "f" * 32))  # the next image's

    assert identity.machine() is None
    assert await started(file) is None


async def test_from_a_container_to_its_host_raises_no_doubt_and_the_host_is_recorded(a_machine: Path) -> None:
    (a_machine / ".dockerenv").touch()
    file = await filled(a_machine)
    (a_machine / ".dockerenv").unlink()
    assert await started(file) is None
    (a_machine / "machine-id").write_text("f" * 32)

    assert await started(file)


async def test_a_backup_that_is_copied_over_the_database_by_hand_is_noticed(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    copies.write(file, tmp_path / "backup.db", lambda _: {})
    inode = file.stat().st_ino
    shutil.copyfile(tmp_path / "backup.db", file)

    assert file.stat().st_ino == inode
    assert await started(file)


async def test_the_machines_own_id_can_not_be_read_from_the_database(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    with closing(sqlite3.connect(file)) as db:
        [[instance, machine, inode]] = db.execute("SELECT instance, machine, inode FROM identity").fetchall()

    assert len(instance) == len(machine) == 16
    assert machine not in HERE
    assert inode == file.stat().st_ino


async def test_a_video_that_is_gone_is_fetched_once_more_and_its_post_looked_for(tmp_path: Path) -> None:
    rendering = a_job("a", state=State.RENDERING, ticket=Ticket("7"), ticketed=1.0, claimed=True)
    file = await filled(tmp_path, rendering, a_job("b"))
    store = await Store.open(file, CLOCK.now)
    job = await store.record(rendering, Settled(Outcome.RENDERED, {"bytes": 1}, 280_000))
    begun = await store.record(job, EffectStarted(CLOCK.now() + 60))

    assert [await store.refetch(name) for name in ("a", "b", "nobody")] == [True, False, False]
    found = await store.get("a")
    assert found is not None
    assert (found.state, found.outcome, found.cost, found.fence) == (State.RENDERING, None, None, begun.fence + 1)
    again = await store.record(found, Settled(Outcome.RENDERED, {"bytes": 1}, 280_000))
    assert again.effect_started, "the first try may have been posted"
    await store.close()
