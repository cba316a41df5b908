"""A real process, a real database and Kling's wire, killed (kill -9) at every write and every request, then resumed."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.domain.job import Job, Outcome, State
from bot.media.films import probe
from tests.fakes import faults
from tests.fakes.kling import Kling
from tests.fakes.plug import Place

KEYS = {
    "2.0": 'api_key = "env:KLING_API_KEY"',
    "legacy": 'api = "legacy"\naccess_key = "env:KLING_ACCESS_KEY"\nsecret_key = "env:KLING_SECRET_KEY"',
}
CONFIG = """
default_model = "kling-2-6"
[worker]
lease_seconds = 5
[providers.kling]
base_url = "{kling.url}"
{keys}
[models.kling-2-6]
provider = "kling"
typical_seconds = 0.3
poll_floor = 0.1
"""


@asynccontextmanager
async def place(folder: Path, api: str, *, lost: bool) -> AsyncIterator[tuple[Kling, Place]]:
    """Give Kling and a place to run in. `lost`: the answer to the first submission never comes."""
    async with Kling() as kling:
        if lost:
            kling.next("submit", faults.dropped())
        keys = {"KLING_API_KEY": kling.api_key, "KLING_ACCESS_KEY": kling.access_key}
        config = CONFIG.format(kling=kling, keys=KEYS[api])
        yield kling, Place.laid(folder, config, KLING_SECRET_KEY=kling.secret_key, **keys)


def sleep_through(here: Place, seconds: float) -> None:
    """Let the power be away for that long."""
    file = here.folder / "data" / "zoetrope.db"
    if file.exists():
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE jobs SET effect_started = effect_started - :s, due = due - :s", {"s": seconds})


async def check_all_is_well(kling: Kling, here: Place, jobs: list[Job], said: str) -> None:
    """One task, one charge, one video."""
    [job] = jobs
    assert (job.state, job.outcome) == (State.CLOSED, Outcome.RENDERED), said
    assert job.cost == 350_000
    assert [(bill.key, bill.units) for bill in kling.billed] == [(job.id, 2.5)]
    assert len(kling.tasks) == 1
    assert kling.ignored == []
    assert (await probe(here.folder / "out.mp4")).is_ready
    assert "eyJ" not in said  # how a token begins


async def test_kling_animates_a_picture_from_the_command_line(tmp_path: Path) -> None:
    async with place(tmp_path / "here", "2.0", lost=False) as (kling, here):
        photo, out = str(here.folder / "photo.jpg"), str(here.folder / "out.mp4")
        code, said = await here.bot("animate", photo, "she turns and smiles", "--model", "Kling 2.6", "--out", out)
        assert code == 0, said
        assert "$0.35" in said
        await check_all_is_well(kling, here, await here.jobs(), said)


PARTS = 2


@pytest.mark.parametrize(("api", "part"), [*(("2.0", part) for part in range(PARTS)), ("legacy", 1)])
async def test_a_lost_answer_and_kill_9_is_one_task_one_charge_one_video(tmp_path: Path, api: str, part: int) -> None:
    """Kling accepts, its answer is lost, and around it the power goes, for a few minutes.

    At any write and any request, until the ticket is written down: what follows is walked in `test_fal_crash`.
    """
    last, ticketed = 1 + part, False
    while not ticketed:
        async with place(tmp_path / f"at{last}", api, lost=True) as (kling, here):
            code, said = await here.animate(last)
            assert code == -9, said
            ticketed = any(job.ticket for job in await here.jobs())
            sleep_through(here, 300)
            code, said = await here.bot("resume")
            if jobs := await here.jobs():
                await check_all_is_well(kling, here, jobs, said)
            else:  # killed before the job was written down: nothing was begun
                assert kling.posts == 0
        last += PARTS
    assert last > 8, "so few points that something is not watched"
