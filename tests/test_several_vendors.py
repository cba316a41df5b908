"""A model that fal and Kling both make, by real processes on both wires: one is asked, one is paid, and it is said."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes import fal_script as script
from tests.fakes import faults
from tests.fakes.fal import Fal
from tests.fakes.kling import Kling
from tests.fakes.plug import Place

FAL = """
[providers.fal]
key = "env:FAL_KEY"
queue_url = "{fal.queue_url}"
rest_url = "{fal.rest_url}"
"""
KLING = """
[providers.kling]
api_key = "env:KLING_API_KEY"
base_url = "{kling.url}"
"""
QUICK = """
[models.kling-2-6]
provider = "MAKER"
typical_seconds = 0.3
poll_floor = 0.1
"""


class Vendors(NamedTuple):
    fal: Fal
    kling: Kling
    folder: Path

    async def animate(self, *order: str, maker: str) -> tuple[int, str]:
        """Ask for a model that both make, the vendors preferred in that order; `maker` is looked at often."""
        config = 'default_model = "kling 2.6 pro"\n' + "".join(order) + QUICK.replace("MAKER", maker)
        here = Place.laid(
            self.folder / "here",
            config.format(fal=self.fal, kling=self.kling),
            FAL_KEY=self.fal.key,
            KLING_API_KEY=self.kling.api_key,
        )
        photo, out = str(here.folder / "photo.jpg"), str(here.folder / "out.mp4")
        code, said = await here.bot("animate", photo, "she smiles", "--out", out)
        return code, " ".join(said.split())

    @property
    def billed(self) -> tuple[int, int]:
        return len(self.fal.billed), len(self.kling.billed)


@pytest.fixture
async def vendors(tmp_path: Path) -> AsyncIterator[Vendors]:
    async with Fal(plan=lambda *_: script.Plan(queue_seconds=0.1, run_seconds=0.2)) as fal, Kling() as kling:
        yield Vendors(fal, kling, tmp_path)


async def test_the_vendor_whose_table_stands_first_makes_it(vendors: Vendors) -> None:
    code, said = await vendors.animate(KLING, FAL, maker="kling")

    assert (code, vendors.billed) == (0, (0, 1)), said
    assert "not taken" not in said


async def test_a_vendor_whose_account_is_empty_is_passed_over_and_that_is_said(vendors: Vendors) -> None:
    vendors.fal.next("submit", script.locked())
    code, said = await vendors.animate(FAL, KLING, maker="kling")

    assert (code, vendors.billed) == (0, (0, 1)), said
    assert "It was not taken by fal just now, so kling makes it, for $0.35." in said


async def test_a_vendor_that_is_busy_once_keeps_the_job(vendors: Vendors) -> None:
    vendors.fal.next("submit", script.too_many())
    code, said = await vendors.animate(FAL, KLING, maker="fal")
    assert (code, vendors.billed) == (0, (1, 0)), said


async def test_a_vendor_that_is_busy_twice_is_passed_over(vendors: Vendors) -> None:
    vendors.fal.next("submit", script.too_many(), script.too_many())
    code, said = await vendors.animate(FAL, KLING, maker="kling")

    assert (code, vendors.billed) == (0, (0, 1)), said


async def test_a_vendor_whose_answer_was_lost_is_not_passed_over_as_it_may_have_charged(vendors: Vendors) -> None:
    vendors.fal.next("submit", faults.dropped())
    _, said = await vendors.animate(FAL, KLING, maker="fal")

    assert vendors.billed == (1, 0)
    assert "may have been charged" in said
