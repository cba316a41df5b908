"""What is set up for somebody who configured nothing: whatever has its keys in the environment. Reads no value."""

from collections.abc import Mapping, Sequence
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
    return _found(PROVIDERS, env)


def chats(env: Mapping[str, str]) -> Found:
    """Return those whose tokens are set."""
    return _found(CHATS, env)


def _found(tables: Keys, env: Mapping[str, str]) -> Found:
    found: Found = {}
    for name, keys, more in tables:
        if all(map(env.get, keys.values())):
            found[name] = {key: f"env:{kept}" for key, kept in keys.items()} | more
    return found
