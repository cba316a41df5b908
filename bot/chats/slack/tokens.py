"""Which token speaks in which workspace. How a workspace comes to have one is the business of `installs`."""

import asyncio
from typing import TYPE_CHECKING, Any

from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext

from bot.chats.contract import ChatError, ChatGone
from bot.chats.slack.api import TOKEN, code, speaking
from bot.chats.slack.clients import AppSettings, mistake, web_client
from providers.contract import Secret

if TYPE_CHECKING:
    from bot.chats.slack.installations import Installations

_NOT_BOT = "The token of [chat.slack] bot_token is no bot's. Copy the Bot User OAuth Token (xoxb-...)."


class Tokens:
    """One workspace: the operator's token. Several: the one that came with each installation.

    Keeps nothing open; may be used before and without a connection.
    """

    def __init__(self, settings: AppSettings) -> None:
        if wrong := mistake(settings):
            raise ChatError(f"[chat.slack] {wrong}.")
        self._settings = settings
        self._me: AuthorizeResult | None = None
        self._asking = asyncio.Lock()
        self.installations = _open_installations(settings) if settings.client_id is not None else None

    async def of(self, team: str, enterprise: str = "") -> Secret:
        """Return the token for a workspace; an organisation's own installation has no `team`.

        Raises `ChatGone` where the app is not installed (any more), `ChatBusy` when that can't be read now.
        """
        if self.installations is None:
            return self._own
        return Secret((await self.installations.bot(team, enterprise)).bot_token)

    async def who(self, team: str | None, enterprise: str | None) -> AuthorizeResult:
        """Return who we are in a workspace, with the token. Raises what `of` raises, and `ChatError`."""
        if self.installations is None:
            return await self.me()
        bot = await self.installations.bot(team or "", enterprise or "")
        return AuthorizeResult(
            enterprise_id=enterprise,
            team_id=team,
            bot_id=bot.bot_id,
            bot_user_id=bot.bot_user_id,
            bot_token=bot.bot_token,
        )

    async def me(self) -> AuthorizeResult:
        """Ask Slack once whose token the operator's is. Raises `ChatError` for a wrong one, `ChatBusy`."""
        async with self._asking:
            if self._me is None:
                self._me = await self._asked()
        return self._me

    @property
    def _own(self) -> Secret:
        if self._settings.bot_token is None:  # `mistake` said so before
            raise ChatError(_NOT_BOT)
        return self._settings.bot_token

    async def _asked(self) -> AuthorizeResult:
        try:
            with speaking():
                said = await web_client(self._settings, self._own).auth_test()
        except ChatError as error:
            if code(error) not in TOKEN:
                raise
            raise ChatError(
                f"Slack does not accept the bot's token ({code(error)}). Copy the Bot User OAuth Token of OAuth & "
                "Permissions into [chat.slack] bot_token; if it is the same, reinstall the app there."
            ) from error
        if not said.get("bot_id"):
            raise ChatError(_NOT_BOT)
        return AuthorizeResult.from_auth_test_response(auth_test_response=said, bot_token=self._own.reveal())


class Doorkeeper(AsyncAuthorize):
    """Lets an event in with its workspace's token: bolt's own would ask Slack before each acknowledgement."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,  # noqa: ARG002 - we act as the bot alone, whoever asks
        **_actors: Any,
    ) -> AuthorizeResult | None:
        """Return None where we are not installed: bolt then says so to the person."""
        try:
            return await self._tokens.who(None if context.is_enterprise_install else team_id, enterprise_id)
        except ChatGone:
            return None


def _open_installations(settings: AppSettings) -> "Installations":
    from bot.chats.slack.installations import Installations  # noqa: PLC0415 - a database and web pages that one workspace spares

    return Installations(settings)
