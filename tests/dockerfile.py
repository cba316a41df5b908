"""Reads the Dockerfile, and runs its steps in a folder. No test stands here."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Dockerfile").read_text()


@dataclass(frozen=True)
class Line:
    """One instruction, e.g. COPY, and what follows it."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Return what the JSON form says. Raises `ValueError` for the shell's form."""
        found: list[str] = json.loads(self.rest)
        return found

    @property
    def copied(self) -> tuple[list[str], str]:
        *sources, target = self.rest.split()
        return sources, target


def lines() -> Iterator[Line]:
    whole = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    for line in filter(None, whole.splitlines()):
        word, _, rest = line.partition(" ")
        yield Line(word, rest.strip())


def stages() -> tuple[list[Line], list[Line]]:
    """Return the stage that builds and the stage that stays, each from its FROM on."""
    found = list(lines())
    first, second = (number for number, line in enumerate(found) if line.word == "FROM")
    return found[first:second], found[second:]


BUILD, STAYS = stages()


def only(word: str) -> Line:
    """Return the one such line of the stage that stays."""
    [line] = [line for line in STAYS if line.word == word]
    return line


def environment(stage: list[Line]) -> dict[str, str]:
    """Return what a stage sets; no variable is filled in."""
    return dict(word.partition("=")[::2] for line in stage if line.word == "ENV" for word in shlex.split(line.rest))


@dataclass(frozen=True)
class Image:
    """The Dockerfile's steps with `root` in the place of /."""

    root: Path

    def inside(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|src|data)\b", rf"{self.root}/\1", text)

    def build(self) -> None:
        """Run the first stage; of the second only the program's environment is needed."""
        (self.root / "data").mkdir()
        ours = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        env = {**ours, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment(BUILD)}
        here = self.root
        for line in BUILD:
            match line.word:
                case "WORKDIR":
                    here = Path(self.inside(line.rest))
                    here.mkdir()
                case "COPY":
                    _copy(*line.copied, here)
                case "RUN":
                    _shell(self.inside(line.rest), here, env)

    @asynccontextmanager
    async def run(self, *words: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the entry point in the image's environment and folder; it is killed when the block ends."""
        variables = {name: self.inside(value) for name, value in environment(STAYS).items()}
        variables["PATH"] = variables["PATH"].replace("$PATH", os.defpath)
        child = await asyncio.create_subprocess_exec(
            self.root / "opt/zoetrope/bin" / only("ENTRYPOINT").words[0], *words, cwd=self.root / "data",
            env=variables | env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                child.kill()
            await child.communicate()

    async def ends(self, *words: str, **env: str) -> tuple[int | None, str]:
        """Return the exit code, and all that was printed."""
        async with self.run(*words, **env) as child, asyncio.timeout(60):
            out, _ = await child.communicate()
        return child.returncode, out.decode()


def free_port() -> int:
    """Return a port for the health pages: in a folder the program has no network of its own."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _copy(sources: list[str], target: str, here: Path) -> None:
    for source in sources:
        into = here / target / Path(source).name if target.endswith("/") else here / target
        into.parent.mkdir(exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, into)


def _shell(text: str, here: Path, env: dict[str, str]) -> None:
    done = subprocess.run(["/bin/sh", "-c", text], cwd=here, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
