"""The house stands as `bot/__init__.py` says: floors, quiet rooms, siblings that rhyme, nothing too big."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.chat.contract import ChatSurface
from providers.contract import VideoProvider

ROOT = Path(__file__).parent.parent
FLOORS: list[set[str]] = [
    {"providers.contract", "providers.cage"},
    {"providers.catalog", "providers.wire", "providers.dialect", "providers.batch", "bot.logs"}
    | {"bot.chat.contract", "bot.chat.underway"},
    {"bot.chat.download"},
    {"providers.local", "providers.fal", "providers.kling", "providers.minimax"},
    {"bot.jobs", "bot.pace"},
    {"bot.store", "bot.media", "bot.rules", "bot.replies", "bot.environment"},
    {"bot.showing", "bot.elsewhere"},
    {"bot.config", "bot.intake", "bot.hold", "bot.backup"},
    {"bot.step", "bot.upkeep"},
    {"bot.worker", "bot.health", "bot.chat.terminal", "bot.chat.discord", "bot.chat.slack"},
    {"bot.world"},
    {"bot.commands"},
    {"bot.__main__"},
]
SAME_ROOM = {"bot.schema": "bot.store"}  # the store's statements and migrations
FORBIDDEN = {"manager", "helper", "helpers", "utils", "util", "base", "common", "service", "processor"}
FILES = sorted(path for wing in ("bot", "providers") for path in (ROOT / wing).rglob("*.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(name: str) -> str | None:
    """Return the room that a module of ours belongs to: the longest name on the floors that begins its own."""
    for known, host in SAME_ROOM.items():
        if name == known or name.startswith(f"{known}."):
            return host
    rooms = [r for floor in FLOORS for r in floor if name == r or name.startswith(f"{r}.")]
    return max(rooms, key=len, default=None)


def floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    here = room(module(path))
    if here is None:
        assert module(path) in {"bot", "providers", "bot.chat"}, "it stands on no floor"
        return
    for name in imported(path):
        there = room(name)
        if there is not None and there != here:
            assert floor(there) < floor(here), f"{here} imports {there}"


@pytest.mark.parametrize("path", [p for p in FILES if module(p).startswith("providers")], ids=module)
def test_the_providers_know_nothing_of_the_bot(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] == "bot"]


SHARED = ("bot.chat.contract", "bot.chat.underway", "bot.chat.download")  # by all chats
CHATS = [p for p in FILES if module(p).startswith("bot.chat.") and module(p) not in SHARED]


@pytest.mark.parametrize("path", CHATS, ids=module)
def test_a_chat_knows_of_us_its_contract_and_what_all_chats_share(path: Path) -> None:
    mine = room(module(path))
    ours = {name for name in imported(path) if name.split(".")[0] in {"bot", "providers"} and room(name) != mine}
    shared = {
        name for name in ours if name.startswith(("bot.chat.contract.", "bot.chat.underway.", "bot.chat.download."))
    }
    assert ours <= shared | {"providers.contract.Secret"}  # a token is a secret wherever it is read


@pytest.mark.parametrize("path", FILES, ids=module)
def test_nobody_sleeps_but_the_worker(path: Path) -> None:
    sleeps = {"asyncio.sleep", "time.sleep", "anyio.sleep"}
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    if module(path) != "bot.worker":
        assert not sleeps & {*calls, *imported(path)}


def outline(path: Path, name: str) -> list[str]:
    """Return the public methods of a class, in order."""
    tree = ast.parse(path.read_text())
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    assert len(found) == 1, f"{path} has no class {name}"
    methods = [node for node in found[0].body if isinstance(node, ast.AsyncFunctionDef)]
    return [method.name for method in methods if not method.name.startswith("_")]


def promised(contract: type) -> list[str]:
    return [name for name, value in vars(contract).items() if inspect.iscoroutinefunction(value)]


def test_all_chats_have_the_same_outline() -> None:
    chats = [path for path in CHATS if room(module(path)) == module(path)]
    assert len(chats) > 1
    for path in chats:
        assert outline(path, "Surface") == promised(ChatSurface)


def test_all_providers_have_the_same_outline() -> None:
    catalogues = list((ROOT / "providers").glob("*.toml"))
    assert catalogues
    for catalogue in catalogues:
        single = catalogue.with_suffix(".py")
        path = single if single.exists() else catalogue.with_suffix("") / "__init__.py"
        assert outline(path, "Provider") == promised(VideoProvider)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_nothing_is_too_big_to_be_walked_through(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 340, "a file of more than about 300 lines holds two rooms"
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < 50, f"{node.name} is too long"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_names_say_what_a_thing_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    classes = {node.name.casefold() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for word in FORBIDDEN:
        assert word not in module(path).split(".")
        assert not [name for name in classes if name.endswith(word)]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_module_says_first_what_lives_there(path: Path) -> None:
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text)), "a docstring on its first line"
