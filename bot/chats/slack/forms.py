"""Draws what can be filled in, and the app's home, as Slack wants it. Handlers say what is done with it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.chats import fields
from bot.chats.contract import JobView, Offer
from bot.chats.slack.buttons import Block, Say, section

REQUEST, EDIT = "zoetrope_wish", "zoetrope_edit"
MODELS = CHOICES = 100  # in one field
LABEL = 24  # characters of a title or a button
CHOICE = 75  # characters of a choice
WORDS = 3000  # characters that Slack takes in a field
KINDS = ("jpg", "jpeg", "png", "webp", "gif", "heic", "heif", "avif")


def plain(text: str, most: int = CHOICE) -> Block:
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…"}


def request_form(
    say: Say, offers: Sequence[Offer], about: Mapping[str, Any], *, pictures: int, prompt: str = ""
) -> Block:
    """Return the form of a request; `about` travels with it. `pictures`: how many are chosen, 0 for none yet."""
    return _form(
        REQUEST,
        say,
        about,
        _field("picture", say, _files()) if not pictures else None,
        _prompt(say, prompt),
        _field("end", say, _choice([(say(f"form.end.{one}"), one) for one in ("yes", "no")], "yes"))
        if pictures > 1
        else None,
        *_options(fields.fields(say, offers)),
        _field("channel", say, _where(), optional=True) if not pictures else None,
    )


def edit_form(say: Say, about: Mapping[str, Any], offers: Sequence[Offer], job: JobView) -> Block:
    """Return the form that asks for other words and choices; the job's own stand in it."""
    return _form(EDIT, say, about, _prompt(say, job.prompt), *_options(fields.fields(say, offers, job.options)))


def _options(wanted: Sequence[fields.Field]) -> list[Block]:
    return [_input(field.name, plain(field.label, 2000), _element(field), optional=True) for field in wanted]


def _element(field: fields.Field) -> Block:
    if field.choices:
        return _choice(field.choices, field.value)
    value = {"initial_value": field.value[: field.most]} if field.value else {}
    return {"type": "plain_text_input", "max_length": field.most} | value


def _form(name: str, say: Say, about: Mapping[str, Any], *blocks: Block | None) -> Block:
    return {
        "type": "modal",
        "callback_id": name,
        "title": plain(say("form.title"), LABEL),
        "submit": plain(say("form.submit"), LABEL),
        "close": plain(say("form.close"), LABEL),
        "private_metadata": json.dumps(about),
        "blocks": [block for block in blocks if block],
    }


def _prompt(say: Say, prompt: str) -> Block:
    words = {"initial_value": prompt[:WORDS]} if prompt else {}
    element = {"type": "plain_text_input", "multiline": True, "max_length": WORDS} | words
    return _field("prompt", say, element, optional=True)


def _field(name: str, say: Say, element: Block, *, optional: bool = False) -> Block:
    hint = {"hint": plain(say(f"form.{name}.hint"), 2000)} if name in {"picture", "channel"} else {}
    return _input(name, plain(say(f"form.{name}"), 2000), element, optional=optional) | hint


def _input(name: str, label: Block, element: Block, *, optional: bool) -> Block:
    element = element | {"action_id": name}
    return {"type": "input", "block_id": name, "optional": optional, "label": label, "element": element}


def _choice(choices: Sequence[fields.Choice], value: str) -> Block:
    options = [{"text": plain(label), "value": back[:150]} for label, back in choices[:CHOICES]]
    initial = [option for option in options if option["value"] == value]
    return {"type": "static_select", "options": options} | ({"initial_option": initial[0]} if initial else {})


def _files() -> Block:
    return {"type": "file_input", "filetypes": list(KINDS), "max_files": 2}


def _where() -> Block:
    """Ask for the place; Slack itself chooses the one that is open."""
    kinds = ["public", "private", "mpim", "im"]
    return {"type": "conversations_select", "default_to_current_conversation": True, "filter": {"include": kinds}}


def filled(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was filled in by the names of the form's fields: texts, "" for nothing, and `picture` as files."""
    values = view.get("state", {}).get("values", {})
    given = {name: _given(field[name]) for name, field in values.items() if name in field}
    return {"prompt": "", "end": "", "channel": "", "picture": []} | given


def _given(field: Mapping[str, Any]) -> Any:
    if field.get("type") == "file_input":
        return list(field.get("files") or [])
    choice = (field.get("selected_option") or {}).get("value")
    return field.get("value") or choice or field.get("selected_conversation") or ""


def about(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what travelled with a form."""
    return dict(json.loads(view.get("private_metadata") or "{}"))


def home(say: Say, jobs: Sequence[Sequence[Block]]) -> Block:
    """Return the app's home: what can be done here, and somebody's jobs, each as its blocks."""
    head = [{"type": "header", "text": plain(say("home.title"), 150)}, section(say("chat.help"))]
    rows = [block for job in jobs for block in ({"type": "divider"}, *job)]
    title = {"type": "header", "text": plain(say("home.jobs"), 150)}
    return {"type": "home", "blocks": [*head, title, *(rows or [section(say("chat.no_jobs"))])]}
