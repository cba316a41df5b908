"""Slack's surface sits the exam, and finds a way round whatever is closed to it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.oauth.installation_store import Installation

from bot.chats.contract import (
    Act,
    Action,
    Address,
    ChatBusy,
    ChatError,
    ChatGone,
    ChatUnsure,
    Reply,
    Status,
    TooBig,
)
from bot.chats.slack import Chat, Settings, uploads
from bot.chats.slack.budget import Budget
from bot.chats.slack.handlers import SCOPES
from bot.chats.slack.installations import Installations
from bot.chats.slack.places import elsewhere, place
from bot.text import sentences
from providers.contract import Secret
from tests.chats.exam import ANSWER, Asked, Exam
from tests.fakes import slack_faults as faults
from tests.fakes.slack import Channel, Message, Slack, Upload

COMPLETE = "files.completeUploadExternal"


class Place(Asked):
    """A channel where somebody's picture has a thread with our status message."""

    def __init__(self, slack: Slack, *, channel: Channel | None = None) -> None:
        self.slack = slack
        slack.scopes.intersection_update(SCOPES)  # as docs/slack-manifest.yaml asks
        self.ann = slack.person("ann")
        self.channel = channel or slack.channel("general", self.ann)
        act = self.ann.posts(self.channel, "my cat")
        assert act.message
        self.root = act.message
        self.status = self.post("Queued.")
        where = place(slack.team.id, self.channel.id, self.root.ts, self.status.ts, user=self.ann.id, locale="en")
        self.address = Address("slack", where)
        self.requester = f"{slack.team.id}.{self.ann.id}"

    def post(self, words: str) -> Message:
        world = self.slack.world
        message = Message(world.new_ts(), self.channel, self.slack.bot, words, world.clock(), [], self.root.ts)
        return world.stand(message)

    def surface(self, token: str = "") -> Chat:
        return Chat(
            Settings(
                bot_token=Secret(token or self.slack.bot_token),
                app_token=Secret(self.slack.app_token),
                api_url=self.slack.api_url,
                file_hosts=self.slack.file_hosts,
            )
        )

    def posts(self) -> list[Message]:
        everywhere = [one for one in self.slack.world.channels.values() if not one.gone]
        ours = [one for here in everywhere for one in self.slack.messages(here) if one.author is self.slack.bot]
        return [one for one in ours if one is not self.status]

    def videos(self) -> list[bytes]:
        return [file.data for post in self.posts() for file in post.files]

    def words(self) -> list[str]:
        return [post.text for post in self.posts()]

    def vanish(self) -> None:
        self.channel.gone = True
        self.slack.always("conversations.open", faults.refused("user_disabled"))


@pytest.fixture
async def room() -> AsyncIterator[Place]:
    async with Slack() as slack:
        yield Place(slack)


class TestSlack(Exam):
    pass


@pytest.mark.parametrize("known", [True, False])
async def test_a_video_can_be_posted_to_a_place_that_the_operator_types(
    room: Place, video: Path, *, known: bool
) -> None:
    there = room.slack.channel("elsewhere", room.ann)
    room.address = Address("slack", elsewhere(f"{room.slack.team.id}/{there.id}", room.ann.id if known else "", "en"))
    room.requester = room.requester if known else "terminal:me"
    surface = room.surface()
    first = await room.delivered(surface, video, again=False)
    again = await room.deliver(video, again=True)
    await surface.show(room.address, Status("Finished."))

    [post] = room.posts()
    assert (post.channel, len(post.files), first == again) == (there, 1, True)
    assert (room.ann.mention in post.text) is known


async def test_the_video_comes_into_the_thread_with_its_words_and_tells_the_requester_alone(
    room: Place, video: Path
) -> None:
    bob = room.slack.person("bob")
    receipt = await room.deliver(video, words=f"Here it is. <!channel> {bob.mention} & more")

    [post] = room.posts()
    assert (post.channel, post.thread_ts) == (room.channel, room.root.ts)
    assert post.text == f"{room.ann.mention} Here it is. &lt;!channel&gt; &lt;@{bob.id}&gt; &amp; more"
    assert (post.files[0].name, post.files[0].title) == ("zoetrope-job1.mp4", "a cat at the window")
    assert receipt == f"{room.channel.id}/{post.ts}/{post.files[0].id}"
    assert "alt_txt" not in str([call.args for call in room.slack.calls])


async def test_a_videos_buttons_stand_under_the_status_message_and_stay(room: Place, video: Path) -> None:
    surface = room.surface()
    await room.delivered(surface, video, again=False)
    await surface.show(room.address, Status("Finished."))

    assert [part["value"] for part in room.status.elements] == ["job1"]
    assert room.slack.count("chat.update") == 1


async def test_words_alone_come_as_a_message_with_buttons(room: Place) -> None:
    receipt = await room.deliver(None, words="Stopped.")

    [post] = room.posts()
    assert (post.thread_ts, receipt) == (room.root.ts, f"{room.channel.id}/{post.ts}")
    assert [part["value"] for part in post.elements] == ["job1"]


async def test_a_status_message_that_was_deleted_does_not_stop_the_video(room: Place, video: Path) -> None:
    room.slack.world.remove(room.status)
    await room.deliver(video)

    assert room.videos() == [video.read_bytes()]


@pytest.mark.parametrize("word", ["thread_not_found", "restricted_action_thread_locked"])
async def test_a_thread_that_closed_meanwhile_is_left_for_the_channel(room: Place, video: Path, word: str) -> None:
    room.slack.next(COMPLETE, faults.refused(word))
    await room.deliver(video)

    [post] = room.posts()
    assert (post.channel, post.thread_ts) == (room.channel, None)


@pytest.mark.parametrize("why", ["archived", "gone", "left"])
async def test_a_channel_that_closed_meanwhile_is_left_for_a_private_message(
    room: Place, video: Path, why: str
) -> None:
    if why == "left":
        room.channel.members.discard(room.slack.bot)
    else:
        setattr(room.channel, why, True)
    await room.deliver(video)

    assert [post.channel for post in room.posts()] == [room.slack.dm(room.ann)]
    assert room.slack.count("upload") == 1  # sent once, shared where it can be


@pytest.mark.parametrize("private", [False, True])
async def test_a_lost_answer_is_looked_for_and_not_posted_again(room: Place, video: Path, *, private: bool) -> None:
    if private:
        room = Place(room.slack, channel=room.slack.dm(room.slack.person("bob")))
    room.slack.next(COMPLETE, faults.dropped(acts=True))
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    room.slack.share()
    receipt = await room.deliver(video, again=True)

    [post] = room.slack.videos()
    assert receipt == f"{room.channel.id}/{post.ts}/{post.files[0].id}"
    assert room.slack.count("upload") == 1
    assert room.status.elements


@pytest.mark.parametrize("scopes", [set(), {"channels:history"}])
async def test_a_video_that_slack_has_and_does_not_show_yet_is_waited_for_also_by_another_process(
    room: Place, video: Path, scopes: set[str]
) -> None:
    room.slack.scopes.difference_update(scopes)
    room.slack.shares_after = None
    for again in (False, True):
        with pytest.raises(ChatUnsure):
            await room.deliver(video, again=again)
    room.slack.share()
    await room.deliver(video, again=True)

    assert len(room.slack.videos()) == room.slack.count("upload") == 1


async def test_a_video_that_slack_never_shows_is_taken_back_and_sent_anew(
    room: Place, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface = room.surface()
    room.slack.shares_after = None
    with pytest.raises(ChatUnsure):
        await room.delivered(surface, video, again=False)
    monkeypatch.setattr(uploads, "APPEARS_WITHIN", 0.0)
    with pytest.raises(ChatUnsure):
        await room.delivered(surface, video, again=True)
    room.slack.share()
    await room.delivered(surface, video, again=True)

    assert [file.state for file in room.slack.files] == ["deleted", "complete"]
    assert len(room.slack.videos()) == 1


async def test_what_was_uploaded_is_not_uploaded_again_when_sharing_it_has_to_wait(room: Place, video: Path) -> None:
    surface = room.surface()
    room.slack.next(COMPLETE, faults.limited(7), faults.broken(503))
    with pytest.raises(ChatBusy) as busy:
        await room.delivered(surface, video, again=False)
    with pytest.raises(ChatUnsure):
        await room.delivered(surface, video, again=False)
    await room.delivered(surface, video, again=True)

    assert busy.value.retry_after == 7
    assert room.slack.count("upload") == 1
    assert len(room.videos()) == 1


async def test_a_video_that_was_too_big_to_share_is_sent_anew_when_it_is_smaller(room: Place, video: Path) -> None:
    surface, smaller = room.surface(), video.with_name("smaller.mp4")
    smaller.write_bytes(video.read_bytes()[:20_000])
    room.slack.next(COMPLETE, faults.refused("file_upload_size_restricted"))
    with pytest.raises(TooBig):
        await room.delivered(surface, video, again=False)
    await room.delivered(surface, smaller, again=False)

    assert room.videos() == [smaller.read_bytes()]


async def test_a_video_that_may_not_be_looked_at_is_not_given_up(room: Place, video: Path) -> None:
    room.slack.shares_after = None
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    room.slack.next("files.info", faults.refused("access_denied"))
    with pytest.raises(ChatUnsure):
        await room.deliver(video, again=True)
    room.slack.share()
    await room.deliver(video, again=True)

    assert len(room.videos()) == room.slack.count("upload") == 1


async def test_a_video_that_slack_denies_to_have_while_it_shares_it_is_not_sent_a_second_time(
    room: Place, video: Path
) -> None:
    surface = room.surface()
    room.slack.shares_after = None
    room.slack.next(COMPLETE, faults.dropped(acts=True))
    with pytest.raises(ChatUnsure):
        await room.delivered(surface, video, again=False)
    room.slack.next("files.info", faults.refused("file_not_found"))
    with pytest.raises(ChatBusy):
        await room.delivered(surface, video, again=True)
    room.slack.share()
    await room.delivered(surface, video, again=True)

    assert len(room.videos()) == room.slack.count("upload") == 1


async def test_a_channel_that_uses_up_what_was_uploaded_and_refuses_it_does_not_keep_it_from_the_person(
    room: Place, video: Path
) -> None:
    room.slack.files_of.completes_first = True
    room.channel.members.discard(room.slack.bot)
    await room.deliver(video)

    assert [post.channel for post in room.posts()] == [room.slack.dm(room.ann)]


async def test_a_video_deleted_while_it_was_taken_back_is_sent_anew(
    room: Place, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "APPEARS_WITHIN", 0.0)
    room.slack.shares_after = None
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    room.slack.next("files.delete", faults.refused("file_deleted", acts=True))
    with pytest.raises(ChatUnsure):
        await room.deliver(video, again=True)
    room.slack.share()
    await room.deliver(video, again=True)

    assert len(room.videos()) == 1


async def test_words_that_stand_in_the_place_of_the_status_stay_there_until_there_are_others(room: Place) -> None:
    surface = room.surface()
    room.slack.scopes.discard("channels:history")
    await room.delivered(surface, None, words="It takes longer.", again=True, key="job1-late")
    await surface.show(room.address, Status("Rendering.", (Action(Act.CANCEL, "job1"),)))
    assert room.status.text == f"{room.ann.mention} It takes longer."
    await room.delivered(surface, None, words="Stopped.", again=False)
    await surface.show(room.address, Status("Finished."))

    assert (room.words(), room.status.text) == ([f"{room.ann.mention} Stopped."], "Finished.")


@pytest.mark.parametrize("again", [False, True])
async def test_words_whose_status_is_gone_too_are_still_told(room: Place, *, again: bool) -> None:
    room.slack.scopes.discard("channels:history")
    room.slack.world.remove(room.status)
    await room.deliver(None, words="Stopped.", again=again)

    assert room.words() == [f"{room.ann.mention} Stopped."]


async def test_a_lost_answer_is_found_where_slack_put_it_when_the_thread_had_no_root(room: Place, video: Path) -> None:
    room.slack.world.remove(room.root)
    room.slack.world.remove(room.status)
    room.slack.next(COMPLETE, faults.dropped(acts=True))
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    room.slack.share()
    receipt = await room.deliver(video, again=True)

    [post] = room.posts()
    assert (post.thread_ts, receipt) == (None, f"{room.channel.id}/{post.ts}/{post.files[0].id}")


async def test_a_video_whose_buttons_could_not_be_shown_is_not_posted_again(room: Place, video: Path) -> None:
    room.slack.next("chat.update", faults.limited())
    with pytest.raises(ChatUnsure):
        await room.deliver(video)
    room.slack.share()
    await room.deliver(video, again=True)

    assert len(room.videos()) == room.slack.count("upload") == 1
    assert room.status.elements


async def test_words_whose_answer_was_lost_are_found_again_by_their_key(room: Place) -> None:
    room.slack.next("chat.postMessage", faults.dropped(acts=True))
    with pytest.raises(ChatUnsure):
        await room.deliver(None, words="Stopped.", key="job1")
    await room.deliver(None, words="Stopped.", key="job2", again=True)
    receipt = await room.deliver(None, words="Stopped.", key="job1", again=True)

    first, second = room.posts()
    assert (first.text, second.text) == (f"{room.ann.mention} Stopped.",) * 2
    assert receipt == f"{room.channel.id}/{first.ts}"


async def test_words_that_nobody_may_look_for_are_put_where_they_cannot_stand_twice(room: Place) -> None:
    room.slack.scopes.discard("channels:history")
    for _ in range(2):
        receipt = await room.deliver(None, words="Stopped.", again=True)

    assert room.posts() == []
    assert room.status.text == f"{room.ann.mention} Stopped."
    assert receipt == f"{room.channel.id}/{room.status.ts}"


async def test_somebody_elses_file_of_that_name_is_not_taken_for_ours(room: Place, video: Path) -> None:
    other = video.with_name("zoetrope-job1.mp4")
    other.write_bytes(b"\0\0\0\x18ftypisom")
    file = room.ann.has(Upload(other.read_bytes(), other.name))
    room.ann.posts(room.channel, "hm", [file], thread=room.root)
    await room.deliver(video, again=True)

    assert room.videos() == [video.read_bytes()]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.refused("file_upload_size_restricted"), TooBig),
        (faults.refused("storage_limit_reached"), TooBig),
        (faults.refused("file_uploads_disabled"), TooBig),
        (faults.limited(90), ChatBusy),
        (faults.refused("invalid_auth"), ChatBusy),
        (faults.refused("token_revoked"), ChatBusy),
        (faults.refused("missing_scope", needed="files:write"), ChatBusy),
        (faults.refused("org_login_required"), ChatBusy),
        (faults.refused("ekm_access_denied"), ChatBusy),
        (faults.refused("accesslimited"), ChatBusy),
        (faults.refused("file_update_failed"), ChatUnsure),
        (faults.broken(500), ChatUnsure),
        (faults.broken(503), ChatUnsure),
        (faults.dropped(acts=False), ChatUnsure),
        (faults.refused("fatal_error"), ChatUnsure),
    ],
)
async def test_each_error_is_named_by_its_remedy(
    room: Place, video: Path, fault: faults.Fault, error: type[ChatError]
) -> None:
    room.slack.next(COMPLETE, fault)
    with pytest.raises(error) as raised:
        await room.deliver(video)

    assert type(raised.value) is error
    assert room.videos() == []
    assert room.slack.bot_token not in str(raised.value)
    if isinstance(raised.value, TooBig):
        assert raised.value.limit < video.stat().st_size
    if isinstance(raised.value, ChatBusy) and fault.code == 429:
        assert raised.value.retry_after == 90


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "upload", "conversations.replies", "files.info"])
async def test_what_breaks_before_anything_is_posted_is_surely_not_posted(
    room: Place, video: Path, method: str
) -> None:
    room.slack.next(method, faults.broken(503))
    again = "." in method and not method.endswith("URLExternal")
    with pytest.raises(ChatBusy if method != "files.info" else ChatUnsure):
        await room.deliver(video, again=again)
    assert room.videos() == []


async def test_a_slack_that_cannot_be_reached_is_busy(room: Place, video: Path) -> None:
    surface = Chat(Settings(bot_token=Secret("xoxb-1"), app_token=Secret("xapp-1"), api_url="http://127.0.0.1:1/api/"))
    with pytest.raises(ChatBusy, match="can't be reached"):
        await surface.deliver(room.address, Reply(ANSWER, video), "job1", again=False)


async def test_each_workspace_is_spoken_to_with_its_own_token_until_it_removes_the_app(tmp_path: Path) -> None:
    async with Slack() as slack:
        file = tmp_path / "installs.db"
        surface = Chat(
            Settings(
                app_token=Secret(slack.app_token), api_url=slack.api_url,
                client_id="1.2", client_secret=Secret("s"), installations=file,
            )
        )  # fmt: skip
        installs = Installations(surface._settings)
        await installs.prepare()
        for name in ("one", "two"):
            team = slack.workspace(name)
            assert team.install
            person = slack.person(name, team=team)
            where = place(team.id, slack.dm(person).id, "", "1.1", user=person.id, locale="en")
            address = Address("slack", {**where, "thread": ""})
            with pytest.raises(ChatGone):
                await surface.deliver(address, Reply("Stopped."), "job1", again=False)
            bot: dict[str, Any] = {"bot_token": team.install.token, "bot_id": team.bot_id, "bot_user_id": team.bot.id}
            await installs.store.async_save(Installation(app_id="A1", user_id=person.id, team_id=team.id, **bot))
            await surface.deliver(address, Reply("Stopped."), "job1", again=False)

            assert [one.author for one in slack.messages(slack.dm(person))] == [team.bot]


async def test_the_same_status_twice_is_one_edit_and_another_is_another(room: Place) -> None:
    surface = room.surface()
    for words in ("Rendering.", "Rendering.", "Still rendering."):
        await surface.show(room.address, Status(words, (Action(Act.CANCEL, "job1"),)))

    assert room.status.wordings == ["Queued.", "Rendering.", "Still rendering."]
    assert [part["value"] for part in room.status.elements] == ["job1"]


async def test_a_status_tells_times_that_each_reader_sees_as_their_own(room: Place) -> None:
    surface = room.surface()
    surface._say = sentences.say
    await surface.show(room.address, Status("Rendering.", since=1_000_000.0, expected=1_000_060.0))

    assert "It began <!date^1000000^{time_secs}|13:46:40 UTC>" in room.status.text


async def test_a_workspaces_edits_are_shared_and_the_last_of_a_job_is_never_skipped(room: Place) -> None:
    surface = room.surface()
    for number in range(60):
        await surface.show(room.address, Status(f"{number} %", (Action(Act.CANCEL, "job1"),)))
    assert room.slack.count("chat.update") == 40
    await surface.show(room.address, Status("Finished."))

    assert room.status.text == "Finished."


def test_a_minute_later_a_workspace_takes_edits_again() -> None:
    now = [0.0]
    budget = Budget(lambda: now[0])
    assert [budget.take("T1", last=False) for _ in range(41)] == [True] * 40 + [False]
    assert budget.take("T2", last=False)
    now[0] = 60.0
    assert budget.take("T1", last=False)


TROUBLE = [
    faults.refused("of_next_year"),
    faults.refused("team_quota_of_a_moment"),
    faults.says(403, "<html><title>Blocked</title></html>"),
    faults.says(404, "<html><title>Not here</title></html>"),
    faults.says(200, {"ok": False}),
    faults.says(200, []),
]


@pytest.mark.parametrize("fault", TROUBLE)
async def test_a_no_that_is_not_slacks_own_word_for_a_place_that_is_gone_is_trouble_that_passes(
    room: Place, video: Path, fault: faults.Fault
) -> None:
    for method in ("files.completeUploadExternal", "chat.postMessage", "conversations.open"):
        room.slack.always(method, fault)
    with pytest.raises((ChatBusy, ChatUnsure)):
        await room.deliver(video)
    room.slack.mend()

    assert await room.deliver(video, again=True)
    assert len(room.videos()) == 1
