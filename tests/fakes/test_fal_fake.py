"""Our picture of fal's wire is right: fal's own client uses the fake unchanged. What can go wrong there, does."""

import asyncio
import base64
import io
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import av
import fal_client
import httpx
import pytest
from fal_client import client as fal_client_inside

from tests.fakes import fal_script as script
from tests.fakes import faults, files
from tests.fakes.fal import Fal
from tests.fakes.fal_script import Failed, Made, Plan
from tests.fakes.faults import Fault, Gate
from tests.fakes.files import File
from tests.fakes.loopback import Clock, Seen
from tests.media import pictures

KLING = "fal-ai/kling-video/v2.1/standard/image-to-video"
WAN = "fal-ai/wan-i2v"
RAY = "fal-ai/luma-dream-machine/ray-2/image-to-video"
VEO = "fal-ai/veo3.1/fast/image-to-video"
LTX = "fal-ai/ltx-2.3/image-to-video"
VIDU = "fal-ai/vidu/q3/image-to-video"


def jpeg(width: int = 800, height: int = 800) -> bytes:
    return pictures.plain(width, height)


def data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def wishes(**more: Any) -> dict[str, Any]:
    return {"prompt": "she turns and smiles", "image_url": data_uri(jpeg()), **more}


@pytest.fixture
async def fal(clock: Clock) -> AsyncIterator[Fal]:
    async with Fal(clock=clock) as fal:
        yield fal


@pytest.fixture
async def theirs(fal: Fal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[fal_client.AsyncClient]:
    """Give fal's own client, told where fal is and not to wait between its retries."""
    monkeypatch.setattr(fal_client_inside, "QUEUE_URL_FORMAT", fal.queue_url + "/")
    monkeypatch.setattr(fal_client_inside, "REST_URL", fal.rest_url)
    monkeypatch.setattr(fal_client_inside, "CDN_URL", fal.cdn_url)
    monkeypatch.setattr(fal_client_inside, "_get_retry_delay", lambda *_: 0)  # its async half ignores BASE_DELAY
    monkeypatch.setattr(fal_client_inside, "MAX_ATTEMPTS", 4)
    client = fal_client.AsyncClient(key=fal.key)
    yield client
    await (await client._client).aclose()


@pytest.fixture
async def http(fal: Fal) -> AsyncIterator[httpx.AsyncClient]:
    key = {"Authorization": f"Key {fal.key}"}
    async with httpx.AsyncClient(base_url=fal.queue_url, headers=key, trust_env=False) as client:
        yield client


@pytest.fixture
async def public() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def submitted(http: httpx.AsyncClient, endpoint: str = KLING, **more: Any) -> dict[str, Any]:
    answer = await http.post(f"/{endpoint}", json=wishes(**more))
    assert answer.status_code == 200
    return dict(answer.json())


# --- fal's own client ---


async def test_fals_client_submits_waits_and_gets_its_video(
    fal: Fal, clock: Clock, theirs: fal_client.AsyncClient, public: httpx.AsyncClient
) -> None:
    fal.next_job(Plan(queue_seconds=30, run_seconds=60))
    handle = await theirs.submit(KLING, wishes(duration="5"))
    assert await handle.status() == fal_client.Queued(position=3)
    clock.now += 15
    assert await handle.status() == fal_client.Queued(position=2)
    clock.now += 15
    assert await handle.status() == fal_client.InProgress(logs=None)
    told = await theirs.status(KLING, handle.request_id, with_logs=True)
    assert isinstance(told, fal_client.InProgress)
    assert told.logs
    clock.now += 60
    done = await handle.status()
    assert done == fal_client.Completed(logs=None, metrics={"inference_time": 60.0})
    answer = await handle.get()
    film = (await public.get(answer["video"]["url"])).content
    assert len(film) == answer["video"]["file_size"]
    with av.open(io.BytesIO(film)) as opened:
        assert opened.streams.video[0].codec_context.name == "h264"
    assert fal.jobs[handle.request_id].noticed_at == clock.now


async def test_fals_client_cancels_in_each_of_the_four_cases(
    fal: Fal, clock: Clock, theirs: fal_client.AsyncClient
) -> None:
    fal.next_job(Plan(queue_seconds=30), Plan(run_seconds=60), Plan())
    queued, running, done = [await theirs.submit(KLING, wishes()) for _ in range(3)]
    await queued.cancel()
    await running.cancel()
    with pytest.raises(fal_client.FalClientHTTPError) as late:
        await done.cancel()
    assert (late.value.status_code, late.value.message) == (400, '{"status": "ALREADY_COMPLETED"}')
    with pytest.raises(fal_client.FalClientHTTPError) as unknown:
        await theirs.cancel(KLING, "no-such-id")
    assert (unknown.value.status_code, unknown.value.message) == (404, '{"status": "NOT_FOUND"}')
    assert [bill.request_id for bill in fal.billed] == [running.request_id, done.request_id]
    clock.now += 100
    ended = await queued.status()
    assert isinstance(ended, fal_client.Completed)
    assert ended.error_type == "client_cancelled"


async def test_fals_client_stores_a_picture_that_the_model_can_read(fal: Fal, theirs: fal_client.AsyncClient) -> None:
    url = await theirs.upload(jpeg(), "image/jpeg", "photo.jpg")
    assert url.startswith(fal.cdn_url)
    handle = await theirs.submit(KLING, wishes(image_url=url))
    assert (await handle.get())["video"]["url"]


async def test_fals_client_falls_back_to_the_signed_upload(fal: Fal, theirs: fal_client.AsyncClient) -> None:
    fal.next("upload", script.breaks())
    url = await theirs.upload(jpeg(), "image/jpeg", "photo.jpg")
    assert fal.files[httpx.URL(url).path].data == jpeg()
    assert [seen.method for seen in fal.seen if seen.place == "cdn"] == ["POST", "PUT"]


async def test_fals_client_meets_a_model_error_as_a_list_and_a_plain_one_as_words(
    fal: Fal, theirs: fal_client.AsyncClient
) -> None:
    fal.next_job(
        Plan(ends=script.refused("content_policy_violation", "prompt")), Plan(ends=script.refused_in_words("no"))
    )
    listed, worded = [await theirs.submit(KLING, wishes()) for _ in range(2)]
    ended = await listed.status()
    assert isinstance(ended, fal_client.Completed)
    assert ended.error == "Invalid status code: 422"
    with pytest.raises(fal_client.FalClientHTTPError) as error:
        await listed.get()
    assert error.value.status_code == 422
    entry: Any = error.value.message[0]
    assert (entry["type"], entry["loc"], entry["input"]) == (
        "content_policy_violation",
        ["body", "prompt"],
        "she turns and smiles",
    )
    with pytest.raises(fal_client.FalClientHTTPError, match=r"^no$"):
        await worded.get()


async def test_fals_client_reads_the_error_type_of_fals_machines(fal: Fal, theirs: fal_client.AsyncClient) -> None:
    fal.next_job(Plan(ends=script.broke("runner_disconnected")))
    handle = await theirs.submit(KLING, wishes())
    with pytest.raises(fal_client.FalClientHTTPError) as error:
        await handle.get()
    assert (error.value.status_code, error.value.error_type) == (503, "runner_disconnected")
    assert not fal.billed


async def test_fals_client_stops_at_a_locked_account_and_breaks_at_an_unknown_status(
    fal: Fal, theirs: fal_client.AsyncClient
) -> None:
    fal.next("submit", script.locked())
    with pytest.raises(fal_client.FalClientHTTPError, match=r"^User is locked\. Reason: Exhausted balance\."):
        await theirs.submit(KLING, wishes())
    assert fal.posts == 1
    handle = await theirs.submit(KLING, wishes())
    fal.next("status", script.unknown_word())
    with pytest.raises(ValueError, match="Unknown status: PAUSED"):
        await handle.status()


async def test_a_lost_answer_makes_fals_client_pay_again_and_again(fal: Fal, theirs: fal_client.AsyncClient) -> None:
    fal.next("submit", *[faults.dropped() for _ in range(3)])
    await theirs.submit(KLING, wishes())
    assert (fal.posts, len(fal.billed)) == (4, 4)


async def test_a_start_timeout_does_not_keep_fals_client_from_paying_again_when_the_connection_drops(
    fal: Fal, theirs: fal_client.AsyncClient
) -> None:
    fal.next("submit", *[faults.dropped() for _ in range(3)])
    await theirs.submit(KLING, wishes(), start_timeout=60)
    assert (fal.posts, len(fal.billed)) == (4, 4)


@pytest.mark.parametrize(("start_timeout", "posts"), [(None, 4), (60, 1)])
async def test_a_start_timeout_keeps_fals_client_from_paying_again_when_the_answer_is_slow(
    fal: Fal, theirs: fal_client.AsyncClient, start_timeout: float | None, posts: int
) -> None:
    theirs.default_timeout = 0.1
    fal.next("submit", *[faults.held(Gate()) for _ in range(4)])
    with pytest.raises(httpx.ReadTimeout):
        await theirs.submit(KLING, wishes(), start_timeout=start_timeout)
    assert (fal.posts, len(fal.billed)) == (posts, posts)


async def test_a_gateway_page_makes_fals_client_pay_again_even_with_a_start_timeout(
    fal: Fal, theirs: fal_client.AsyncClient
) -> None:
    fal.next("submit", faults.nginx(502, acts=True))
    await theirs.submit(KLING, wishes(), start_timeout=60)
    assert (fal.posts, len(fal.billed)) == (2, 2)


async def test_a_start_that_comes_too_late_is_free_and_says_whose_limit_it_was(
    fal: Fal, clock: Clock, theirs: fal_client.AsyncClient
) -> None:
    fal.next_job(Plan(queue_seconds=300))
    handle = await theirs.submit(KLING, wishes(), start_timeout=60)
    clock.now += 59
    assert isinstance(await handle.status(), fal_client.Queued)
    clock.now += 1
    assert isinstance(await handle.status(), fal_client.Completed)
    with pytest.raises(fal_client.FalClientHTTPError) as error:
        await handle.get()
    assert (error.value.status_code, error.value.error_type) == (504, "request_timeout")
    assert error.value.response_headers["x-fal-request-timeout-type"] == "user"
    assert not fal.billed


async def test_of_two_start_timeouts_the_newer_name_counts(
    fal: Fal, clock: Clock, theirs: fal_client.AsyncClient
) -> None:
    fal.next_job(Plan(queue_seconds=300))
    handle = await theirs.submit(KLING, wishes(), start_timeout=60, headers={"X-Fal-Request-Start-Timeout": "600"})
    clock.now += 60
    assert isinstance(await handle.status(), fal_client.Queued)


# --- the queue's words ---


async def test_the_queue_says_202_until_the_job_is_over(fal: Fal, clock: Clock, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(queue_seconds=10, run_seconds=10))
    job = await submitted(http)
    assert job["status_url"] == f"{fal.queue_url}/fal-ai/kling-video/requests/{job['request_id']}/status"
    assert job["queue_position"] == 3
    seen = []
    for _ in range(3):
        look = await http.get(job["status_url"])
        seen.append((look.status_code, look.json()["status"], "logs" in look.json()))
        clock.now += 10
    assert seen == [(202, "IN_QUEUE", False), (202, "IN_PROGRESS", True), (200, "COMPLETED", True)]


async def test_an_early_result_is_not_there_and_an_expired_one_is_gone(
    fal: Fal, clock: Clock, http: httpx.AsyncClient
) -> None:
    fal.next_job(Plan(run_seconds=10))
    job = await submitted(http)
    assert (await http.get(job["response_url"])).status_code == 400
    clock.now += 10
    result = await http.get(job["response_url"])
    assert result.headers["x-fal-request-id"] == job["request_id"]
    assert result.headers["x-fal-billable-units"] == "5"
    clock.now += fal.keeps
    gone = await http.get(job["response_url"])
    assert (gone.status_code, gone.json()) == (404, {"status": "NOT_FOUND"})


async def test_a_forgotten_job_and_its_video_are_gone_at_once(fal: Fal, http: httpx.AsyncClient) -> None:
    job = await submitted(http)
    url = (await http.get(job["response_url"])).json()["video"]["url"]
    fal.forget(job["request_id"])
    assert (await http.get(job["status_url"])).status_code == 404
    assert (await http.get(url)).status_code == 404


async def test_a_job_is_found_under_its_own_app_alone(http: httpx.AsyncClient) -> None:
    request_id = (await submitted(http))["request_id"]
    for app in ("fal-ai/wan-i2v", KLING, "fal-ai"):
        look = await http.get(f"/{app}/requests/{request_id}/status")
        assert look.status_code == 404


async def test_who_has_no_key_or_a_wrong_one_gets_nothing(fal: Fal, public: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Key wrong"}, {"Authorization": f"Bearer {fal.key}"}):
        for url in (f"{fal.queue_url}/{KLING}", f"{fal.rest_url}/storage/auth/token?storage_type=fal-cdn-v3"):
            assert (await public.post(url, json=wishes(), headers=headers)).status_code == 401
    assert not fal.billed


async def test_a_withdrawn_model_and_a_body_that_is_no_object_are_not_accepted(
    fal: Fal, http: httpx.AsyncClient
) -> None:
    fal.withdrawn.add(WAN)
    assert (await http.post(f"/{WAN}", json=wishes())).status_code == 404
    assert (await http.post(f"/{KLING}", json=["no"])).status_code == 400
    assert (fal.posts, fal.billed) == (2, [])


async def test_asking_a_stubborn_job_to_stop_changes_nothing(fal: Fal, clock: Clock, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(run_seconds=10, stubborn=True))
    job = await submitted(http)
    answer = await http.put(job["cancel_url"])
    assert (answer.status_code, answer.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
    clock.now += 10
    assert (await http.get(job["response_url"])).json()["video"]


async def test_a_cancel_in_the_queue_is_free(fal: Fal, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(queue_seconds=10))
    job = await submitted(http)
    assert len(fal.billed) == 1
    answer = await http.put(job["cancel_url"])
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    assert not fal.billed


async def test_the_same_input_has_the_same_mark_on_its_bills(fal: Fal, clock: Clock, http: httpx.AsyncClient) -> None:
    for seed in (1, 1, 2):
        await submitted(http, WAN, seed=seed)
    one, same, other = fal.billed
    assert one.body == same.body != other.body
    assert (one.endpoint, one.at) == (WAN, clock.now)


# --- what the models say of their input ---

BAD_INPUTS: list[tuple[str, dict[str, Any], str, str]] = [
    (KLING, {"duration": 5}, "duration", "literal_error"),
    (KLING, {"cfg_scale": 1.5}, "cfg_scale", "less_than_equal"),
    (KLING, {"seed": 3}, "seed", "extra_forbidden"),
    (KLING, {"prompt": None}, "prompt", "string_type"),
    (KLING, {"image_url": "https://example.invalid/a.jpg"}, "image_url", "file_download_error"),
    (KLING, {"image_url": "data:image/jpeg;base64,?"}, "image_url", "file_download_error"),
    (KLING, {"image_url": data_uri(b"no picture")}, "image_url", "image_load_error"),
    (KLING, {"image_url": data_uri(jpeg()[:-300])}, "image_url", "image_load_error"),
    (KLING, {"image_url": data_uri(jpeg(299, 400))}, "image_url", "image_too_small"),
    (KLING, {"image_url": data_uri(jpeg() + bytes(10_000_000))}, "image_url", "file_too_large"),
    (WAN, {"num_frames": 80}, "num_frames", "greater_than_equal"),
    (WAN, {"num_frames": True}, "num_frames", "int_type"),
    (RAY, {"duration": "5"}, "duration", "literal_error"),
    (VEO, {"safety_tolerance": 4}, "safety_tolerance", "literal_error"),
    (VEO, {"image_url": data_uri(jpeg(719, 1280))}, "image_url", "image_too_small"),
    (LTX, {"duration": "6"}, "duration", "literal_error"),
    (LTX, {"fps": 25.0}, "fps", "literal_error"),
    (VIDU, {"duration": "5"}, "duration", "int_type"),
    (VIDU, {"prompt": "x" * 2001}, "prompt", "sequence_too_long"),
]


@pytest.mark.parametrize(("endpoint", "more", "field", "kind"), BAD_INPUTS)
async def test_a_bad_input_is_accepted_and_refused_only_in_the_result(
    fal: Fal, http: httpx.AsyncClient, *, endpoint: str, more: dict[str, Any], field: str, kind: str
) -> None:
    job = await submitted(http, endpoint, **more)
    look = await http.get(job["status_url"])
    assert (look.status_code, look.json()["status"]) == (200, "COMPLETED")
    assert look.json()["error"]
    result = await http.get(job["response_url"])
    assert result.status_code == 422
    (entry,) = result.json()["detail"]
    assert (entry["loc"], entry["type"], entry["input"]) == (["body", field], kind, more[field])
    assert not fal.billed


async def test_a_bad_input_is_noticed_when_the_job_starts(fal: Fal, clock: Clock, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(queue_seconds=10, run_seconds=60))
    job = await submitted(http, duration=5)
    assert (await http.get(job["status_url"])).json()["status"] == "IN_QUEUE"
    clock.now += 10
    assert (await http.get(job["status_url"])).json()["status"] == "COMPLETED"


async def test_what_is_missing_is_named(http: httpx.AsyncClient) -> None:
    job = (await http.post(f"/{KLING}", json={"duration": "5"})).json()
    detail = (await http.get(job["response_url"])).json()["detail"]
    assert [(entry["loc"][1], entry["type"]) for entry in detail] == [("prompt", "missing"), ("image_url", "missing")]


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        (KLING, {"duration": "10", "cfg_scale": 1, "negative_prompt": "blur"}),
        (WAN, {"num_frames": 81, "frames_per_second": 16, "resolution": "480p", "seed": None}),
        (RAY, {"duration": "9s", "aspect_ratio": "21:9", "end_image_url": data_uri(jpeg())}),
        (VEO, {"duration": "8s", "generate_audio": False}),
        (LTX, {"duration": 6, "fps": 25}),
        (VIDU, {"duration": 16, "audio": False}),
        ("someone/new-model/image-to-video", {"anything": "goes"}),
    ],
)
async def test_a_good_input_makes_a_video(http: httpx.AsyncClient, endpoint: str, more: dict[str, Any]) -> None:
    job = await submitted(http, endpoint, **more)
    answer = (await http.get(job["response_url"])).json()
    assert answer["video"]["content_type"] == "video/mp4"
    assert ("duration" in answer["video"]) == (endpoint == LTX)
    assert ("seed" in answer) == (endpoint == WAN)


# --- how jobs end ---

ENDS: list[tuple[Failed, int, bool]] = [
    (script.refused("content_policy_violation", "image_url"), 422, True),
    (script.refused("no_media_generated"), 422, True),
    (script.refused("image_too_large", "image_url", ctx={"max_height": 2000, "max_width": 2000}), 422, True),
    (script.refused("downstream_service_error"), 400, True),
    (script.refused("generation_timeout"), 504, False),
    (script.refused("internal_server_error"), 500, False),
    (script.refused_in_words("Unprocessable"), 422, True),
    (script.broke("runner_scheduling_failure"), 503, False),
    (script.broke("runner_incomplete_response"), 502, False),
]


@pytest.mark.parametrize(("end", "code", "charged"), ENDS)
async def test_a_failure_hides_behind_completed(
    fal: Fal, http: httpx.AsyncClient, end: Failed, code: int, charged: bool
) -> None:
    fal.next_job(Plan(ends=end))
    job = await submitted(http)
    look = await http.get(job["status_url"])
    assert (look.status_code, look.json()["status"], look.json()["error"]) == (
        200,
        "COMPLETED",
        f"Invalid status code: {code}",
    )
    result = await http.get(job["response_url"])
    assert result.status_code == code
    assert isinstance(result.json()["detail"], type(end.detail))
    assert len(fal.billed) == charged


async def test_a_silent_failure_shows_only_in_the_result(fal: Fal, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(ends=script.refused("content_policy_violation", "prompt", silent=True)))
    job = await submitted(http)
    assert "error" not in (await http.get(job["status_url"])).json()
    assert (await http.get(job["response_url"])).status_code == 422


async def test_a_result_can_fail_for_a_while_and_then_be_there(fal: Fal, http: httpx.AsyncClient) -> None:
    job = await submitted(http)
    fal.next("result", faults.nginx(504), script.breaks("internal_error"))
    codes = [(await http.get(job["response_url"])).status_code for _ in range(3)]
    assert codes == [504, 500, 200]


async def test_a_result_can_be_anything(fal: Fal, http: httpx.AsyncClient) -> None:
    fal.next_job(Plan(ends=Made(body={"video": None}, units=None)))
    job = await submitted(http)
    result = await http.get(job["response_url"])
    assert result.json() == {"video": None}
    assert "x-fal-billable-units" not in result.headers


# --- answers that go wrong ---

FAULTS: list[tuple[Fault, int, str, str | None]] = [
    (faults.nginx(502), 502, "nginx", None),
    (faults.nginx(503), 503, "nginx", None),
    (script.breaks("runner_server_error"), 500, "runner_server_error", None),
    (script.breaks("request_timeout"), 504, "request_timeout", None),
    (faults.garbage(), 200, '{"status": "IN_PRO', None),
    (faults.html(), 200, "<html>", None),
    (script.unknown_word(), 202, "PAUSED", None),
    (script.bad_key(), 401, "invalid key credentials", None),
    (script.locked(), 403, "User is locked. Reason: Exhausted balance.", None),
    (script.locked("Admin lock"), 403, "Reason: Admin lock.", None),
    (script.too_many(), 429, "concurrent_requests_limit", "Retry-After"),
    (script.lost(), 404, "NOT_FOUND", None),
]


@pytest.mark.parametrize(("fault", "code", "words", "absent"), FAULTS)
async def test_a_fault_meets_one_request_and_leaves_no_bill(
    fal: Fal, http: httpx.AsyncClient, *, fault: Fault, code: int, words: str, absent: str | None
) -> None:
    fal.next("submit", fault)
    answer = await http.post(f"/{KLING}", json=wishes())
    assert answer.status_code == code
    assert words in answer.text
    assert absent is None or absent not in answer.headers
    assert (fal.posts, fal.billed) == (1, [])
    assert (await submitted(http))["request_id"]


async def test_a_fault_can_come_after_the_job_was_taken(fal: Fal, http: httpx.AsyncClient) -> None:
    fal.next("submit", script.breaks(acts=True))
    assert (await http.post(f"/{KLING}", json=wishes())).status_code == 500
    assert len(fal.billed) == 1


@pytest.mark.parametrize("acts", [True, False])
async def test_a_dropped_connection_may_or_may_not_have_been_a_bill(
    fal: Fal, http: httpx.AsyncClient, acts: bool
) -> None:
    fal.next("submit", faults.dropped(acts=acts))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(f"/{KLING}", json=wishes())
    assert (fal.posts, len(fal.billed)) == (1, acts)


async def test_too_many_may_say_when_to_come_back(fal: Fal, http: httpx.AsyncClient) -> None:
    fal.next("submit", script.too_many("7"))
    assert (await http.post(f"/{KLING}", json=wishes())).headers["Retry-After"] == "7"


async def test_a_held_answer_comes_when_the_gate_opens(fal: Fal, http: httpx.AsyncClient) -> None:
    gate = Gate()
    fal.next("submit", faults.held(gate))
    call = asyncio.create_task(http.post(f"/{KLING}", json=wishes()))
    await gate.reached.wait()
    assert len(fal.billed) == 1
    assert not call.done()
    gate.open.set()
    assert (await call).json()["request_id"] == fal.billed[0].request_id


async def test_a_held_request_may_take_effect_only_afterwards(fal: Fal, http: httpx.AsyncClient) -> None:
    gate = Gate()
    fal.next("submit", faults.held(gate, acts=False))
    call = asyncio.create_task(http.post(f"/{KLING}", json=wishes()))
    await gate.reached.wait()
    assert (fal.posts, fal.billed) == (1, [])
    gate.open.set()
    await call
    assert len(fal.billed) == 1


async def test_closing_lets_go_of_what_is_still_held() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with Fal() as fal:
            gate = Gate()
            fal.next("submit", faults.held(gate))
            headers = {"Authorization": f"Key {fal.key}"}
            call = asyncio.create_task(client.post(f"{fal.queue_url}/{KLING}", json=wishes(), headers=headers))
            await gate.reached.wait()
        assert (await call).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.get(fal.queue_url)


@pytest.mark.parametrize("where", ["http://10.0.0.1/fal", "elsewhere"])
async def test_an_answer_can_point_where_no_key_should_go(fal: Fal, http: httpx.AsyncClient, where: str) -> None:
    target = f"{fal.elsewhere_url}/in" if where == "elsewhere" else where
    fal.next("status", faults.redirected(target))
    job = await submitted(http)
    answer = await http.get(job["status_url"])
    assert (answer.status_code, answer.headers["Location"]) == (307, target)
    assert not [seen for seen in fal.seen if seen.place == "elsewhere"]


async def test_whatever_reaches_another_origin_is_seen_with_its_headers(fal: Fal, http: httpx.AsyncClient) -> None:
    await http.get(f"{fal.elsewhere_url}/in?a=1")
    seen = fal.seen[-1]
    assert seen[:2] == ("GET", "/in")
    assert (seen.place, seen.query, seen.headers["authorization"]) == ("elsewhere", {"a": "1"}, f"Key {fal.key}")


# --- files ---


async def test_a_file_goes_up_by_a_signed_address_and_comes_down_without_a_key(
    fal: Fal, http: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    wanted = {"content_type": "image/jpeg", "file_name": "a photo.jpg"}
    url = f"{fal.rest_url}/storage/upload/initiate"
    urls = (await http.post(url, params={"storage_type": "fal-cdn-v3"}, json=wanted)).json()
    assert (await public.get(urls["file_url"])).status_code == 404
    job = await submitted(http, image_url=urls["file_url"])
    assert "file_download_error" in (await http.get(job["response_url"])).text
    await public.put(urls["upload_url"], content=jpeg(), headers={"Content-Type": "image/jpeg"})
    got = await public.get(urls["file_url"])
    assert (got.content, got.headers["Content-Type"]) == (jpeg(), "image/jpeg")
    assert not [seen for seen in fal.seen if seen.place == "cdn" and "Authorization" in seen.headers]
    assert (await http.post(url, params={"storage_type": "other"}, json=wanted)).status_code == 400
    assert (await http.post(url, params={"storage_type": "gcs"}, json={})).status_code == 422


async def test_the_cdn_takes_files_from_nobody_without_a_token(fal: Fal, http: httpx.AsyncClient) -> None:
    assert (await http.post(f"{fal.cdn_url}/files/upload", content=jpeg())).status_code == 401
    assert not fal.files


async def fetched(http: httpx.AsyncClient, public: httpx.AsyncClient) -> httpx.Response:
    job = await submitted(http)
    return await public.get((await http.get(job["response_url"])).json()["video"]["url"])


def _moov_behind(data: bytes) -> bool:
    return data.index(b"moov") > data.index(b"mdat")


SPOILED: list[tuple[Callable[[], File], Callable[[httpx.Response], bool]]] = [
    (files.video, lambda got: _moov_behind(got.content)),
    (lambda: File(files.film(front=True)), lambda got: not _moov_behind(got.content)),
    (files.html_page, lambda got: got.headers["Content-Type"] == "text/html"),
    (files.html_called_video, lambda got: got.headers["Content-Type"] == "video/mp4" and b"<html>" in got.content),
    (files.cut_short, lambda got: got.content == files.film()[: len(files.film()) // 2]),
    (lambda: files.too_big(3_000_000), lambda got: len(got.content) == 3_000_000 and "Content-Length" in got.headers),
    (
        lambda: files.too_big(3_000_000, chunked=True),
        lambda got: len(got.content) == 3_000_000 and "Content-Length" not in got.headers,
    ),
    (lambda: files.moved("http://10.0.0.1/a.mp4"), lambda got: got.headers["Location"] == "http://10.0.0.1/a.mp4"),
]


@pytest.mark.parametrize(("file", "is_so"), SPOILED)
async def test_a_video_can_be_spoiled(
    fal: Fal,
    http: httpx.AsyncClient,
    public: httpx.AsyncClient,
    file: Callable[[], File],
    is_so: Callable[[httpx.Response], bool],
) -> None:
    fal.next_job(Plan(ends=Made(file())))
    assert is_so(await fetched(http, public))


async def test_a_line_can_be_cut_in_the_middle_of_a_video(
    fal: Fal, http: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    fal.next_job(Plan(ends=Made(files.line_cut())))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await fetched(http, public)


async def test_who_stops_reading_a_huge_video_does_not_hurt_the_server(
    fal: Fal, http: httpx.AsyncClient, public: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    url = fal.put("huge.mp4", files.too_big(10**12, chunked=True))
    async with public.stream("GET", url) as answer:
        async for _ in answer.aiter_bytes():
            break
    assert (await fetched(http, public)).status_code == 200
    assert not [line for line in caplog.records if line.name.startswith("aiohttp") and line.levelno > 20]


@pytest.mark.parametrize("url", ["http://10.0.0.1/v.mp4", "file:///etc/passwd", "data:video/mp4;base64,AAAA"])
async def test_a_video_can_be_said_to_be_anywhere(fal: Fal, http: httpx.AsyncClient, url: str) -> None:
    fal.next_job(Plan(ends=Made(url=url)))
    job = await submitted(http)
    assert (await http.get(job["response_url"])).json()["video"]["url"] == url


async def test_a_video_can_come_from_another_origin(
    fal: Fal, http: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    path = httpx.URL(fal.put("real.mp4", files.video())).path
    fal.next_job(Plan(ends=Made(files.moved(fal.elsewhere_url + path))))
    moved = await fetched(http, public)
    assert (await public.get(moved.headers["Location"])).content == files.film()
    assert fal.seen[-1].place == "elsewhere"


async def test_a_download_can_fail_once_and_then_work(
    fal: Fal, http: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    fal.next("file", faults.nginx(503))
    assert (await fetched(http, public)).status_code == 503
    assert (await fetched(http, public)).content == files.film()


async def test_films_come_in_other_shapes_and_with_sound() -> None:
    with av.open(io.BytesIO(files.film(180, 320, 2, sound=True))) as opened:
        stream = opened.streams.video[0]
        assert (stream.width, stream.height) == (180, 320)
        assert opened.streams.audio
        assert math.isclose(float(stream.duration * stream.time_base), 2, abs_tol=0.1)  # type: ignore[operator]


async def test_the_key_is_seen_only_where_fal_wants_it(
    fal: Fal, theirs: fal_client.AsyncClient, public: httpx.AsyncClient
) -> None:
    handle = await theirs.submit(KLING, wishes(), start_timeout=60, headers={"X-Fal-Request-Start-Timeout": "60"})
    await public.get((await handle.get())["video"]["url"])
    with_key = {(seen.place, seen.method) for seen in fal.seen if _carries(seen, fal.key)}
    assert with_key == {("queue", "POST"), ("queue", "GET")}
    assert fal.seen[0].headers["x-fal-request-start-timeout"] == "60"
    assert fal.seen[0].headers["x-fal-request-timeout"] == "60.0"


def _carries(seen: Seen, key: str) -> bool:
    return any(key in value for value in seen.headers.values())
