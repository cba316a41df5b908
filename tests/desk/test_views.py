"""What a person may see of their jobs and of the models, and forget: real rows, a real shelf."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from bot.chats.contract import Act, Address
from bot.desk.views import Showing
from bot.domain.job import Closed, EffectStarted, Job, Outcome, Settled, State, Ticketed
from bot.domain.options import ResolvedOptions
from bot.domain.policy import Limits
from bot.files.folder import Folder, Missing
from bot.store.sqlite import Store
from providers.catalog import Catalogue
from providers.contract import ModelSpec, Picture, Price, Ticket

NOW = 1_780_000_000.0  # 28 May 2026
SPECS = (
    ModelSpec("local", "local", seconds=(5, 2)),
    ModelSpec("swift", "acme", title="Swift 2", aliases=("sw",), seconds=(5, 10), price=Price(per_second=56_000)),
    ModelSpec("swift", "other", title="Swift elsewhere"),
    ModelSpec("long", "acme", seconds=(30,)),
    ModelSpec("old", "acme", retired_on=date(2026, 5, 28)),
)


@dataclass
class Here:
    showing: Showing
    store: Store
    files: Folder

    async def job(self, name: str, requester: str = "ann") -> Job:
        self.files.keep(name, Picture(b"jpeg", "image/jpeg", 2, 2))
        job = Job(
            id=name, key=name, address=Address("discord", {"channel": "1"}), requester=requester, locale="en",
            prompt="waves", model="swift", provider="acme", options=ResolvedOptions(), price=0, created=NOW, due=NOW,
        )  # fmt: skip
        return await self.store.add(job)

    async def ended(self, name: str) -> None:
        [job] = await self.store.claim(NOW + 30, ["discord"], [], 1, name)
        for event in (
            EffectStarted(NOW), Ticketed(Ticket("t"), NOW), Settled(Outcome.RENDERED, {"seconds": 5.0}), Closed("1/2"),
        ):  # fmt: skip
            job = await self.store.record(job, event)


def showing(store: Store, files: Folder, limits: Limits | None = None, specs: tuple[ModelSpec, ...] = SPECS) -> Showing:
    return Showing(
        catalogue=Catalogue(specs), store=store, files=files, limits=limits or Limits(), default_model="swift",
        clock=lambda: NOW,
    )  # fmt: skip


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    store, files = await Store.open(tmp_path / "z.db", lambda: NOW), Folder(tmp_path / "jobs")
    yield Here(showing(store, files), store, files)
    await store.close()


async def test_a_job_is_shown_as_it_stands_and_as_it_ended(here: Here) -> None:
    await here.job("bcd")
    shown = await here.showing.job("bcd")
    assert shown
    assert (shown.words, shown.open, [action.act for action in shown.actions]) == (
        "Waiting to start.",
        True,
        [Act.CANCEL],
    )

    await here.ended("bcd")
    shown = await here.showing.job("bcd")
    assert shown
    assert (shown.words, shown.open, shown.receipt) == ("Here is your video.", False, "1/2")
    assert [action.act for action in shown.actions] == [Act.RETRY, Act.EDIT, Act.DELETE]
    assert "waves" not in repr(shown)


async def test_an_unknown_job_is_nothing(here: Here) -> None:
    assert await here.showing.job("nope") is None
    assert not await here.showing.forget("nope")


async def test_recent_jobs_are_ones_own(here: Here) -> None:
    for name, who in (("a1", "ann"), ("b1", "bob"), ("a2", "ann")):
        await here.job(name, who)

    assert {one.id for one in await here.showing.recent("ann")} == {"a1", "a2"}
    assert len(await here.showing.recent("ann", most=1)) == 1


async def test_only_a_closed_job_is_forgotten(here: Here) -> None:
    await here.job("bcd")
    assert not await here.showing.forget("bcd")
    assert here.files.pictures("bcd")

    await here.ended("bcd")
    assert await here.showing.forget("bcd")
    with pytest.raises(Missing):
        here.files.pictures("bcd")
    job = await here.store.get("bcd")
    assert job
    assert job.state is State.CLOSED


async def test_models_are_offered_with_length_and_price_the_usual_one_first(here: Here) -> None:
    offers = here.showing.offers("")

    assert [offer.name for offer in offers] == ["swift", "local", "long"]
    assert offers[0].label == "Swift 2 · 5 s · $0.28"
    assert offers[1].label == "local · 5 s · free"
    assert [offer.name for offer in here.showing.offers("", 2, first="long")] == ["long", "swift"]


@pytest.mark.parametrize(("typed", "found"), [("SW", ["swift"]), ("swift 2", ["swift"]), ("o", ["local", "long"])])
async def test_what_was_typed_narrows_the_offers(here: Here, typed: str, found: list[str]) -> None:
    assert [offer.name for offer in here.showing.offers(typed)] == found


async def test_lengths_that_are_not_allowed_here_are_not_offered(here: Here) -> None:
    short = showing(here.store, here.files, replace(Limits(), max_seconds=5))

    assert [(offer.name, offer.choices["seconds"]) for offer in short.offers("")] == [
        ("swift", (5,)),
        ("local", (5, 2)),
    ]


async def test_a_name_that_its_first_maker_has_withdrawn_is_offered_as_the_next_one_makes_it(here: Here) -> None:
    withdrawn = replace(SPECS[1], retired_on=date(2026, 5, 28))
    [offer] = showing(here.store, here.files, specs=(withdrawn, SPECS[2])).offers("")

    assert offer.label == "Swift elsewhere · 5 s · free"


async def test_at_most_so_many_are_offered(here: Here) -> None:
    assert len(here.showing.offers("", most=1)) == 1


def test_every_sentence_can_be_said_in_a_language(here: Here) -> None:
    assert here.showing.say("label.retry", "de") == "Noch einmal"
    assert here.showing.say("label.retry", "xx") == "Retry"
    with pytest.raises(LookupError):
        here.showing.say("no such sentence", "en")
