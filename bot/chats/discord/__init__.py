"""Makes Discord a chat: shows a job's status and delivers its answer by Discord's posts, within its limits."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import discord
import msgspec
import yarl
from cachetools import LRUCache
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.chats.contract import Action, Adapter, Address, Allowed, ChatError, Check, Desk, Reply, Status
from bot.chats.discord import buttons, commands, places
from bot.chats.discord.checks import examine
from bot.chats.discord.connection import Connection, options
from bot.chats.discord.errors import speaking
from bot.chats.underway import Underway
from providers.contract import Secret

API_URL = "https://discord.com/api/v10"
GATEWAY_URL = "wss://gateway.discord.gg/"
LINGER_SECONDS = 5.0  # that a post under way may take after we are told to stop
SHOWN = 1000  # status messages whose last words are remembered, to leave them alone when nothing changed
NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    attach_files=True,
    read_message_history=True,
)

_log = logging.getLogger("zoetrope.discord")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ids are Discord's own; an empty list allows all. A channel's threads go with it, a category's channels too."""

    token: Secret
    api_url: str = API_URL
    gateway_url: str = GATEWAY_URL
    guilds: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    default_model: str | None = None
    threads: bool = True


class Chat:
    """Talks by the bot's own token: an interaction's dies after 15 minutes.

    A place is `guild` ("": direct messages), `channel`, `status` (the status message), `thread` ("": none wanted),
    `user`, `locale`. A receipt is "channel/message".
    """

    name = "discord"
    edit_every = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Connection | None = None  # the connection that listens, once it is logged in
        self._posts = Underway()
        self._say: Callable[..., str] | None = None
        self._last: LRUCache[str, Status] = LRUCache(SHOWN)

    @property
    def allowed(self) -> Allowed:
        """Return the operator's lists."""
        of = self._settings
        lists = (frozenset(map(str, ids)) for ids in (of.guilds, of.channels, of.roles))
        return Allowed(*lists)

    @property
    def connected(self) -> bool:
        client = self._client
        return client is not None and client.is_ready() and not any(s.is_closed() for s in client.shards.values())

    async def listen(self, desk: Desk) -> None:
        """Bring people's requests to the desk until cancelled. Raises `ChatError` for what the operator must mend."""
        self._say = desk.say
        _use(self._settings)
        async with Connection(desk, self._settings) as client:
            with speaking():
                await client.login(self._settings.token.reveal())
                await _tidy(client)
            self._client = client
            try:
                await _connected(client)
            finally:
                self._client = None  # a post that is cut off would have to be looked for later
                await asyncio.gather(
                    *(work.ended(LINGER_SECONDS) for work in (self._posts, client.handlers.conversation.starts))
                )

    async def show(self, address: Address, status: Status) -> None:
        """Change the status message, if its words are others than before."""
        key, at = address.place["status"], address.place
        if not key or self._last.get(key) == status:
            return
        async with self._open() as client:
            content = f"{places.written(status.words, at['user'])}{self._when(status, at)}"
            await places.edit(client, at, content, self._view(status.actions, at))
        self._last[key] = status

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        """Post the answer as a new message: in the thread, beside it, or privately."""
        at = address.place
        mention = at["user"] and (reply.mention or at["user"])  # the person may be one of another chat
        draft = places.Draft(
            content=places.written(reply.words, mention),
            mention=int(mention or 0),
            key=key,
            view=self._view(reply.actions, at),
            video=reply.video,
            alt=reply.alt,
            marks=frozenset(buttons.mark(action) for action in reply.actions),
        )
        async with self._open() as client:
            return await places.deliver(client, at, draft, again=again)

    async def upload_limit(self, address: Address) -> int | None:
        async with self._open() as client:
            return await places.upload_limit(client, address.place)

    async def ping(self) -> str:
        async with self._open() as client:
            with speaking():
                user = await client.fetch_user(client.user.id if client.user else 0)
        return f"discord: signed in as {user.name}"

    def _when(self, status: Status, at: places.Place) -> str:
        """Say since when and until about when, in times that each reader's Discord counts by itself."""
        if self._say is None or status.since is None or status.expected is None:
            return ""
        times = {"since": f"<t:{status.since:.0f}:R>", "expected": f"<t:{status.expected:.0f}:R>"}
        return " " + self._say("status.when", at.get("locale", "en"), **times)

    def _view(self, actions: Sequence[Action], at: places.Place) -> discord.ui.View | None:
        say = self._say
        return buttons.view(actions, lambda key: say(key, at.get("locale", "en")) if say else key.rpartition(".")[2])

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[discord.Client]:
        """Use the connection that listens, or one for this call alone."""
        if self._client is None:
            async with signed_in(self._settings) as client:
                yield client
            return
        with self._posts.one():
            yield self._client


@asynccontextmanager
async def signed_in(settings: Settings) -> AsyncIterator[discord.Client]:
    """Sign in without listening. Raises `ChatBusy`."""
    _use(settings)
    async with discord.Client(intents=discord.Intents(guilds=True), **options()) as client:
        with speaking():
            await client.login(settings.token.reveal())
        yield client


async def sync(settings: Settings, desk: Desk) -> bool:
    """Give Discord our commands now; False when it has them already. Raises `ChatError`."""
    _use(settings)
    async with Connection(desk, settings) as client:
        with speaking():
            await client.login(settings.token.reveal())
            return await commands.synced(client.tree)


async def invitation(settings: Settings) -> str:
    """Return the link that brings the bot into a server with the least it needs. Raises `ChatError`."""
    async with signed_in(settings) as client:
        return _link(client)


async def checks(settings: Settings) -> AsyncGenerator[Check]:
    """Yield what the doctor should know. Raises `ChatError`."""
    async with signed_in(settings) as client:
        async for check in examine(client, settings, NEEDED, _link(client)):
            yield check


def _link(client: discord.Client) -> str:
    scopes = ("bot", "applications.commands")
    return discord.utils.oauth_url(client.application_id or 0, permissions=NEEDED, scopes=scopes)


def _use(settings: Settings) -> None:
    """Point discord.py at another server: it keeps the addresses in its classes."""
    if settings.api_url != Route.BASE:
        Route.BASE = settings.api_url
    if yarl.URL(settings.gateway_url) != DiscordWebSocket.DEFAULT_GATEWAY:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.gateway_url)


async def _tidy(client: Connection) -> None:
    try:
        await commands.synced(client.tree)
    except (discord.HTTPException, discord.app_commands.AppCommandError) as error:
        _log.error("the commands could not be given to Discord (%s); `zoetrope discord sync` tries it anew", error)


async def _connected(client: Connection) -> None:
    """Stay connected; the library itself waits and resumes. Raises `ChatError` when it is over for good."""
    connecting = asyncio.create_task(client.connect())
    try:
        await asyncio.wait({connecting})
        await connecting
    except discord.PrivilegedIntentsRequired as error:
        raise ChatError("Discord wants an intent that we don't ask for. Update Zoetrope.") from error
    except (discord.ConnectionClosed, discord.GatewayNotFound) as error:
        raise ChatError(f"Discord closed the connection for good ({error}). Check the bot's token.") from error
    finally:
        connecting.cancel()  # the library forgets that while it reconnects, and ends only when the client is closed


ADAPTER = Adapter(Chat, Settings, checks=checks, addresses=("api_url",), elsewhere=places.elsewhere)
