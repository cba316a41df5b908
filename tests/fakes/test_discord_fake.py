"""Our picture of Discord's wire is right: the real discord.py logs in, listens and answers. What can go wrong, does."""

import asyncio
import io
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands, ui
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

from tests.fakes import discord_faults as faults
from tests.fakes.discord import Discord, Interaction, Message
from tests.fakes.discord_faults import Gate
from tests.fakes.discord_things import Channel, Guild, Upload
from tests.fakes.discord_words import MIB, Intent, Permission

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(reversed(range(256))) * 1000
POSTS = "POST /channels/{}/messages"
ACKS = "POST /interactions/{}/{}/callback"


def moved(route: Route, api_url: str) -> Route:
    route.url = api_url + route.url.removeprefix(Route.BASE)
    return route


class Http(HTTPClient):
    api_url = gateway_url = ""

    async def request(self, route: Route, **more: Any) -> Any:
        return await super().request(moved(route, self.api_url), **more)

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        here = yarl.URL(self.gateway_url).with_query(yarl.URL(url).query)
        away = yarl.URL(url).host == DiscordWebSocket.DEFAULT_GATEWAY.host  # after op 9, and to reconnect
        return await super().ws_connect(str(here) if away else url, compress=compress)


class Adapter(AsyncWebhookAdapter):
    def __init__(self, api_url: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # discord.py types no __init__ without arguments
        self._api_url = api_url

    async def request(self, route: Route, *args: Any, **more: Any) -> Any:
        return await super().request(moved(route, self._api_url), *args, **more)


@dataclass
class Heard:
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    messages: list[discord.Message] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


class Form(ui.Modal, title="Animate"):
    prompt: ui.Label[Self] = ui.Label(text="Prompt", component=ui.TextInput(custom_id="prompt", default="drift"))
    model: ui.Label[Self] = ui.Label(
        text="Model",
        component=ui.Select(custom_id="model", options=[discord.SelectOption(label="Local", value="local")]),
    )
    more: ui.Label[Self] = ui.Label(text="Files", component=ui.FileUpload(custom_id="files", required=False))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        bot = interaction.client
        assert isinstance(bot, Bot)
        assert isinstance(self.prompt.component, ui.TextInput)
        assert isinstance(self.model.component, ui.Select)
        assert isinstance(self.more.component, ui.FileUpload)
        files = [await file.read() for file in self.more.component.values]
        bot.heard.forms.append(
            {"prompt": self.prompt.component.value, "model": self.model.component.values, "files": files}
        )
        await interaction.response.send_message("On it.", ephemeral=True)


class Cancel(ui.DynamicItem[ui.Button[Any]], template=r"cancel:(?P<job>[0-9]+)"):
    def __init__(self, job: str) -> None:
        super().__init__(ui.Button(label="Cancel", custom_id=f"cancel:{job}"))
        self.job = job

    @classmethod
    async def from_custom_id(cls, _interaction: Any, _item: Any, match: re.Match[str], /) -> Self:
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction) -> None:
        bot = interaction.client
        assert isinstance(bot, Bot)
        bot.heard.pressed.append(self.job)
        await interaction.response.edit_message(content="Cancelling...", view=None)


class Bot(discord.AutoShardedClient):
    """As a surface would be: nothing global is touched to bring it here."""

    def __init__(self, server: Discord, *, dynamic: bool = True) -> None:
        none = discord.AllowedMentions.none()
        super().__init__(intents=discord.Intents.default(), allowed_mentions=none, guild_ready_timeout=0.05)
        self.http.__class__ = Http
        assert isinstance(self.http, Http)
        self.http.api_url, self.http.gateway_url = server.api_url, server.gateway_url
        self.adapter = Adapter(server.api_url)
        self.heard = Heard()
        self.tree = app_commands.CommandTree(self)
        self._dynamic = dynamic
        self.tree.command(name="animate", description="Animate a picture")(animate)
        self.tree.context_menu(name="Animate")(animate_this)

    async def setup_hook(self) -> None:
        if self._dynamic:
            self.add_dynamic_items(Cancel)
        await self.tree.sync()

    async def on_ready(self) -> None:
        self.heard.ready.set()

    async def on_resumed(self) -> None:
        self.heard.resumed.set()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.messages.append(message)


async def animate(interaction: discord.Interaction, image: discord.Attachment, prompt: str, model: str = "") -> None:
    bot = interaction.client
    assert isinstance(bot, Bot)
    await interaction.response.defer(thinking=True)
    try:
        bot.heard.read.append(await image.read())
    except discord.NotFound:
        await interaction.edit_original_response(content="The picture is gone.")
        return
    view = ui.View(timeout=None)
    view.add_item(Cancel("7"))
    status = await interaction.edit_original_response(content=f"Animating: {prompt} {model}".strip(), view=view)
    if isinstance(interaction.channel, discord.TextChannel):
        await status.create_thread(name=prompt[:100])


async def suggest(_interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=name, value=name) for name in ("kling", "wan") if current in name]


animate = app_commands.autocomplete(model=suggest)(animate)


async def animate_this(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_modal(Form(custom_id=f"menu:{message.attachments[0].id}"))


@asynccontextmanager
async def online(server: Discord, *, dynamic: bool = True) -> AsyncIterator[Bot]:
    bot = Bot(server, dynamic=dynamic)
    async_context.set(bot.adapter)
    running = asyncio.create_task(bot.start(server.token))
    try:
        ready = asyncio.create_task(bot.heard.ready.wait())
        await asyncio.wait({running, ready}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.done():
            running.result()
        assert bot.heard.ready.is_set()
        yield bot
    finally:
        await bot.close()
        await asyncio.wait({running}, timeout=60)


@dataclass
class Clock:
    ahead: float = 0

    def __call__(self) -> float:
        return 1_800_000_000 + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Discord]:
    async with Discord(clock=clock) as server:
        yield server


@pytest.fixture
def guild(server: Discord) -> Guild:
    return server.guild("home")


@pytest.fixture
def general(guild: Guild) -> Channel:
    return guild.text("general")


@pytest.fixture
async def bot(server: Discord, general: Channel) -> AsyncIterator[Bot]:
    assert general
    async with online(server) as bot:
        yield bot


def place(bot: Bot, channel: Channel) -> discord.PartialMessageable:
    return bot.get_partial_messageable(channel.id)


def video(data: bytes = MP4) -> discord.File:
    return discord.File(io.BytesIO(data), "animation.mp4", description="a fox turns")


async def refusal(code: int, act: Callable[[], Any]) -> discord.HTTPException:
    with pytest.raises(discord.HTTPException) as caught:
        await act()
    assert caught.value.code == code, caught.value
    return caught.value


async def animated(server: Discord, channel: Channel, prompt: str = "a fox turns") -> tuple[Interaction, Message]:
    act = await server.slash(server.user(), channel, "animate", image=PNG, prompt=prompt)
    await act.answered()
    await server.until(lambda: act.response and not act.response.thinking)
    assert act.response
    return act, act.response


# the gateway


async def test_the_real_client_logs_in_hears_of_its_guilds_and_syncs_its_commands(
    server: Discord, guild: Guild, bot: Bot
) -> None:
    assert bot.user
    assert (bot.user.id, bot.application_id) == (server.bot_user_id, server.application_id)
    assert bot.get_guild(guild.id) is not None
    assert [command["name"] for command in server.commands.synced[0]] == ["animate", "Animate"]
    assert server.commands.syncs == 1
    assert [one.intents for one in server.identifies] == [Intent(discord.Intents.default().value)]
    assert server.gateway.starts_left == 999
    await server.until(lambda: server.gateway.beats)


async def test_a_wrong_token_is_refused(server: Discord) -> None:
    server.token = "another"  # noqa: S105 - opens nothing
    bot = Bot(server)
    with pytest.raises(discord.LoginFailure):
        await bot.login("wrong")
    await bot.close()


async def test_a_privileged_intent_that_was_not_granted_ends_the_connection(server: Discord) -> None:
    bot = Bot(server)
    bot._connection._intents = discord.Intents.all()
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await asyncio.wait_for(bot.start(server.token), 60)


async def test_a_client_told_to_reconnect_resumes_and_misses_nothing(
    server: Discord, general: Channel, bot: Bot
) -> None:
    server.gateway.reconnect()
    await server.until(lambda: not server.gateway.live)
    await server.say(server.user(), general, "while away", mentions=[server.bot])
    await asyncio.wait_for(bot.heard.resumed.wait(), 60)
    await server.until(lambda: bot.heard.messages)
    assert [message.clean_content for message in bot.heard.messages] == ["@Zoetrope while away"]
    assert (server.gateway.resumes, len(server.identifies)) == (1, 1)


async def test_a_lost_connection_is_resumed(server: Discord, bot: Bot) -> None:
    server.gateway.cut()
    await asyncio.wait_for(bot.heard.resumed.wait(), 60)
    assert len(server.identifies) == 1


async def test_a_session_that_is_no_longer_valid_is_identified_anew(
    server: Discord, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "before_identify_hook", at_once)
    server.gateway.invalidate()
    await server.until(lambda: len(server.identifies) == 2 and server.gateway.live)
    assert server.gateway.resumes == 0


async def at_once(_shard: int | None, *, initial: bool = False) -> None:
    assert not initial


@pytest.mark.parametrize("compress", ["", "&compress=zlib-stream"])
async def test_frames_are_compressed_as_the_client_asks(server: Discord, compress: str) -> None:
    url = f"{server.gateway_url}?v=10&encoding=json{compress}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        frame = await socket.receive(timeout=60)
    text = zlib.decompressobj().decompress(frame.data) if compress else frame.data.encode()
    assert json.loads(text)["d"]["heartbeat_interval"] == 41250


async def test_two_shards_each_hear_of_their_own_guilds(
    server: Discord, general: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.gateway.shards = 2
    monkeypatch.setattr(Bot, "before_identify_hook", staticmethod(lambda _shard, *, initial: asyncio.sleep(0)))  # noqa: ARG005 - its name counts
    async with online(server) as bot:
        await server.connected(shards=2)
        assert [one.shard for one in server.identifies] == [(0, 2), (1, 2)]
        assert [one.shard for one in server.gateway.live if one.hears("GUILD_CREATE", general.guild)] == [
            (int(bot.guilds[0].shard_id), 2)
        ]
        _, status = await animated(server, general)
        assert (status.content, server.count(ACKS)) == ("Animating: a fox turns", 1)


# commands, forms, buttons


async def test_a_slash_command_with_a_picture_is_deferred_answered_and_given_a_thread(
    server: Discord, general: Channel, bot: Bot
) -> None:
    act, status = await animated(server, general)
    assert act.ack
    assert act.ack.type == 5
    assert act.seconds is not None
    assert 0 < act.seconds < 3
    assert bot.heard.read == [PNG]
    await server.until(lambda: status.thread)
    assert server.messages(general) == [status]
    assert (status.content, status.wordings) == ("Animating: a fox turns", ["", "Animating: a fox turns"])
    assert [one.name for one in server.threads(general)] == ["a fox turns"]
    assert status.thread
    assert status.thread.id == status.id


@pytest.mark.parametrize("kind", ["dm", "voice", "thread", "post", "user install"])
async def test_a_command_is_answered_wherever_people_can_type(
    server: Discord, guild: Guild, general: Channel, bot: Bot, kind: str
) -> None:
    ann = server.user()
    makers: dict[str, Callable[[], Channel]] = {
        "dm": lambda: server.dm(ann),
        "voice": guild.voice,
        "thread": lambda: guild.thread(general),
        "post": lambda: guild.thread(guild.forum()),
        "user install": server.guild("far", joined=False).text,
    }
    where = makers[kind]()
    act = await server.slash(ann, where, "animate", image=PNG, prompt="x", user_install=kind == "user install")
    await server.until(lambda: act.words == "Animating: x")
    if kind == "user install":
        await refusal(50001, lambda: place(bot, where).send("x"))
    else:
        await place(bot, where).send("Here.")
        assert len(server.messages(where)) == 2


async def test_a_bot_that_was_thrown_out_knows_it(server: Discord, guild: Guild, general: Channel, bot: Bot) -> None:
    await server.remove_bot(guild)
    await refusal(50001, lambda: place(bot, general).send("x"))
    await server.until(lambda: not bot.guilds)


async def test_the_cdn_never_sees_the_bots_token(server: Discord, general: Channel, bot: Bot) -> None:
    await animated(server, general)
    [seen] = [one for one in server.requests if one.place == "cdn"]
    assert bot.heard.read
    assert "Authorization" not in seen.headers


async def test_a_picture_whose_link_expired_can_not_be_read(server: Discord, general: Channel, bot: Bot) -> None:
    act = await server.slash(server.user(), general, "animate", image=Upload(PNG, gone=True), prompt="x")
    await server.until(lambda: act.words == "The picture is gone.")
    assert bot.heard.read == []


@pytest.mark.usefixtures("bot")
async def test_suggestions_come_while_typing(server: Discord, general: Channel) -> None:
    act = await server.autocomplete(server.user(), general, "animate", focused="model", value="kl", prompt="x")
    await act.answered()
    assert [choice["value"] for choice in act.choices] == ["kling"]


async def test_a_message_menu_opens_a_form_and_the_form_is_submitted(
    server: Discord, general: Channel, bot: Bot
) -> None:
    ann = server.user()
    picture = await server.say(ann, general, "look", [PNG])
    opened = await server.menu(ann, picture, "Animate")
    await opened.answered()
    assert opened.modal
    assert opened.modal["custom_id"] == f"menu:{picture.attachments[0].id}"
    sent = await server.submit_modal(opened, {"model": ["local"], "Files": [PNG]})
    await sent.answered()
    assert bot.heard.forms == [{"prompt": "drift", "model": ["local"], "files": [PNG]}]
    assert (sent.words, sent.response and sent.response.ephemeral) == ("On it.", True)
    assert server.messages(general) == [picture]


@pytest.mark.usefixtures("bot")
async def test_a_form_takes_only_what_it_has(server: Discord, general: Channel) -> None:
    ann = server.user()
    opened = await server.menu(ann, await server.say(ann, general, "", [PNG]), "Animate")
    await opened.answered()
    with pytest.raises(LookupError):
        await server.submit_modal(opened, {"model": ["local"], "seed": "7"})
    with pytest.raises(ValueError, match="model"):
        await server.submit_modal(opened)


async def test_a_button_works_after_the_bot_was_started_anew(server: Discord, general: Channel) -> None:
    async with online(server):
        act, status = await animated(server, general)
    async with online(server) as bot:
        pressed = await server.press(act.user, status, "Cancel")
        await pressed.answered()
        assert bot.heard.pressed == ["7"]
        assert (status.content, status.buttons) == ("Cancelling...", [])
        with pytest.raises(LookupError):
            await server.press(act.user, status, "Cancel")


async def test_an_answer_after_three_seconds_or_to_nobody_is_unknown(
    server: Discord, general: Channel, clock: Clock, bot: Bot
) -> None:
    gate = Gate()
    server.next(ACKS, faults.held(gate, acts=False))
    act = await server.slash(server.user(), general, "animate", image=PNG, prompt="x")
    await gate.reached.wait()
    clock.ahead = 3.5
    gate.open.set()
    await server.until(lambda: act.late)
    assert act.ack is None
    assert server.messages(general) == []
    assert bot.heard.read == []


@pytest.mark.usefixtures("bot")
async def test_an_interaction_is_answered_once_and_its_token_lives_fifteen_minutes(
    server: Discord, general: Channel, clock: Clock
) -> None:
    act, _ = await animated(server, general)
    hook = f"{server.api_url}/webhooks/{server.application_id}/{act.token}"
    async with aiohttp.ClientSession() as session:

        async def code(method: str, url: str, said: Any) -> int:
            async with session.request(method, url, json=said) as response:
                return int((await response.json()).get("code", 0))

        ack = f"{server.api_url}/interactions/{act.id}/{act.token}/callback"
        assert await code("POST", ack, {"type": 5}) == 40060
        assert await code("POST", ack.replace(act.token, "other"), {"type": 5}) == 10062
        assert await code("POST", hook, {"content": "more"}) == 0
        assert [one.content for one in act.followups] == ["more"]
        clock.ahead = 15 * 60 + 1
        assert await code("PATCH", f"{hook}/messages/@original", {"content": "late"}) == 50027


# messages


async def test_the_same_nonce_twice_is_one_message_with_every_byte(
    server: Discord, general: Channel, clock: Clock, bot: Bot
) -> None:
    for _ in range(2):
        await place(bot, general).send("Here.", file=video(), nonce="job-7")
    [message] = server.messages(general)
    assert [(file.filename, file.data, file.description) for file in message.attachments] == [
        ("animation.mp4", MP4, "a fox turns")
    ]
    assert (message.nonce, server.count(POSTS)) == ("job-7", 2)
    clock.ahead = 600
    await place(bot, general).send("Here.", nonce="job-7")
    assert len(server.messages(general)) == 2


async def test_history_shows_messages_without_their_nonce_newest_first(
    server: Discord, general: Channel, bot: Bot
) -> None:
    for number in range(3):
        await place(bot, general).send(str(number), nonce=f"n{number}")
    found = [message async for message in place(bot, general).history(limit=2)]
    assert [(message.content, message.nonce) for message in found] == [("2", None), ("1", None)]
    after = [message async for message in place(bot, general).history(after=discord.Object(found[1].id))]
    assert [message.content for message in after] == ["2"]
    assert len(server.messages(general)) == 3


async def test_an_edit_changes_only_what_it_names(server: Discord, general: Channel, bot: Bot) -> None:
    sent = await place(bot, general).send("one", file=video())
    await sent.edit(content="two")
    [message] = server.messages(general)
    assert (message.content, message.edits, len(message.attachments)) == ("two", 1, 1)
    await sent.edit(attachments=[])
    assert (message.content, message.attachments) == ("two", [])
    await sent.delete()
    await refusal(10008, lambda: sent.edit(content="three"))


async def test_only_whom_the_bot_allows_is_pinged(server: Discord, guild: Guild, general: Channel, bot: Bot) -> None:
    ann, role = server.user("ann"), guild.role("crew", mentionable=True)
    text = f"@everyone {role.mention} {ann.mention}"
    await place(bot, general).send(text)
    await place(bot, general).send(text, allowed_mentions=discord.AllowedMentions(users=[discord.Object(ann.id)]))
    await place(bot, general).send(text, allowed_mentions=discord.AllowedMentions.all())
    quiet, one, loud = server.messages(general)
    assert (quiet.pings, one.pings, loud.pings) == ([], [ann.id], [ann.id, role.id, "everyone"])
    general.deny(Permission.MENTION_EVERYONE)
    await place(bot, general).send("@everyone", allowed_mentions=discord.AllowedMentions.all())
    assert server.messages(general)[-1].pings == []


async def test_a_message_has_content_only_for_those_who_may_read_it(
    server: Discord, general: Channel, bot: Bot
) -> None:
    ann = server.user()
    hers = await server.say(ann, general, "a secret", [PNG])
    await server.say(ann, general, "turn it", [PNG], mentions=[server.bot])
    await server.say(ann, server.dm(ann), "in private", [PNG])
    await server.say(ann, general, "and this", reply_to=hers, mentions=[server.bot])
    await server.until(lambda: len(bot.heard.messages) == 4)
    secret, mention, private, reply = bot.heard.messages
    assert (secret.content, secret.attachments) == ("", [])
    assert await mention.attachments[0].read() == PNG
    assert private.content == "in private"
    assert bot.user in reply.mentions
    assert reply.reference
    assert isinstance(reply.reference.resolved, discord.Message)
    assert (reply.reference.resolved.content, reply.reference.resolved.attachments) == ("", [])


async def test_limits_are_discords(server: Discord, general: Channel, bot: Bot) -> None:
    here = place(bot, general)
    await refusal(50035, lambda: here.send("x" * 2001))
    await refusal(50035, lambda: here.send("x", nonce="n" * 26))
    await refusal(50006, here.send)
    big = await refusal(40005, lambda: here.send(file=video(b"x" * (10 * MIB + 1))))
    assert big.status == 413
    boosted = server.guild("boosted", premium_tier=2).text()
    await place(bot, boosted).send(file=video(b"x" * (10 * MIB + 1)))
    assert len(server.messages(boosted)[0].attachments[0].data) == 10 * MIB + 1


async def test_rights_that_are_missing_are_named_by_their_code(
    server: Discord, guild: Guild, general: Channel, bot: Bot
) -> None:
    here, sent = place(bot, general), await place(bot, general).send("x")
    general.deny(Permission.ATTACH_FILES)
    await refusal(50013, lambda: here.send(file=video()))
    general.deny(Permission.READ_MESSAGE_HISTORY)
    await refusal(160002, lambda: here.send("y", reference=sent))
    general.deny(Permission.VIEW_CHANNEL)
    await refusal(50001, lambda: here.send("y"))
    shy = server.user("shy")
    shy.accepts_dms = False
    await refusal(50007, lambda: place(bot, server.dm(shy)).send("y"))
    await refusal(40058, lambda: place(bot, guild.forum()).send("y"))
    mine = bot.get_guild(guild.id)
    assert mine
    channel = mine.get_channel(general.id)
    assert channel
    await server.until(lambda: not channel.permissions_for(mine.me).view_channel)


async def test_threads_are_made_once_locked_archived_and_deleted(server: Discord, guild: Guild, bot: Bot) -> None:
    general = guild.text("talk")
    sent = await bot.get_partial_messageable(general.id, guild_id=guild.id).send("x")
    thread = await sent.create_thread(name="talk")
    await refusal(160004, lambda: sent.create_thread(name="again"))
    [ours] = server.threads(general)
    said = await thread.send("inside")
    assert [message.type.value async for message in thread.history()] == [0, 21]
    await server.archive(ours)
    await refusal(50083, lambda: said.edit(content="y"))
    await thread.send("wake up")
    assert not ours.archived
    await server.lock_thread(ours)
    await refusal(160005, lambda: thread.send("y"))
    await server.delete_channel(ours)
    await refusal(10003, lambda: thread.send("y"))
    spoken = await bot.get_partial_messageable(guild.voice().id, guild_id=guild.id).send("x")
    await refusal(50024, lambda: spoken.create_thread(name="no"))


async def test_a_forum_takes_posts_and_its_first_message_has_the_posts_id(
    server: Discord, guild: Guild, bot: Bot
) -> None:
    forum = guild.forum(require_tag=True)
    await server.until(lambda: bot.get_channel(forum.id))
    there = bot.get_channel(forum.id)
    assert isinstance(there, discord.ForumChannel)
    await refusal(40067, lambda: there.create_thread(name="n", content="x"))
    forum.require_tag = False
    made = await there.create_thread(name="n", content="x", file=video())
    [post] = server.threads(forum)
    assert [(one.id, one.attachments[0].data) for one in server.messages(post)] == [(made.thread.id, MP4)]


async def test_a_direct_message_is_opened_by_user_id(server: Discord, bot: Bot) -> None:
    ann = server.user()
    user = await bot.fetch_user(ann.id)
    await user.send("psst")
    assert [message.content for message in server.messages(server.dm(ann))] == ["psst"]


# faults


async def test_a_429_is_waited_out_and_then_goes_well(server: Discord, general: Channel, bot: Bot) -> None:
    server.next(POSTS, faults.limited(0.02), faults.limited(0.02, everywhere=True))
    await place(bot, general).send("x")
    assert [one.status for one in server.requests if one.fits(POSTS)] == [429, 429, 200]
    server.next(POSTS, faults.cloudflare())
    assert (await refusal(0, lambda: place(bot, general).send("y"))).status == 429


async def test_a_lost_answer_leaves_one_message_however_often_it_is_tried(
    server: Discord, general: Channel, bot: Bot
) -> None:
    server.next(POSTS, faults.dropped(), faults.broken(503, acts=True))
    for _ in range(2):
        with pytest.raises((aiohttp.ClientError, discord.DiscordServerError)):
            await place(bot, general).send("Here.", file=video(), nonce="job-7")
    await place(bot, general).send("Here.", file=video(), nonce="job-7")
    assert (len(server.messages(general)), server.count(POSTS)) == (1, 3)


async def test_any_error_can_be_had_and_a_fault_can_last(server: Discord, general: Channel, bot: Bot) -> None:
    for code in (10003, 50013, 50083, 400001, 160005):
        server.next(f"POST /channels/{general.id}/messages", faults.refused(code))
        await refusal(code, lambda: place(bot, general).send("x"))
    server.always(POSTS, faults.broken(503))
    for _ in range(2):
        await refusal(0, lambda: place(bot, general).send("x"))
    server.mend()
    await place(bot, general).send("x")
    assert len(server.messages(general)) == 1


async def test_an_answer_is_held_until_it_is_let_go(server: Discord, general: Channel, bot: Bot) -> None:
    gate = Gate()
    server.next(POSTS, faults.held(gate))
    sending = asyncio.create_task(place(bot, general).send("x"))
    await asyncio.wait_for(gate.reached.wait(), 60)
    assert (len(server.messages(general)), sending.done()) == (1, False)
    gate.open.set()
    assert (await sending).content == "x"
