"""What can be filled in, and the app's home: views as Slack draws them. What is done with them is `talk`'s business."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.chats.contract import Offer
from bot.chats.slack.buttons import Block, Say, section
from bot.domain.options import ChosenOptions

WISH, EDIT = "zoetrope_wish", "zoetrope_edit"
MODELS = 100
LABEL = 24  # characters of a title or a button
CHOICE = 75  # characters of a choice
WORDS = 3000  # characters that Slack takes in a field
KINDS = ("jpg", "jpeg", "png", "webp", "gif", "heic", "heif", "avif")
_NAMES = ("prompt", "model", "seconds", "aspect", "end", "picture", "channel")


def plain(text: str, most: int = CHOICE) -> Block:
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…"}


def wish_form(say: Say, offers: Sequence[Offer], about: Mapping[str, Any], *, pictures: int, prompt: str = "") -> Block:
    """Return the form of a wish; `about` travels with it. `pictures`: how many are chosen, 0 for none yet."""
    shapes = list(dict.fromkeys(shape for offer in offers for shape in offer.choices.get("aspect", ())))
    return _form(
        WISH,
        say,
        about,
        _field("picture", say, _files()) if not pictures else None,
        _prompt(say, prompt),
        _field("model", say, _choice([(one.label, one.name) for one in offers[:MODELS]]), optional=True),
        _field("seconds", say, {"type": "plain_text_input", "max_length": 10}, optional=True),
        _field(
            "aspect", say, _choice([(_shape(one, say), one) for one in shapes[:MODELS]], chosen=False), optional=True
        ),
        _field("end", say, _choice([(say(f"form.end.{one}"), one) for one in ("yes", "no")])) if pictures > 1 else None,
        _field("channel", say, _where(), optional=True) if not pictures else None,
    )


def prompt_form(say: Say, about: Mapping[str, Any], prompt: str) -> Block:
    """Return the form that asks for other words."""
    return _form(EDIT, say, about, _prompt(say, prompt))


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


def _prompt(say: Say, prompt: str) -> Block | None:
    words = {"initial_value": prompt[:WORDS]} if prompt else {}
    element = {"type": "plain_text_input", "multiline": True, "max_length": WORDS} | words
    return _field("prompt", say, element, optional=True)


def _field(name: str, say: Say, element: Block | None, *, optional: bool = False) -> Block | None:
    """Return a field that may be left out, or nothing where there is nothing to choose."""
    if element is None:
        return None
    hint = {"hint": plain(say(f"form.{name}.hint"), 2000)} if name in {"picture", "channel"} else {}
    label = plain(say(f"form.{name}"), 2000)
    return (
        {"type": "input", "block_id": name, "optional": optional, "label": label}
        | hint
        | {"element": element | {"action_id": name}}
    )


def _choice(choices: Sequence[tuple[str, str]], *, chosen: bool = True) -> Block | None:
    options = [{"text": plain(label), "value": value[:150]} for label, value in choices]
    if not options:
        return None
    return {"type": "static_select", "options": options} | ({"initial_option": options[0]} if chosen else {})


def _shape(shape: str, say: Say) -> str:
    return say("own") if shape == "own" else shape


def _files() -> Block:
    return {"type": "file_input", "filetypes": list(KINDS), "max_files": 2}


def _where() -> Block:
    """Ask for the place; Slack itself chooses the one that is open."""
    kinds = ["public", "private", "mpim", "im"]
    return {"type": "conversations_select", "default_to_current_conversation": True, "filter": {"include": kinds}}


def filled(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was filled in by the names of the fields: texts, "" for nothing, and `picture` as files."""
    values = view.get("state", {}).get("values", {})
    given: dict[str, Any] = {}
    for name in _NAMES:
        field = values.get(name, {}).get(name, {})
        choice = (field.get("selected_option") or {}).get("value")
        given[name] = field.get("value") or choice or field.get("selected_conversation") or ""
    return given | {"picture": list(values.get("picture", {}).get("picture", {}).get("files") or [])}


def about(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what travelled with a form."""
    return dict(json.loads(view.get("private_metadata") or "{}"))


def options(given: Mapping[str, str]) -> ChosenOptions:
    """Return what was chosen. Raises `ValueError` for a length that is no number."""
    seconds = float(given["seconds"].replace(",", ".")) if given["seconds"].strip() else None
    return ChosenOptions(model=given["model"] or None, seconds=seconds, aspect=given["aspect"] or None)


def home(say: Say, jobs: Sequence[Sequence[Block]]) -> Block:
    """Return the app's home: what can be done here, and somebody's jobs, each as its blocks."""
    head = [{"type": "header", "text": plain(say("home.title"), 150)}, section(say("chat.help.slack"))]
    rows = [block for job in jobs for block in ({"type": "divider"}, *job)]
    title = {"type": "header", "text": plain(say("home.jobs"), 150)}
    return {"type": "home", "blocks": [*head, title, *(rows or [section(say("chat.no_jobs.slack"))])]}
