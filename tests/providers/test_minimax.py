"""MiniMax, both APIs: the exam, then every documented answer of their wires, against a server on loopback."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.media import films as video_room
from providers import minimax as wire
from providers.catalog import Catalogue, shipped
from providers.contract import (
    AnimationRequest,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    Reason,
    Refused,
    Rendering,
    Secret,
    Ticket,
    Unsure,
    Waiting,
)
from providers.minimax import director
from providers.minimax.errors import CODES
from tests.fakes import faults, files
from tests.fakes.loopback import Clock
from tests.fakes.minimax import HOUR, Api, Failed, MiniMax, Plan, no
from tests.providers.exam import Exam
from tests.providers.orders import inputs, order, picture

MODELS = Catalogue(shipped("minimax"))
MODEL: dict[Api, str] = {"v1": "hailuo-2-3", "v2": "minimax-h3"}


def a_request(model: str, **changes: Any) -> AnimationRequest:
    return order(MODELS.find(model), **changes)


@dataclass
class MiniMaxWorks:
    minimax: MiniMax
    clock: Clock
    folder: Path
    api: Api
    providers: list[wire.Provider] = field(default_factory=list)

    @property
    def request(self) -> AnimationRequest:
        return a_request(MODEL[self.api])

    @property
    def secret(self) -> str:
        return self.minimax.key

    def provider(self, key: str | None = None, **changes: Any) -> wire.Provider:
        settings = wire.Settings(api_key=Secret(key or self.minimax.key), base_url=self.minimax.url, **changes)
        self.providers.append(wire.Provider(settings, self.folder))
        return self.providers[-1]

    async def finish(self, ticket: Ticket) -> None:  # noqa: ARG002 - time passes for all of them
        self.clock.now += 1000

    def charges(self) -> int:
        return self.minimax.posts

    def unknown(self) -> Ticket:
        return Ticket(json.dumps({"api": self.api, "id": "gone"}))

    async def ended(self, plan: Plan) -> Any:
        """Submit a task that goes so, let it end, and look."""
        self.minimax.next_task(plan)
        ticket = await self.provider().submit(self.request, "k")
        self.clock.now += 1
        return await self.provider().check(ticket)


@contextlib.asynccontextmanager
async def opened(folder: Path, api: Api) -> AsyncIterator[MiniMaxWorks]:
    clock = Clock()
    async with MiniMax(clock=clock, plan=lambda: Plan(queue_seconds=30, run_seconds=60)) as minimax:
        works = MiniMaxWorks(minimax, clock, folder, api)
        yield works
        for provider in works.providers:
            await provider.close()
        assert not minimax.unknown, "a field that MiniMax would silently ignore"


@pytest.fixture(params=["v1", "v2"])
async def works(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MiniMaxWorks]:
    async with opened(tmp_path, request.param) as works:
        yield works


@pytest.fixture
async def hailuo(tmp_path: Path) -> AsyncIterator[MiniMaxWorks]:
    async with opened(tmp_path, "v1") as works:
        yield works


@pytest.fixture
async def h3(tmp_path: Path) -> AsyncIterator[MiniMaxWorks]:
    async with opened(tmp_path, "v2") as works:
        yield works


class TestMiniMaxSitsTheExam(Exam):
    pass


# The paid POST.

LOST = {
    "dropped": faults.dropped(),
    "502": faults.nginx(502),
    "504": faults.nginx(504),
    "408": faults.says(408, {}),
    "500": faults.says(500, {}),
    "529": faults.says(529, {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}),
    "garbage": faults.garbage(),
    "html": faults.html(),
    "no id": faults.says(200, {"base_resp": {"status_code": 0, "status_msg": "success"}}),
    "empty id": faults.says(200, {"task_id": "", "base_resp": {"status_code": 0, "status_msg": "success"}}),
    "unknown code": faults.says(200, {"base_resp": {"status_code": 9999, "status_msg": "new"}}),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_lost_answer_to_the_paid_post_is_unsure_after_exactly_one_post(works: MiniMaxWorks, fault: Any) -> None:
    works.minimax.next("submit", fault)
    with pytest.raises(Unsure):
        await works.provider().submit(works.request, "k")

    assert works.minimax.posts == 1
    assert len(works.minimax.billed) <= 1


# Every documented code: the remedy of a submission, what the operator or the person is told, and that of a look.
KEY, BALANCE, PLAN = "set providers.minimax.api_key", "top it up", "wait, or set"
TABLE: list[tuple[int, type[Exception], str | Reason, type[Exception]]] = [
    (1000, Unsure, "1000", Busy),
    (1001, Unsure, "1001", Busy),
    (1002, Busy, "1002", Busy),
    (1004, Misconfigured, KEY, Misconfigured),
    (1008, Misconfigured, BALANCE, Misconfigured),
    (1013, Unsure, "1013", Busy),
    (1024, Unsure, "1024", Busy),
    (1026, Refused, Reason.POLICY, Refused),
    (1027, Refused, Reason.POLICY, Refused),
    (1033, Unsure, "1033", Busy),
    (1039, Busy, "1039", Busy),
    (1041, Busy, "1041", Busy),
    (1042, Refused, Reason.PROMPT, Refused),
    (2013, Refused, Reason.UNSUPPORTED, Refused),
    (2037, Refused, Reason.UNSUPPORTED, Refused),
    (2038, Misconfigured, "to be verified", Misconfigured),
    (2039, Refused, Reason.UNSUPPORTED, Refused),
    (2042, Refused, Reason.UNSUPPORTED, Refused),
    (2045, Busy, "2045", Busy),
    (2049, Misconfigured, KEY, Misconfigured),
    (2056, Misconfigured, PLAN, Misconfigured),
]


def test_the_table_has_every_documented_code() -> None:
    assert {code for code, *_ in TABLE} == CODES.keys()


def told(error: Exception, words: str | Reason) -> bool:
    return error.reason is words if isinstance(error, Refused) else str(words) in str(error)


@pytest.mark.parametrize(("code", "kind", "words", "_look"), TABLE)
async def test_every_code_in_answer_to_the_paid_post_has_its_remedy_and_costs_nothing_when_definite(
    works: MiniMaxWorks, code: int, kind: type[Exception], words: str | Reason, _look: type[Exception]
) -> None:  # fmt: skip
    works.minimax.next("submit", no(works.api, code))
    with pytest.raises((Busy, Misconfigured, Refused, Unsure)) as caught:
        await works.provider().submit(works.request, "k")

    assert type(caught.value) is kind
    assert told(caught.value, words)
    assert not isinstance(caught.value, Refused) or not caught.value.charged
    assert works.minimax.key not in str(caught.value)
    assert works.minimax.posts == 1


@pytest.mark.parametrize(("code", "_kind", "words", "look"), TABLE)
async def test_every_code_in_answer_to_a_poll_has_its_remedy(
    works: MiniMaxWorks, code: int, _kind: type[Exception], words: str | Reason, look: type[Exception]
) -> None:  # fmt: skip
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.minimax.next("query", no(works.api, code))
    with pytest.raises((Busy, Misconfigured, Refused)) as caught:
        await provider.check(ticket)

    assert type(caught.value) is look
    expected = Reason.FORGOTTEN if words is Reason.UNSUPPORTED else words  # a look's only parameter is the task's id
    assert told(caught.value, expected)
    assert not isinstance(caught.value, Refused) or caught.value.charged is (code == 1027)


ENDS = [  # how a task fails: our reason, which input, charged
    (Failed(1026, "input sensitive"), Reason.POLICY, None, False),
    (Failed(1027, "output sensitive"), Reason.POLICY, None, True),  # it was made: nobody says that it is free
    (Failed(1042, "invisible characters"), Reason.PROMPT, "prompt", False),
    (Failed(2013, "invalid params, first_frame_image"), Reason.PICTURE, "picture", False),
    (Failed(2013, "invalid params, last_frame_image"), Reason.PICTURE, "end picture", False),
    (Failed(2013, "invalid params, prompt"), Reason.PROMPT, "prompt", False),
    (Failed(1000, "unknown error"), Reason.FAILED, None, False),
    (Failed(1033, "downstream"), Reason.FAILED, None, False),
    (Failed(9999, "new"), Reason.FAILED, None, False),
]


@pytest.mark.parametrize(("end", "reason", "which", "charged"), ENDS)
async def test_a_failed_task_is_told_by_remedy_by_which_input_and_by_what_it_may_have_cost(
    works: MiniMaxWorks, end: Failed, reason: Reason, which: str | None, *, charged: bool
) -> None:
    with pytest.raises(Refused) as caught:
        await works.ended(Plan(ends=end))

    assert (caught.value.reason, caught.value.which, caught.value.charged) == (reason, which, charged)


async def test_a_failed_task_of_h3_that_has_a_usage_is_charged(h3: MiniMaxWorks) -> None:
    with pytest.raises(Refused) as caught:
        await h3.ended(Plan(ends=Failed(1000, "unknown", charged=True)))
    assert caught.value.charged


STATUSES = [
    (400, Refused),
    (401, Misconfigured),
    (402, Misconfigured),
    (403, Misconfigured),
    (404, Refused),
    (413, Refused),
    (422, Refused),
    (429, Busy),
    (307, Refused),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
async def test_a_status_without_a_code_decides_alone(works: MiniMaxWorks, status: int, kind: type[Exception]) -> None:
    works.minimax.next("submit", faults.says(status, {"type": "error", "error": {"type": "x", "message": "words"}}))
    with pytest.raises(kind):
        await works.provider().submit(works.request, "k")


@pytest.mark.parametrize("status", [400, 422])
async def test_a_code_decides_and_not_the_status_beside_it(h3: MiniMaxWorks, status: int) -> None:
    for code, kind in ((1008, Misconfigured), (1002, Busy), (1026, Refused), (1001, Unsure)):
        h3.minimax.next("submit", no("v2", code, http=status))
        with pytest.raises(kind):
            await h3.provider().submit(h3.request, "k")


# What is sent.


@pytest.mark.parametrize("spec", MODELS.all, ids=lambda spec: spec.name)
async def test_every_model_takes_each_pair_of_length_and_resolution_that_is_offered(
    hailuo: MiniMaxWorks, spec: Any
) -> None:
    provider, first = hailuo.provider(), picture(301, 752)
    for resolution in spec.resolutions or (None,):
        last = picture(400, 301, "WEBP") if spec.last_frame and f"{resolution} last" not in spec.never else None
        for seconds in spec.seconds:
            if f"{resolution} {seconds:g}s" not in spec.never:
                await provider.submit(
                    AnimationRequest("w", inputs(first, last), spec, seconds, resolution=resolution), "k"
                )


@pytest.mark.parametrize("spec", [spec for spec in MODELS.all if spec.never], ids=lambda spec: spec.name)
async def test_what_is_not_offered_together_is_what_minimax_refuses(hailuo: MiniMaxWorks, spec: Any) -> None:
    for pair in spec.never:
        resolution, other = pair.split()
        seconds, last = (float(other[:-1]), None) if other != "last" else (6.0, picture())
        request = AnimationRequest("w", inputs(picture(), last), spec, seconds, resolution=resolution)
        with pytest.raises(Refused) as caught:
            await hailuo.provider().submit(request, "k")
        assert not caught.value.charged


async def test_an_end_picture_and_the_optimizer_are_on_hailuos_wire(hailuo: MiniMaxWorks) -> None:
    await hailuo.provider().submit(a_request("hailuo-02", last=picture(700, 500, "PNG")), "k")
    [task] = hailuo.minimax.tasks.values()

    assert task.body["last_frame_image"].startswith("data:image/png;base64,")
    assert task.body["first_frame_image"].startswith("data:image/jpeg;base64,")
    assert (task.body["prompt_optimizer"], task.body["duration"], task.body["resolution"]) == (True, 6, "768P")


async def test_pictures_have_their_roles_on_h3s_wire(h3: MiniMaxWorks) -> None:
    await h3.provider().submit(a_request("minimax-h3", last=picture(), seconds=7.0, resolution="2k"), "k")
    [task] = h3.minimax.tasks.values()
    text, *frames = task.body["content"]

    assert text == {"type": "text", "text": "she turns and smiles"}
    assert [frame["role"] for frame in frames] == ["first_frame", "last_frame"]
    assert (task.body["duration"], task.body["resolution"], task.body["ratio"]) == (7, "2K", "adaptive")
    assert "prompt" not in task.body


# Camera commands.

DIRECTED = [
    ("she turns and smiles", "she turns and smiles", ""),
    ("slow pan to the left over the hills", "[Pan left]slow pan to the left over the hills", "pan left"),
    ("Push in, panning right", "[Push in,Pan right]Push in, panning right", "push in and pan right"),
    ("zoom in, then tilt up", "[Zoom in]zoom in, then [Tilt up]tilt up", "zoom in, then tilt up"),
    ("do not zoom in", "do not zoom in", ""),
    ("a tracking shot without camera shake", "[Tracking shot]a tracking shot without camera shake", "tracking shot"),
    ("[Static shot] zoom out", "[Static shot] zoom out", ""),
    (
        "zoom in, pan left, tilt up, hand-held",
        "[Zoom in,Pan left,Tilt up]zoom in, pan left, tilt up, hand-held",
        "zoom in and pan left and tilt up",
    ),
    ("zoom in " + "w" * 1990, "zoom in " + "w" * 1990, ""),  # it would become too long
]


@pytest.mark.parametrize(("prompt", "sent", "moves"), DIRECTED)
async def test_camera_words_become_commands_when_the_operator_wants_it_and_that_is_said(
    hailuo: MiniMaxWorks, prompt: str, sent: str, moves: str
) -> None:
    provider = hailuo.provider(camera_commands=True)
    ticket = await provider.submit(a_request("i2v-01-director", prompt=prompt), "k")
    hailuo.clock.now += 1000
    done = await provider.check(ticket)

    [task] = hailuo.minimax.tasks.values()
    assert task.body["prompt"] == sent
    assert isinstance(done, Finished)
    assert done.note == (f"Camera commands: {moves}." if moves else "")


async def test_nothing_is_added_to_the_words_unless_wanted_or_where_the_model_has_no_commands(
    hailuo: MiniMaxWorks,
) -> None:
    await hailuo.provider().submit(a_request("i2v-01-director", prompt="zoom in"), "k")
    await hailuo.provider(camera_commands=True).submit(a_request("i2v-01", prompt="zoom in"), "k")

    assert [task.body["prompt"] for task in hailuo.minimax.tasks.values()] == ["zoom in", "zoom in"]


def test_each_of_the_fifteen_commands_can_be_asked_for_in_words() -> None:
    words = [f"{move} {way}" for move in ("truck", "pan") for way in ("left", "right")]
    words += [f"{move} {way}" for move in ("pedestal", "tilt") for way in ("up", "down")]
    words += ["push in", "pull out", "zoom in", "zoom out", "shaky camera", "tracking shot", "static shot"]
    found = [director.directed(word, 100)[1] for word in words]

    assert len({*found}) == 15
    assert all(len(brackets) == 1 for brackets in found)


# Looking.


async def test_a_poll_tells_that_it_waits_then_that_it_renders_then_where_the_video_is(works: MiniMaxWorks) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    seen = []
    for seconds in (0, 40, 60):
        works.clock.now += seconds
        seen.append(await provider.check(ticket))

    assert seen[:2] == [Waiting(), Rendering()]
    assert isinstance(seen[2], Finished)


BAD_POLLS = {
    "dropped": faults.dropped(),
    "502": faults.nginx(502),
    "500": faults.says(500, {}),
    "429": faults.says(429, {}, {"Retry-After": "7"}),
    "404 of somebody else": faults.says(404, "404 page not found"),
    "html": faults.html(),
    **{f"a gateway's {code}": faults.says(code, "<html>Blocked</html>") for code in (400, 401, 403, 404)},
    "a code that nobody knows": faults.says(400, {"base_resp": {"status_code": 4242, "status_msg": "?"}}),
    "the same in the second API": faults.says(404, {"error": {"type": "x", "message": "? (4242)"}}),
    "garbage": faults.garbage(),
    "no task": faults.says(200, {"task": None}),
    "a failure of something in between": faults.says(500, {"status": "failed", "task": {"status": "failed"}}),
    "another task": faults.says(200, {"status": "Fail", "task_id": "8", "task": {"status": "failed", "id": "8"}}),
}


@pytest.mark.parametrize("fault", BAD_POLLS.values(), ids=BAD_POLLS)
async def test_a_bad_poll_is_no_bad_news(works: MiniMaxWorks, fault: Any) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.minimax.next("query", fault, *([fault] if fault.drop else []))  # a dropped poll is sent once more
    with contextlib.suppress(Busy):
        assert isinstance(await provider.check(ticket), Waiting | Rendering)
    works.clock.now += 1000
    assert isinstance(await provider.check(ticket), Finished)


@pytest.mark.parametrize("word", ["Paused", "moderating", "PREPARING-2"])
async def test_an_unknown_word_waits(works: MiniMaxWorks, word: str) -> None:
    assert await works.ended(Plan(word=word)) == Rendering()


@pytest.mark.parametrize("word", ["SUCCESS", "succeeded", "Success"])
async def test_either_spelling_of_success_is_one(works: MiniMaxWorks, word: str) -> None:
    assert isinstance(await works.ended(Plan(word=word)), Finished)


@pytest.mark.parametrize("word", ["expired", "cancelled", "canceled", "fail"])
async def test_a_task_that_will_never_come_is_over_and_free(works: MiniMaxWorks, word: str) -> None:
    with pytest.raises(Refused) as caught:
        await works.ended(Plan(word=word, ends=Failed(1000, "unknown")))
    assert (caught.value.reason, caught.value.charged) == (Reason.FAILED, False)


# Cancelling.


async def test_hailuo_can_not_be_cancelled_and_is_not_even_asked(hailuo: MiniMaxWorks) -> None:
    provider = hailuo.provider()
    ticket = await provider.submit(hailuo.request, "k")
    asked = len(hailuo.minimax.seen)

    assert await provider.cancel(ticket) is Cancelled.TOO_LATE
    assert len(hailuo.minimax.seen) == asked


async def test_h3_is_cancelled_for_free_while_it_waits_and_not_afterwards(h3: MiniMaxWorks) -> None:
    provider = h3.provider()
    queued, running = [await provider.submit(h3.request, key) for key in ("a", "b")]
    assert await provider.cancel(queued) is Cancelled.FREE
    with pytest.raises(Refused):
        await provider.cancel(queued)  # it says that it is over
    h3.clock.now += 40
    assert await provider.cancel(running) is Cancelled.TOO_LATE
    assert len(h3.minimax.billed) == 1


async def test_a_finished_video_is_never_deleted_by_a_cancel(h3: MiniMaxWorks) -> None:
    provider = h3.provider()
    ticket = await provider.submit(h3.request, "k")
    h3.clock.now += 1000
    await provider.cancel(ticket)

    assert "DELETE" not in {seen.method for seen in h3.minimax.seen}


@pytest.mark.parametrize("fault", [no("v2", 2013, "record not found"), no("v2", 2013, http=422)])
async def test_a_task_that_began_meanwhile_is_not_cancelled(h3: MiniMaxWorks, fault: Any) -> None:
    provider = h3.provider()
    ticket = await provider.submit(h3.request, "k")
    h3.minimax.next("cancel", fault)
    assert await provider.cancel(ticket) is Cancelled.TOO_LATE


async def test_a_video_that_was_finished_and_deleted_between_poll_and_cancel_is_told_as_charged(
    h3: MiniMaxWorks,
) -> None:
    provider = h3.provider()
    ticket = await provider.submit(h3.request, "k")
    h3.minimax.next("cancel", faults.says(200, {}))
    h3.minimax.next("query", faults.Fault(acts=True), no("v2", 2013, "record not found"))
    assert await provider.cancel(ticket) is Cancelled.CHARGED


# The download.


async def test_a_link_that_died_is_asked_for_again_by_what_was_finished(hailuo: MiniMaxWorks, tmp_path: Path) -> None:
    provider = hailuo.provider()
    done = await hailuo.ended(Plan())
    hailuo.clock.now += 2 * HOUR
    await provider.fetch(done.source, tmp_path / "v.mp4")

    assert (await video_room.probe(tmp_path / "v.mp4")).seconds > 0


async def test_a_dead_link_of_h3_is_a_moments_trouble_and_a_poll_gives_a_fresh_one(
    h3: MiniMaxWorks, tmp_path: Path
) -> None:
    provider = h3.provider()
    ticket = await provider.submit(h3.request, "k")
    h3.clock.now += 1000
    old = await provider.check(ticket)
    h3.clock.now += 2 * HOUR
    assert isinstance(old, Finished)
    with pytest.raises(Busy):
        await provider.fetch(old.source, tmp_path / "v.mp4")
    fresh = await provider.check(ticket)
    assert isinstance(fresh, Finished)
    await provider.fetch(fresh.source, tmp_path / "v.mp4")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (no("v1", 2013, "invalid file_id"), Busy),
        (no("v1", 1000), Busy),
        (no("v1", 1004), Misconfigured),
        (faults.says(200, {}), Busy),
        (faults.says(200, {"file": {"download_url": None}}), Busy),
        (faults.garbage(), Busy),
        (faults.nginx(), Busy),
    ],
)
async def test_a_link_that_is_not_given_is_asked_for_again(
    hailuo: MiniMaxWorks, tmp_path: Path, fault: Any, error: type[Exception]
) -> None:
    done = await hailuo.ended(Plan())
    hailuo.minimax.next("retrieve", fault)
    with pytest.raises(error):
        await hailuo.provider().fetch(done.source, tmp_path / "v.mp4")
    await hailuo.provider().fetch(done.source, tmp_path / "v.mp4")


@pytest.mark.parametrize(
    "plan",
    [
        Plan(ends=files.html_called_video()),
        Plan(ends=files.html_page()),
        Plan(ends=files.line_cut()),
        Plan(ends=files.moved("http://10.0.0.1/v.mp4")),
        Plan(url="http://192.168.0.1/v.mp4"),
        Plan(url="file:///etc/passwd"),
        Plan(url="file:7gone"),
    ],
)
async def test_a_download_that_is_no_video_or_leads_inside_leaves_nothing(
    works: MiniMaxWorks, plan: Plan, tmp_path: Path
) -> None:
    with pytest.raises(Busy):
        await works.provider().fetch((await works.ended(plan)).source, tmp_path / "v.mp4")
    assert list(tmp_path.glob("v.mp4*")) == []


# The key.


async def test_the_key_goes_to_the_api_alone(works: MiniMaxWorks, tmp_path: Path) -> None:
    done = await works.ended(Plan())
    await works.provider().fetch(done.source, tmp_path / "v.mp4")

    assert {(seen.place, seen.authorized) for seen in works.minimax.seen} == {("api", True), ("cdn", False)}


async def test_a_ping_costs_one_poll_and_finds_a_bad_key_or_a_wrong_address(works: MiniMaxWorks) -> None:
    assert await works.provider().ping() == "MiniMax answers and takes the key"
    assert [(seen.method, seen.path) for seen in works.minimax.seen] == [("GET", "/v1/query/video_generation")]
    with pytest.raises(Misconfigured, match=r"set providers.minimax.api_key"):
        await works.provider("sk-api-wrong").ping()
    for fault in (faults.html(), faults.says(404, "404 page not found")):
        works.minimax.next("query", fault)
        with pytest.raises(Busy, match="base_url right"):
            await works.provider().ping()


@pytest.mark.parametrize("url", ["http://api.minimax.io", "https://", "ftp://x", "https://me:pw@api.minimax.io"])
def test_the_key_is_sent_to_no_address_where_others_can_read_it(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be an https"):
        wire.Settings(api_key=Secret("sk"), base_url=url)


async def test_the_key_and_the_words_are_in_no_log_and_no_settings_that_are_printed(
    works: MiniMaxWorks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = works.provider()
    await provider.check(await provider.submit(works.request, "k"))

    assert works.minimax.key not in caplog.text
    assert "she turns" not in caplog.text
    assert works.minimax.key not in repr(provider._settings)
