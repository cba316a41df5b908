"""Slack's words and numbers: limits, scopes, errors, escaping. As read on 2026-11-20; no state, no server."""

import re
from collections.abc import Collection
from typing import Any

TITLE, BUTTON_TEXT, BUTTON_VALUE, LONG_ID = 24, 75, 2000, 255
SECTION, HEADER, METADATA, TEXT, UPDATE = 3000, 150, 3000, 40_000, 4000
BLOCKS, VIEW_BLOCKS, VIEW_BYTES, ELEMENTS, OPTIONS = 50, 100, 250_000, 25, 100
FORM_FILE = 10 * 1000**2  # bytes
TRIGGER_SECONDS, RESPONSE_SECONDS, RESPONSE_USES = 3.0, 1800.0, 5

BOT_SCOPES = frozenset(
    (
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "mpim:history",
        "mpim:read",
        "reactions:write",
        "usergroups:read",
        "users:read",
    )
)
SCOPES = {  # what a token needs; conversations.* go by the kind of channel
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.open": "im:write",
    "files.completeUploadExternal": "files:write",
    "files.delete": "files:write",
    "files.getUploadURLExternal": "files:write",
    "files.info": "files:read",
    "files.list": "files:read",
    "reactions.add": "reactions:write",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "users.info": "users:read",
}
EVENTS = {  # what the app is subscribed to, and the scope without which Slack sends nothing
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "app_home_opened": "",
    "tokens_revoked": "",
    "app_uninstalled": "",
}
PLACES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}  # as scopes and events name them
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in to your workspace | Slack</title></head><body></body></html>"
_LIVE = re.compile(r"(<[@#!][^<>]+>)")


class Wrong(Exception):
    """An answer `{"ok": false, "error": word}`, with what else Slack says beside it."""

    def __init__(self, word: str, *notes: str, **more: Any) -> None:
        super().__init__(word)
        notes_too = {"response_metadata": {"messages": [f"[ERROR] {note}" for note in notes]}} if notes else {}
        self.body: dict[str, Any] = {"ok": False, "error": word, **more, **notes_too}


def need(scope: str, have: Collection[str]) -> None:
    """Refuse a token that lacks the scope."""
    if scope and scope not in have:
        raise Wrong("missing_scope", needed=scope, provided=",".join(sorted(have)))


def escaped(text: str) -> str:
    """Escape what a person types; mentions that Slack's client made (`<@U1>`, `<#C1>`, `<!here>`) stay alive."""
    parts = _LIVE.split(text)
    quiet = [part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in parts[::2]]
    parts[::2] = quiet
    return "".join(parts)
