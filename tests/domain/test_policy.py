"""Who may do what to a job and who may ask where, by table; limits, by what has been used already."""

import inspect
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from bot.chats.contract import Act, Actor, Address, Allowed
from bot.domain import policy
from bot.domain.job import Job, State, Usage
from bot.domain.options import ResolvedOptions
from bot.domain.policy import Broken, Limits, Rule, limits_for, may, may_ask, may_ask_here, may_last, may_see

NOTHING = Usage(open_jobs=0, recent_jobs=0, spent=0, spent_by_all=0)
FREE = 0


def test_a_first_wish_breaks_no_rule() -> None:
    assert may_ask(NOTHING, Limits(), FREE) is None


def test_the_third_open_job_is_fine_and_the_fourth_is_not() -> None:
    limits = Limits(open_per_person=3)

    assert may_ask(Usage(2, 0, 0, 0), limits, FREE) is None
    assert may_ask(Usage(3, 0, 0, 0), limits, FREE) == Broken(Rule.OPEN_JOBS, 3, 3, 1)


def test_the_daily_count_is_held() -> None:
    limits = Limits(per_person_per_day=30)

    assert may_ask(Usage(0, 29, 0, 0), limits, FREE) is None
    assert may_ask(Usage(0, 30, 0, 0), limits, FREE) == Broken(Rule.JOBS_PER_DAY, 30, 30, 1)


def test_a_budget_may_be_spent_to_the_last_micro_dollar() -> None:
    limits = Limits(spend_per_person_per_day=1_000_000)

    assert may_ask(Usage(0, 0, 720_000, 720_000), limits, 280_000) is None
    assert may_ask(Usage(0, 0, 720_001, 720_001), limits, 280_000) == Broken(
        Rule.PERSON_SPEND, 1_000_000, 720_001, 280_000
    )


def test_the_budget_of_all_holds_for_a_person_who_spent_nothing() -> None:
    broken = may_ask(Usage(0, 0, 0, 900_000), Limits(spend_per_day=1_000_000), 280_000)

    assert broken == Broken(Rule.TOTAL_SPEND, 1_000_000, 900_000, 280_000)


def test_a_free_job_breaks_no_budget_however_much_was_spent() -> None:
    assert may_ask(Usage(0, 0, 9_000_000, 9_000_000), Limits(spend_per_person_per_day=0, spend_per_day=0), FREE) is None


def test_zero_allows_nothing_and_none_allows_everything() -> None:
    busy = Usage(10**6, 10**6, 10**12, 10**12)

    assert may_ask(NOTHING, Limits(open_per_person=0), FREE) is not None
    assert may_ask(busy, Limits(open_per_person=None, per_person_per_day=None), 280_000) is None


@pytest.mark.parametrize(("seconds", "fine"), [(5.0, True), (10.0, True), (10.5, False)])
def test_a_clip_may_be_as_long_as_the_limit(seconds: float, fine: bool) -> None:
    assert (may_last(seconds, Limits(max_seconds=10)) is None) is fine
    assert may_last(seconds, Limits()) is None


JOB = Job(
    id="bcd",
    key="k",
    address=Address("discord", {"guild": "7", "channel": "1"}),
    requester="ann",
    locale="en",
    prompt="waves",
    model="local",
    provider="local",
    options=ResolvedOptions(),
    price=0,
    created=0.0,
)
ANN = Actor("discord", "ann", {"guild": "7"})
MOD = Actor("discord", "mod", {"guild": "7"}, moderator=True)
ALL, FREE_ACTS, NONE = set(Act), {Act.CANCEL, Act.DELETE}, set[Act]()


CASES: list[tuple[str, Actor, set[Act]]] = [
    ("the requester", ANN, ALL),
    ("the requester in another place of the chat", replace(ANN, server={"guild": "8"}), ALL),
    ("the requester in private", replace(ANN, server={}), ALL),
    ("somebody of that name in another chat", replace(ANN, chat="slack"), NONE),
    ("a stranger", replace(ANN, person="eve"), NONE),
    ("a moderator there", MOD, FREE_ACTS),
    ("a moderator elsewhere", replace(MOD, server={"guild": "8"}), NONE),
    ("a moderator in private", replace(MOD, server={}), NONE),
    ("a moderator of another chat's server", replace(MOD, chat="slack"), NONE),
    ("a moderator of a server named otherwise", replace(MOD, server={"team": "7"}), NONE),
    ("who was a moderator", replace(MOD, moderator=False), NONE),
    ("the operator", Actor("terminal", "root", operator=True), ALL),
]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(("who", "actor", "may_do"), CASES, ids=[who for who, *_ in CASES])
def test_who_may_do_what_to_a_job(who: str, actor: Actor, may_do: set[Act], state: State) -> None:  # noqa: ARG001 - names the case
    job = replace(JOB, state=state)

    assert {act for act in Act if may(actor, act, job)} == may_do
    assert may_see(actor, job) is bool(may_do)


@pytest.mark.parametrize(
    ("guard", "without"),
    [
        ("act in MODERATED and ", ""),
        ("actor.operator or ", ""),
        ("job.address.chat == actor.chat and job.requester == actor.person", "job.requester == actor.person"),
        ("job.address.chat == actor.chat and job.requester == actor.person", "job.address.chat == actor.chat"),
        ("actor.moderator and ", ""),
        (" and job.address.chat == actor.chat and here", " and here"),
        ("bool(actor.server) and ", ""),
        ("actor.server.items() <= job.address.place.items()", "True"),
    ],
)
def test_without_one_of_its_guards_the_table_is_wrong(guard: str, without: str) -> None:
    source = inspect.getsource(policy)
    assert source.count(guard) == 1, f"{guard!r} stands {source.count(guard)} times"
    weak = ModuleType("weak_policy")
    sys.modules[weak.__name__] = weak
    exec(source.replace(guard, without), weak.__dict__)  # noqa: S102 - our own source, one guard less
    del sys.modules[weak.__name__]

    assert any({act for act in Act if weak.may(actor, act, JOB)} != may_do for _, actor, may_do in CASES)


def test_an_act_that_the_policy_does_not_name_is_for_the_requester_alone() -> None:
    assert may(ANN, "praise", JOB)
    assert not may(MOD, "praise", JOB)


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [
        (Allowed(), True),
        (Allowed(servers=frozenset({"7", "8"})), True),
        (Allowed(servers=frozenset({"8"})), False),
        (Allowed(channels=frozenset({"1"})), True),
        (Allowed(channels=frozenset({"2"})), False),
        (Allowed(roles=frozenset({"artists"})), True),
        (Allowed(roles=frozenset({"admins"})), False),
        (Allowed(frozenset({"7"}), frozenset({"1"}), frozenset({"admins"})), False),
    ],
)
def test_each_list_of_the_operator_has_to_be_kept(allowed: Allowed, fine: bool) -> None:
    actor = replace(ANN, channels=frozenset({"1", "9"}), roles=frozenset({"artists"}))

    assert may_ask_here(actor, allowed) is fine


def test_in_private_there_is_no_server_to_be_allowed() -> None:
    assert not may_ask_here(replace(ANN, server={}), Allowed(servers=frozenset({"7"})))


def test_the_operators_own_jobs_are_not_counted_but_their_money_and_length_are() -> None:
    limits = Limits(1, 1, spend_per_person_per_day=5, spend_per_day=5, max_seconds=10)

    assert limits_for(ANN, limits) is limits
    assert limits_for(Actor("terminal", "me", operator=True), limits) == replace(
        limits, open_per_person=None, per_person_per_day=None
    )
