"""Block Kit: Slack's limits on blocks and views, and what a filled-in form says. No server."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes import slack_words as words
from tests.fakes.slack_things import Channel, File, Json, Member, Upload, View
from tests.fakes.slack_words import Wrong

Value = str | bytes | Upload | File | Channel | Member | Sequence[str | bytes | Upload | File] | None
KINDS = {"section", "header", "divider", "actions", "context", "image", "input", "rich_text", "markdown", "video"}
PICKS = {
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "users_select": "selected_user",
    "datepicker": "selected_date",
}


def check(blocks: Any, most: int = words.BLOCKS, word: str = "invalid_blocks") -> list[Json]:
    """Refuse what Slack refuses; return the blocks, each with an id."""
    if not isinstance(blocks, list) or not all(isinstance(one, dict) for one in blocks):
        raise Wrong(word, "must be an array of objects [json-pointer:/blocks]")
    wrong = [f"{note} [json-pointer:/blocks/{n}]" for n, one in enumerate(blocks) for note in _faults(one)]
    ids = [one["block_id"] for one in blocks if one.get("block_id")]
    wrong += ["duplicate block_id [json-pointer:/blocks]"] if len(set(ids)) != len(ids) else []
    wrong += [f"no more than {most} items allowed [json-pointer:/blocks]"] if len(blocks) > most else []
    if wrong:
        raise Wrong(word, *wrong)
    return [{"block_id": f"b{n}"} | one for n, one in enumerate(blocks)]


def check_view(view: Any, kinds: Sequence[str] = ("modal",)) -> Json:
    """Refuse a view that Slack refuses; return it with its blocks' ids."""
    if not isinstance(view, dict) or view.get("type") not in kinds:
        raise Wrong("invalid_arguments", "must be a valid view type [json-pointer:/view/type]")
    wrong = []
    for name in ("title", "submit", "close"):
        wrong += _text(view.get(name), words.TITLE, name, plain=True, needed=name == "title" and kinds[0] == "modal")
    for name, most in (("private_metadata", words.METADATA), ("callback_id", 255), ("external_id", 255)):
        wrong += _long(view.get(name, ""), most, name)
    if any(one.get("type") == "input" for one in view.get("blocks", ())) and kinds[0] == "modal":
        wrong += [] if view.get("submit") else ["missing required field: submit"]
    if wrong:
        raise Wrong("invalid_arguments", *wrong)
    if len(json.dumps(view)) > words.VIEW_BYTES:
        raise Wrong("view_too_large")
    return {**view, "blocks": check(view.get("blocks"), words.VIEW_BLOCKS, "invalid_arguments")}


def _long(value: str, most: int, name: str) -> list[str]:
    return [f"must be less than {most + 1} characters: {name}"] if len(value) > most else []


def _text(text: Any, most: int, name: str, *, plain: bool = False, needed: bool = True) -> list[str]:
    if text is None:
        return [f"missing required field: {name}"] if needed else []
    kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
    if not isinstance(text, dict) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        return [f"must be a text object of {sorted(kinds)}: {name}"]
    return ([] if text["text"] else [f"must be more than 0 characters: {name}"]) + _long(text["text"], most, name)


def _faults(block: Json) -> list[str]:
    kind = block.get("type")
    if kind not in KINDS:
        return [f"unsupported type: {kind}"]
    wrong = _long(block.get("block_id", ""), words.LONG_ID, "block_id")
    if kind == "section":
        wrong += _text(block.get("text"), words.SECTION, "text", needed="fields" not in block)
        wrong += [note for one in block.get("fields", ()) for note in _text(one, 2000, "fields")]
    if kind == "header":
        wrong += _text(block.get("text"), words.HEADER, "text", plain=True)
    if kind == "input":
        wrong += _text(block.get("label"), 2000, "label", plain=True) + _text(
            block.get("hint"), 2000, "hint", needed=False
        )
        wrong += [] if "element" in block else ["missing required field: element"]
    if kind in {"actions", "context"}:
        most = words.ELEMENTS if kind == "actions" else 10
        size = len(block.get("elements", ()))
        wrong += [] if 1 <= size <= most else [f"must have 1 to {most} elements"]
    if kind == "context":
        return wrong + [
            note for one in block.get("elements", ()) if one.get("type") != "image" for note in _text(one, 3000, "")
        ]
    inner = [*block.get("elements", ()), *(block[key] for key in ("accessory", "element") if key in block)]
    inner = [] if kind == "rich_text" else inner
    return wrong + _twins(inner) + [note for one in inner for note in _element(one, in_input=kind == "input")]


def _twins(inner: Sequence[Json]) -> list[str]:
    ids = [one["action_id"] for one in inner if one.get("action_id")]
    return ["duplicate action_id"] if len(set(ids)) != len(ids) else []


def _element(one: Json, *, in_input: bool) -> list[str]:
    kind = one.get("type")
    wrong = _long(one.get("action_id", ""), words.LONG_ID, "action_id")
    if kind == "button":
        wrong += _text(one.get("text"), words.BUTTON_TEXT, "text", plain=True)
        wrong += _long(one.get("value", ""), words.BUTTON_VALUE, "value")
        wrong += [] if one.get("style", "primary") in {"primary", "danger"} else ["must be primary or danger: style"]
    if kind == "file_input":
        wrong += [] if in_input else ["file_input only in an input block"]
        wrong += [] if 1 <= one.get("max_files", 10) <= 10 else ["must be 1 to 10: max_files"]
    if kind == "plain_text_input":
        wrong += _long(one.get("initial_value", ""), one.get("max_length", 3000), "initial_value")
        wrong += _text(one.get("placeholder"), 150, "placeholder", plain=True, needed=False)
    if kind in {"static_select", "radio_buttons", "checkboxes"}:
        options = [*one.get("options", ()), *(o for g in one.get("option_groups", ()) for o in g["options"])]
        wrong += [] if 1 <= len(options) <= words.OPTIONS else ["must have 1 to 100 options"]
        wrong += [note for option in options for note in _text(option.get("text"), 75, "option")]
        wrong += [note for option in options for note in _long(option.get("value", ""), 150, "option value")]
        initial = one.get("initial_option")
        wrong += [] if initial is None or initial in options else ["initial_option must be one of the options"]
    return wrong


def response_urls(view: View, url: Callable[[str], str]) -> list[Json]:
    """Return the response_urls of a filled-in form: one for each place that it asks for with `response_url_enabled`."""
    found = []
    for block in view.blocks:
        one = block.get("element", {})
        place = view.values.get(block["block_id"], {}).get(one.get("action_id"), {}).get(PICKS.get(one.get("type"), ""))
        if one.get("response_url_enabled") and place:
            where = {"block_id": block["block_id"], "action_id": one["action_id"], "channel_id": place}
            found.append(where | {"response_url": url(place)})
    return found


def filled(view: View, given: Mapping[str, Value], lay: Callable[[bytes | Upload | File], File], here: str) -> Json:
    """Return `state.values` of a form that a person fills in; keys are block ids or action ids.

    What isn't given keeps its initial value; `here`: the id of the channel that is open. LookupError for a field that
    isn't there, ValueError for a required one left empty, too many or too large files, or a choice that isn't offered.
    """
    rest = dict(given)
    values: Json = {}
    for block in view.blocks:
        for one in (*block.get("elements", ()), *(block[key] for key in ("accessory", "element") if key in block)):
            if "action_id" not in one or one["type"] == "button":
                continue
            keys = (block["block_id"], one["action_id"])
            key = next((key for key in keys if key in rest), None)
            value = _value(one, rest.pop(key), lay) if key else _initial(one, here)
            if block["type"] == "input" and not block.get("optional") and value in (None, [], ""):
                raise ValueError(f"The form wants {block['block_id']!r}.")
            values.setdefault(block["block_id"], {})[one["action_id"]] = {"type": one["type"], _field(one): value}
    if rest:
        raise LookupError(f"The form has no {sorted(rest)}; it has {sorted(values)}.")
    return values


def _field(one: Json) -> str:
    names = {"file_input": "files", "checkboxes": "selected_options"} | PICKS
    return names.get(one["type"], "selected_option" if "options" in one or "option_groups" in one else "value")


def _initial(one: Json, here: str) -> Any:
    if one["type"] == "file_input":
        return []
    if one.get("default_to_current_conversation") and here:
        return here
    name = _field(one)
    return one.get("initial_value" if name == "value" else name.replace("selected", "initial"))


def _value(one: Json, value: Value, lay: Callable[[bytes | Upload | File], File]) -> Any:
    many: list[Any] = list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
    if one["type"] == "file_input":
        if len(many) > one.get("max_files", 10):
            raise ValueError("More files than the form takes.")
        files = [lay(file) for file in many]
        if any(file.size > words.FORM_FILE for file in files):
            raise ValueError("A file is larger than the 10 MB that a form takes.")
        return [file.json() for file in files]
    if "options" in one or "option_groups" in one:
        options = [*one.get("options", ()), *(o for g in one.get("option_groups", ()) for o in g["options"])]
        found = [next((o for o in options if choice in {o["value"], o["text"]["text"]}), None) for choice in many]
        if None in found:
            raise ValueError(f"The form doesn't offer {value!r}.")
        return found if one["type"] == "checkboxes" else next(iter(found), None)
    if one["type"] == "plain_text_input" and value is not None:
        least, most = one.get("min_length", 0), one.get("max_length", 3000)
        if not least <= len(str(value)) <= most:
            raise ValueError(f"The form wants {least} to {most} characters.")
    return value.id if isinstance(value, Channel | Member) else value
