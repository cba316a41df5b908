"""How a person fills in a modal: the form's JSON in, the submitted components out. No server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.discord_things import Upload

ROW, SELECT, TEXT, LABEL, FILES, RADIO, BOXES, BOX = 1, 3, 4, 18, 19, 21, 22, 23
Value = str | bool | bytes | Upload | Sequence[str] | Sequence[bytes] | Sequence[Upload]
Lay = Callable[[bytes | Upload], str]


def filled(form: Mapping[str, Any] | None, values: dict[str, Value], lay: Lay) -> list[dict[str, Any]]:
    """Return what is submitted; `lay` puts a file on the CDN and returns its id. Without a form: fields as guessed."""
    if form is None:
        return [_label(_field(_guess(custom_id, value), value, lay)) for custom_id, value in values.items()]
    parts = [_part(part, values, lay) for part in form["components"]]
    if values:
        raise LookupError(f"The form has no field {', '.join(map(repr, values))}.")
    return parts


def _label(field: dict[str, Any]) -> dict[str, Any]:
    return {"type": LABEL, "id": 1, "component": field}


def _part(part: Mapping[str, Any], values: dict[str, Value], lay: Lay) -> dict[str, Any]:
    said = {"type": part["type"], "id": part.get("id", 1)}
    if part["type"] == LABEL:
        return said | {"component": _fill(part["component"], part.get("label"), values, lay)}
    if part["type"] == ROW:
        return said | {"components": [_fill(one, one.get("label"), values, lay) for one in part["components"]]}
    return said


def _fill(field: Mapping[str, Any], label: str | None, values: dict[str, Value], lay: Lay) -> dict[str, Any]:
    for name in (field["custom_id"], label):
        if name in values:
            return _field(field, values.pop(name), lay)
    said = _field(field, _own(field), lay)
    if field.get("required", True) and field["type"] != BOX and not (said.get("value") or said.get("values")):
        raise ValueError(f"The field {field['custom_id']!r} must be filled in.")
    return said


def _own(field: Mapping[str, Any]) -> Value:
    """Return what stands in a field before anybody touches it."""
    chosen = [str(one["value"]) for one in field.get("options", ()) if one.get("default")]
    if field["type"] == BOX:
        return bool(field.get("default"))
    if field["type"] == RADIO:
        return chosen[0] if chosen else ""
    return str(field.get("value") or "") if field["type"] == TEXT else chosen


def _field(field: Mapping[str, Any], value: Value, lay: Lay) -> dict[str, Any]:
    kind = field["type"]
    said = {"type": kind, "id": field.get("id", 1), "custom_id": field["custom_id"]}
    if kind == FILES:
        files = (
            [value] if isinstance(value, bytes | Upload) else list(value) if not isinstance(value, str | bool) else []
        )
        return said | {"values": [lay(one) for one in files if isinstance(one, bytes | Upload)]}
    if kind in {TEXT, BOX, RADIO}:
        return said | {"value": value or None if kind == RADIO else value}
    return said | {"values": [value] if isinstance(value, str) else value}


def _guess(custom_id: str, value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"type": TEXT, "custom_id": custom_id}
    if isinstance(value, bool):
        return {"type": BOX, "custom_id": custom_id}
    files = isinstance(value, bytes | Upload) or any(isinstance(one, bytes | Upload) for one in value)
    return {"type": FILES if files else SELECT, "custom_id": custom_id}
