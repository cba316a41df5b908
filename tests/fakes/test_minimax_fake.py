"""Our picture of MiniMax's wires: its documentation's examples work, its odd cases are odd. Spoken in plain HTTP."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes import faults, files
from tests.fakes.loopback import Clock
from tests.fakes.minimax import HOUR, WEEK, Api, Failed, MiniMax, Plan, no
from tests.media import pictures


def data_url(width: int = 800, height: int = 800, kind: str = "JPEG", mime: str = "image/jpeg") -> str:
    return f"data:{mime};base64,{base64.b64encode(pictures.plain(width, height, kind)).decode()}"


def hailuo(**changes: Any) -> dict[str, Any]:
    return {"model": "MiniMax-Hailuo-02", "prompt": "she smiles", "first_frame_image": data_url(), **changes}


def h3(**changes: Any) -> dict[str, Any]:
    frame = {"type": "image_url", "image_url": {"url": data_url()}, "role": "first_frame"}
    content = [{"type": "text", "text": "she smiles"}, frame]
    wish = {"model": "MiniMax-H3", "content": content, "resolution": "768P", "duration": 5, "ratio": "adaptive"}
    return wish | changes


@pytest.fixture
async def minimax(clock: Clock) -> AsyncIterator[MiniMax]:
    async with MiniMax(clock=clock) as minimax:
        yield minimax


@pytest.fixture
async def http(minimax: MiniMax) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {minimax.key}"}
    async with httpx.AsyncClient(base_url=minimax.url, headers=headers, trust_env=False) as http:
        yield http


async def code(http: httpx.AsyncClient, wish: dict[str, Any]) -> int:
    """Submit to the first API and return its status code, which HTTP does not show."""
    answer = await http.post("/v1/video_generation", json=wish)
    assert answer.status_code == 200
    return int(answer.json()["base_resp"]["status_code"])


async def test_hailuo_goes_from_a_submission_over_a_file_to_a_link_that_lives_an_hour(
    minimax: MiniMax, clock: Clock, http: httpx.AsyncClient
) -> None:
    minimax.next_task(Plan(queue_seconds=10, run_seconds=10))
    task = (await http.post("/v1/video_generation", json=hailuo())).json()
    seen = []
    for _ in range(3):
        seen.append((await http.get("/v1/query/video_generation", params={"task_id": task["task_id"]})).json())
        clock.now += 10
    file = (await http.get("/v1/files/retrieve", params={"file_id": seen[2]["file_id"]})).json()["file"]

    assert [look["status"] for look in seen] == ["Queueing", "Processing", "Success"]
    assert (await http.get(file["download_url"])).content == files.film()
    clock.now += 2 * HOUR
    assert (await http.get(file["download_url"])).status_code == 403


async def test_h3_goes_from_a_submission_to_an_address_in_the_task(
    minimax: MiniMax, clock: Clock, http: httpx.AsyncClient
) -> None:
    minimax.next_task(Plan(queue_seconds=10, run_seconds=10))
    path = f"/v2/query/video_generation/{(await http.post('/v2/video_generation', json=h3())).json()['task_id']}"
    seen = []
    for _ in range(3):
        seen.append((await http.get(path)).json()["task"])
        clock.now += 10

    assert [task["status"] for task in seen] == ["queued", "running", "succeeded"]
    assert (await http.get(seen[2]["content"]["url"])).content == files.film()
    clock.now += WEEK
    assert "invalid task_id" in (await http.get(path)).json()["error"]["message"]


async def test_the_list_of_tasks_shows_nothing_that_tells_two_alike_apart(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await http.post("/v2/video_generation", json=h3())
    one, two = (await http.get("/v2/query/video_generation", params={"page_num": 1})).json()["tasks"]

    assert {key: value for key, value in one.items() if two[key] != value}.keys() == {"id", "content"}


@pytest.mark.parametrize(
    "wish",
    [
        hailuo(),
        hailuo(duration=10, resolution="512P"),
        hailuo(duration=6, resolution="1080P"),
        hailuo(last_frame_image=data_url()),
        hailuo(first_frame_image=data_url(kind="PNG", mime="image/png")),
        {"model": "I2V-01-Director", "prompt": "[Pan left,Tilt up]x[Shake]", "first_frame_image": data_url()},
    ],
)
async def test_hailuo_takes_what_is_documented(minimax: MiniMax, http: httpx.AsyncClient, wish: dict[str, Any]) -> None:
    assert await code(http, wish) == 0
    assert len(minimax.billed) == 1


@pytest.mark.parametrize(
    "wish",
    [
        hailuo(model="Hailuo-9"),
        hailuo(model="MiniMax-H3"),
        hailuo(duration=10, resolution="1080P"),
        hailuo(duration="6"),
        hailuo(resolution="720P"),
        hailuo(last_frame_image=data_url(), resolution="512P"),
        hailuo(model="MiniMax-Hailuo-2.3", last_frame_image=data_url()),
        hailuo(model="I2V-01", duration=6),
        hailuo(prompt="w" * 2001),
        hailuo(prompt="[Fly away]"),
        hailuo(prompt="[Pan left,Tilt up,Shake,Zoom in]"),
        hailuo(first_frame_image=data_url(300, 400)),
        hailuo(first_frame_image=data_url(1000, 380)),
        hailuo(first_frame_image=data_url(mime="image/png")),
        hailuo(first_frame_image=data_url().partition(",")[2]),
        {"model": "I2V-01", "prompt": "no picture"},
    ],
)
async def test_hailuo_refuses_the_rest_with_200_and_a_code_for_free(
    minimax: MiniMax, http: httpx.AsyncClient, wish: dict[str, Any]
) -> None:
    assert await code(http, wish) == 2013
    assert minimax.billed == []


@pytest.mark.parametrize(
    "wish",
    [
        h3(duration=3),
        h3(duration=16),
        h3(duration=5.0),
        h3(resolution="1080P"),
        h3(model="MiniMax-H3-Max", resolution="2K"),
        h3(ratio="16:9"),
        h3(content=h3()["content"][1:]),
        h3(content=[*h3()["content"], h3()["content"][1]]),
        h3(content=[h3()["content"][0], {**h3()["content"][1], "role": "hero"}]),
        {key: value for key, value in h3().items() if key != "duration"},
    ],
)
async def test_h3_refuses_with_a_real_status(minimax: MiniMax, http: httpx.AsyncClient, wish: dict[str, Any]) -> None:
    answer = await http.post("/v2/video_generation", json=wish)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith("(2013)")
    assert minimax.billed == []


async def test_a_key_that_is_missing_or_wrong_is_200_at_hailuo_and_401_at_h3(minimax: MiniMax) -> None:
    async with httpx.AsyncClient(base_url=minimax.url, trust_env=False) as http:
        assert await code(http, hailuo()) == 1004
        http.headers["Authorization"] = "Bearer wrong"
        assert await code(http, hailuo()) == 2049
        assert (await http.post("/v2/video_generation", json=h3())).status_code == 401


async def test_a_delete_cancels_what_waits_and_deletes_what_is_over(minimax: MiniMax, http: httpx.AsyncClient) -> None:
    minimax.next_task(Plan(queue_seconds=10), Plan(run_seconds=10), Plan())
    queued, running, over = [
        (await http.post("/v2/video_generation", json=h3())).json()["task_id"] for _ in range(3)
    ]  # fmt: skip
    answers = [await http.delete(f"/v2/video_generation/{task}") for task in (queued, running, over)]

    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert (await http.get(f"/v2/query/video_generation/{queued}")).json()["task"]["status"] == "cancelled"
    assert (await http.get(f"/v2/query/video_generation/{over}")).status_code == 400
    assert [task.id for task in minimax.billed] == [running, over]


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_a_failed_task_is_billed_only_when_planned_so(
    minimax: MiniMax, http: httpx.AsyncClient, api: Api
) -> None:
    minimax.next_task(Plan(ends=Failed(charged=True)), Plan(ends=Failed()))
    for _ in range(2):
        await http.post(f"/{api}/video_generation", json=hailuo() if api == "v1" else h3())
    assert len(minimax.billed) == 1


async def test_faults_come_once_each_and_unknown_fields_are_noted(minimax: MiniMax, http: httpx.AsyncClient) -> None:
    minimax.next("submit", no("v1", 1008), faults.dropped())
    assert await code(http, hailuo()) == 1008
    with pytest.raises(httpx.HTTPError):
        await http.post("/v1/video_generation", json=hailuo())
    assert await code(http, hailuo(negative_prompt="blur")) == 0

    assert (minimax.posts, len(minimax.billed), minimax.unknown) == (3, 2, {"negative_prompt"})
