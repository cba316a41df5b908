"""The exam of every provider of videos: what `providers.contract.VideoProvider` promises, whoever answers."""

import json
import time
from pathlib import Path
from typing import Protocol

import pytest

from bot.media import films
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Reason,
    Recovery,
    Refused,
    Rendering,
    Ticket,
    VideoProvider,
    Waiting,
)


class Works(Protocol):
    """A vendor's works, seen from behind the counter."""

    request: AnimationRequest
    secret: str

    def provider(self) -> VideoProvider:
        """Return a new provider, as after a restart: it remembers nothing. The fixture closes it."""

    async def finish(self, ticket: Ticket) -> None:
        """Let the vendor come to the end of that job."""

    def charges(self) -> int:
        """How many jobs were accepted in all."""

    def unknown(self) -> Ticket:
        """Return a ticket that the vendor does not know any more."""


class Exam:
    """A provider's test subclasses it and gives a fixture `works`."""

    async def test_a_picture_and_words_become_a_video_that_plays(self, works: Works, tmp_path: Path) -> None:
        provider, into = works.provider(), tmp_path / "there" / "video.mp4"
        into.parent.mkdir()
        ticket = await provider.submit(works.request, "key1")
        await works.finish(ticket)
        done = await provider.check(ticket)
        assert isinstance(done, Finished)
        await provider.fetch(done.source, into)

        assert (await films.probe(into)).seconds > 0
        assert [path.name for path in into.parent.iterdir()] == ["video.mp4"]
        assert done.cost is None or done.cost >= 0

    async def test_a_ticket_is_text_that_outlives_us_and_holds_no_secret(self, works: Works) -> None:
        ticket = await works.provider().submit(works.request, "key1")
        json.loads(json.dumps(ticket))

        assert works.secret not in ticket
        assert works.request.prompt not in ticket
        assert isinstance(await works.provider().check(ticket), Waiting | Rendering | Finished)

    async def test_looking_and_fetching_can_be_repeated(self, works: Works, tmp_path: Path) -> None:
        provider = works.provider()
        ticket = await provider.submit(works.request, "key1")
        await works.finish(ticket)
        for number in range(2):
            done = await provider.check(ticket)
            assert isinstance(done, Finished)
            await provider.fetch(done.source, tmp_path / "video.mp4")
            assert (await films.probe(tmp_path / "video.mp4")).seconds > 0, number
        assert works.charges() == 1

    async def test_a_submission_can_be_repeated_searched_or_neither_as_it_says(self, works: Works) -> None:
        provider, since = works.provider(), time.time() - 60
        ticket = await provider.submit(works.request, "key1")
        found = await provider.find("key1", since)
        match provider.recovery:
            case Recovery.RESEND:
                assert await works.provider().submit(works.request, "key1") == ticket
                assert works.charges() == 1
            case Recovery.FIND:
                assert found == ticket
                assert await provider.find("another", since) is None
            case Recovery.NONE:
                assert found is None

    async def test_another_key_is_another_job(self, works: Works) -> None:
        one, two = [await works.provider().submit(works.request, key) for key in ("key1", "key2")]

        assert one != two
        assert works.charges() == 2

    async def test_a_cancel_says_what_became_of_it(self, works: Works) -> None:
        provider = works.provider()
        ticket = await provider.submit(works.request, "key1")
        assert await provider.cancel(ticket) in set(Cancelled)

    async def test_a_finished_job_can_not_be_cancelled_and_its_video_stays(self, works: Works) -> None:
        provider = works.provider()
        ticket = await provider.submit(works.request, "key1")
        await works.finish(ticket)
        assert isinstance(await provider.check(ticket), Finished)

        assert await provider.cancel(ticket) is Cancelled.TOO_LATE
        assert isinstance(await provider.check(ticket), Finished)

    async def test_a_job_that_it_does_not_know_is_forgotten(self, works: Works) -> None:
        with pytest.raises(Refused) as caught:
            await works.provider().check(works.unknown())
        assert caught.value.reason is Reason.FORGOTTEN

    async def test_a_ping_says_one_line_or_what_to_do(self, works: Works) -> None:
        try:
            words = await works.provider().ping()
        except (Busy, Misconfigured) as error:
            words = str(error)
        assert words
        assert "\n" not in words
        assert works.secret not in words
