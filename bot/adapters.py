"""Loads the modules of providers and chats that the settings name, ours or anybody's, and says what one lacks."""

import importlib
from collections.abc import Iterator
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

from bot import config as settings
from bot.chats.contract import Adapter as ChatAdapter
from bot.chats.contract import Chat
from bot.config import BadConfig, Config
from providers.contract import Adapter, VideoProvider


def provider(config: Config, name: str) -> tuple[Adapter, Any]:
    """Return what a provider's module offers, and its settings, secrets read. Starts nothing. Raises `BadConfig`.

    The `wire` tables of the operator's own models of that provider are checked too.
    """
    key, named = f"providers.{name}", settings.adapter(config, name)
    module = _module(config, key, named)
    declared = getattr(module, "ADAPTER", None)
    if not isinstance(declared, Adapter):
        _need(config, key, module, "Provider")
        declared = Adapter(module.Provider, module.Settings)
    for call in _missing(declared.provider, VideoProvider):
        raise BadConfig(config.source, key, f"the Provider of {named} has no {call}; add it")
    for model, table in config.models.items():
        if declared.wire is not None and table.get("provider", name) == name:
            settings.check_table(config, f"models.{model}.wire", table.get("wire", {}), declared.wire)
    return declared, settings.provider_settings(config, name, declared.settings)


def chat(config: Config, name: str) -> tuple[ChatAdapter, Any]:
    """Return what a chat's module offers, and its settings, secrets read. Starts nothing. Raises `BadConfig`."""
    key, named = f"chat.{name}", _chat_module(config, name)
    module = _module(config, key, named)
    declared = getattr(module, "ADAPTER", None)
    if not isinstance(declared, ChatAdapter):
        _need(config, key, module, "Chat")
        declared = ChatAdapter(module.Chat, module.Settings)
    for call in _missing(declared.chat, Chat):
        raise BadConfig(config.source, key, f"the Chat of {named} has no {call}; add it")
    return declared, settings.chat_settings(config, name, declared.settings)


def addresses(declared: Adapter | ChatAdapter, given: Any) -> Iterator[str]:
    """Yield where the other side is reached, as the settings say it."""
    yield from (str(getattr(given, name)) for name in declared.addresses)


def _chat_module(config: Config, name: str) -> str:
    given = config.chat[name].get("adapter", f"bot.chats.{name}")
    if not isinstance(given, str) or not all(part.isidentifier() for part in given.split(".")):
        raise BadConfig(config.source, f"chat.{name}.adapter", 'name a Python module, like "package.module"')
    return given


def _module(config: Config, key: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = "there is no" if name.startswith(str(error.name)) else f"{error.name} is missing for the"
        text = f"{missing} module {name}; install it, or mend the name"
        raise BadConfig(config.source, key, text) from error
    except (ImportError, SyntaxError) as error:
        raise BadConfig(config.source, key, f"the module {name} can't be imported: {error}; mend it") from error


def _need(config: Config, key: str, module: ModuleType, kind: str) -> None:
    for needed in (kind, "Settings"):
        if not hasattr(module, needed):
            raise BadConfig(config.source, key, f"the module {module.__name__} has no {needed}; name another one")


def _missing(given: Any, promise: type) -> Iterator[str]:
    """Yield the calls that were promised and that a class has not; what a function makes is not known before."""
    for call in (call for call, value in vars(promise).items() if iscoroutinefunction(value)):
        if isinstance(given, type) and not hasattr(given, call):
            yield call
