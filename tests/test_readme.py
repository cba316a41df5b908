"""Every command in the README is run, as a stranger would."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a place as the README assumes it, where the commands may write."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "config.example.toml", folder)
    return folder


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("zoetrope ")])
def test_a_command_of_the_readme_works(command: str, folder: Path) -> None:
    words = [sys.executable, "-m", "bot", *shlex.split(command)[1:]]
    env = {**os.environ, "ZOETROPE_DATA": str(folder / "data"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


def test_the_other_commands_are_those_of_the_makefile() -> None:
    others = {line for line in COMMANDS if not line.startswith("zoetrope ")}
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert others == {"make demo", "make test"}
    assert set(re.findall(r"`(?:make )?(demo|test|run|check|bench)`", README)) <= targets


def test_what_the_readme_shows_of_the_demo_is_what_it_prints(tmp_path: Path) -> None:
    [demo] = re.findall(r"^\t@\$\(BIN\)/python (-m bot animate .+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = [sys.executable, *shlex.split(demo)[:-1], str(tmp_path / "sample.mp4")]
    env = {**os.environ, "ZOETROPE_DATA": str(tmp_path / "data")}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    shown = re.search(r"```text\n(.+?)```", README, re.DOTALL)
    assert shown is not None
    printed = {line.strip() for line in (done.stdout + done.stderr).splitlines()}
    assert {line for line in shown[1].splitlines() if "made in" not in line} <= printed
