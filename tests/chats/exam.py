"""The exam of every chat: what `bot.chats.contract.Chat` promises, whoever answers."""

from pathlib import Path
from typing import Protocol

import pytest

from bot.chats.contract import Act, Action, Address, Chat, ChatError, ChatGone, Reply, Status

ANSWER = "Here is your video: 5 s."
RETRY = Action(Act.RETRY, "job1")


class Room(Protocol):
    """A place in a chat, and what can be seen there."""

    address: Address

    def surface(self) -> Chat:
        """Return a new connection, as after a restart: it remembers nothing."""

    def videos(self) -> list[bytes]: ...
    def words(self) -> list[str]: ...
    def vanish(self) -> None:
        """Take the place away, as an admin or an accident does."""


class Asked(Room):
    """A room in which somebody has asked for a video."""

    requester: str

    async def deliver(self, video: Path | None, *, again: bool = False, words: str = ANSWER, key: str = "job1") -> str:
        return await self.delivered(self.surface(), video, again=again, words=words, key=key)

    async def delivered(
        self, surface: Chat, video: Path | None, *, again: bool, words: str = ANSWER, key: str = "job1"
    ) -> str:
        reply = Reply(words, video, (RETRY,), self.requester, "a cat at the window")
        return await surface.deliver(self.address, reply, key, again=again)


class Exam:
    """A chat's test subclasses it and gives a fixture `room`; `video` is in `conftest`."""

    async def test_a_reply_with_a_video_arrives_once_with_its_words(self, room: Room, video: Path) -> None:
        receipt = await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=False)

        assert receipt
        assert room.videos() == [video.read_bytes()]
        assert any(ANSWER in words for words in room.words())

    async def test_a_reply_that_may_have_been_posted_is_not_posted_twice(self, room: Room, video: Path) -> None:
        first = await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=False)
        second = await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=True)

        assert first == second
        assert room.videos() == [video.read_bytes()]

    async def test_a_reply_that_was_never_posted_is_posted_when_it_is_tried_again(
        self, room: Room, video: Path
    ) -> None:
        await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=True)

        assert room.videos() == [video.read_bytes()]

    async def test_two_jobs_are_two_posts(self, room: Room, video: Path) -> None:
        other = video.with_name("other.mp4")
        other.write_bytes(video.read_bytes() + b"more")
        for key, path in (("job1", video), ("job2", other)):
            await room.surface().deliver(room.address, Reply(ANSWER, path), key, again=False)

        assert sorted(room.videos()) == sorted([video.read_bytes(), other.read_bytes()])

    async def test_words_without_a_video_arrive(self, room: Room) -> None:
        receipt = await room.surface().deliver(room.address, Reply("Nothing was charged."), "job1", again=False)

        assert receipt
        assert room.videos() == []
        assert any("Nothing was charged." in words for words in room.words())

    async def test_a_place_that_is_gone_is_said_to_be_gone(self, room: Room, video: Path) -> None:
        room.vanish()

        with pytest.raises(ChatGone):
            await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=False)
        assert video.exists()

    async def test_the_shelf_keeps_its_own_file_whatever_becomes_of_the_post(self, room: Room, video: Path) -> None:
        before = video.read_bytes()
        await room.surface().deliver(room.address, Reply(ANSWER, video), "job1", again=False)

        assert video.read_bytes() == before

    async def test_showing_a_status_does_no_harm_even_where_the_place_is_gone(self, room: Room) -> None:
        status = Status("Rendering.", (Action(Act.CANCEL, "job1"),))
        await room.surface().show(room.address, status)
        room.vanish()
        try:
            await room.surface().show(room.address, status)
        except ChatError:
            return

    async def test_the_upload_limit_is_none_or_some_bytes(self, room: Room) -> None:
        limit = await room.surface().upload_limit(room.address)

        assert limit is None or limit > 0

    async def test_it_says_that_it_can_be_reached(self, room: Room) -> None:
        assert await room.surface().ping()

    async def test_its_name_is_its_addresses_surface_and_edits_take_time(self, room: Room) -> None:
        surface = room.surface()

        assert surface.name == room.address.chat
        assert surface.edit_every > 0

    async def test_before_it_listens_it_says_from_memory_whether_it_is_connected(self, room: Room) -> None:
        assert room.surface().connected is (room.address.chat == "terminal")  # which has nothing to connect to
