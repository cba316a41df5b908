"""Our picture of Kling's wire is right: what its pages say of keys, bodies, answers and charges."""

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from tests.fakes import faults
from tests.fakes.kling import Kling
from tests.fakes.kling_task import Failed, Plan, no
from tests.fakes.loopback import Clock
from tests.media import pictures

OLDER = "/v1/videos/image2video"
TURBO = "/image-to-video/kling-2.5-turbo"


@pytest.fixture
async def kling(clock: Clock) -> AsyncIterator[Kling]:
    async with Kling(clock=clock) as kling:
        yield kling


@pytest.fixture
async def http(kling: Kling) -> AsyncIterator[httpx.AsyncClient]:
    key = {"Authorization": f"Bearer {kling.api_key}"}
    async with httpx.AsyncClient(base_url=kling.url, headers=key, trust_env=False) as client:
        yield client


def raw(width: int = 400, height: int = 300, form: str = "JPEG") -> str:
    return base64.b64encode(pictures.plain(width, height, form)).decode()


def two(key: str = "key1", *, url: str | None = None, **settings: Any) -> dict[str, Any]:
    contents = [{"type": "prompt", "text": "it moves"}, {"type": "first_frame", "url": raw() if url is None else url}]
    return {"contents": contents, "settings": settings, "options": {"external_task_id": key}}


def older(key: str = "key1", **more: Any) -> dict[str, Any]:
    body = {"model_name": "kling-v2-6", "image": raw(), "prompt": "it moves", "duration": "5", "mode": "pro"}
    return body | {"external_task_id": key} | more


async def code(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


async def test_a_task_of_api_2_goes_from_submitted_to_its_video_and_its_bill(
    kling: Kling, clock: Clock, http: httpx.AsyncClient
) -> None:
    kling.next_task(Plan(queue_seconds=30, run_seconds=60))
    made = (await http.post(TURBO, json=two(resolution="1080p", duration=10))).json()
    assert (made["code"], made["data"]["status"], made["data"]["external_id"]) == (0, "submitted", "key1")
    words = []
    for seconds in (0, 30, 60):
        clock.now += seconds
        [task] = (await http.get("/tasks", params={"external_task_ids": "key1"})).json()["data"]
        words.append(task["status"])
    assert words == ["submitted", "processing", "succeeded"]
    assert task["billing"] == [{"charge_type": "unit", "amount": "5", "package_type": "video"}]
    film = await http.get(task["outputs"][0]["url"])
    assert film.content[4:8] == b"ftyp"
    assert [(bill.key, bill.units) for bill in kling.billed] == [("key1", 5)]


async def test_a_task_of_the_older_api_is_found_by_both_ids_and_says_succeed(
    kling: Kling, http: httpx.AsyncClient
) -> None:
    made = (await http.post(OLDER, json=older())).json()["data"]
    assert (made["task_status"], made["task_info"]) == ("submitted", {"external_task_id": "key1"})
    told = [(await http.get(f"{OLDER}/{name}")).json()["data"] for name in (made["task_id"], "key1")]

    assert told[0] == told[1]
    assert told[0]["task_status"] == "succeed"
    assert told[0]["final_unit_deduction"] == "2.5"
    assert told[0]["task_result"]["videos"][0]["url"].startswith("http://127.0.0.1")
    assert len(kling.billed) == 1


async def test_many_tasks_are_told_in_one_answer_without_the_unknown(kling: Kling, http: httpx.AsyncClient) -> None:
    ids = [(await http.post(TURBO, json=two(f"k{n}"))).json()["data"]["id"] for n in range(3)]
    told = (await http.get("/tasks", params={"task_ids": ",".join([*ids, "123"])})).json()["data"]

    assert [task["id"] for task in told] == ids
    assert (await http.get("/tasks", params={"external_task_ids": "nobody"})).json()["data"] == []
    assert await code(await http.get("/tasks", params={"ids": ids[0]})) == (400, 1201)
    assert await code(await http.get(f"{OLDER}/nobody")) == (400, 1201)
    assert len(kling.tasks) == 3


async def test_a_key_of_the_callers_is_unique_and_a_full_account_takes_no_more(
    kling: Kling, http: httpx.AsyncClient
) -> None:
    kling.places = 1
    kling.next_task(Plan(run_seconds=60))
    assert await code(await http.post(TURBO, json=two())) == (200, 0)
    assert await code(await http.post(TURBO, json=two())) == (400, 1201)
    assert await code(await http.post(TURBO, json=two("other"))) == (429, 1303)
    assert len(kling.billed) == 1


def token(kling: Kling, *, early: float = 5, late: float = 1800, key: str | None = None) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": kling.access_key, "exp": now + late, "nbf": now - early}
    return {"Authorization": f"Bearer {jwt.encode(claims, key or kling.secret_key, algorithm='HS256')}"}


async def test_a_token_opens_the_older_api_alone_and_only_in_its_time(kling: Kling, http: httpx.AsyncClient) -> None:
    said = {
        "good": await http.post(OLDER, json=older(), headers=token(kling)),
        "api 2": await http.post(TURBO, json=two("k2"), headers=token(kling)),
        "too early": await http.post(OLDER, json=older("k3"), headers=token(kling, early=-60)),
        "too late": await http.post(OLDER, json=older("k4"), headers=token(kling, late=-60)),
        "forged": await http.post(OLDER, json=older("k5"), headers=token(kling, key="x" * 32)),
        "no key": await http.post(OLDER, json=older("k6"), headers={"Authorization": ""}),
        "wrong key": await http.post(TURBO, json=two("k7"), headers={"Authorization": "Bearer x"}),
    }
    assert {name: (await code(answer))[1] for name, answer in said.items()} == {
        "good": 0, "api 2": 1002, "too early": 1003, "too late": 1004, "forged": 1002, "no key": 1001,
        "wrong key": 1002,
    }  # fmt: skip
    assert len(kling.tasks) == 1


@pytest.mark.parametrize(
    "picture",
    [
        "data:image/jpeg;base64," + raw(),
        raw(299, 400),
        raw(300, 800),
        raw(form="WEBP"),
        base64.b64encode(b"no picture").decode(),
        "",
    ],
    ids=["data uri", "small", "narrow", "webp", "text", "none"],
)
async def test_a_picture_is_checked_as_kling_does(kling: Kling, http: httpx.AsyncClient, picture: str) -> None:
    assert await code(await http.post(TURBO, json=two(url=picture))) == (400, 1201)
    assert await code(await http.post(OLDER, json=older(image=picture))) == (400, 1201)
    assert kling.tasks == {}


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (TURBO, two(duration="5"), 1201),
        (TURBO, two(duration=7), 1201),
        (TURBO, two(resolution="4k"), 1201),
        ("/image-to-video/kling-2.6", two(audio="native"), 1201),  # needs 1080p
        ("/image-to-video/kling-9", two(), 1203),
        (OLDER, older(mode="professional"), 1201),
        (OLDER, older(duration="7"), 1201),
        (OLDER, older(mode="std", image_tail=raw()), 1201),
        (OLDER, older(model_name="kling-v1-6"), 1203),
        (OLDER, {name: value for name, value in older().items() if name != "model_name"}, 1203),
    ],
)
async def test_what_is_documented_as_wrong_is_refused(
    kling: Kling, http: httpx.AsyncClient, path: str, body: dict[str, Any], wanted: int
) -> None:
    assert (await code(await http.post(path, json=body)))[1] == wanted
    assert kling.billed == []


async def test_an_unknown_field_is_ignored_and_noted(kling: Kling, http: httpx.AsyncClient) -> None:
    body = two(cfg_scale=0.5) | {"negative_prompt": "blur"}
    assert await code(await http.post(TURBO, json=body)) == (200, 0)
    assert await code(await http.post(OLDER, json=older("k2", camera_control={}))) == (200, 0)
    assert sorted(kling.ignored) == ["camera_control", "negative_prompt", "settings.cfg_scale"]


async def test_faults_strike_once_and_a_dropped_answer_was_accepted_all_the_same(
    kling: Kling, http: httpx.AsyncClient
) -> None:
    kling.next("submit", no(5002), faults.dropped())
    assert await code(await http.post(TURBO, json=two())) == (504, 5002)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(TURBO, json=two())
    assert (kling.posts, len(kling.billed)) == (2, 1)


async def test_a_failed_task_is_free_unless_it_is_said(kling: Kling, http: httpx.AsyncClient) -> None:
    kling.next_task(Plan(ends=Failed("risk control")), Plan(ends=Failed("error", charged=True)))
    for key in ("a", "b"):
        await http.post(TURBO, json=two(key))
    told = (await http.get("/tasks", params={"external_task_ids": "a,b"})).json()["data"]

    assert [(task["status"], task["message"], len(task["billing"])) for task in told] == [
        ("failed", "risk control", 0),
        ("failed", "error", 1),
    ]
    assert [bill.key for bill in kling.billed] == ["b"]
