"""fal: the exam, then every documented answer of its wire, against a server on loopback that speaks it."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.media import films as video_room
from bot.media.films import BadVideo
from providers import fal as wire
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
from providers.fal.errors import PICTURE_FAULTS
from providers.mapping import Names
from tests.fakes import fal_script as script
from tests.fakes import faults, files
from tests.fakes.fal import Fal, Kind
from tests.fakes.loopback import Clock
from tests.providers.exam import Exam
from tests.providers.orders import inputs, order, picture

PAGE = b"<html><head><title>Blocked</title></head><body>nginx</body></html>"
MODELS = Catalogue(shipped("fal"))


def a_request(model: str = "kling-2-1", **changes: Any) -> AnimationRequest:
    return order(MODELS.find(model), **{"resolution": None, **changes})


@dataclass
class FalWorks:
    fal: Fal
    clock: Clock
    folder: Path
    providers: list[wire.Provider] = field(default_factory=list)
    request: AnimationRequest = field(default_factory=a_request)

    @property
    def secret(self) -> str:
        return self.fal.key

    def provider(self, key: str | None = None) -> wire.Provider:
        settings = wire.Settings(
            key=Secret(key or self.fal.key), queue_url=self.fal.queue_url, rest_url=self.fal.rest_url
        )
        self.providers.append(wire.Provider(settings, self.folder))
        return self.providers[-1]

    async def finish(self, ticket: Ticket) -> None:  # noqa: ARG002 - time passes for all of them
        self.clock.now += 1000

    def charges(self) -> int:
        return self.fal.posts

    def unknown(self) -> Ticket:
        return Ticket('{"endpoint": "fal-ai/kling-video/v2.1/standard/image-to-video", "id": "gone"}')


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[FalWorks]:
    clock = Clock()
    async with Fal(clock=clock, plan=lambda *_: script.Plan(queue_seconds=30, run_seconds=60)) as fal:
        works = FalWorks(fal, clock, tmp_path)
        yield works
        for provider in works.providers:
            await provider.close()


class TestFalSitsTheExam(Exam):
    pass


async def ended(works: FalWorks, ends: Any) -> Any:
    """Submit a job that ends so, let it end, and look."""
    works.fal.next_job(script.Plan(ends=ends))
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.clock.now += 1
    return await provider.check(ticket)


# The paid POST.


@pytest.mark.parametrize(
    "fault",
    [
        faults.dropped(),
        faults.nginx(502),
        faults.nginx(504),
        faults.garbage(),
        faults.says(200, {}),
        script.breaks("internal_error"),
    ],
    ids=["dropped", "502", "504", "garbage", "no id", "500"],
)
async def test_a_lost_answer_to_the_paid_post_is_unsure_after_exactly_one_post(works: FalWorks, fault: Any) -> None:
    works.fal.next("submit", fault)
    with pytest.raises(Unsure):
        await works.provider().submit(works.request, "k")

    assert works.fal.posts == 1
    assert len(works.fal.billed) <= 1


async def test_a_submission_waits_in_fals_queue_no_longer_than_we_do(works: FalWorks) -> None:
    await works.provider().submit(works.request, "k")
    [post] = [seen for seen in works.fal.seen if seen.place == "queue"]

    assert {name.lower(): value for name, value in post.headers.items()}["x-fal-request-start-timeout"] == "3600"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (script.bad_key(), Misconfigured, "does not accept the key: set providers.fal.key"),
        (script.locked(), Misconfigured, "locked the account, usually for an empty balance: top it up"),
        (faults.says(403, {"detail": "Forbidden"}), Misconfigured, "does not let this key use the model"),
        (faults.says(402, {"detail": "Payment required"}), Misconfigured, "top it up"),
        (script.too_many(), Busy, "429"),
        (script.too_many("7"), Busy, "429"),
        (faults.says(404, {"detail": 'Application "x" not found'}), Refused, "404"),
        (faults.says(400, {"detail": "bad", "error_type": "bad_request"}), Refused, "400"),
        (faults.says(422, {"detail": "words"}), Refused, "422"),
        (faults.redirected("http://10.0.0.1/"), Refused, "307"),
    ],
)
async def test_a_definite_no_to_the_paid_post_costs_nothing_and_names_the_remedy(
    works: FalWorks, fault: Any, error: type[Exception], words: str
) -> None:
    works.fal.next("submit", fault)
    with pytest.raises(error, match=words) as caught:
        await works.provider().submit(works.request, "k")

    assert works.fal.billed == []
    assert works.fal.key not in str(caught.value)
    assert not isinstance(caught.value, Refused) or not caught.value.charged


async def test_a_picture_that_can_not_be_placed_costs_nothing(works: FalWorks) -> None:
    lost, down = faults.dropped(), faults.nginx(503)
    wrong: list[tuple[Kind, faults.Fault]] = [("initiate", lost), ("initiate", down), ("put", down)]
    for kind, fault in wrong:
        works.fal.next(kind, fault)
        with pytest.raises(Busy):
            await works.provider().submit(works.request, "k")
    assert works.fal.posts == 0


async def test_a_storage_that_hangs_costs_nothing(works: FalWorks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.fal.provider.PLACING_SECONDS", 0.1)
    works.fal.next("put", faults.held(faults.Gate()))
    with pytest.raises(Busy, match="storage is slow"):
        await works.provider().submit(works.request, "k")
    assert works.fal.posts == 0


async def test_the_key_goes_to_fal_alone(works: FalWorks, tmp_path: Path) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.clock.now += 1000
    done = await provider.check(ticket)
    assert isinstance(done, Finished)
    await provider.fetch(done.source, tmp_path / "v.mp4")

    shown = {seen.place for seen in works.fal.seen if any(name.lower() == "authorization" for name in seen.headers)}
    assert shown == {"queue", "rest"}


# What is sent.


def sent(works: FalWorks) -> dict[str, Any]:
    [job] = works.fal.jobs.values()
    return {key: value for key, value in job.arguments.items() if not str(value).startswith(("http", "data:"))}


SAID: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "kling-2-1",
        {"seconds": 10, "negative_prompt": "blur", "guidance": 0.7},
        {"duration": "10", "negative_prompt": "blur", "cfg_scale": 0.7},
    ),
    (
        "luma-ray-2",
        {"seconds": 9, "resolution": "720p", "aspect": "9:16"},
        {"duration": "9s", "resolution": "720p", "aspect_ratio": "9:16"},
    ),
    (
        "veo-3-1-fast",
        {"seconds": 8, "resolution": "720p"},
        {"duration": "8s", "resolution": "720p", "aspect_ratio": "auto", "generate_audio": False},
    ),
    ("wan-i2v", {"resolution": "480p", "seed": 7}, {"resolution": "480p", "seed": 7, "aspect_ratio": "auto"}),
]


@pytest.mark.parametrize(("model", "changes", "body"), SAID)
async def test_a_request_is_said_in_the_words_of_its_model(
    works: FalWorks, model: str, changes: dict[str, Any], body: dict[str, Any]
) -> None:
    await works.provider().submit(a_request(model, **changes), "k")

    assert body.items() <= sent(works).items()
    assert sent(works)["prompt"] == "she turns and smiles"


async def test_an_end_picture_goes_where_the_model_takes_it(works: FalWorks) -> None:
    await works.provider().submit(a_request("veo-3-1-fast", last=picture(), resolution="720p"), "k")
    [job] = works.fal.jobs.values()

    assert job.arguments["first_frame_url"] != job.arguments["last_frame_url"]
    assert "first-last-frame" in works.fal.billed[0].endpoint


@pytest.mark.parametrize("spec", [spec for spec in MODELS.all if spec.retired_on is None], ids=lambda spec: spec.name)
async def test_every_model_can_be_submitted_with_all_it_takes(works: FalWorks, spec: Any) -> None:
    request = AnimationRequest(
        "it moves",
        inputs(picture(1280, 720), picture(1280, 720) if spec.last_frame else None),
        spec,
        seconds=spec.seconds[-1],
        aspect=None if not spec.aspects or spec.aspects[0] == "own" else spec.aspects[0],
        resolution=spec.resolutions[-1] if spec.resolutions else None,
        negative_prompt="blur" if spec.negative_prompt else None,
        guidance=spec.guidance[0] if spec.guidance else None,
        seed=3 if spec.seed else None,
        audio=spec.audio != "never",
    )
    provider = works.provider()
    ticket = await provider.submit(request, "k")
    works.clock.now += 1000
    assert isinstance(await provider.check(ticket), Finished)


# Looking.


async def test_a_poll_tells_the_place_in_line_then_that_it_renders_then_the_video_and_its_cost(
    works: FalWorks,
) -> None:
    works.fal.next_job(script.Plan(queue_seconds=30, run_seconds=60, places=2))
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")

    first = await provider.check(ticket)
    works.clock.now += 40
    second = await provider.check(ticket)
    works.clock.now += 60
    third = await provider.check(ticket)

    assert isinstance(first, Waiting)
    assert first.position is not None
    assert second == Rendering()
    assert isinstance(third, Finished)
    assert third.cost in {None, 280_000}


BAD_POLLS = {
    "dropped": faults.dropped(),
    "502": faults.nginx(502),
    "503": script.breaks("runner_connection_error"),
    "429": script.too_many(),
    "html": faults.html(),
    "garbage": faults.garbage(),
    "unknown word": script.unknown_word("PAUSED"),
    **{f"a gateway's {code}": faults.says(code, PAGE) for code in (400, 401, 403, 404, 422)},
    "a 404 that says nothing": faults.says(404, {}),
    "a 404 of another's": faults.says(404, {"message": "no Route matched with those values"}),
}


@pytest.mark.parametrize("fault", BAD_POLLS.values(), ids=BAD_POLLS)
async def test_a_bad_poll_is_no_bad_news(works: FalWorks, fault: Any) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.fal.next("status", fault)
    with contextlib.suppress(Busy):
        assert isinstance(await provider.check(ticket), Waiting | Rendering)
    works.clock.now += 1000
    assert isinstance(await provider.check(ticket), Finished)


async def test_a_result_that_can_not_be_read_now_is_read_later(works: FalWorks) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.clock.now += 1000
    for fault in (
        faults.nginx(504),
        script.breaks("internal_error"),
        faults.dropped(),
        faults.garbage(),
        script.too_many(),
        *(faults.says(code, PAGE) for code in (400, 401, 403, 404, 422, 500)),
    ):
        works.fal.next("result", fault, *([faults.dropped()] if fault == faults.dropped() else []))
        with pytest.raises(Busy):
            await provider.check(ticket)
    assert isinstance(await provider.check(ticket), Finished)


async def test_a_locked_account_or_a_bad_key_while_polling_is_the_operators_business(works: FalWorks) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    for fault in (script.bad_key(), script.locked()):
        works.fal.next("status", fault)
        with pytest.raises(Misconfigured):
            await provider.check(ticket)


# Every documented end without a video: our remedy, which input, what it may have cost.
BOUNDS = ("greater_than", "less_than_equal", "multiple_of", "one_of", "missing", "value_error", "literal_error")
PICTURE, LAST, PROMPT = ("body", "image_url"), ("body", "tail_image_url"), ("body", "prompt")
ENDS = [
    *[(script.refused(kind, *PICTURE), Reason.PICTURE, "picture") for kind in sorted(PICTURE_FAULTS)],
    (script.refused("image_too_small", *LAST), Reason.PICTURE, "end picture"),
    (script.refused("content_policy_violation", *PROMPT), Reason.POLICY, "prompt"),
    (script.refused("content_policy_violation", *PICTURE), Reason.POLICY, "picture"),
    (script.refused("content_policy_violation", "body"), Reason.POLICY, None),
    (script.refused("no_media_generated", "body"), Reason.FAILED, None),
    (script.refused("feature_not_supported", "body"), Reason.UNSUPPORTED, None),
    (script.refused("sequence_too_long", *PROMPT), Reason.PROMPT, "prompt"),
    *[(script.refused(kind, "body", "num_frames"), Reason.UNSUPPORTED, None) for kind in BOUNDS],
    (script.refused_in_words("something went wrong"), Reason.UNSUPPORTED, None),
    (script.broke("internal_error"), Reason.FAILED, None),
    (script.broke("runner_disconnected"), Reason.FAILED, None),
    (script.broke("startup_timeout"), Reason.FAILED, None),
    (script.refused("internal_server_error", "body"), Reason.FAILED, None),
    (script.refused("generation_timeout", "body"), Reason.FAILED, None),
    (script.refused("downstream_service_unavailable", "body"), Reason.FAILED, None),
    (script.refused("downstream_service_error", "body"), Reason.FAILED, None),
    (script.refused("downstream_service_error", "body", silent=True), Reason.FAILED, None),
    (script.refused_in_words("Not Found", 404), Reason.FAILED, None),  # these are the app's own, and not fal's
    (script.refused_in_words("Forbidden", 403), Reason.FAILED, None),
    (script.refused_in_words("Unauthorized", 401), Reason.FAILED, None),
    (script.refused_in_words("Payment Required", 402), Reason.FAILED, None),
    (script.broke("bad_request"), Reason.FAILED, None),
    (script.broke("client_disconnected"), Reason.FAILED, None),
]  # fmt: skip


@pytest.mark.parametrize(("ends", "reason", "which"), ENDS)
async def test_a_failure_behind_completed_is_told_by_remedy_and_by_which_input(
    works: FalWorks, ends: Any, reason: Reason, which: str | None
) -> None:
    with pytest.raises(Refused) as caught:
        await ended(works, ends)

    assert (caught.value.reason, caught.value.which) == (reason, which)
    assert "she turns" not in str(caught.value)
    assert "base64" not in str(caught.value)


@pytest.mark.parametrize("ends", [end for end, *_ in ENDS if end.code != 422], ids=str)
async def test_a_failure_that_is_none_of_what_fal_may_charge_is_not_called_charged(works: FalWorks, ends: Any) -> None:
    with pytest.raises(Refused) as caught:
        await ended(works, ends)
    assert not caught.value.charged


async def test_an_error_beside_completed_is_the_end_also_when_the_result_is_an_empty_success(works: FalWorks) -> None:
    works.fal.next("result", faults.html(), faults.says(200, {"video": None}))
    with pytest.raises(Busy):  # a page in its place is nobody's end
        await ended(works, script.broke("internal_error"))
    with pytest.raises(Refused) as caught:
        await ended(works, script.broke("internal_error"))
    assert (caught.value.reason, caught.value.charged) == (Reason.FAILED, False)


@pytest.mark.parametrize("body", [{}, {"videos": 3}, {"videos": {"url": "x"}}, {"videos": [3]}, {"video": "x"}])
async def test_a_result_of_an_unknown_shape_is_read_again(works: FalWorks, body: Any) -> None:
    with pytest.raises(Busy):
        await ended(works, script.Made(body=body))


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_a_gateways_page_in_place_of_the_paid_answer_is_tried_again(works: FalWorks, code: int) -> None:
    works.fal.next("submit", faults.says(code, PAGE))
    with pytest.raises(Busy):
        await works.provider().submit(works.request, "k")
    assert works.fal.billed == []


async def test_an_expired_result_is_forgotten(works: FalWorks) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "k")
    works.clock.now += 1000
    works.fal.forget(json.loads(ticket)["id"])
    with pytest.raises(Refused) as caught:
        await provider.check(ticket)
    assert caught.value.reason is Reason.FORGOTTEN


# Cancelling, in all four answers.


async def test_a_queued_job_is_cancelled_for_free_and_a_running_one_may_be_charged(works: FalWorks) -> None:
    provider = works.provider()
    queued, running = [await provider.submit(works.request, key) for key in ("a", "b")]
    assert await provider.cancel(queued) is Cancelled.FREE
    works.clock.now += 40
    assert await provider.cancel(running) is Cancelled.CHARGED


async def test_a_done_or_unknown_job_can_not_be_cancelled(works: FalWorks) -> None:
    provider = works.provider()
    ticket = await provider.submit(works.request, "a")
    works.clock.now += 1000
    assert await provider.cancel(ticket) is Cancelled.TOO_LATE
    with pytest.raises(Refused):
        await provider.cancel(works.unknown())


# The download.


@pytest.mark.parametrize(
    "made",
    [
        script.Made(files.html_called_video()),
        script.Made(files.html_page()),
        script.Made(files.line_cut()),
        script.Made(files.moved("http://10.0.0.1/v.mp4")),
        script.Made(files.moved("http://169.254.169.254/latest")),
        script.Made(url="http://192.168.0.1/v.mp4"),
        script.Made(url="file:///etc/passwd"),
    ],
    ids=["html as video", "html", "cut line", "moved inside", "moved to metadata", "private", "file"],
)
async def test_a_download_that_is_no_video_or_leads_inside_leaves_nothing(
    works: FalWorks, made: Any, tmp_path: Path
) -> None:
    done = await ended(works, made)
    with pytest.raises(Busy):
        await works.provider().fetch(done.source, tmp_path / "v.mp4")
    assert list(tmp_path.glob("v.mp4*")) == []


async def test_a_broken_video_is_found_out_before_anybody_gets_it(works: FalWorks, tmp_path: Path) -> None:
    done = await ended(works, script.Made(files.cut_short()))
    await works.provider().fetch(done.source, tmp_path / "v.mp4")
    with pytest.raises(BadVideo):
        await video_room.prepare(tmp_path / "v.mp4")


async def test_a_video_whose_index_is_last_is_made_ready(works: FalWorks, tmp_path: Path) -> None:
    done = await ended(works, script.Made())
    await works.provider().fetch(done.source, tmp_path / "v.mp4")
    assert not (await video_room.probe(tmp_path / "v.mp4")).is_ready
    assert (await video_room.prepare(tmp_path / "v.mp4")).is_ready


# The key.


async def test_a_bad_key_is_found_by_a_ping(works: FalWorks) -> None:
    with pytest.raises(Misconfigured, match="does not accept the key"):
        await works.provider("id:wrong").ping()


@pytest.mark.parametrize("name", ["queue_url", "rest_url"])
@pytest.mark.parametrize("url", ["http://queue.fal.run", "https://user:pass@queue.fal.run", "queue.fal.run"])
def test_an_address_that_a_key_must_not_go_to_is_refused_by_its_name(name: str, url: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be an https"):
        wire.Settings(key=Secret("k"), **{name: url})


async def test_the_key_is_in_no_log_and_no_settings_that_are_printed(
    works: FalWorks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = works.provider()
    await provider.submit(works.request, "k")

    assert works.fal.key not in caplog.text
    assert works.fal.key not in repr(provider._settings)


def test_every_wire_table_is_understood() -> None:
    for spec in MODELS.all:
        msgspec.convert(spec.wire, Names)
