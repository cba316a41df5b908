"""Kling: the exam, then every documented answer of its wire in both of its APIs, against a server that speaks it."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jwt
import msgspec
import pytest

from providers.catalog import Catalogue, shipped
from providers.contract import (
    AnimationRequest,
    Audio,
    Busy,
    Cancelled,
    Finished,
    Misconfigured,
    ModelSpec,
    Reason,
    Refused,
    Rendering,
    Secret,
    Ticket,
    Unsure,
    Waiting,
)
from providers.kling import Provider, Settings
from providers.kling.mapping import Names, to_wire
from providers.kling.signed import LASTS, Signer, signed
from tests.fakes import faults
from tests.fakes.kling import Kling
from tests.fakes.kling_inputs import STATUS
from tests.fakes.kling_task import Failed, Plan, no
from tests.fakes.loopback import Clock
from tests.providers.exam import Exam
from tests.providers.orders import order, picture

MODELS = Catalogue(shipped("kling"))
Door = Literal["2.0", "legacy", "signed"]
"""API 2.0, the older API with the same key, and the older API with a pair of keys."""


def a_request(model: str | ModelSpec = "kling-2-6", **changes: Any) -> AnimationRequest:
    return order(MODELS.find(model) if isinstance(model, str) else model, **changes)


@dataclass
class KlingWorks:
    kling: Kling
    clock: Clock
    folder: Path
    door: Door
    providers: list[Provider] = field(default_factory=list)
    request: AnimationRequest = field(default_factory=a_request)

    @property
    def secret(self) -> str:
        return self.kling.secret_key if self.door == "signed" else self.kling.api_key

    @property
    def api(self) -> Literal["2.0", "legacy"]:
        return "2.0" if self.door == "2.0" else "legacy"

    def provider(self, **changes: Any) -> Provider:
        keys: dict[str, Any] = {"api_key": Secret(self.kling.api_key)}
        if self.door == "signed":
            keys = {"access_key": Secret(self.kling.access_key), "secret_key": Secret(self.kling.secret_key)}
        settings = Settings(**{"api": self.api, "base_url": self.kling.url, **keys, **changes})
        self.providers.append(Provider(settings, self.folder))
        return self.providers[-1]

    async def finish(self, ticket: Ticket) -> None:  # noqa: ARG002 - time passes for all of them
        self.clock.now += 1000

    def charges(self) -> int:
        return len(self.kling.billed)

    def unknown(self) -> Ticket:
        return Ticket(json.dumps({"api": self.api, "id": "123"}))

    async def submitted(self, *plans: Plan) -> tuple[Provider, Ticket]:
        self.kling.next_task(*plans)
        provider = self.provider()
        return provider, await provider.submit(self.request, "k")


@pytest.fixture(params=["2.0", "legacy"])
async def works(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KlingWorks]:
    monkeypatch.setattr("providers.kling.provider.WITHIN", 0.01)
    clock = Clock()
    async with Kling(clock=clock, plan=lambda _: Plan(queue_seconds=30, run_seconds=60)) as kling:
        works = KlingWorks(kling, clock, tmp_path, request.param)
        yield works
        for provider in works.providers:
            await provider.close()
        assert kling.ignored == [], "Kling ignored what we sent"


only_2 = pytest.mark.parametrize("works", ["2.0"], indirect=True)
only_legacy = pytest.mark.parametrize("works", ["legacy"], indirect=True)
only_signed = pytest.mark.parametrize("works", ["signed"], indirect=True)


every_door = pytest.mark.parametrize("works", ["2.0", "legacy", "signed"], indirect=True)


@every_door
class TestKlingSitsTheExam(Exam):
    pass


# Every documented code: the remedy, its reason and input, and that nothing is charged.

LOST = [5000, 5001, 5002]
OPERATORS = {
    1000: "does not accept the key: set the key",
    1001: "does not accept the key: set the key",
    1002: "does not accept the key: set the key .* base_url to its region",
    1003: "set this machine's clock right",
    1004: "set this machine's clock right",
    1100: "something wrong with the account: look at it",
    1101: "in arrears: pay",
    1102: "used up or expired: buy another",
    1103: "does not let this key use the model: have it enabled",
    1304: "does not let this machine's address in: add it",
}
REFUSED: list[tuple[int, str, Reason, str | None]] = [
    (1200, "invalid request", Reason.UNSUPPORTED, None),
    (1201, "duration value '7' is invalid", Reason.UNSUPPORTED, None),
    (1201, "Image pixel is invalid", Reason.PICTURE, "picture"),
    (1201, "first_frame: Image aspect ratio is invalid", Reason.PICTURE, "picture"),
    (1201, "image_tail: Image pixel is invalid", Reason.PICTURE, "end picture"),
    (1201, "last_frame is broken", Reason.PICTURE, "end picture"),
    (1201, "prompt is longer than 2500", Reason.PROMPT, "prompt"),
    (1202, "wrong method", Reason.UNSUPPORTED, None),
    (1203, "The model is not exist", Reason.UNSUPPORTED, None),
    (1203, "The model has already been taken offline", Reason.UNSUPPORTED, None),
    (1300, "platform strategy", Reason.POLICY, None),
    (1301, "content security", Reason.POLICY, None),
]
FULL = [1302, 1303]


def test_the_table_holds_every_documented_code() -> None:
    assert {*LOST, *OPERATORS, *FULL, *(code for code, *_ in REFUSED)} == set(STATUS)


async def refusal(works: KlingWorks, fault: faults.Fault) -> Exception:
    """Submit into that fault; return what was raised, after exactly one POST that nobody paid for."""
    works.kling.next("submit", fault)
    with pytest.raises((Busy, Misconfigured, Refused, Unsure)) as caught:
        await works.provider().submit(works.request, "k")
    assert works.kling.posts == 1
    assert works.kling.billed == []
    assert works.secret not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("code", "words"), OPERATORS.items())
async def test_a_code_that_is_the_operators_business_says_what_to_do(works: KlingWorks, code: int, words: str) -> None:
    error = await refusal(works, no(code))
    assert isinstance(error, Misconfigured)
    with pytest.raises(Misconfigured, match=words):
        raise error


@pytest.mark.parametrize(("code", "message", "reason", "which"), REFUSED)
async def test_a_code_that_refuses_for_good_names_the_input_and_costs_nothing(
    works: KlingWorks, code: int, message: str, reason: Reason, which: str | None
) -> None:
    error = await refusal(works, no(code, message))
    assert isinstance(error, Refused)
    assert (error.reason, error.which, error.charged) == (reason, which, False)
    assert message not in str(error)


@pytest.mark.parametrize("code", FULL)
async def test_a_full_account_is_busy_and_says_for_how_long(works: KlingWorks, code: int) -> None:
    error = await refusal(works, no(code, Retry_After="7"))
    assert isinstance(error, Busy)
    assert error.retry_after == 7


@pytest.mark.parametrize("code", LOST)
async def test_trouble_at_kling_may_have_accepted(works: KlingWorks, code: int) -> None:
    assert isinstance(await refusal(works, no(code)), Unsure)


OTHER = {
    "dropped before": (faults.dropped(acts=False), Unsure),
    "502": (faults.nginx(502), Unsure),
    "504": (faults.nginx(504), Unsure),
    "garbage": (faults.garbage(), Unsure),
    "html": (faults.html(), Unsure),
    "no task": (faults.says(200, {"code": 0, "message": "SUCCEED"}), Unsure),
    "unknown code": (faults.says(200, {"code": 7777, "message": "?"}), Unsure),
    "unknown 400": (faults.says(400, {"code": 1299, "message": "?"}), Refused),
    "unknown 401": (faults.says(401, {"code": 1099, "message": "?"}), Misconfigured),
    "plain 429": (faults.says(429, "slow down"), Busy),
    "a gateway's 403": (faults.says(403, "no"), Busy),
    "a gateway's 404": (faults.says(404, "nothing here"), Busy),
    "plain 408": (faults.says(408, "too slow"), Unsure),
    "plain 409": (faults.says(409, "conflict"), Unsure),
    "5002 behind 400": (faults.says(400, {"code": 5002, "message": "?"}), Unsure),
    "5002 behind 429": (faults.says(429, {"code": 5002, "message": "?"}), Unsure),
    "unknown 409": (faults.says(409, {"code": 1298, "message": "?"}), Unsure),
    "redirect": (faults.redirected("http://10.0.0.1/"), Misconfigured),
}


@pytest.mark.parametrize(("fault", "error"), OTHER.values(), ids=OTHER)
async def test_what_is_not_in_klings_words_goes_by_whether_it_may_have_been_accepted(
    works: KlingWorks, fault: faults.Fault, error: type[Exception]
) -> None:
    assert type(await refusal(works, fault)) is error


@every_door
async def test_a_nobody_is_refused_by_the_true_answer(works: KlingWorks) -> None:
    works.kling.api_key, works.kling.secret_key = "another", "another-key-that-is-32-bytes-long"
    keys: dict[str, Any] = {"api_key": Secret("api-key-kling-wrong")}
    if works.door == "signed":
        keys = {"access_key": Secret("who"), "secret_key": Secret("wrong-key-that-is-32-bytes-long-")}
    with pytest.raises(Misconfigured, match="does not accept the key") as caught:
        await works.provider(**keys).ping()
    assert "wrong" not in str(caught.value)


# A lost answer is found by our key.


@pytest.mark.parametrize("fault", [faults.dropped(), faults.nginx(504, acts=True), no(5002, acts=True)])
async def test_a_lost_answer_is_found_by_our_key(works: KlingWorks, fault: faults.Fault) -> None:
    works.kling.next("submit", fault)
    provider = works.provider()
    with pytest.raises(Unsure):
        await provider.submit(works.request, "k")
    ticket = await works.provider().find("k", 0)

    assert ticket is not None
    assert isinstance(await provider.check(ticket), Waiting)
    assert await provider.find("nobody's", 0) is None


async def test_a_key_that_kling_has_already_is_looked_for_and_not_charged_again(works: KlingWorks) -> None:
    provider, ticket = await works.submitted()
    with pytest.raises(Unsure, match="already"):
        await provider.submit(works.request, "k")

    assert await provider.find("k", 0) == ticket
    assert works.charges() == 1


@pytest.mark.parametrize("words", ["invalid external_task_id", "Duplicate task id", "The task id already exists"])
async def test_whatever_kling_says_of_a_key_it_has_is_looked_for_and_no_refusal(works: KlingWorks, words: str) -> None:
    assert isinstance(await refusal(works, no(1201, words)), Unsure)


async def test_somebody_elses_task_is_never_taken_for_ours(works: KlingWorks) -> None:
    provider, _ = await works.submitted()
    [task] = works.kling.tasks.values()
    told = task.told(works.clock.now)
    works.kling.next("look", faults.says(200, {"code": 0, "data": [told] if works.api == "2.0" else told}))
    assert await provider.find("another", 0) is None


@pytest.mark.parametrize("fault", [no(1203), no(1201, "Task not found")])
async def test_a_search_that_finds_nothing_says_so_whatever_code_kling_has_for_it(
    works: KlingWorks, fault: faults.Fault
) -> None:
    works.kling.next("look", fault)
    assert await works.provider().find("k", 0) is None


async def test_a_search_that_fails_is_no_proof_of_absence(works: KlingWorks) -> None:
    works.kling.next("look", no(5001), faults.garbage(), no(1302))
    for _ in range(3):
        with pytest.raises(Busy):
            await works.provider().find("k", 0)


async def test_the_ticket_names_the_api_and_outlives_a_change_of_it(works: KlingWorks) -> None:
    _, ticket = await works.submitted()
    assert json.loads(ticket) == {"api": works.api, "id": next(iter(works.kling.tasks))}

    if works.door != "signed":
        other = works.provider(api="legacy" if works.api == "2.0" else "2.0")
        assert isinstance(await other.check(ticket), Waiting)


@only_signed
async def test_a_task_of_the_newer_api_needs_its_key(works: KlingWorks) -> None:
    with pytest.raises(Misconfigured, match=r"set providers\.kling\.api_key"):
        await works.provider().check(Ticket('{"api": "2.0", "id": "1"}'))
    assert works.kling.seen == []


# What is sent.

RAW = base64.b64encode


@only_2
async def test_api_2_is_spoken_in_its_own_words(works: KlingWorks) -> None:
    end = picture(320, 320)
    request = a_request("kling-3-pro", last=end, seconds=7, audio=True)
    await works.provider().submit(request, "key1")
    [task] = works.kling.tasks.values()

    assert works.kling.seen[0].path == "/image-to-video/kling-3.0"
    assert task.body == {
        "contents": [
            {"type": "prompt", "text": "she turns and smiles"},
            {"type": "first_frame", "url": RAW(request.first.data).decode()},
            {"type": "last_frame", "url": RAW(end.data).decode()},
        ],
        "settings": {"duration": 7, "resolution": "1080p", "audio": "native", "multi_shot": False},
        "options": {"external_task_id": "key1"},
    }


@only_legacy
async def test_the_older_api_is_spoken_in_its_own_words(works: KlingWorks) -> None:
    end = picture(320, 320)
    request = a_request("kling-3-pro", last=end, seconds=7, audio=True, negative_prompt="blur")
    await works.provider().submit(request, "key1")
    [task] = works.kling.tasks.values()

    assert task.body == {
        "model_name": "kling-v3",
        "image": RAW(request.first.data).decode(),
        "image_tail": RAW(end.data).decode(),
        "prompt": "she turns and smiles",
        "negative_prompt": "blur",
        "mode": "pro",
        "duration": "7",
        "sound": "on",
        "multi_shot": False,
        "external_task_id": "key1",
    }


V1 = ModelSpec(
    "mine", "kling", endpoint="image-to-video/mine", resolutions=("720p",),
    wire={"legacy": "kling-v1-5"},
)  # fmt: skip
IGNORED_BY_2: list[tuple[AnimationRequest, str]] = [
    (a_request(negative_prompt="blur"), "negative prompt"),
    (a_request(guidance=0.5), "guidance"),
    (a_request(seed=3), "seed"),
    (a_request(aspect="16:9"), "shape"),
    (a_request("kling-o1", audio=True), "sound"),
    (a_request(resolution="540p"), "resolution"),
    (a_request(seconds=7.5), "fraction of a second"),
    (a_request(replace(V1, wire={"send": {"static_mask": "x"}})), "static_mask"),
]


@only_2
@pytest.mark.parametrize(("request_", "words"), IGNORED_BY_2, ids=[words for _, words in IGNORED_BY_2])
async def test_what_api_2_would_ignore_is_declined_before_anything_is_sent(
    works: KlingWorks, request_: AnimationRequest, words: str
) -> None:
    with pytest.raises(Refused, match=words) as caught:
        await works.provider().submit(request_, "k")
    assert caught.value.reason is Reason.UNSUPPORTED
    assert works.kling.seen == []


IGNORED_BY_LEGACY: list[tuple[AnimationRequest, str]] = [
    (a_request(guidance=0.5), "guidance"),  # a field of the first models alone
    (a_request(seed=3), "seed"),
    (
        a_request(replace(MODELS.find("kling-2-6"), wire={"legacy": "kling-v2-6", "send": {"camera_control": {}}})),
        "camera_control",
    ),
    (a_request("kling-3-turbo"), "only Kling's API 2.0 has kling-3-turbo"),
]


@only_legacy
@pytest.mark.parametrize(("request_", "words"), IGNORED_BY_LEGACY, ids=[words for _, words in IGNORED_BY_LEGACY])
async def test_what_the_older_api_would_ignore_is_declined_before_anything_is_sent(
    works: KlingWorks, request_: AnimationRequest, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        await works.provider().submit(request_, "k")
    assert works.kling.seen == []


def test_camera_masks_and_guidance_go_out_where_a_model_has_them() -> None:
    """Kling itself has withdrawn the last of these models; whoever sells them still speaks its older API."""
    masks = {"static_mask": "bWFzaw==", "dynamic_masks": [{"mask": "bQ==", "trajectories": [{"x": 1, "y": 2}] * 2}]}
    send = {"camera_control": {"type": "simple", "config": {"zoom": 5}}, **masks}
    names = msgspec.convert({**V1.wire, "send": send}, Names)
    _, body = to_wire("legacy", a_request(V1, guidance=0.7), names, "k")

    assert {"cfg_scale": 0.7, **send}.items() <= body.items()
    assert (body["model_name"], body["mode"]) == ("kling-v1-5", "std")


@pytest.mark.parametrize("spec", [spec for spec in MODELS.all if spec.retired_on is None], ids=lambda spec: spec.name)
async def test_every_model_can_be_submitted_with_all_it_takes(works: KlingWorks, spec: ModelSpec) -> None:
    names = msgspec.convert(spec.wire, Names)
    audio = spec.audio is not Audio.NEVER
    silent_end = "audio last" in spec.never
    end = picture(1280, 720) if spec.last_frame else None
    provider = works.provider()
    for number, seconds in enumerate(spec.seconds):
        last = None if silent_end and number % 2 else end
        sound = audio and not (silent_end and last)
        request = a_request(spec, seconds=seconds, last=last, audio=sound, resolution=spec.resolutions[-1])
        if works.api == "legacy" and names.legacy is None:
            with pytest.raises(Refused):
                await provider.submit(request, f"k{number}")
            return
        ticket = await provider.submit(request, f"k{number}")
        works.clock.now += 1000
        done = await provider.check(ticket)
        assert isinstance(done, Finished)
        assert done.cost == spec.price.of(seconds, request.resolution, audio=sound)


# Looking.


async def test_a_poll_tells_that_it_waits_then_that_it_renders_then_the_video_and_its_cost(works: KlingWorks) -> None:
    provider, ticket = await works.submitted()

    first = await provider.check(ticket)
    works.clock.now += 40
    second = await provider.check(ticket)
    works.clock.now += 60
    third = await provider.check(ticket)

    assert (first, second) == (Waiting(), Rendering())
    assert isinstance(third, Finished)
    assert third.cost == 350_000  # 5 s of 1080p: 2.5 units


BAD_POLLS = {
    "dropped": faults.dropped(),
    "502": faults.nginx(502),
    "429": faults.says(429, "slow"),
    "html": faults.html(),
    "garbage": faults.garbage(),
    **{f"a gateway's {code}": faults.says(code, "<html>Blocked</html>") for code in (400, 401, 403, 404, 500)},
    **{str(code): no(code) for code in (1200, 1201, 1300, 1302, 1303, 5000, 5001, 5002)},
}


@pytest.mark.parametrize("fault", BAD_POLLS.values(), ids=BAD_POLLS)
async def test_a_bad_poll_is_no_bad_news(works: KlingWorks, fault: faults.Fault) -> None:
    provider, ticket = await works.submitted()
    works.kling.next("look", fault, *([fault] if fault.drop else []))  # a GET that was dropped is sent once more
    with pytest.raises(Busy):
        await provider.check(ticket)
    works.clock.now += 1000
    assert isinstance(await provider.check(ticket), Finished)


@pytest.mark.parametrize("code", OPERATORS)
async def test_a_bad_key_or_an_empty_account_while_polling_is_the_operators_business(
    works: KlingWorks, code: int
) -> None:
    provider, ticket = await works.submitted()
    works.kling.next("look", no(code))
    with pytest.raises(Misconfigured):
        await provider.check(ticket)


async def test_a_task_that_is_not_there_any_more_is_forgotten_by_its_code_too(works: KlingWorks) -> None:
    provider, ticket = await works.submitted()
    works.kling.next("look", no(1203))
    with pytest.raises(Refused) as caught:
        await provider.check(ticket)
    assert caught.value.reason is Reason.FORGOTTEN


@pytest.mark.parametrize("word", ["paused", "REVIEWING", "", "canceled"])
async def test_a_word_that_kling_never_used_means_that_it_goes_on(works: KlingWorks, word: str) -> None:
    provider, ticket = await works.submitted(Plan(word=word))
    assert await provider.check(ticket) == Rendering()


@pytest.mark.parametrize("word", ["succeed", "SUCCEEDED", "success", "completed"])
async def test_success_is_understood_in_every_spelling(works: KlingWorks, word: str) -> None:
    provider, ticket = await works.submitted(Plan(word=word))
    assert isinstance(await provider.check(ticket), Finished)


async def test_a_success_without_a_video_is_polled_again(works: KlingWorks) -> None:
    provider, ticket = await works.submitted(Plan(word="succeeded", run_seconds=60))
    with pytest.raises(Busy):
        await provider.check(ticket)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Failure to pass the risk control system", Reason.POLICY),
        ("输入内容未通过审核", Reason.POLICY),  # the content that was put in did not pass review
        ("触发平台风控系统", Reason.POLICY),  # it set off the platform's risk control
        ("图片包含敏感信息", Reason.POLICY),  # the picture holds what is sensitive
        ("任务处理失败", Reason.FAILED),  # the task could not be worked on
        ("The input contains SENSITIVE words", Reason.POLICY),
        ("violates platform policy", Reason.POLICY),
        ("service error", Reason.FAILED),
        ("", Reason.FAILED),
    ],
)
@pytest.mark.parametrize("charged", [False, True])
async def test_a_failed_task_says_why_and_whether_it_was_charged(
    works: KlingWorks, message: str, reason: Reason, *, charged: bool
) -> None:
    provider, ticket = await works.submitted(Plan(ends=Failed(message, charged)))
    with pytest.raises(Refused) as caught:
        await provider.check(ticket)
    assert (caught.value.reason, caught.value.charged) == (reason, charged)


@only_2
async def test_a_charge_in_dollars_is_taken_as_it_is_and_in_yuan_as_unknown(works: KlingWorks) -> None:
    provider, ticket = await works.submitted(Plan(cash=True))
    done = await provider.check(ticket)
    assert isinstance(done, Finished)
    assert done.cost == 350_000

    yuan = {"charge_type": "cash", "amount": "2.5", "currency": "CNY"}
    task = {"id": "1", "status": "succeeded", "outputs": [{"type": "video", "url": "https://x/v"}], "billing": [yuan]}
    works.kling.next("look", faults.says(200, {"code": 0, "data": [{**task, "id": json.loads(ticket)["id"]}]}))
    assert await provider.check(ticket) == Finished("https://x/v", None)


@only_legacy
async def test_a_video_that_took_no_units_was_paid_from_the_balance_and_is_not_free(works: KlingWorks) -> None:
    provider, ticket = await works.submitted(Plan(cash=True, queue_seconds=0, run_seconds=0))
    done = await provider.check(ticket)
    assert isinstance(done, Finished)
    assert done.cost is None


@only_2
async def test_many_polls_at_once_are_one_request(works: KlingWorks) -> None:
    provider = works.provider()
    tickets = [await provider.submit(works.request, f"k{number}") for number in range(70)]
    seen = len(works.kling.seen)
    works.clock.now += 1000
    answers = await asyncio.gather(*(provider.check(ticket) for ticket in tickets))
    looks = works.kling.seen[seen:]

    assert all(isinstance(answer, Finished) for answer in answers)
    assert len({answer.source for answer in answers if isinstance(answer, Finished)}) == 70
    assert [len(look.query["task_ids"].split(",")) for look in looks] == [50, 20]


@only_2
async def test_one_that_kling_forgot_spoils_no_others_poll(works: KlingWorks) -> None:
    provider, ticket = await works.submitted()
    answers = await asyncio.gather(provider.check(ticket), provider.check(works.unknown()), return_exceptions=True)
    assert answers[0] == Waiting()
    assert isinstance(answers[1], Refused)
    assert answers[1].reason is Reason.FORGOTTEN


@only_2
@pytest.mark.parametrize("fault", [no(1203), no(1201, "Task not found"), no(1201, "task_ids value is invalid")])
async def test_a_poll_that_kling_refuses_for_one_of_many_is_asked_again_in_halves(
    works: KlingWorks, fault: faults.Fault
) -> None:
    provider = works.provider()
    tickets = [await provider.submit(works.request, f"k{number}") for number in range(4)]
    works.kling.next("look", fault, fault)  # of the four, and of one half
    answers = await asyncio.gather(*map(provider.check, tickets))
    assert answers == [Waiting()] * 4
    assert sorted(len(seen.query["task_ids"].split(",")) for seen in works.kling.seen[4:]) == [1, 1, 2, 2, 4]


@only_2
async def test_an_answer_without_tasks_is_one_that_does_not_know_ours(works: KlingWorks) -> None:
    """Kling leaves out an empty list."""
    provider, ticket = await works.submitted()
    nothing = faults.says(200, {"code": 0, "message": "SUCCEED"})
    works.kling.next("look", nothing, nothing)
    assert await provider.find("k", 0) is None
    with pytest.raises(Refused) as caught:
        await provider.check(ticket)
    assert caught.value.reason is Reason.FORGOTTEN


async def test_nothing_can_be_stopped_and_nothing_is_asked(works: KlingWorks) -> None:
    provider, ticket = await works.submitted()
    seen = len(works.kling.seen)
    assert await provider.cancel(ticket) is Cancelled.TOO_LATE
    assert len(works.kling.seen) == seen


@pytest.mark.parametrize("url", ["http://192.168.0.1/v.mp4", "file:///etc/passwd", "http://169.254.169.254/latest"])
async def test_a_download_that_leads_inside_leaves_nothing(works: KlingWorks, url: str, tmp_path: Path) -> None:
    provider, ticket = await works.submitted(Plan(url=url))
    done = await provider.check(ticket)
    assert isinstance(done, Finished)
    with pytest.raises(Busy):
        await provider.fetch(done.source, tmp_path / "v.mp4")
    assert list(tmp_path.iterdir()) == []


# Keys, tokens, and who sees them.


@every_door
async def test_the_key_goes_to_kling_alone_and_into_no_log(
    works: KlingWorks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider, ticket = await works.submitted(Plan())
    done = await provider.check(ticket)
    assert isinstance(done, Finished)
    await provider.fetch(done.source, tmp_path / "v.mp4")
    await provider.ping()
    shown = {seen.place for seen in works.kling.seen if "authorization" in {name.lower() for name in seen.headers}}
    sent = {seen.headers["Authorization"].partition(" ")[2] for seen in works.kling.seen if seen.place == "api"}

    assert shown == {"api"}
    for secret in {works.secret, works.request.prompt, *sent}:
        assert secret not in caplog.text + ticket + repr(provider._settings) + repr(vars(provider))


def test_a_token_is_what_kling_expects() -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = signed(Secret("test-ak"), Secret("test-sk"), 1800001800, 1799999995)
    head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    claims = "eyJpc3MiOiJ0ZXN0LWFrIiwiZXhwIjoxODAwMDAxODAwLCJuYmYiOjE3OTk5OTk5OTV9"
    assert token.split(".") == [head, claims, "-ysO57l1tH_VVSxKpUUQR_c4ppqfuYY782OI95Gfd4c"]


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    clock = Clock()
    signer = Signer(Secret("who"), Secret("k" * 32), clock)
    first = signer.token()
    clock.now += LASTS - 301
    assert signer.token() == first
    clock.now += 2
    assert signer.token() != first
    clock.now -= 86_400  # somebody set the clock right
    assert jwt.decode(signer.token(), options={"verify_signature": False})["nbf"] == int(clock.now - 5)


@only_signed
@pytest.mark.parametrize(
    ("off", "words"), [(3600.0, r"clock is -3\d{3} s from"), (-3600.0, r"clock is \+3\d{3} s from")]
)
async def test_a_wrong_clock_is_noticed_once_and_then_klings_is_used(
    works: KlingWorks, monkeypatch: pytest.MonkeyPatch, off: float, words: str
) -> None:
    provider = works.provider()
    assert provider._signer is not None
    monkeypatch.setattr(provider._signer, "_clock", skewed(off))
    with pytest.raises(Busy, match=words):
        await provider.submit(works.request, "k")
    ticket = await provider.submit(works.request, "k")

    assert isinstance(await provider.check(ticket), Waiting)
    assert works.charges() == 1


@only_signed
async def test_of_many_tokens_refused_at_once_for_a_wrong_clock_none_is_the_operators_business(
    works: KlingWorks, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = works.provider()
    assert provider._signer is not None
    monkeypatch.setattr(provider._signer, "_clock", skewed(-3600))
    sent = (provider.submit(works.request, f"k{number}") for number in range(5))
    refused = await asyncio.gather(*sent, return_exceptions=True)
    assert {type(error) for error in refused} == {Busy}
    await asyncio.gather(*(provider.submit(works.request, f"k{number}") for number in range(5)))
    assert works.charges() == 5


@only_signed
async def test_a_token_refused_for_its_time_by_a_clock_like_ours_is_the_operators_business(works: KlingWorks) -> None:
    for code in (1003, 1004):
        works.kling.next("submit", no(code))
        with pytest.raises(Misconfigured, match="clock right"):
            await works.provider().submit(works.request, "k")


def skewed(by: float) -> Callable[[], float]:
    return lambda: time.time() + by


# Settings and the account.

KEY, PAIR = {"api_key": Secret("k")}, {"access_key": Secret("a"), "secret_key": Secret("s")}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "set an api_key, or access_key and secret_key"),
        ({**KEY, **PAIR, "api": "legacy"}, "not both, not neither"),
        ({"access_key": Secret("a"), "api": "legacy"}, "belong together"),
        ({**KEY, "secret_key": Secret("s")}, "belong together"),
        (PAIR, 'add api = "legacy"'),
        ({**KEY, "base_url": "http://api.klingai.com"}, "https"),
        ({**KEY, "base_url": "https://user:pass@api.klingai.com"}, "https"),
        ({**KEY, "base_url": "api.klingai.com"}, "https"),
        ({**KEY, "base_url": "https://klingai.com:port"}, "no address"),
    ],
)
def test_settings_that_can_not_work_are_refused_with_what_to_do(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**given)


async def test_a_ping_says_what_is_left(works: KlingWorks) -> None:
    assert "4200.5 of 5000 units are left" in await works.provider().ping()
    works.kling.packs = None
    assert "balance pays" in await works.provider().ping()
    works.kling.next("account", no(1304))
    with pytest.raises(Misconfigured, match="list of allowed ones"):
        await works.provider().ping()


async def test_a_full_account_is_busy_by_its_true_answer(works: KlingWorks) -> None:
    works.kling.places = 1
    provider, _ = await works.submitted()
    with pytest.raises(Busy):
        await provider.submit(works.request, "another")
    works.clock.now += 1000
    await provider.submit(works.request, "another")
