"""What the doctor asks Slack: tokens, scopes, channels. It changes nothing there."""

from collections.abc import AsyncIterator, Collection, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.contract import ChatBusy, ChatError, ChatGone, Check, Verdict
from bot.chats.slack.api import code, speaking
from bot.chats.slack.clients import AppSettings, web_client
from bot.chats.slack.connection import socket_address
from bot.chats.slack.tokens import Tokens

MANIFEST = "docs/slack-manifest.yaml beside Zoetrope's source has all of the app; docs/slack.md walks through it"
OPTIONAL = {"channels:history", "groups:history", "mpim:history"}
OPTIONAL_STEP = "docs/slack.md says what is lost."
SCOPES_STEP = "Change them in the app's settings, OAuth & Permissions, and reinstall the app there."


async def examine(settings: AppSettings, channels: Sequence[str], wanted: Collection[str]) -> AsyncIterator[Check]:
    """Yield what was found. Raises `ChatError` when Slack can't be asked."""
    yield Check("manifest", Verdict.OK, MANIFEST)
    tokens = Tokens(settings)
    if settings.mode == "socket" and settings.app_token is not None:
        yield await _socket(web_client(settings), settings.app_token.reveal())
    if tokens.installations is not None:
        await tokens.installations.prepare()
        yield Check("workspaces", Verdict.OK, "the file of those that added the app can be read")
        return
    client = web_client(settings, await tokens.of(""))
    me = await tokens.me()
    yield Check("token", Verdict.OK, f"signed in as {me.bot_id} in {me.team_id}")
    yield await _scopes(client, wanted)
    for channel in channels:
        yield await _channel(client, channel)


async def _socket(client: AsyncWebClient, app_token: str) -> Check:
    try:
        await socket_address(client, app_token)
    except ChatError as error:
        return Check("socket", Verdict.FAIL, str(error))
    return Check("socket", Verdict.OK, "Slack gives one for the app-level token")


async def _scopes(client: AsyncWebClient, wanted: Collection[str]) -> Check:
    with speaking():
        said = await client.auth_test()
    has = {scope.strip() for scope in said.headers.get("x-oauth-scopes", "").split(",")} - {""}
    lacks, spare = sorted(set(wanted) - has), sorted(has - set(wanted))
    if lacks and set(lacks) <= OPTIONAL:
        words = f"the app lacks {', '.join(lacks)}: it can do without"
        return Check("scopes", Verdict.WARN, words, OPTIONAL_STEP)
    if lacks:
        return Check("scopes", Verdict.FAIL, f"the app lacks {', '.join(lacks)}", SCOPES_STEP)
    if spare:
        return Check("scopes", Verdict.WARN, f"the app has some that it does not need: {', '.join(spare)}", SCOPES_STEP)
    return Check("scopes", Verdict.OK, "those of the manifest")


async def _channel(client: AsyncWebClient, channel: str) -> Check:
    try:
        with speaking():
            await client.conversations_history(channel=channel, limit=1)
    except ChatGone:
        step = "Check its id in chat.slack.channels, and /invite the bot there."
        return Check("channel", Verdict.FAIL, f"the bot can't see {channel}", step)
    except ChatBusy as error:
        if code(error) != "missing_scope":
            raise
        return Check("channel", Verdict.WARN, f"whether the bot is in {channel} can't be seen", OPTIONAL_STEP)
    return Check("channel", Verdict.OK, f"the bot is in {channel}")
