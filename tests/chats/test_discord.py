"""Discord's surface sits the exam, and finds a way round whatever is closed to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chats.contract import Act, Action, Address, ChatBusy, ChatGone, ChatUnsure, Reply, Status, TooBig
from bot.chats.discord import Chat, Settings
from bot.chats.discord.places import elsewhere, place
from bot.text import sentences
from providers.contract import Secret
from tests.chats.exam import Asked, Exam
from tests.fakes import discord_faults as faults
from tests.fakes.discord import Discord, Message
from tests.fakes.discord_things import Channel
from tests.fakes.discord_words import MIB, Permission

POSTS = "POST /channels/{}/messages"


class Place(Asked):
    """A text channel with a status message; its thread is where videos go."""

    def __init__(self, discord: Discord, *, thread: bool = True) -> None:
        self.discord = discord
        self.ann = discord.user("ann")
        self.guild = discord.guild()
        self.channel = self.guild.text()
        self.status = Message(discord.world.new_id(), self.channel, discord.bot, "Queued.", 0)
        self.channel.messages[self.status.id] = self.status
        where = place(self.guild.id, self.channel.id, self.status.id, self.ann.id, "en", thread=thread)
        self.address = Address("discord", where)
        self.requester = str(self.ann.id)

    def surface(self, token: str = "") -> Chat:
        token = token or self.discord.token
        return Chat(Settings(token=Secret(token), api_url=self.discord.api_url, gateway_url=self.discord.gateway_url))

    def thread(self) -> Channel:
        """Make the thread of the status message, as the bot does before anything is delivered."""
        made = self.discord.world.thread(self.channel, "waves", self.discord.bot, id_=self.status.id)
        self.status.thread = made
        return made

    def posts(self) -> list[Message]:
        places = [one for one in self.discord.world.channels.values() if not one.deleted]
        return [one for here in places for one in self.discord.messages(here) if one is not self.status]

    def videos(self) -> list[bytes]:
        return [file.data for post in self.posts() for file in post.attachments]

    def words(self) -> list[str]:
        return [post.content for post in self.posts()]

    def vanish(self) -> None:
        self.discord.world.close(self.channel)
        self.ann.accepts_dms = False


@pytest.fixture
async def room() -> AsyncIterator[Place]:
    async with Discord() as discord:
        yield Place(discord)


class TestDiscord(Exam):
    pass


@pytest.mark.parametrize("known", [True, False])
async def test_a_video_can_be_posted_to_a_place_that_the_operator_types(
    room: Place, video: Path, *, known: bool
) -> None:
    there = room.guild.text()
    room.address = Address("discord", elsewhere(str(there.id), str(room.ann.id) if known else "", "en"))
    room.requester = room.requester if known else "terminal:me"
    surface = room.surface()
    first = await room.delivered(surface, video, again=False)
    again = await room.deliver(video, again=True)
    await surface.show(room.address, Status("Finished."))

    [post] = room.posts()
    assert (post.channel, len(post.attachments), first == again) == (there, 1, True)
    assert post.pings == ([room.ann.id] if known else [])


async def test_the_video_comes_as_a_new_message_in_the_thread_and_tells_the_requester_alone(
    room: Place, video: Path
) -> None:
    thread = room.thread()
    bob = room.discord.user("bob")
    await room.deliver(video, words=f"Here it is. @everyone {bob.mention} **now**")

    [post] = room.discord.messages(thread)
    assert post.pings == [room.ann.id]
    assert post.content.startswith(f"<@{room.ann.id}> ")
    assert "**now**" not in post.content
    assert [file.description for file in post.attachments] == ["a cat at the window"]
    assert [button["custom_id"] for button in post.buttons] == ["zoetrope:retry:job1"]
    assert room.discord.messages(room.channel) == [room.status]


async def test_a_thread_that_a_crash_prevented_is_made_when_the_video_comes(room: Place, video: Path) -> None:
    await room.deliver(video)

    [thread] = room.discord.threads(room.channel)
    assert len(room.discord.messages(thread)) == 1


async def test_a_thread_that_was_locked_meanwhile_is_left_for_the_channel(room: Place, video: Path) -> None:
    thread = room.thread()
    thread.locked = thread.archived = True
    await room.deliver(video)

    [_, post] = room.discord.messages(room.channel)
    assert (post.reply_to, len(post.attachments)) == (room.status, 1)
    assert room.discord.messages(thread) == []


async def test_an_archived_thread_is_woken(room: Place, video: Path) -> None:
    thread = room.thread()
    thread.archived = True
    await room.deliver(video)

    assert len(room.discord.messages(thread)) == 1


async def test_where_the_status_message_was_deleted_the_video_comes_all_the_same(room: Place, video: Path) -> None:
    room.discord.world.remove(room.status)
    await room.deliver(video)

    assert room.videos() == [video.read_bytes()]


async def test_where_history_may_not_be_read_the_video_comes_without_a_reply(room: Place, video: Path) -> None:
    lost = Permission.READ_MESSAGE_HISTORY | Permission.CREATE_PUBLIC_THREADS
    room.guild.everyone.permissions &= ~lost
    room.guild.bot_role.permissions &= ~lost
    await room.deliver(video)

    [_, post] = room.discord.messages(room.channel)
    assert (post.reply_to, len(post.attachments)) == (None, 1)


async def test_a_channel_that_was_deleted_meanwhile_is_left_for_a_private_message(room: Place, video: Path) -> None:
    room.discord.world.close(room.channel)
    await room.deliver(video)

    [post] = room.discord.messages(room.discord.dm(room.ann))
    assert len(post.attachments) == 1


async def test_words_that_the_servers_filter_stops_do_not_stop_the_video(room: Place, video: Path) -> None:
    room.thread()
    room.discord.next(POSTS, faults.refused(200000))
    await room.deliver(video)

    [post] = room.posts()
    assert (post.content, len(post.attachments)) == (f"<@{room.ann.id}>", 1)


async def test_a_lost_answer_is_looked_for_and_not_posted_again(room: Place, video: Path) -> None:
    thread = room.thread()
    room.discord.next(POSTS, faults.broken(503, acts=True))
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    receipt = await room.deliver(video, again=True)

    [post] = room.discord.messages(thread)
    assert receipt == f"{thread.id}/{post.id}"
    assert room.discord.count(POSTS) == 1


async def test_an_answer_of_words_is_found_again_by_its_buttons(room: Place) -> None:
    thread = room.thread()
    first = await room.deliver(None, words="Stopped.", key="job1")
    other = Reply("Stopped.", None, (Action(Act.RETRY, "job2"),), str(room.ann.id))
    await room.surface().deliver(room.address, other, "job2", again=True)

    assert await room.deliver(None, words="Stopped.", key="job1", again=True) == first
    assert len(room.discord.messages(thread)) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.refused(40005), TooBig),
        (faults.refused(50045), TooBig),
        (faults.refused(20028), ChatBusy),
        (faults.refused(130000), ChatBusy),
        (faults.cloudflare(), ChatBusy),
        (faults.limited(90), ChatBusy),
        (faults.broken(503), ChatUnsure),
        (faults.dropped(), ChatUnsure),
        (faults.refused(40001), ChatBusy),
    ],
    ids=lambda it: getattr(it, "__name__", str(getattr(it, "code", ""))),
)
async def test_discords_errors_have_their_remedies(
    room: Place, video: Path, fault: faults.Fault, error: type[Exception]
) -> None:
    room.thread()
    room.discord.always(POSTS, fault)
    with pytest.raises(error):
        await room.deliver(video)


async def test_a_long_rate_limit_says_how_long_it_is(room: Place, video: Path) -> None:
    room.thread()
    room.discord.next(POSTS, faults.limited(90))
    with pytest.raises(ChatBusy) as busy:
        await room.deliver(video)
    assert busy.value.retry_after == pytest.approx(90, abs=5)


async def test_a_short_rate_limit_is_sat_out(room: Place, video: Path) -> None:
    room.discord.next(POSTS, faults.limited(0.05))
    await room.deliver(video)

    assert len(room.videos()) == 1


async def test_a_video_that_is_too_big_is_asked_for_smaller(room: Place, video: Path) -> None:
    room.thread()
    room.discord.next(POSTS, faults.refused(40005))
    with pytest.raises(TooBig) as big:
        await room.deliver(video)
    assert big.value.limit == video.stat().st_size * 4 // 5


@pytest.mark.parametrize(("tier", "limit"), [(0, 10), (2, 50), (3, 100)])
async def test_the_upload_limit_is_the_servers(tier: int, limit: int) -> None:
    async with Discord() as discord:
        here = Place(discord)
        here.guild.premium_tier = tier
        assert await here.surface().upload_limit(here.address) == limit * MIB


async def test_a_status_is_changed_only_when_its_words_change(room: Place) -> None:
    surface = room.surface()
    for words in ("Rendering.", "Rendering.", "Finished. @everyone"):
        await surface.show(room.address, Status(words, ()))

    assert room.status.edits == 2
    assert room.status.pings == []


async def test_a_wrong_token_is_one_sentence(room: Place) -> None:
    with pytest.raises(ChatBusy, match="does not accept the bot's token"):
        await room.surface(token="wrong").ping()  # noqa: S106 - opens nothing


async def test_a_place_without_anybody_is_gone(room: Place, video: Path) -> None:
    await room.discord.remove_bot(room.guild)
    room.ann.accepts_dms = False
    with pytest.raises(ChatGone):
        await room.deliver(video)


BLOCKED = "<html><title>Attention Required</title><h1>Sorry, you have been blocked</h1></html>"
TROUBLE = [
    faults.says(403, {"message": "internal network error", "code": 40333}),
    faults.says(403, BLOCKED),
    faults.says(404, BLOCKED),
    faults.says(400, {"message": "of next year", "code": 99999}),
    faults.says(401, BLOCKED),
    faults.says(404, {}),
]


@pytest.mark.parametrize("fault", TROUBLE)
async def test_a_no_that_is_not_discords_own_word_for_a_place_that_is_gone_is_trouble_that_passes(
    room: Place, video: Path, fault: faults.Fault
) -> None:
    room.thread()
    for request in (POSTS, "GET /channels/{}", "POST /users/@me/channels"):
        room.discord.always(request, fault)
    with pytest.raises((ChatBusy, ChatUnsure)):
        await room.deliver(video)
    room.discord.mend()

    assert await room.deliver(video, again=True)
    assert len(room.posts()) == 1


def test_nothing_of_the_token_is_printed() -> None:
    assert "secret-token" not in repr(Settings(token=Secret("secret-token")))


async def test_a_status_says_when_it_began_and_when_it_is_usually_ready_in_the_readers_own_time(room: Place) -> None:
    surface = room.surface()
    surface._say = sentences.say  # as the desk's, once it listens
    await surface.show(room.address, Status("Rendering.", since=1_000.4, expected=1_060.0))

    assert "It began <t:1000:R> and is usually ready <t:1060:R>." in room.status.content
