"""The log as an operator reads it, and what must never stand in it, whatever a vendor or a library says."""

import errno
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from bench.toys import instant
from bot.config import load, provider_settings
from bot.domain.job import Outcome
from bot.ops import logs
from bot.store.rows import from_job
from bot.store.sql import ADD
from bot.store.sqlite import Store
from providers import fal as fal_wire
from tests.chats.discord_house import house
from tests.chats.house import png
from tests.chats.slack_house import house as slack_house
from tests.fakes import discord_faults, fal_script, faults, slack_faults
from tests.fakes.discord import Discord
from tests.fakes.fal import Fal
from tests.fakes.slack import Slack

PROMPT = "zoom in on the marzipan hedgehog"
TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAwMA.very.private"  # noqa: S105 - opens nothing
PICTURE = png((640, 480))
KEY = "0b5e55ed-0000-4000-8000-000000000000:quite-private"
FAL = """
[providers.local]
[providers.fal]
key = "file:{key}"
queue_url = "{fal.queue_url}"
rest_url = "{fal.rest_url}"
[models.kling-2-1]
provider = "fal"
typical_seconds = 0.3
poll_floor = 0.1
"""


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    known = [logging.getLogger(name) for name in (None, "zoetrope", "bot", "providers")]
    before, secrets = [(log, log.level, log.handlers[:]) for log in known], set(logs._secrets)
    yield
    for log, level, handlers in before:
        log.setLevel(level)
        log.handlers[:] = handlers
    logs._secrets.clear()
    logs._secrets.update(secrets)


Err = pytest.CaptureFixture[str]


async def test_jobs_with_every_kind_of_trouble_leave_no_prompt_key_or_token_in_the_log(
    tmp_path: Path, capsys: Err
) -> None:
    logs.to_stderr(logging.DEBUG)
    logging.getLogger().addHandler(logs._Stderr(as_json=True, dated=True))
    (tmp_path / "key").write_text(KEY)
    async with Fal(key=KEY) as fal, Discord(token=TOKEN) as discord:
        more = FAL.format(key=tmp_path / "key", fal=fal)
        async with house(tmp_path / "house", discord, more=more) as here:
            ann, channel = discord.user("ann"), discord.guild().text()
            discord.next("POST /webhooks/{}/{}", discord_faults.limited())
            fal.next("submit", faults.nginx(502))
            fal.next("status", faults.nginx(502))
            no = fal_script.refused_in_words(f"We don't like {PROMPT!r}")
            fal.next_job(fal_script.Plan(ends=no), fal_script.Plan())
            for number, model in enumerate(("local", "kling-2-1", "kling-2-1", "kling-2-1"), start=1):
                seconds = 2 if model == "local" else 5
                asked: Any = {"image": PICTURE, "prompt": PROMPT, "model": model, "seconds": seconds}
                await discord.slash(ann, channel, "animate", **asked)
                while len(await here.jobs()) < number:
                    await discord.until(lambda: True)
                if model == "local":
                    discord.next("POST /channels/{}/messages", discord_faults.limited(), discord_faults.broken())
                jobs = await here.all_closed(number)
            tokens = [interaction.token for interaction in discord.answers.interactions.values()]
    said = capsys.readouterr().err

    assert {job.outcome for job in jobs} == {Outcome.RENDERED, Outcome.REFUSED, Outcome.INTERRUPTED}
    assert "trouble with fal began" in said
    assert "trouble with discord began" in said
    assert len(tokens) == 4
    for secret in (PROMPT, "hedgehog", KEY, KEY.partition(":")[2], TOKEN, *tokens):
        assert secret not in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    for job in jobs:
        told = [line["event"] for line in lines if line.get("job") == job.id]
        assert (told[0], told[-1]) == ("Asked", "Closed")
        assert f"Closed           job={job.id} provider={job.provider}" in said


async def test_trouble_in_slack_leaves_no_prompt_or_token_in_the_log(tmp_path: Path, capsys: Err) -> None:
    logs.to_stderr(logging.DEBUG)
    async with Slack() as slack, slack_house(tmp_path / "house", slack, more="") as here:
        ann = slack.person("ann")
        channel = slack.channel("general", ann)
        root = ann.posts(channel, "look", [PICTURE]).message
        assert root

        async def wish() -> None:
            view = await ann.picks("animate_message", root).view()
            ann.fills(view, {"prompt": PROMPT})

        slack.next("chat.postMessage", slack_faults.broken())
        await wish()
        await here.told(ann, "reference")
        slack.next("upload", slack_faults.broken())
        slack.next("chat.update", slack_faults.refused("message_not_found"))
        await wish()
        await here.all_closed()
        spoken = [call.args.get("trigger_id", "") for call in slack.calls]
    said = capsys.readouterr().err

    assert "job=" in said
    assert "reference" in said
    for secret in filter(None, (PROMPT, "hedgehog", slack.bot_token, slack.app_token, *spoken)):
        assert str(secret) not in said


def test_a_line_says_the_event_and_its_facts(capsys: Err) -> None:
    facts = {"job": "abc", "provider": "fal", "was": "queued", "state": "submitting", "attempt": 0, "due_in": 92.0}
    logs.to_stderr(logging.INFO)
    logging.getLogger("zoetrope.job").info("EffectStarted", extra=facts)
    logs.to_stderr(logging.INFO, as_json=True)
    logging.getLogger("zoetrope.job").info("EffectStarted", extra=facts)
    text, line = capsys.readouterr().err.splitlines()

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[info     \] EffectStarted    job=abc provider=fal was=queued "
        r"state=submitting attempt=0 due_in=92.0",
        text,
    )
    found = json.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {**facts, "event": "EffectStarted", "level": "info", "logger": "zoetrope.job"}


def raise_with(key: str) -> None:
    raise ValueError(f"the server did not like {key}")


def secret(folder: Path, value: str) -> str:
    """Read a secret as the settings do."""
    (folder / "key").write_text(value)
    (folder / "config.toml").write_text('[providers.fal]\nkey = "file:key"')
    settings = provider_settings(load(folder / "config.toml", {}), "fal", fal_wire.Settings)
    return settings.key.reveal()


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("value", ["plain-key-123456", 'a"quote\\d-key'])
def test_a_secret_of_the_settings_is_blacked_out_wherever_it_stands(
    tmp_path: Path, capsys: Err, value: str, *, as_json: bool
) -> None:
    logs.to_stderr(logging.DEBUG, as_json=as_json)
    key = secret(tmp_path, value)
    try:
        raise_with(key)
    except ValueError:
        logging.getLogger("anybody").exception("Authorization: Key %s", key, extra={"job": key})
    said = capsys.readouterr().err

    assert value not in said
    assert json.dumps(value)[1:-1] not in said
    assert said.count("••••••") >= 3
    assert "the server did not like" in said


def test_a_library_may_warn_but_not_chat(capsys: Err) -> None:
    logs.to_stderr(logging.DEBUG)
    logging.getLogger("discord.http").debug("POST with %s", PROMPT)
    logging.getLogger("discord.http").warning("Discord is slow")
    [line] = capsys.readouterr().err.splitlines()

    assert line.endswith("Discord is slow")


@pytest.mark.parametrize(
    "told",
    [
        "POST https://d.example/api/v10/webhooks/42/a.private-thing/messages responded with 429",
        "https://hooks.slack.com/actions/T1/2/private failed",
        "wss://wss.slack.example/link/?ticket=private&app_id=1 is gone",
        'said "Authorization: Bearer private"',
        "eyJhbGciOiJIUzI1NiJ9.private.sig is too old",
    ],
)
def test_tokens_that_no_setting_names_are_known_by_their_place(capsys: Err, told: str) -> None:
    for as_json in (False, True):
        logs.to_stderr(logging.INFO, as_json=as_json)
        logging.getLogger("anybody").warning(told)
    text, line = capsys.readouterr().err.splitlines()

    for said in (text, json.loads(line)["event"]):
        assert "••••••" in said
        assert "private" not in said


def test_a_traceback_shows_no_variables(capsys: Err) -> None:
    def breaks(prompt: str) -> None:
        raise ValueError(len(prompt))

    logs.to_stderr(logging.INFO)
    try:
        breaks(PROMPT)
    except ValueError:
        logging.getLogger("zoetrope").exception("a bug")

    said = capsys.readouterr().err
    assert "raise ValueError(len(prompt))" in said
    assert PROMPT not in said


async def test_a_row_that_the_database_refuses_is_not_shown(tmp_path: Path, capsys: Err) -> None:
    logs.to_stderr(logging.INFO)
    store = await Store.open(tmp_path / "zoetrope.db")
    job = replace(instant.asked("a", 0.0), prompt=PROMPT, price=-1)
    try:
        async with store._engine.begin() as connection:
            await connection.execute(ADD, from_job(job))
    except DatabaseError:
        logging.getLogger("zoetrope").exception("a bug")
    await store.close()
    said = capsys.readouterr().err

    assert "CHECK constraint failed" in said
    assert PROMPT not in said


def test_other_peoples_words_steer_no_terminal_and_fake_no_line(capsys: Err) -> None:
    logs.to_stderr(logging.INFO)
    logging.getLogger("zoetrope").warning("Busy: %s", "x\n2026-11-20 00:00:00 [info     ] all is well\x1b[2J")

    [line] = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line


def test_colours_are_for_terminals(capsys: Err, monkeypatch: pytest.MonkeyPatch) -> None:
    logging_to: Any = sys.stderr
    monkeypatch.setattr(logging_to, "isatty", lambda: True, raising=False)
    logs.to_stderr(logging.INFO)
    logging.getLogger("zoetrope").info("running")

    assert "\x1b[" in capsys.readouterr().err


def test_a_line_that_can_not_be_drawn_stops_nobody(capsys: Err) -> None:
    logs.to_stderr(logging.INFO)
    logging.getLogger("zoetrope").info("%d things", "many")

    assert capsys.readouterr().err == "a line of zoetrope can't be shown: TypeError\n"


class Full(io.StringIO):
    """A log on a disk that is full."""

    def write(self, _line: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_place_that_takes_no_line_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.to_stderr(logging.INFO)
    monkeypatch.setattr(sys, "stderr", Full())
    logging.getLogger("zoetrope").warning("a ticket waits to be written down")


def test_other_peoples_words_in_a_traceback_steer_no_terminal_and_fake_no_line(capsys: Err) -> None:
    def breaks(words: str) -> None:
        raise ValueError(words)

    logs.to_stderr(logging.INFO)
    try:
        breaks("x\n2026-11-20 00:00:00 [info     ] all is well\x1b[2J")
    except ValueError:
        logging.getLogger("zoetrope").exception("a bug")

    first, *below = capsys.readouterr().err.splitlines()
    assert "a bug" in first
    assert any("all is well" in line for line in below)
    assert all(line.startswith("  ") and "\x1b" not in line for line in below)


def test_the_settings_say_how_much_is_logged(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[log]\nformat = "json"\nlevel = "error"')
    config = load(tmp_path / "config.toml", {})

    assert (config.log.format, config.log.level) == ("json", "error")
