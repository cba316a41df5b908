"""Databases that older programs really wrote, in every state, are brought up to date whole or not at all."""

import json
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bot.chats.contract import Address
from bot.domain.job import Fallback, Job, Outcome, State
from bot.domain.options import ResolvedOptions
from bot.store.migrations import KNOWN
from bot.store.sqlite import Store

NOW = 1_000_000.0
OLD = KNOWN[:3]
OPTIONS = {
    "seconds": 10, "aspect": None, "resolution": "720p", "negative_prompt": "blur", "guidance": None, "seed": 7,
    "audio": False, "last": True, "notes": ["first.flattened"], "tempo": "of a newer program",
}  # fmt: skip
ELSEWHERE = [{"provider": "kling", "model": "kling", "options": {"seconds": 10, "last": True}, "price": 400_000}]
TICKETED: dict[str, Any] = {"ticket": '{"id": "t"}', "ticketed": NOW + 5, "rendering_since": NOW + 8}
STATES: dict[str, dict[str, Any]] = {
    "queued": {"options": OPTIONS | {"elsewhere": ELSEWHERE}},
    "submitting": {"began": NOW + 1, "options": OPTIONS | {"elsewhere": [], "passed_over": ["minimax"]}},
    "rendering": TICKETED | {"progress": '{"rendering":0.5}'},
    "overdue": TICKETED | {"late": 1},
    "replying": TICKETED | {"began": NOW + 90, "outcome": "rendered", "detail": '{"bytes": 9}', "cost": 250_000},
    "closed": {"outcome": "refused", "detail": '{"reason": "policy"}', "cost": 0, "closed": NOW + 60, "receipt": "1/2"},
}


def as_it_was(file: Path, version: str) -> None:
    """Write a database as the program of that version did: its migrations' own SQL, its own JSON."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        first = import_module("bot.store.migrations.versions.0001_first")
        for statement in (
            first.JOBS, first.HISTORY, first.LEDGER,
            "CREATE INDEX jobs_due ON jobs (due) WHERE state <> 'closed'",
            "CREATE INDEX jobs_requester ON jobs (requester, created)",
            "CREATE INDEX jobs_rendered ON jobs (provider, model, settled) WHERE outcome = 'rendered'",
            "CREATE INDEX ledger_at ON ledger (at)",
            *(["ALTER TABLE jobs ADD COLUMN restored DOUBLE PRECISION"] if version >= "0002" else []),
            *(["CREATE INDEX jobs_totals ON jobs (state, outcome, price, cost)"] if version >= "0003" else []),
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        ):  # fmt: skip
            db.execute(statement)
        db.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        for state, changes in STATES.items():
            row: dict[str, Any] = {
                "id": state, "key": f"discord:{state}", "surface": "discord", "place": '{"channel":"1","status":"2"}',
                "requester": "me", "locale": "de", "prompt": "waves", "model": "kling", "provider": "fal",
                "options": OPTIONS, "price": 280_000, "created": NOW, "state": state, "due": NOW, "fence": 2,
                "claimed": 0, "attempts": 0, "shown": 0, "cancel_answered": 0, "detail": "{}", "late": 0,
            }  # fmt: skip
            row |= changes
            row["options"] = json.dumps(row["options"])
            names = ", ".join(row)
            db.execute(f"INSERT INTO jobs ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))  # noqa: S608 - names of our own
            reserved = 400_000 if state == "queued" else 280_000
            books = [("reserve", reserved, NOW)]
            if row.get("cost") is not None:
                books += [("release", -reserved, NOW + 90_000), ("settle", row["cost"], NOW + 90_000)]
            for kind, amount, at in books:
                db.execute("INSERT INTO ledger VALUES (?, ?, ?, 'me', ?)", (state, kind, amount, at))
            db.execute("INSERT INTO history VALUES (?, 1, ?, 'PassedOver', ?, '{}')", (state, NOW, state))


@pytest.mark.parametrize("version", OLD)
async def test_a_database_of_an_older_program_keeps_every_job_as_it_stood(tmp_path: Path, version: str) -> None:
    as_it_was(tmp_path / "zoetrope.db", version)

    store = await Store.open(tmp_path / "zoetrope.db", lambda: NOW)
    found = {job.id: job for job in await store.jobs()}

    assert {job.id for job in found.values()} == set(State)
    assert all(job.address == Address("discord", {"channel": "1", "status": "2"}) for job in found.values())
    assert all(job.notices == ("first.flattened",) for job in found.values())
    queued, submitting = found["queued"], found["submitting"]
    assert queued.fallbacks == (Fallback("kling", "kling", ResolvedOptions(10, last=True), 400_000),)
    assert (submitting.passed_providers, submitting.effect_started) == (("minimax",), NOW + 1)
    assert (found["rendering"].rendering_started, found["rendering"].ticket) == (NOW + 8, '{"id": "t"}')
    assert (found["replying"].outcome, found["closed"].outcome) == (Outcome.RENDERED, Outcome.REFUSED)
    assert (queued.options.seed, queued.options.more) == (7, {"tempo": "of a newer program"})
    assert [entry.event for entry in await store.history("queued")] == ["PassedOver"]
    await store.close()


@pytest.mark.parametrize("version", OLD)
async def test_its_money_is_counted_by_the_day_of_each_job(tmp_path: Path, version: str) -> None:
    as_it_was(tmp_path / "zoetrope.db", version)

    store = await Store.open(tmp_path / "zoetrope.db", lambda: NOW)
    spent = (await store.usage("me", NOW)).spent

    assert spent == 400_000 + 3 * 280_000 + 250_000
    assert (await store.usage("me", NOW + 1)).spent == 0, "a release of the next day is no credit"
    assert sum(total.reserved + total.spent for total in await store.totals()) == spent
    await store.close()


@pytest.mark.parametrize("version", OLD)
async def test_a_migration_that_breaks_off_leaves_the_old_database_as_it_was(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "zoetrope.db"
    as_it_was(file, version)
    before = dump(file)
    seen: list[str] = []
    monkeypatch.setattr("json.loads", lambda text: breaks_on(text, seen))
    with pytest.raises(Broke):
        await Store.open(file, lambda: NOW)
    monkeypatch.undo()

    assert dump(file) == before
    store = await Store.open(file, lambda: NOW)
    assert len(await store.jobs()) == len(STATES)
    await store.close()


class Broke(Exception):
    pass


def breaks_on(text: str, seen: list[str]) -> Any:
    seen.append(text)
    if len(seen) == 4:
        raise Broke
    return json.JSONDecoder().decode(text)


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as db:
        return list(db.iterdump())


async def test_a_job_of_every_state_is_read_and_written_again_without_loss(tmp_path: Path) -> None:
    as_it_was(tmp_path / "zoetrope.db", OLD[-1])
    store = await Store.open(tmp_path / "zoetrope.db", lambda: NOW)

    jobs: list[Job] = await store.claim(NOW + 30, ["discord"], [], 10)
    assert {job.state for job in jobs} == set(State) - {State.CLOSED}
    await store.wait([(job, NOW + 5) for job in jobs])
    assert {job.id: job.options.row()["tempo"] for job in await store.jobs()} == dict.fromkeys(
        STATES, "of a newer program"
    )
    await store.close()
