"""An option of one's own: one record and its words, and it stands at every door, in the row and in the request."""

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
import typer
from typer.testing import CliRunner

from bot.chats import fields
from bot.chats.contract import Address, Offer
from bot.chats.discord.commands import Tree, add_commands
from bot.chats.slack import forms
from bot.cli.flags import chosen, flagged
from bot.domain import options
from bot.domain.job import Job
from bot.domain.options import Cannot, ChosenOptions, Option, ResolvedOptions, Terms, resolve
from bot.engine.step import Step
from bot.text import sentences
from providers.contract import ModelSpec, Picture
from providers.mapping import Names, to_wire

TEMPI = ("slow", "fast")
SPEC = ModelSpec("toy", "toy", wire={"tempi": TEMPI})
WORDS = {
    "option.tempo": "tempo",
    "option.tempo.about": "How fast it moves",
    "form.tempo": "Tempo",
    "plan.tempo": "at a {tempo} tempo",
    "cannot.tempo": "{model} can't move at {asked}. Choose {choices}.",
}


def _resolve(asked: str | None, terms: Terms) -> str | None:
    tempi: tuple[str, ...] = terms.spec.wire.get("tempi", ())
    if asked is not None and asked not in tempi:
        raise Cannot("tempo", asked, tempi)
    return asked or next(iter(tempi), None)


TEMPO = Option(
    "tempo",
    str,
    "How fast it moves.",
    _resolve,
    lambda terms: terms.spec.wire.get("tempi"),
    quoted=True,
    suggested=True,
)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    english = {**sentences.WORDS["en"], **WORDS}
    monkeypatch.setattr(options, "OPTIONS", (*options.OPTIONS, TEMPO))
    monkeypatch.setattr(sentences, "WORDS", {"en": english})
    monkeypatch.setattr(sentences, "_ENGLISH", english)


def test_it_reaches_the_providers_request_and_its_wire() -> None:
    row = {"tempo": "fast", "of another program": 1}
    job = Job("a", "k", Address("toy", {}), "me", "en", "go", "toy", "toy", ResolvedOptions.of(row), 0, 0)
    still = Picture(b"jpeg", "image/jpeg", 8, 8)
    tools: Any = SimpleNamespace(
        store=None, clock=None, times=None, spec=lambda _: SPEC, providers={}, chats={"toy": None},
        files=SimpleNamespace(pictures=lambda _: (still, None)),
    )  # fmt: skip
    request = Step(tools, job, 0)._request()  # what goes to `submit`

    assert request is not None
    assert request.options == {"tempo": "fast"}
    assert to_wire(request, Names(options={"tempo": "speed_mode"})) == {"prompt": "go", "speed_mode": "fast"}


async def test_discords_command_takes_and_suggests_it() -> None:
    tree = Tree(discord.Client(intents=discord.Intents.none()))
    add_commands(tree, cast("Any", None), sentences.say)
    [animate] = [command.to_dict(tree) for command in tree.get_commands() if command.name == "animate"]

    [tempo] = [option for option in animate["options"] if option["name"] == "tempo"]
    assert (tempo["description"], tempo["autocomplete"], tempo.get("required", False)) == (
        "How fast it moves",
        True,
        False,
    )


def test_a_form_asks_for_it_and_reads_it() -> None:
    offers = [Offer("toy", "toy", options.choices(SPEC))]
    form = forms.request_form(sentences.say, offers, {}, pictures=1)

    [tempo] = [block for block in form["blocks"] if block["block_id"] == "tempo"]
    assert tempo["label"]["text"] == "Tempo"
    assert [one["value"] for one in tempo["element"]["options"]] == list(TEMPI)
    assert fields.read({"tempo": "fast"}, sentences.say) == ({"tempo": "fast"}, {})


def test_the_command_line_has_its_flag() -> None:
    seen: list[ChosenOptions] = []
    app = typer.Typer()

    @app.command()
    @flagged
    def animate(**flags: Any) -> None:
        seen.append(chosen(flags))

    assert CliRunner().invoke(app, ["--tempo", "fast"]).exit_code == 0
    assert seen[0].values() == {"tempo": "fast"}


def test_it_is_resolved_quoted_and_kept_in_the_row() -> None:
    resolved = resolve(ChosenOptions.of({"tempo": "fast"}), SPEC, last=False)

    assert ResolvedOptions.of(resolved.row()) == resolved
    assert resolved.chosen("toy").values()["tempo"] == "fast"
    assert "at a fast tempo" in sentences.plan("toy", resolved, 0)
    with pytest.raises(Cannot) as caught:
        resolve(ChosenOptions.of({"tempo": "wild"}), SPEC, last=False)
    no = caught.value
    assert sentences.cannot(no.option, "toy", no.asked, no.choices) == "toy can't move at wild. Choose slow or fast."
