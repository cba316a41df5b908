"""Every sentence a person reads: complete, with the right numbers, and saying what to do next."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.chats.contract import Act, Address
from bot.domain.job import Job, Outcome, State
from bot.domain.options import ResolvedOptions
from bot.domain.policy import Rule
from bot.media.pictures import Problem
from bot.text import sentences
from providers.contract import Reason, Rendering, Waiting

BY = "\N{MULTIPLICATION SIGN}"
JOB = Job(
    id="bcd",
    key="k",
    address=Address("terminal", {}),
    requester="me",
    locale="en",
    prompt="zoom in",
    model="local",
    provider="local",
    options=ResolvedOptions(),
    price=280_000,
    created=1000.0,
)
FREE = replace(JOB, price=0)


def settled(outcome: Outcome, job: Job = JOB, cost: int = 0, **detail: Any) -> Job:
    return replace(job, state=State.REPLYING, outcome=outcome, detail=detail, cost=cost, settled=1090.0)


def rendered(job: Job = JOB, **more: Any) -> Job:
    return settled(Outcome.RENDERED, job, **{"seconds": 5.0, "width": 1280, "height": 720, "note": "", **more})


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_an_answer_even_when_nothing_is_known_of_it(outcome: Outcome) -> None:
    for job in (settled(outcome), settled(outcome, FREE), replace(settled(outcome), late=True)):
        assert re.fullmatch(r"[A-Z].*\.", sentences.answer(job))


@pytest.mark.parametrize("which", [None, "picture", "end picture", "prompt", "somewhere"])
@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_an_answer(reason: Reason, which: str | None) -> None:
    words = sentences.answer(settled(Outcome.REFUSED, reason=str(reason), which=which, charged=False))

    assert words.endswith("Nothing was charged.")


def test_a_policy_refusal_names_what_was_refused() -> None:
    ends = {"prompt": "The words are", "picture": "The picture is", "end picture": "The end picture is"}

    for which, start in ends.items():
        job = settled(Outcome.REFUSED, reason="policy", which=which)
        assert sentences.answer(job).startswith(f"{start} against the video maker's content rules.")


@pytest.mark.parametrize("problem", Problem)
def test_every_picture_problem_has_a_sentence_with_and_without_facts(problem: Problem) -> None:
    for end, start in ((False, "The picture"), (True, "The end picture")):
        assert sentences.picture(problem, end=end).startswith(start)


@pytest.mark.parametrize(
    ("problem", "facts", "words"),
    [
        (Problem.TOO_LARGE, {"size": 30_000_000, "limit": 20 * 2**20}, "is larger than 20 MB"),
        (
            Problem.TOO_MANY_PIXELS,
            {"width": 9000, "height": 8000, "limit": 64_000_000},
            f"9000 {BY} 8000, at most 64 million",
        ),
        (Problem.TOO_SMALL, {"width": 10, "height": 9, "limit": 64}, f"10 {BY} 9 pixels): each side needs at least 64"),
        (
            Problem.ABSURD_SHAPE,
            {"width": 900, "height": 1, "limit": 10, "limit_side": 20_000},
            "at most 10 times the short one, and 20000 pixels",
        ),
        (
            "absurd_shape",
            {"width": 900, "height": 200, "limit": 2.5, "model": "m"},
            f"narrow for m (900 {BY} 200 pixels)",
        ),
        ("too_wide", {"width": 900, "height": 200, "limit": 800, "model": "m"}, "at most 800 a side"),
        ("too_heavy", {"limit": 5 * 2**20, "model": "m"}, "at most 5 MB"),
    ],
)
def test_a_picture_problem_is_told_with_its_numbers(problem: str, facts: dict[str, Any], words: str) -> None:
    assert words in sentences.picture(problem, facts)


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_sentence(rule: Rule) -> None:
    assert sentences.rule(rule, 5_000_000, 0, 280_000).endswith(".")


def test_a_budget_is_told_in_dollars() -> None:
    words = sentences.rule(Rule.PERSON_SPEND, 5_000_000, 0, 280_000)

    assert words.startswith("This costs $0.28, and you have used $0.00 of your $5.00")


@pytest.mark.parametrize(
    ("option", "asked", "choices", "words"),
    [
        ("seconds", 7.0, (5.0, 10.0), "swift can't make a clip of 7 s. Choose 5 or 10 s."),
        ("seconds", 1.5, (2.0, 3.0, 4.0, 5.0, 6.0), "swift can't make a clip of 1.5 s. Choose 2 to 6 s."),
        ("aspect", "21:9", ("16:9", "1:1", "own"), "can't make 21:9. Choose 16:9, 1:1 or the picture's own shape."),
        ("aspect", "21:9", (), "swift always keeps the picture's own shape. Leave the shape out."),
        ("aspect", "own", ("16:9",), "swift can't make the picture's own shape. Choose 16:9."),
        ("resolution", "4k", ("720p", "1080p"), "swift can't make 4k. Choose 720p or 1080p."),
        ("resolution", "4k", (), "decides the resolution itself"),
        ("together", "1080p 10s", ("768p",), "this together: 1080p, 10 s. Choose 768p, or change the rest."),
        ("together", "512p last", (), "this together: 512p, ending on your second picture. Change one of them."),
        ("last", "", ("local",), "Send one picture only, or choose local."),
        ("last", "", (), "Send one picture only."),
        ("negative_prompt", "", (), "Leave the negative words out."),
        ("negative_long", "", (500,), "at most 500 characters"),
        ("guidance", 3.0, (0.0, 1.0), "swift takes a guidance from 0 to 1, not 3."),
        ("guidance", 3.0, (), "swift takes no guidance."),
        ("seed", -1, (0, 2147483647), "A seed is a whole number from 0 to 2147483647."),
        ("seed", 1, (), "swift takes no seed."),
        ("audio", "", (), "swift makes no sound."),
        ("silence", "", (), "swift always makes sound."),
    ],
)
def test_what_a_model_can_not_do_is_told_with_what_it_can(
    option: str, asked: object, choices: tuple[object, ...], words: str
) -> None:
    assert words in sentences.cannot(option, "swift", asked, choices)


def test_an_unknown_model_is_told_with_the_nearest_and_its_name_can_not_flood_the_chat() -> None:
    assert sentences.unknown_model("swfit", ["swift", "slow"]).endswith("Did you mean swift or slow?")
    assert sentences.unknown_model("x", []).endswith("Choose one from the list of models.")
    assert len(sentences.unknown_model("a\n{name}" * 400, [])) < 130
    assert "\n" not in sentences.unknown_model("a\nb", [])


def test_a_retired_model_names_its_successor() -> None:
    assert "Use swift-2 instead." in sentences.retired_model("swift", "swift-2")
    assert "Choose another model." in sentences.retired_model("swift", None)


@pytest.mark.parametrize(
    ("micros", "words"),
    [(0, "free"), (280_000, "$0.28"), (1_000_000, "$1.00"), (33_300, "$0.0333"), (12_345_000, "$12.345")],
)
def test_a_price_reads_like_money(micros: int, words: str) -> None:
    assert sentences.money(micros) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (4800, "1 h 20 min")],
)
def test_a_duration_reads_like_time(seconds: float, words: str) -> None:
    assert sentences.duration(seconds) == words


def test_a_plan_says_model_length_shape_price_and_what_was_adjusted() -> None:
    options = ResolvedOptions(5.0, "16:9", "720p", last=True, audio=True)

    assert sentences.plan("Swift", options, 280_000, [sentences.note("extra_pictures")]) == (
        "Swift: 5 s, 720p, 16:9, ending on your second picture, with sound, $0.28. "
        "Only the first two pictures are used."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Waiting to start."),
        ({"attempts": 2}, "The video maker is busy; trying again soon. 1 min 30 s so far."),
        ({"state": State.SUBMITTING}, "Handing it to the video maker."),
        (
            {"state": State.RENDERING, "progress": Waiting(3)},
            "In the maker's queue, 3 before yours. 1 min 30 s so far.",
        ),
        ({"state": State.RENDERING, "progress": Waiting()}, "In the maker's queue. 1 min 30 s so far."),
        ({"state": State.RENDERING, "progress": Rendering(), "rendering_started": 1080.0}, "Rendering, 10 s so far."),
        ({"state": State.RENDERING, "progress": Rendering(0.4), "ticketed": 1060.0}, "Rendering: 40 %, 30 s so far."),
        ({"state": State.RENDERING, "progress": Rendering(0.0)}, "Rendering: 0 %, 1 min 30 s so far."),
        ({"state": State.RENDERING, "cancel_asked": 1080.0}, "Stopping…"),
        (
            {"state": State.RENDERING, "cancel_asked": 1080.0, "cancel_answered": True},
            "It can't be stopped any more. The video will still come. 1 min 30 s so far.",
        ),
        ({"state": State.REPLYING, "outcome": Outcome.RENDERED}, "Finished; posting the answer."),
        ({"state": State.CLOSED, "outcome": Outcome.RENDERED}, "Finished."),
    ],
)
def test_a_status_says_what_is_true_now(change: dict[str, Any], words: str) -> None:
    assert sentences.status(replace(JOB, **change), 1090.0).words == words


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_status(state: State) -> None:
    assert sentences.status(replace(JOB, state=state), 1090.0).words


@pytest.mark.parametrize("act", Act)
def test_every_action_has_its_word(act: Act) -> None:
    assert sentences.say(f"label.{act}")


@pytest.mark.parametrize("language", sorted(set(sentences.WORDS) - {"en"}))
def test_another_language_says_everything_that_english_does_with_the_same_facts(language: str) -> None:
    def facts(ways: str | list[str]) -> list[list[str]]:
        return [sorted(re.findall(r"{(\w+)}", way)) for way in ([ways] if isinstance(ways, str) else ways)]

    theirs, english = sentences.WORDS[language], sentences.WORDS["en"]
    assert list(theirs) == list(english)
    assert {key: facts(ways) for key, ways in theirs.items()} == {key: facts(ways) for key, ways in english.items()}


def test_a_video_comes_with_its_facts_the_makers_note_and_the_bill() -> None:
    job = replace(rendered(note="Slow zoom in."), cost=280_000)

    assert sentences.answer(job) == f"Here is your video: 5 s, 1280 {BY} 720. Slow zoom in. It cost $0.28."
    assert sentences.answer(rendered(seconds=None)).startswith("Here is your video.")


def test_a_late_video_says_so_and_an_unstoppable_one_too() -> None:
    assert "It is late, sorry: it took 1 min 30 s." in sentences.answer(replace(rendered(), late=True))
    assert "before it could be stopped" in sentences.answer(replace(rendered(), cancel_asked=1.0))


def test_what_was_noticed_of_a_picture_is_said_while_waiting_and_with_the_video() -> None:
    job = replace(JOB, notices=("first.first_frame", "last.flattened"))
    said = (
        "The picture is animated; its first frame is used. The end picture has see-through parts; they are white now."
    )

    assert sentences.status(job, 1090.0).words == f"Waiting to start. {said}"
    assert said in sentences.answer(rendered(job))


def test_a_charge_is_told_and_a_free_job_does_not_speak_of_money() -> None:
    assert sentences.answer(settled(Outcome.CANCELLED, charged=False)) == "Stopped. Nothing was charged."
    assert sentences.answer(settled(Outcome.CANCELLED, cost=280_000, charged=True)).endswith("was charged ($0.28).")
    assert sentences.answer(settled(Outcome.CANCELLED, charged=True)).endswith("may have been charged.")
    assert sentences.answer(settled(Outcome.CANCELLED, FREE, charged=False)) == "Stopped."
    assert "charged" not in sentences.answer(settled(Outcome.INTERRUPTED, FREE))
    assert "may have been charged ($0.28)" in sentences.answer(settled(Outcome.INTERRUPTED))


def test_an_unsettled_job_has_no_answer() -> None:
    with pytest.raises(ValueError, match="not settled"):
        sentences.answer(JOB)


def test_an_overdue_job_is_told_that_it_is_still_watched() -> None:
    assert "still being watched" in sentences.overdue(JOB)


def test_the_operators_troubles_have_sentences() -> None:
    for words in (
        sentences.disk_full(),
        sentences.database_unavailable(),
        sentences.misconfigured(),
        sentences.job_gone(),
    ):
        assert words.endswith(".")
    assert "larger than the 10 MB" in sentences.too_big_to_post(10 * 2**20)
    assert sentences.too_big_to_post(0).startswith("This place takes no video just now")


def test_another_language_is_a_file_and_what_it_lacks_is_said_in_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.de.toml").write_text('free = "gratis"\n"cannot.audio" = ["{model} ist stumm."]')
    monkeypatch.setattr(sentences, "WORDS", {"en": sentences.WORDS["en"], **sentences.read(tmp_path)})

    assert sentences.money(0, "de-AT") == "gratis"
    assert sentences.cannot("audio", "local", locale="de") == "local ist stumm."
    assert sentences.overdue(replace(JOB, locale="de")) == sentences.overdue(JOB)
    assert sentences.money(0, "xx") == "free"
