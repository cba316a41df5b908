"""Makes Slack a chat: shows a job's status and delivers its answer by Slack's posts, within its limits."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiohttp
import msgspec
from cachetools import LRUCache

from bot.chats.contract import Adapter, Address, Allowed, Check, Desk, Reply, Status
from bot.chats.slack import buttons, connection, places
from bot.chats.slack.api import Api
from bot.chats.slack.budget import Budget
from bot.chats.slack.checks import examine
from bot.chats.slack.clients import mistake, web_client
from bot.chats.slack.handlers import SCOPES, Handlers
from bot.chats.slack.tokens import Tokens
from bot.chats.slack.uploads import Uploads
from bot.chats.underway import Underway
from bot.web.listener import Listener
from providers import network
from providers.contract import Secret

API_URL = "https://slack.com/api/"
FILE_HOSTS = ("slack.com", "slack-files.com", "slack-edge.com")
ANSWER_SECONDS = 20.0  # that Slack may take for one answer
LINGER_SECONDS = 5.0  # that a post under way may take after we are told to stop
SHOWN = 1000  # status messages whose last words are remembered, to leave them alone when nothing changed


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ids are Slack's own; an empty list allows all. One workspace has `bot_token`, several have `client_id`."""

    bot_token: Secret | None = None
    app_token: Secret | None = None
    signing_secret: Secret | None = None
    mode: Literal["socket", "http"] = "socket"
    channels: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    default_model: str | None = None
    listen_host: str = "127.0.0.1"
    listen_port: int = 3000
    client_id: str | None = None
    client_secret: Secret | None = None
    installations: Path | None = None
    public_url: str | None = None
    api_url: str = API_URL
    file_hosts: tuple[str, ...] = FILE_HOSTS

    def __post_init__(self) -> None:
        if wrong := mistake(self):
            raise ValueError(wrong)


class Chat:
    """Talks by the bot's own token of each workspace.

    A place is `team`, `enterprise` ("": none), `channel`, `thread` (the ts of its first message), `status` (the ts of
    the status message), `user`, `locale`. A receipt is "channel/ts", with "/file" for a video.
    """

    name = "slack"
    edit_every = 5.0

    def __init__(self, settings: Settings) -> None:
        self.listener = Listener()  # the process's own takes its place before we listen
        self._settings = settings
        self._tokens = Tokens(settings)
        self._session: aiohttp.ClientSession | None = None  # of the connection that listens
        self._posts = Underway()
        self._uploads = Uploads()
        self._budget = Budget()
        self._say: Callable[..., str] | None = None
        self._last: LRUCache[str, Status | None] = LRUCache(SHOWN)  # None: nothing more is shown there
        self._alive: Callable[[], bool] = lambda: False

    @property
    def allowed(self) -> Allowed:
        """Return the operator's lists."""
        return Allowed(channels=frozenset(self._settings.channels), roles=frozenset(self._settings.user_groups))

    @property
    def connected(self) -> bool:
        return self._alive()

    async def listen(self, desk: Desk) -> None:
        """Bring people's requests to the desk until cancelled. Raises `ChatError` for what the operator must mend."""
        self._say = desk.say
        async with _session() as session:
            handlers = Handlers(desk, self._settings)
            app = connection.new_app(self._settings, web_client(self._settings, session=session), self._tokens)
            handlers.attach(app)
            async with connection.open_door(
                app, self._settings, self._tokens, self.listener, _scopes(self._settings)
            ) as alive:
                self._session, self._alive = session, alive
                try:
                    await handlers.listening()
                finally:
                    self._alive = lambda: False
                    self._session = None  # a post that is cut off would have to be looked for later
                    await asyncio.gather(
                        *(work.ended(LINGER_SECONDS) for work in (self._posts, handlers.conversation.starts))
                    )

    async def show(self, address: Address, status: Status) -> None:
        """Change the status message, if its words are others than before and the workspace takes one more edit."""
        at = address.place
        if not at["status"]:
            return
        key = _status(at)
        if key in self._last and self._last[key] in (status, None):
            return
        if not self._budget.take(at["team"], last=not status.actions):
            return
        async with self._open(at) as api:
            text = places.written(status.words) + self._when(status, at)
            await places.edit(api, at, buttons.message(text, status.actions, self._speech(at)))
        self._last[key] = status

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        """Post the answer: words as a new message with buttons; a video, which has none, gives them to the status."""
        at, say = address.place, self._speech(address.place)
        text = places.written(reply.words, at["user"])
        draft = places.Draft(
            text=text,
            key=key,
            message=buttons.message(text, reply.actions, say, places.mark(key)),
            finished=buttons.message(self._finished(reply, at), reply.actions, say),
            video=reply.video,
            alt=reply.alt,
        )
        async with self._open(at) as api:
            receipt = await places.deliver(api, at, draft, self._uploads, again=again)
        self._last.pop(_status(at), None)
        if reply.video or receipt == f"{at['channel']}/{at['status']}":  # it is the answer, or stands over its buttons
            self._last[_status(at)] = None
        return receipt

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - the same everywhere
        return places.UPLOAD_LIMIT

    async def ping(self) -> str:
        if self._tokens.installations is not None:
            await self._tokens.installations.prepare()
            return "slack: the workspaces that added the app can be read"
        async with self._open({}) as api:
            return f"slack: signed in as {(await api.me()).name}"

    def _finished(self, reply: Reply, at: places.Place) -> str:
        words = self._say("status.closed", at.get("locale", "en")) if self._say else reply.words
        return places.written(words)

    def _when(self, status: Status, at: places.Place) -> str:
        """Say since when and until about when, in each reader's own time."""
        if self._say is None or status.since is None or status.expected is None:
            return ""
        times = {"since": buttons.clock(status.since), "expected": buttons.clock(status.expected)}
        return " " + self._say("status.when", at.get("locale", "en"), **times)

    def _speech(self, at: places.Place) -> buttons.Say:
        say = self._say
        return lambda key: say(key, at.get("locale", "en")) if say else key.rpartition(".")[2]

    @asynccontextmanager
    async def _open(self, at: places.Place) -> AsyncIterator[Api]:
        """Use the connection that listens, or one for this call alone. Raises `ChatGone` where we were removed."""
        team = at.get("team", "")
        token = await self._tokens.of(team, at.get("enterprise", ""))
        if self._session is None:
            async with _session() as session:
                yield Api(web_client(self._settings, token, team=team, session=session))
            return
        with self._posts.one():
            yield Api(web_client(self._settings, token, team=team, session=self._session))


async def checks(settings: Settings) -> AsyncGenerator[Check]:
    """Yield what the doctor should know. Raises `ChatError`."""
    async for check in examine(settings, settings.channels, _scopes(settings)):
        yield check


def _status(at: places.Place) -> str:
    return f"{at['team']}/{at['channel']}/{at['status']}"


def _scopes(settings: Settings) -> tuple[str, ...]:
    return (*SCOPES, *(["usergroups:read"] if settings.user_groups else []))


def _session() -> aiohttp.ClientSession:
    connector = network.current().connector()
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS))


ADAPTER = Adapter(Chat, Settings, checks=checks, addresses=("api_url",), elsewhere=places.elsewhere)
