"""Every command of the README and the pages that begins with "$" is run, as a stranger would; the others exist.

The others need an account, a token or a container engine, which their pages say.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bot import environment
from bot.cli import commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))}
OURS = {name: (ROOT / name).read_text() for name in ("CONTRIBUTING.md", "SECURITY.md")}
ALL = {"README.md": README, **PAGES, **OURS}
TARGETS = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def typed(page: str) -> list[str]:
    return re.findall(r"^\$ (.+)$", ALL[page], re.MULTILINE)


def test_all_commands_work_one_after_the_other_from_the_readme_on(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "config.example.toml", tmp_path)
    secrets = {name for _, keys, _ in (*environment.PROVIDERS, *environment.CHATS) for name in keys.values()}
    strangers = {name: value for name, value in os.environ.items() if name not in secrets}
    env = {**strangers, "ZOETROPE_DATA": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    for command in (command for page in ALL for command in typed(page)):
        if command.startswith("zoetrope "):
            words = [sys.executable, "-m", "bot", *shlex.split(command, comments=True)[1:]]
            done = subprocess.run(
                words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, (command, done.stderr)


def test_the_other_commands_are_those_of_the_makefile() -> None:
    others = {command for page in ALL for command in typed(page) if not command.startswith("zoetrope ")}

    assert others == {f"make {target}" for target in ("demo", "test", "setup", "check")}
    assert {command.removeprefix("make ") for command in others} <= TARGETS
    assert set(re.findall(r"`(?:make )?(demo|test|run|check|bench)`", README)) <= TARGETS


@pytest.mark.parametrize("name", OURS)
def test_a_path_a_test_or_a_target_that_is_named_exists(name: str) -> None:
    spoken = re.findall(r"`([^`\n]+)`", OURS[name])
    paths = {path for path in spoken if re.match(r"(bot|providers|tests|docs|bench)/", path)}
    paths |= set(re.findall(r"-m pytest (\S+)", OURS[name]))
    made = {words.split()[1] for words in spoken if words.startswith("make ")}

    assert {path for path in paths if not (ROOT / path).exists()} == set()
    assert made <= TARGETS
    assert paths or name != "CONTRIBUTING.md"


def test_what_the_readme_shows_of_the_demo_is_what_it_prints(tmp_path: Path) -> None:
    [demo] = re.findall(r"^\t@\$\(BIN\)/python (-m bot animate .+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = [sys.executable, *shlex.split(demo)[:-1], str(tmp_path / "sample.mp4")]
    env = {**os.environ, "ZOETROPE_DATA": str(tmp_path / "data")}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    shown = re.search(r"```text\n(Camera.+?)```", README, re.DOTALL)
    assert shown is not None
    printed = {line.strip() for line in (done.stdout + done.stderr).splitlines()}
    assert {line for line in shown[1].splitlines() if "made in" not in line} <= printed


def named(text: str) -> Iterator[list[str]]:
    """Yield the words after `zoetrope` of every command in a block of shell."""
    for block in re.findall(r"^ *```sh\n(.+?)^ *```", text, re.DOTALL | re.MULTILINE):
        for row in block.splitlines():
            command = re.search(r"(?:^|\s)zoetrope ((?:[a-z-].*)?)$", row.partition(" #")[0].rstrip())
            if command and "docker build" not in row and "docker run" not in row:
                yield shlex.split(command[1].removeprefix("zoetrope "))


@pytest.mark.parametrize(
    "words",
    [words for page in ALL.values() for words in named(page)],
    ids=lambda words: " ".join(words[:3]),
)
def test_a_command_that_a_page_names_exists_with_its_options(words: list[str]) -> None:
    command: Any = get_command(commands.app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}

    assert not hasattr(command, "commands") or command.name == "jobs", words
    assert {word for word in words if word.startswith("--")} <= options


def test_the_page_of_models_is_what_the_program_prints(tmp_path: Path) -> None:
    keys = {name: "none" for _, names, _ in environment.PROVIDERS for name in names.values()}
    env = {**os.environ, **keys, "ZOETROPE_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "bot", "models", "--markdown"]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=True)
    told = [row for row in README.splitlines() if row.startswith("| ") and row.count("|") == 9]

    assert PAGES["models.md"].endswith("\n\n" + done.stdout)
    assert len(told) > 8
    assert set(told) <= set(done.stdout.splitlines())


@pytest.mark.parametrize("name", ALL)
def test_a_link_to_a_file_of_ours_leads_somewhere(name: str) -> None:
    page = ROOT / "docs" / name if name in PAGES else ROOT / name
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []
