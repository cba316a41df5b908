"""What can be pressed, and the text of a message. A button names act and job, so it outlives us."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.chats.contract import Act, Action

PRESSED = re.compile(r"zoetrope:(?P<act>[a-z_]{1,32})(:\d+)?")
LABEL = 75  # characters of a button
SECTION = 3000  # characters of a section
_STYLES: Mapping[str, str] = {Act.DELETE: "danger", Act.RETRY: "primary"}
Say = Callable[[str], str]
Block = dict[str, Any]


def escaped(words: str) -> str:
    """Return words in which nothing is a mention or a link: Slack's three characters are escaped."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """Shorten escaped text, without cutting an escape or a mention in two."""
    if len(text) <= most:
        return text
    return re.sub(r"(&[a-z]*|<[^>]*)$", "", text[: most - 1]) + "…"


def section(text: str, mark: str = "") -> Block:
    """Return a paragraph of escaped text; `verbatim`: Slack makes no links or mentions of its own."""
    made = {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION), "verbatim": True}}
    return made | ({"block_id": mark} if mark else {})


def clock(at: float, *, date: bool = False) -> str:
    """Return a time that each reader's Slack shows in its own zone; with the date, or to the second."""
    plain = datetime.fromtimestamp(at, UTC)
    if date:
        return f"<!date^{at:.0f}^{{date_short_pretty}} {{time}}|{plain:%Y-%m-%d %H:%M} UTC>"
    return f"<!date^{at:.0f}^{{time_secs}}|{plain:%H:%M:%S} UTC>"


def row(actions: Sequence[Action], say: Say, labels: Sequence[str] = ()) -> list[Block]:
    """Return the row of buttons, or nothing. What is pressed is said by `action_id`, of which job by `value`."""
    if not actions:
        return []
    made = [
        _button(action, labels[number] if labels else say(f"label.{action.act}"), number)
        for number, action in enumerate(actions)
    ]
    return [{"type": "actions", "elements": made}]


def _button(action: Action, label: str, number: int) -> Block:
    text = {"type": "plain_text", "text": label[:LABEL]}
    style = {"style": _STYLES[action.act]} if action.act in _STYLES else {}
    return {
        "type": "button",
        "action_id": f"zoetrope:{action.act}:{number}",
        "value": action.job,
        "text": text,
    } | style


def message(text: str, actions: Sequence[Action], say: Say, mark: str = "") -> dict[str, Any]:
    """Return the fields of a message: `text` is what notifications and screen readers say; `mark` finds it again."""
    return {"text": text, "blocks": [section(text, mark), *row(actions, say)]}


def pressed(action: Block) -> Action | None:
    """Return what a pressed button stands for, None for one of somebody else."""
    match, job = PRESSED.fullmatch(str(action.get("action_id"))), str(action.get("value") or "")
    if match is None or not re.fullmatch(r"[a-z0-9-]{1,64}", job):
        return None
    return Action(match["act"], job)
