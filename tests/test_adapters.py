"""What a module of a provider or a chat offers is what it declares; the two classes alone are enough."""

import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from bot import adapters, app
from bot.chats.contract import Adapter as ChatAdapter
from bot.chats.contract import Check, Verdict
from bot.config import BadConfig, Config, load
from bot.ops.counters import Counters
from bot.ops.outages import Outages
from bot.ops.watched import WatchedProvider
from providers.contract import Adapter
from tests.fakes.toy import Provider

CONFIG = """\
[providers.elsewhere]
adapter = "elsewhere"
[models.mine]
provider = "elsewhere"
[models.mine.wire]
frist = "picture"
"""
Offer = Callable[..., None]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    base_url: str = "https://api.elsewhere.example"
    docs_url: str = "https://elsewhere.example/docs"


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: str = "picture"


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Make a module called `elsewhere` that holds what is given."""

    def offer(**names: Any) -> None:
        module = ModuleType("elsewhere")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "elsewhere", module)

    return offer


def written(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text)
    return load(folder / "config.toml", {})


def test_two_classes_are_enough(offer: Offer, tmp_path: Path) -> None:
    offer(Provider=Provider, Settings=Settings, Names=Names)
    adapter, given = adapters.provider(written(tmp_path, CONFIG), "elsewhere")

    assert adapter == Adapter(Provider, Settings)
    assert list(adapters.addresses(adapter, given)) == []


def test_keys_of_the_wire_are_checked_where_they_are_declared(offer: Offer, tmp_path: Path) -> None:
    offer(ADAPTER=Adapter(Provider, Settings, wire=Names))
    with pytest.raises(BadConfig, match=r"models.mine.wire.frist: unknown key; did you mean models.mine.wire.first?"):
        adapters.provider(written(tmp_path, CONFIG), "elsewhere")


def test_an_address_is_a_setting_that_is_declared_as_one(offer: Offer, tmp_path: Path) -> None:
    offer(ADAPTER=Adapter(Provider, Settings, addresses=("base_url",)))
    found = adapters.provider(written(tmp_path, CONFIG), "elsewhere")

    assert list(adapters.addresses(*found)) == ["https://api.elsewhere.example"]


def test_a_provider_may_be_made_by_a_function(offer: Offer, tmp_path: Path) -> None:
    made = Provider.__new__(Provider)
    offer(ADAPTER=Adapter(lambda _settings, _folder: made, Settings))

    assert app.provider(written(tmp_path, CONFIG), "elsewhere") is made


def test_a_provider_that_says_nothing_of_its_places_has_none_that_are_known() -> None:
    class Silent:
        pass

    class Three:
        places = 3

    watched = [WatchedProvider("x", kind(), Counters(), Outages()) for kind in (Silent, Three)]  # type: ignore[arg-type]
    assert [provider.places for provider in watched] == [None, 3]


class Chat:
    name = "elsewhere"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def listen(self) -> None: ...
    async def show(self) -> None: ...
    async def deliver(self) -> None: ...
    async def upload_limit(self) -> None: ...
    async def ping(self) -> None: ...


async def checks(settings: Settings) -> AsyncGenerator[Check]:
    yield Check("token", Verdict.OK, settings.base_url)


CHAT = '[chat.elsewhere]\nadapter = "elsewhere"'


def test_a_chat_is_two_classes_and_what_it_declares_beside_them(offer: Offer, tmp_path: Path) -> None:
    config = written(tmp_path, CHAT)
    offer(Chat=Chat, Settings=Settings, checks=checks)
    plain, _ = adapters.chat(config, "elsewhere")
    offer(ADAPTER=ChatAdapter(Chat, Settings, checks=checks, addresses=("base_url",)))
    declared, given = adapters.chat(config, "elsewhere")

    assert (plain.checks, declared.checks) == (None, checks)
    assert list(adapters.addresses(declared, given)) == ["https://api.elsewhere.example"]


def test_a_chat_that_lacks_a_call_is_named(offer: Offer, tmp_path: Path) -> None:
    offer(Chat=type("Mute", (), {}), Settings=Settings)
    with pytest.raises(BadConfig, match=r"chat.elsewhere: the Chat of elsewhere has no listen; add it"):
        adapters.chat(written(tmp_path, CHAT), "elsewhere")
