"""What can be pressed and filled in. An id names act and job, so a button outlives us."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import discord

from bot.chats import fields
from bot.chats.contract import Act, Action, JobView, Offer

FORM = "zoetrope-form:"
FORM_SECONDS = 900.0  # a form that nobody sends is forgotten
LABEL = 80
FIELDS = 5  # that Discord lets stand in a form
_STYLES: Mapping[str, discord.ButtonStyle] = {
    Act.CANCEL: discord.ButtonStyle.secondary,
    Act.DELETE: discord.ButtonStyle.danger,
}
Say = Callable[[str], str]


class Pressed(Protocol):
    """Who is told of a press."""

    async def pressed(self, interaction: discord.Interaction[Any], action: Action) -> None: ...


class Press(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"zoetrope:(?P<act>[a-z_]{1,32}):(?P<job>[a-z0-9-]{1,64})",
):
    """A button of any job, of this process or of one long gone."""

    def __init__(self, action: Action, handlers: Pressed | None = None) -> None:
        super().__init__(discord.ui.Button(custom_id=mark(action), label=action.act))
        self._action, self._handlers = action, handlers

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], _item: discord.ui.Item[Any], match: re.Match[str]
    ) -> "Press":
        return cls(Action(match["act"], match["job"]), interaction.client.handlers)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        if self._handlers is not None:
            await self._handlers.pressed(interaction, self._action)


def mark(action: Action) -> str:
    return f"zoetrope:{action.act}:{action.job}"


def view(actions: Sequence[Action], say: Say, labels: Sequence[str] = ()) -> discord.ui.View | None:
    """Return the buttons of a message, or None for none. It is stopped: presses are found by their ids alone."""
    if not actions:
        return None
    made = discord.ui.View(timeout=None)
    for number, action in enumerate(actions):
        label = labels[number] if labels else say(f"label.{action.act}")
        style = _STYLES.get(action.act, discord.ButtonStyle.primary)
        made.add_item(discord.ui.Button(style=style, label=label[:LABEL], custom_id=mark(action)))
    made.stop()
    return made


def request_form(name: str, say: Say, offers: Sequence[Offer], *, two: bool) -> discord.ui.Modal:
    """Return the form of the menu: words, what a second picture is for, and the options that have room."""
    ends = [fields.Field("end", say("form.end"), LABEL, _ends(say), "yes")] if two else []
    return _form(name, say, "", [*ends, *fields.fields(say, offers)])


def edit_form(name: str, say: Say, offers: Sequence[Offer], job: JobView) -> discord.ui.Modal:
    """Return the form that asks for other words and choices; the job's own stand in it."""
    return _form(name, say, job.prompt, fields.fields(say, offers, job.options))


def _ends(say: Say) -> tuple[fields.Choice, ...]:
    return tuple((say(f"form.end.{answer}"), answer) for answer in ("yes", "no"))


def _form(name: str, say: Say, prompt: str, wanted: Sequence[fields.Field]) -> discord.ui.Modal:
    """Return a form with as many fields as Discord lets stand in one; `name` says what it is for."""
    form = discord.ui.Modal(title=say("form.title")[:45], custom_id=FORM + name, timeout=FORM_SECONDS)
    words: discord.ui.TextInput[Any] = discord.ui.TextInput(
        custom_id="prompt", style=discord.TextStyle.paragraph, required=False, max_length=4000, default=prompt[:4000]
    )
    form.add_item(discord.ui.Label(text=say("form.prompt")[:45], component=words))
    for field in wanted[: FIELDS - 1]:
        form.add_item(discord.ui.Label(text=field.label[:45], component=_component(field)))
    return form


def _component(field: fields.Field) -> discord.ui.Item[Any]:
    if not field.choices:
        return discord.ui.TextInput(
            custom_id=field.name, required=False, max_length=field.most, default=field.value[: field.most] or None
        )
    options = [
        discord.SelectOption(label=label[:100], value=back[:100], default=back == field.value)
        for label, back in field.choices[:25]
    ]
    return discord.ui.Select(custom_id=field.name, options=options, required=False)


def filled(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what was filled in, by the names of the fields; "" for nothing."""
    return {
        part["custom_id"]: str(part.get("value") or next(iter(part.get("values") or ()), ""))
        for part in _parts(data.get("components", ()))
        if "custom_id" in part
    }


def _parts(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for part in components:
        yield part
        yield from _parts([*part.get("components", ()), *([part["component"]] if "component" in part else ())])
