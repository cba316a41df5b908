"""Finds what is on for somebody who configured nothing: whatever has its keys in the environment. Keeps no value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Found = dict[str, dict[str, Any]]
Keys = Sequence[tuple[str, dict[str, str], dict[str, str]]]  # a table's name, its secrets and where they are, what else

PROVIDERS: Keys = (
    ("local", {}, {}),
    ("fal", {"key": "FAL_KEY"}, {}),
    ("kling", {"access_key": "KLING_ACCESS_KEY", "secret_key": "KLING_SECRET_KEY"}, {"api": "legacy"}),
    ("kling", {"api_key": "KLING_API_KEY"}, {}),  # where both are set, it wins
    ("minimax", {"api_key": "MINIMAX_API_KEY"}, {}),
)
CHATS: Keys = (
    ("discord", {"token": "DISCORD_TOKEN"}, {}),
    ("slack", {"bot_token": "SLACK_BOT_TOKEN", "app_token": "SLACK_APP_TOKEN"}, {}),
)


def providers(env: Mapping[str, str]) -> Found:
    """Return the one that needs nothing, and those whose key is set."""
    return found(PROVIDERS, env)


def chats(env: Mapping[str, str]) -> Found:
    """Return those whose tokens are set."""
    return found(CHATS, env)


def found(tables: Keys, env: Mapping[str, str]) -> Found:
    on: Found = {}
    for name, keys, more in tables:
        if not _missing(keys, env):
            on[name] = {key: f"env:{kept}" for key, kept in keys.items()} | more
    return on


def half_set(tables: Keys, env: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield what is off although one of its keys is set, and the names of those that are not."""
    on = found(tables, env)
    for name, keys, _ in tables:
        if name not in on and len(missing := _missing(keys, env)) < len(keys):
            yield name, missing


def _missing(keys: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
    return [kept for kept in keys.values() if not env.get(kept, "").strip()]
