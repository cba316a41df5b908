"""The house stands as `bot/__init__.py` says: floors, quiet rooms, siblings that rhyme, nothing too big."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot
from bot.chats.contract import Chat
from providers.contract import Adapter, VideoProvider

ROOT = Path(__file__).parent.parent


def floors() -> list[set[str]]:
    """Read the table in the docstring of `bot`: floors from the top, rooms by their whole names."""
    found: list[set[str]] = []
    for line in (bot.__doc__ or "").splitlines():
        if match := re.match(r" {4}(F\d+)? +((?:(?:bot|providers)\.[\w.]+ ?)+)", line):
            if match[1]:
                found.append(set())
            found[-1] |= set(match[2].split())
    return found[::-1]


FLOORS = floors()
FORBIDDEN = {"manager", "helper", "helpers", "utils", "util", "base", "common", "service", "processor"}
FILES = sorted(path for wing in ("bot", "providers") for path in (ROOT / wing).rglob("*.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(name: str) -> str | None:
    """Return the room that a module of ours belongs to: the longest name on the floors that begins its own."""
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
        assert module(path) in {"bot", "providers", "bot.chats"}, "it stands on no floor"
        return
    for name in imported(path):
        there = room(name)
        if there is not None and there != here:
            assert floor(there) < floor(here), f"{here} imports {there}"


@pytest.mark.parametrize("path", [p for p in FILES if module(p).startswith("providers")], ids=module)
def test_the_providers_know_nothing_of_the_bot(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] == "bot"]


SHARED = (
    "bot.chats.contract",
    "bot.chats.underway",
    "bot.chats.download",
    "bot.chats.fields",
    "bot.chats.conversation",
    "providers.network",
)
CHATS = [p for p in FILES if module(p).startswith("bot.chats.") and module(p) not in SHARED]


@pytest.mark.parametrize("path", CHATS, ids=module)
def test_a_chat_knows_of_us_its_contract_and_what_all_chats_share(path: Path) -> None:
    mine = room(module(path))
    ours = {name for name in imported(path) if name.split(".")[0] in {"bot", "providers"} and room(name) != mine}
    rooms = (
        *SHARED,
        "bot.web.listener",
        "bot.web.server",
        "bot.domain.options",
    )  # where a chat that is spoken to by HTTP gets its door
    shared = {name for name in ours if name in rooms or name.startswith(tuple(f"{one}." for one in rooms))}
    # a token is a secret wherever it is read, and a request to wait means the same everywhere
    assert ours <= shared | {"providers.contract.Secret", "providers.http.retry_after"}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_nobody_sleeps_but_the_worker(path: Path) -> None:
    sleeps = {"asyncio.sleep", "time.sleep", "anyio.sleep"}
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    if module(path) != "bot.engine.worker":
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
        assert outline(path, "Chat") == promised(Chat)


def test_all_providers_have_the_same_outline() -> None:
    folders = [catalogue.parent for catalogue in (ROOT / "providers").glob("*/catalogue.toml")]
    assert folders
    for folder in folders:
        path = folder / "provider.py"
        if not path.exists():
            path = folder / "__init__.py"
        assert outline(path, "Provider") == promised(VideoProvider)


def test_who_knows_one_vendors_folder_knows_them_all() -> None:
    folders = [path.parent for path in (ROOT / "providers").glob("*/provider.py") if path.parent.name != "local"]
    assert len(folders) > 1
    for folder in folders:
        files = {"__init__.py", "provider.py", "tasks.py", "errors.py", "catalogue.toml"}
        assert files <= {path.name for path in folder.iterdir()}
        assert isinstance(importlib.import_module(f"providers.{folder.name}").ADAPTER, Adapter)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_function_can_be_read_at_once_and_a_long_file_says_why_it_is_long(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) < 400 or any(line.startswith("# Long because ") for line in lines), (
        "give its one reason to change"
    )
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < 50, f"{node.name} is too long"


def test_no_module_imports_itself_in_a_circle() -> None:
    names = {module(path) for path in FILES}
    below = {module(path): {known for name in imported(path) if (known := owner(name, names))} for path in FILES}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above[above.index(name) :], name))
        if name not in done:
            for lower in below[name] - {name}:
                visit(lower, (*above, name))
            done.add(name)

    for name in names:
        visit(name, ())


def owner(name: str, modules: set[str]) -> str | None:
    """Return the module of ours that an imported name is, or stands in."""
    return name if name in modules else next((m for m in [name.rpartition(".")[0]] if m in modules), None)


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


DONE = ("bot.web", "bot.ops", "bot.cli", "bot.app", "bot.config", "bot.environment", "bot.__main__")
DONE += ("bot.adapters", "providers.fal", "providers.kling", "providers.minimax", "providers.http", "providers.mapping")
DONE += ("providers.catalog", "providers.batch", "providers.atomic", "providers.sandbox")
DOERS = [path for path in FILES if module(path).startswith(DONE)]


@pytest.mark.parametrize("path", DOERS, ids=module)
def test_a_module_says_first_what_it_does(path: Path) -> None:
    first = (ast.get_docstring(ast.parse(path.read_text())) or "").split(" ", 1)[0]
    assert re.fullmatch(r"[A-Z][a-z]+s", first), "begin with a verb: Reads, Serves, Counts"
