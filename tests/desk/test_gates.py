"""The checks before money, in their order, and one of one's own."""

from dataclasses import replace

import pytest

from bot.chats.contract import Allowed, Declined, Fault, Request
from bot.desk import gates
from bot.desk.contract import No, Tools
from bot.desk.front import FrontDesk
from bot.desk.gates import GATES, Draft
from bot.domain.options import ChosenOptions
from tests.desk.here import ANN, Here, tools

NOWHERE = Request("k", "go", options=ChosenOptions(model="no such"), lacks=("permission.attach_files",))


def restricted(here: Here, allowed: Allowed) -> FrontDesk:
    own: Tools = replace(tools(here.store, here.files), allowed={"discord": allowed})
    return FrontDesk(own)


async def declined(desk: FrontDesk, request: Request) -> str:
    no = await desk.consider(ANN, request)
    assert isinstance(no, Declined)
    return no.words


async def test_the_place_is_judged_before_our_rights_there_and_those_before_the_request(here: Here) -> None:
    elsewhere = restricted(here, Allowed(servers=frozenset({"8"})))
    allowed = restricted(here, Allowed(servers=frozenset({"7"})))

    assert "Videos can't be asked for here." in await declined(elsewhere, NOWHERE)
    assert "Ask a moderator to allow me: Attach Files." in await declined(allowed, NOWHERE)
    assert "no model called no such" in await declined(allowed, replace(NOWHERE, lacks=()))
    assert "There is no picture." in await declined(allowed, Request("k", "go"))


async def test_another_chat_has_its_own_lists(here: Here) -> None:
    own = replace(tools(here.store, here.files), allowed={"slack": Allowed(servers=frozenset({"8"}))})

    assert "There is no picture." in await declined(FrontDesk(own), Request("k", "go"))


async def test_a_check_of_ones_own_is_a_line_in_the_list(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check_politeness(draft: Draft) -> None:
        if "please" not in draft.request.prompt:
            raise No("Say please.", Fault.RULES)

    monkeypatch.setattr(gates, "GATES", [check_politeness, *GATES])

    assert await here.desk.consider(ANN, Request("k", "go")) == Declined("Say please.", Fault.RULES)
    assert "There is no picture." in await declined(here.desk, Request("k", "go, please"))
