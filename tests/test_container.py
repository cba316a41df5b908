"""The container, as far as no engine is needed: what its files say, and their very steps run in a folder.

Not tried here, because it takes an engine: the base image, the user, the read-only root, the limits.
"""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import config
from bot.media.films import probe
from tests.dockerfile import BUILD, ROOT, STAYS, TEXT, Image, environment, free_port, lines, only
from tests.fakes.discord import Discord

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
STOP_SECONDS = 10
WHILE_IT_RUNS = ["models", "jobs", "doctor", "health"]
SETTINGS = """
[health]
port = {port}
[chat.discord]
token = "env:DISCORD_TOKEN"
api_url = "{discord.api_url}"
gateway_url = "{discord.gateway_url}"
"""
FIRST = """
import os, signal
from bot import __main__
from bot.cli import commands
commands.app = lambda **_: (os.kill(os.getpid(), signal.SIGTERM), signal.pause())  # while it is still starting
__main__.main()
"""


def test_docker_podman_and_buildah_all_know_every_instruction() -> None:
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "LABEL", "USER", "VOLUME"}
    known |= {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}

    assert {line.word for line in lines()} <= known
    assert not re.search(r"^RUN --|<<|^# *syntax|COPY --(?!from=build )", TEXT, re.MULTILINE), "BuildKit alone knows it"


def test_both_stages_stand_on_the_base_that_can_be_chosen() -> None:
    [(name, _, image)] = [line.rest.partition("=") for line in lines() if line.word == "ARG"]
    python = re.fullmatch(r"python:(3\.\d+)-slim-bookworm", image)

    assert [stage[0].rest for stage in (BUILD, STAYS)] == [f"${{{name}}} AS build", f"${{{name}}}"]
    assert python
    assert f"Programming Language :: Python :: {python[1]}" in PROJECT["classifiers"]


def test_whatever_is_installed_is_pinned_with_hashes() -> None:
    installs = [line.rest for line in [*BUILD, *STAYS] if re.search(r"pip .*install|\b(apt|curl|wget)", line.rest)]

    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes --only-binary :all: -r requirements/" in install or "--no-deps --no-index" in install


def test_what_stays_has_no_installer_and_runs_nothing_as_root() -> None:
    words = [line.word for line in STAYS]

    assert only("COPY").rest == "--from=build /opt/zoetrope /opt/zoetrope"
    assert only("RUN").rest == "install -d -m 0700 -o 10001 -g 10001 /data"
    assert only("USER").rest == "10001:10001"
    assert words.index("RUN") < words.index("USER") < words.index("VOLUME")


def test_the_program_is_started_asked_and_stopped_without_a_shell() -> None:
    times, _, check = only("HEALTHCHECK").rest.partition(" CMD ")

    assert only("ENTRYPOINT").words + only("CMD").words == ["zoetrope", "run"]
    assert json.loads(check) == ["zoetrope", "health"]
    assert "--timeout=5s" in times
    assert only("STOPSIGNAL").rest == "SIGTERM"


def test_everything_that_is_kept_is_in_the_one_volume() -> None:
    env = environment(STAYS)

    assert {only("VOLUME").rest, only("WORKDIR").rest, env["HOME"], env["ZOETROPE_DATA"]} == {"/data"}


def test_only_what_is_copied_leaves_the_checkout() -> None:
    sources = {source for line in BUILD if line.word == "COPY" for source in line.copied[0]}
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    assert all((ROOT / source).exists() for source in sources)
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {f"!{source.partition('/')[0]}" for source in sources}


def test_every_version_is_the_projects() -> None:
    version = PROJECT["version"]

    assert f'org.opencontainers.image.version="{version}"' in only("LABEL").rest
    assert COMPOSE["services"]["zoetrope"]["image"] == f"zoetrope:{version}"
    assert f"docker build -t zoetrope:{version} ." in TEXT


def test_compose_gives_the_one_service_one_volume_and_no_rights() -> None:
    [service] = COMPOSE["services"].values()

    assert (list(COMPOSE["volumes"]), service["volumes"], service["env_file"]) == (["data"], ["data:/data"], ".env")
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"].startswith("/tmp:")  # noqa: S108 - a place in the container
    assert {"mem_limit", "pids_limit", "restart"} <= set(service)
    assert not {"user", "privileged", "ports", "command", "entrypoint", "healthcheck"} & set(service)
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS > config.Worker().grace_seconds


def test_a_token_in_the_env_file_is_all_it_takes() -> None:
    text = (ROOT / ".env.example").read_text()
    named = dict.fromkeys(re.findall(r"^(?:# )?([A-Z_]+)=$", text, re.MULTILINE), "secret")
    read = config.load(None, named)

    assert set(read.chat) == {"discord", "slack"}
    assert set(read.providers) == {"local", "fal", "kling", "minimax"}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_first_process_of_a_container_ends_when_told_to_even_while_it_starts() -> None:
    alone = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process can be made the first one here: that takes root and the right to unshare")
    done = subprocess.run([*alone, sys.executable, "-c", FIRST], cwd=ROOT, timeout=20, check=False)

    assert done.returncode == 128 + signal.SIGTERM


async def test_the_dockerfiles_steps_make_a_program_that_animates_serves_and_stops(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    image = Image(tmp_path)
    await asyncio.to_thread(image.build)
    assert not list((tmp_path / "opt/zoetrope").glob("lib/*/site-packages/pip")), "pip stays behind"

    with subtests.test("animate"):
        code, said = await image.ends("animate", str(ROOT / "docs/sample.jpg"), "zoom in", "--seconds", "2")
        assert code == 0, said
        assert (await probe(tmp_path / "data/sample.mp4")).seconds == 2

    async with Discord() as discord:
        (tmp_path / "data/config.toml").write_text(SETTINGS.format(discord=discord, port=free_port()))
        token = {"DISCORD_TOKEN": discord.token}
        async with image.run("run", **token) as child:
            async with asyncio.timeout(60):
                while (await image.ends("health", "--ready", **token))[0] != 0:
                    assert child.returncode is None
            for command in WHILE_IT_RUNS:
                with subtests.test(command):
                    code, said = await image.ends(command, **token)
                    assert code == 0, said
            child.terminate()
            out, _ = await asyncio.wait_for(child.communicate(), STOP_SECONDS)
            assert child.returncode == 0, out.decode()
