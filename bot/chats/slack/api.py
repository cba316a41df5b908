"""Calls one workspace's Web API, and says what Slack's errors mean for us, by their remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.contract import ChatBusy, ChatError, ChatGone, ChatUnsure, TooBig
from providers.http import retry_after

BUSY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "team_added_to_org", "org_login_required"})
BUSY |= {"accesslimited", "ekm_access_denied"}  # until the operator or an admin lets us in again
UNCLEAR = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})  # it may have worked
UNCLEAR |= {"file_update_failed"}
BIG = frozenset({"file_upload_size_restricted"})
NO_FILES = frozenset({"file_uploads_disabled", "file_uploads_except_images_disabled", "storage_limit_reached"})
NO_FILES |= {"file_type_not_allowed"}
TOKEN = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})
ABSENT = frozenset({"not_in_channel", "channel_not_found"})  # of a private channel Slack says that there is none
# Slack's own word that a place, a person or a message is not to be had: each method's page lists its own, 2026-11-20.
GONE = ABSENT | {
    "is_archived", "restricted_action", "restricted_action_thread_only_channel", "restricted_action_read_only_channel",
    "restricted_action_non_threadable_channel", "restricted_action_thread_locked", "cannot_reply_to_message",
    "messages_tab_disabled", "app_access_restricted", "posting_to_general_channel_denied", "posting_to_channel_denied",
    "message_not_found", "cant_update_message", "cant_delete_message", "edit_window_closed", "is_inactive",
    "thread_not_found", "user_not_found", "user_not_visible", "user_disabled", "user_is_bot", "user_is_restricted",
    "cannot_dm_bot", "user_not_in_channel", "method_not_supported_for_channel_type", "not_allowed_for_grid_workspace",
    "file_not_found", "file_deleted", "cant_delete_file", "invalid_thread_ts", "no_permission", "access_denied",
    "team_not_found", "channel_type_not_supported",
    "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "not_found", "hash_conflict", "users_not_found",
}  # fmt: skip
BAD_TOKEN = "Slack does not accept the bot's token. Install the app anew and set its new token."  # noqa: S105 - a sentence
UNREACHABLE = "Slack can't be reached. Check this machine's network, and whether Slack is up."


@dataclass(frozen=True, slots=True)
class Me:
    """The app's own member of a workspace; `url`: where that workspace is."""

    user: str
    name: str
    url: str


class Api:
    """The methods of https://api.slack.com/methods, in one workspace."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._me: Me | None = None

    @property
    def session(self) -> aiohttp.ClientSession | None:
        return self._client.session

    @property
    def token(self) -> str:
        return self._client.token or ""

    async def call(self, method: str, *, posting: bool = False, size: int = 0, **given: Any) -> dict[str, Any]:
        """Call a method; what is None is left out. Raises `ChatError`; `code` tells Slack's own word for it.

        `posting`: a lost answer may mean that it stands there. `size`: bytes of the file that goes with it.
        """
        said = {name: value for name, value in given.items() if value is not None}
        nested = any(isinstance(value, dict | list | bool) for value in said.values())
        with speaking(posting=posting, size=size):
            answer = await self._client.api_call(method, json=said if nested else None, data=None if nested else said)
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def me(self) -> Me:
        if self._me is None:
            said = await self.call("auth.test")
            self._me = Me(str(said.get("user_id")), str(said.get("user")), str(said.get("url", "")))
        return self._me


def code(error: BaseException) -> str:
    """Return Slack's own word for what went wrong, "" for none."""
    cause = error.__cause__
    if not isinstance(cause, SlackApiError):
        return ""
    said = getattr(cause.response, "data", None)
    return str(said.get("error", "")) if isinstance(said, dict) else ""


@contextmanager
def speaking(*, posting: bool = False, size: int = 0) -> Iterator[None]:
    """Turn whatever Slack and its library raise into a `ChatError`."""
    try:
        yield
    except SlackApiError as error:
        raise _speak(error, posting=posting, size=size) from error
    except aiohttp.ClientConnectorError as error:
        raise ChatBusy(UNREACHABLE) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = f"the connection to Slack broke ({type(error).__name__})"
        raise (ChatUnsure if posting else ChatBusy)(why) from error


def _speak(error: SlackApiError, *, posting: bool, size: int) -> ChatError:
    """Return Slack's word by its remedy; each method's page lists its own (2026-11-20)."""
    status = getattr(error.response, "status_code", 0) or getattr(error.response, "status", 0)
    data = getattr(error.response, "data", None)
    said = data if isinstance(data, dict) else {}
    word = str(said.get("error", ""))
    told = f"Slack says {status} {word}"
    if status == 429 or word in BUSY:
        return ChatBusy(told, retry_after(error.response))
    if word in BIG | NO_FILES:
        return TooBig(size * 4 // 5 if word in BIG else 0)  # the true limit is not told: a fifth less
    if word in TOKEN or word == "missing_scope":
        lacks = f"The app lacks the scope {said.get('needed')}. Add it on the app's page, and install it anew."
        return ChatBusy(BAD_TOKEN if word in TOKEN else lacks)
    if word in GONE:
        return ChatGone(told)
    if word and word not in UNCLEAR and status < 500:
        return ChatBusy(told)  # a no that we do not know is trouble, not an answer
    return ChatUnsure(told) if posting else ChatBusy(told)
