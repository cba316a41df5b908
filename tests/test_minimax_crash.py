"""A real process, a real database and MiniMax's wires, killed (kill -9) at every write and every request, resumed."""

import asyncio
import os
from pathlib import Path

import pytest

from bot.domain.job import Outcome, State
from bot.media.films import probe
from tests.fakes.minimax import MiniMax, Plan
from tests.fakes.plug import Place

CONFIG = """
default_model = "{model}"
[worker]
lease_seconds = 5
[providers.minimax]
api_key = "env:MINIMAX_API_KEY"
base_url = "{minimax.url}"
camera_commands = true
[models.{model}]
provider = "minimax"
typical_seconds = 0.3
poll_floor = 0.1
"""
MODELS = {"hailuo-2-3": "$0.28", "minimax-h3": "$0.40"}


def place(folder: Path, minimax: MiniMax, model: str) -> Place:
    return Place.laid(folder, CONFIG.format(minimax=minimax, model=model), MINIMAX_API_KEY=minimax.key)


def plan() -> Plan:
    return Plan(run_seconds=0.1)


@pytest.mark.parametrize("model", MODELS)
async def test_minimax_animates_a_picture_from_the_command_line(tmp_path: Path, model: str) -> None:
    async with MiniMax(plan=plan) as minimax:
        here = place(tmp_path / "here", minimax, model)
        photo, out = str(here.folder / "photo.jpg"), str(here.folder / "out.mp4")
        code, said = await here.bot("animate", photo, "she smiles, slow zoom in", "--out", out)

    assert (code, len(minimax.billed)) == (0, 1), said
    assert MODELS[model] in said
    assert ("Camera commands: zoom in." in said) is (model == "hailuo-2-3")  # H3 knows no commands
    assert (await probe(here.folder / "out.mp4")).is_ready


async def test_a_pair_that_minimax_would_refuse_is_declined_before_any_request(tmp_path: Path) -> None:
    async with MiniMax(plan=plan) as minimax:
        here = place(tmp_path / "here", minimax, "hailuo-2-3")
        photo = str(here.folder / "photo.jpg")
        code, said = await here.bot("animate", photo, "w", "--resolution", "1080p", "--seconds", "10")

    assert code != 0
    assert "can't make this together: 1080p, 10 s. Choose 768p" in " ".join(said.split())
    assert minimax.seen == []


async def points(folder: Path, model: str) -> int:
    async with MiniMax(plan=plan) as minimax:
        code, said = await place(folder, minimax, model).animate()
    assert code == 0, said
    return int(said.split()[0])


async def killed(folder: Path, model: str, last: int) -> bool:
    """Die at that point, resume, and say whether nobody can know what became of the submission."""
    async with MiniMax(plan=plan) as minimax:
        here = place(folder, minimax, model)
        code, _ = await here.animate(last)
        assert code in {-9, 0}  # 0: it came through with fewer looks this time
        code, said = await here.bot("resume")
        jobs = await here.jobs()
    assert len(minimax.billed) <= 1, f"billed twice when killed at point {last}"
    if not jobs:  # killed before the job was written down: nothing was begun
        assert not minimax.billed
        return False
    [job] = jobs
    assert job.state is State.CLOSED, said
    if job.outcome is Outcome.INTERRUPTED:  # MiniMax can't be asked: killed between intent and ticket
        assert said.count("may have been charged") == 1, said
        return True
    assert job.outcome is Outcome.RENDERED
    assert (await probe(here.folder / "out.mp4")).is_ready
    assert len(minimax.billed) == 1
    return False


AT_ONCE = 4  # most of the time goes by in waiting for a lease to end
WALKS: list[tuple[str, int, int | None]] = [("hailuo-2-3", 1, 9), ("minimax-h3", 1, 9)]
if os.environ.get("ZOETROPE_CRASH_POINTS") == "all":  # once there is a ticket, the way is the one of `test_fal_crash`
    WALKS += [("hailuo-2-3", 10, 18), ("hailuo-2-3", 19, None)]


@pytest.mark.parametrize(("model", "first", "last"), WALKS)
async def test_kill_9_at_any_write_or_request_bills_once_and_loses_no_video(
    tmp_path: Path, model: str, first: int, last: int | None
) -> None:
    unknown: list[bool] = []
    end = (last or await points(tmp_path / "whole", model)) + 1
    for one in range(first, end, AT_ONCE):
        some = range(one, min(one + AT_ONCE, end))
        unknown += await asyncio.gather(*(killed(tmp_path / f"at{point}", model, point) for point in some))
    assert sum(unknown) == (4 if first == 1 else 0), "only in the points around the one paid POST may nobody know"
