"""docs/add-a-provider.md does not lie: its blocks, written outside the tree, sit the exam and make a video."""

import re
from pathlib import Path

import pytest

from bot.media.films import probe
from tests.fakes.acme import Acme
from tests.fakes.plug import ROOT, Place

PAGE = (ROOT / "docs" / "add-a-provider.md").read_text()


def block(name: str) -> str:
    """Return the code block that follows the file's name on the page."""
    found = re.search(rf"^`{re.escape(name)}`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page shows no {name}"
    return found[1]


def laid(folder: Path, acme: Acme) -> Place:
    config = block("config.toml").replace('"env:ACME_API_KEY"', f'"env:ACME_API_KEY"\nbase_url = "{acme.url}"')
    config = config.replace("typical_seconds = 60", "typical_seconds = 0.1\npoll_floor = 0.1")
    here = Place.laid(folder, config, ACME_API_KEY=acme.key, PYTHONPATH=f"{folder}:{ROOT}")
    for name in ("acme_video.py", "test_acme_video.py"):
        (folder / name).write_text(block(name))
    return here


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return tmp_path / "outside"


async def test_the_module_of_the_page_sits_the_exam(outside: Path) -> None:
    async with Acme() as acme:
        here = laid(outside, acme)
        test = str(outside / "test_acme_video.py")
        code, said = await here.python("-m", "pytest", "--asyncio-mode=auto", "-p", "no:cacheprovider", test)

    assert code == 0, said
    assert "9 passed" in said


async def test_the_module_of_the_page_makes_a_video_from_the_command_line(outside: Path) -> None:
    async with Acme(at_once=True) as acme:
        here = laid(outside, acme)
        photo, out = str(outside / "photo.jpg"), outside / "out.mp4"
        code, said = await here.bot("animate", photo, "she turns and smiles", "--out", str(out))

    assert code == 0, said
    assert ("Acme One: 5 s, $0.60" in said, len(acme.jobs)) == (True, 1)
    assert (await probe(out)).is_ready
    assert acme.keys_at_video == [None]


async def test_a_refusal_of_the_page_s_module_is_told_and_costs_nothing(outside: Path) -> None:
    async with Acme() as acme:
        here = laid(outside, acme)
        code, said = await here.bot("animate", str(outside / "photo.jpg"), "something forbidden")

    assert (code, acme.jobs) == (3, {}), said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"acme_video"', '"acme_vidoe"', "there is no module acme_vidoe; install it, or mend the name"),
        ('api_key = "env', 'api_kye = "env', "did you mean providers.acme.api_key"),
        ("title = ", "tilte = ", "models.acme.tilte"),
    ],
)
async def test_a_slip_in_the_settings_is_named(outside: Path, old: str, new: str, words: str) -> None:
    async with Acme() as acme:
        here = laid(outside, acme)
        file = outside / "config.toml"
        file.write_text(file.read_text().replace(old, new))
        code, said = await here.bot("config", "check", str(file))

    assert code == 5, said
    assert words in " ".join(said.split())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("async def find", "async def fnid", "providers.acme: the Provider of acme_video has no find; add it"),
        ("    Unsure,\n", "    Unsure,\n    Sure,\n", "the module acme_video can't be imported: cannot import name"),
        ("class Provider:", "class Provider", "the module acme_video can't be imported: expected ':'"),
        ("import httpx", "import httpxx", "httpxx is missing for the module acme_video"),
    ],
)
async def test_a_slip_in_the_module_is_named_before_a_job_is_taken(
    outside: Path, old: str, new: str, words: str
) -> None:
    async with Acme() as acme:
        here = laid(outside, acme)
        file = outside / "acme_video.py"
        file.write_text(file.read_text().replace(old, new))
        code, said = await here.bot("animate", str(outside / "photo.jpg"), "she smiles")

    assert (code, acme.jobs) == (5, {}), said
    assert words in " ".join(said.split())


def test_the_page_names_every_key_of_a_model_and_every_call() -> None:
    from providers.contract import ModelSpec, VideoProvider  # noqa: PLC0415 - here they are the subject

    keys = set(ModelSpec.__dataclass_fields__) - {"name"}
    calls = {name for name in vars(VideoProvider) if not name.startswith("_")}

    assert {key for key in keys if f"`{key}`" not in PAGE} == set()
    assert {call for call in calls if f"`{call}" not in PAGE} == set()
