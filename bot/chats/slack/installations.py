"""Keeps the tokens of workspaces that added the app by OAuth, and renews them when due. Reads and posts nothing."""

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore, SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from sqlalchemy import and_, or_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bot.chats.contract import ChatBusy, ChatError, ChatGone
from bot.chats.slack.api import TOKEN, code, speaking
from bot.chats.slack.clients import QUIET, AppSettings, web_client
from bot.chats.slack.http import REDIRECT
from providers.contract import Secret

BUSY_SECONDS = 5.0  # that a statement waits for another process's write
STATE_SECONDS = 600  # that somebody has between "Add to Slack" and "Allow"
EARLY_MINUTES = 120  # a token lives 12 hours; bolt renews in the last two as well
ENDED = TOKEN | {"invalid_refresh_token"}

_log = logging.getLogger("zoetrope.slack")


class Installations:
    """What the SDK's stores hold for our app. One short statement at a time; nothing stays open."""

    def __init__(self, settings: AppSettings) -> None:
        if settings.client_id is None or settings.client_secret is None or settings.installations is None:
            raise ChatError("[chat.slack] needs client_id, client_secret and installations for several workspaces.")
        self._settings = settings
        self._id, self._secret, self._file = settings.client_id, settings.client_secret, settings.installations
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{self._file}", poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
        )
        self.store = AsyncSQLAlchemyInstallationStore(self._id, engine, logger=QUIET)
        self._ready = False
        self._one = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the tables where they are not. Raises `ChatError` for a file that can't be, `ChatBusy`."""
        async with self._one:
            if self._ready:
                return
            try:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file.touch(mode=0o600)
                self._file.chmod(0o600)  # it holds tokens, and may have been there before
                await self.store.create_tables()  # type: ignore[no-untyped-call] # the SDK left it so
            except OSError as error:
                raise ChatError(
                    f"[chat.slack] installations: {self._file} can't be written ({error.strerror}). Choose another."
                ) from error
            except SQLAlchemyError as error:
                raise ChatBusy(f"{self._file} can't be written now ({_kind(error)}).") from error
            self._ready = True

    async def bot(self, team: str, enterprise: str) -> Bot:
        """Return our bot in a workspace, its token good for now. Raises `ChatGone` and `ChatBusy`."""
        await self.prepare()
        bot = await self._find(team, enterprise)
        if not _due(bot):
            return bot
        async with self._one:  # a refresh token is good once
            bot = await self._find(team, enterprise)
            return await self._renew(bot, team, enterprise) if _due(bot) else bot

    async def unless_late(
        self, ack: AsyncAck, body: Mapping[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[Any]]
    ) -> Any:
        """Let an event of removal through, unless the app was added again since: Slack repeats it for minutes."""
        with suppress(ChatGone):
            bot = await self._find(context.team_id or "", context.enterprise_id or "")
            if bot.installed_at > float(body["event_time"]) + 1:  # it names whole seconds
                return await ack()
        return await next_()

    async def _find(self, team: str, enterprise: str) -> Bot:
        """Find the workspace's own installation, else its organisation's.

        By one id alone: the SDK's search wants both, and Slack does not name a workspace's organisation everywhere.
        """
        bots, of = self.store.bots, self.store.bots.c
        where = or_(of.team_id == team, and_(of.team_id.is_(None), of.enterprise_id == enterprise))
        newest = of.team_id.is_(None), of.installed_at.desc()
        query = bots.select().where(of.client_id == self._id, of.bot_token.is_not(None), where).order_by(*newest)
        try:
            async with self.store.engine.connect() as connection:
                row = (await connection.execute(query.limit(1))).mappings().first()
        except SQLAlchemyError as error:
            raise ChatBusy(f"{self._file} can't be read now ({_kind(error)}).") from error
        if row is not None:
            return SQLAlchemyInstallationStore.build_bot_entity(row)
        raise ChatGone(f"the app is not installed in {team or enterprise} any more")

    async def _renew(self, bot: Bot, team: str, enterprise: str) -> Bot:
        rotator = AsyncTokenRotator(
            client_id=self._id, client_secret=self._secret.reveal(), client=web_client(self._settings)
        )
        try:
            async with self.store.engine.connect() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")  # a new token that can't be kept would be lost
            with speaking():
                new = await _rotate(rotator, bot)
            if new is not None:
                await self.store.async_save_bot(new)
        except ChatError as error:
            return _keep(bot, await self._find(team, enterprise), error)
        except SQLAlchemyError as error:
            raise ChatBusy(f"{self._file} can't be written now ({_kind(error)}).") from error
        return new or bot

    def flow(self, scopes: Sequence[str]) -> AsyncOAuthFlow:
        """Return the pages by which a workspace adds the app."""
        url = self._settings.public_url
        host = self._settings.api_url.rstrip("/").removesuffix("/api")
        return AsyncOAuthFlow(
            client=web_client(self._settings),
            logger=QUIET,
            settings=AsyncOAuthSettings(
                client_id=self._id,
                client_secret=self._secret.reveal(),
                scopes=scopes,
                user_scopes=(),
                redirect_uri=f"{url.rstrip('/')}{REDIRECT}" if url else None,
                authorization_url=f"{host}/oauth/v2/authorize",
                installation_store=self.store,
                state_store=_States(self._secret),
                state_expiration_seconds=STATE_SECONDS,
                logger=QUIET,
            ),
        )


class _States(AsyncOAuthStateStore):
    """Signed, and not written down: anybody on the internet can ask for one. The browser's cookie binds it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def async_issue(self, *_args: object, **_kwargs: object) -> str:
        return self._sign(f"{time.time() + STATE_SECONDS:.0f}.{secrets.token_urlsafe(16)}")

    async def async_consume(self, state: str) -> bool:
        said = state.rpartition(".")[0]
        return (
            hmac.compare_digest(self._sign(said).encode(), state.encode())
            and float(said.partition(".")[0]) > time.time()
        )

    def _sign(self, said: str) -> str:
        return f"{said}.{hmac.digest(self._secret.reveal().encode(), said.encode(), 'sha256').hex()}"


async def _rotate(rotator: AsyncTokenRotator, bot: Bot) -> Bot | None:
    try:
        return await rotator.perform_bot_token_rotation(bot=bot, minutes_before_expiration=EARLY_MINUTES)
    except SlackTokenRotationError as error:
        raise error.api_error from error


def _keep(bot: Bot, now: Bot, error: ChatError) -> Bot:
    """Go on with what is still good: what another process renewed, or the old token until its end."""
    if now.bot_token != bot.bot_token:
        return now
    whose, why = bot.team_id or bot.enterprise_id, code(error) or str(error)
    if (bot.bot_token_expires_at or 0) > time.time():
        _log.warning("the token of %s can't be renewed yet (%s)", whose, why)
        return bot
    if why in ENDED:
        raise ChatGone(f"the token of {whose} ended ({why}): the app must be added again") from error
    raise ChatBusy(f"the token of {whose} can't be renewed now ({why})") from error


def _due(bot: Bot) -> bool:
    return bot.bot_token_expires_at is not None and bot.bot_token_expires_at < time.time() + EARLY_MINUTES * 60


def _kind(error: SQLAlchemyError) -> str:
    return type(getattr(error, "orig", None) or error).__name__
