"""The program as somebody at a shell meets it. Where processes matter it is started for real, else called in here."""

import errno
import fcntl
import io
import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from bot import environment
from bot.__main__ import main
from bot.chats.contract import Address
from bot.cli import progress
from bot.domain.job import Job, Outcome, State
from bot.domain.options import ResolvedOptions
from providers.contract import Rendering, Waiting
from tests.media.clips import probed

ROOT = Path(__file__).parents[2]
SECRETS = [name for _, keys, _ in (*environment.PROVIDERS, *environment.CHATS) for name in keys.values()]
TIMES = "\N{MULTIPLICATION SIGN}"
TOY = """
default_model = "toy"
[providers.toy]
adapter = "tests.fakes.toy"
script = "{script}"
takes = {takes}
cancellable = {cancellable}
[models.toy]
provider = "toy"
seconds = [5, 10]
aspects = ["16:9"]
resolutions = ["720p"]
price = {{ per_clip = 280000 }}
poll_floor = 0.05
typical_seconds = 1
deadline_seconds = {deadline}
"""

JOB = Job("job", "key", Address("terminal", {}), "me", "en", "go", "toy", "toy", ResolvedOptions(), 0, 0.0)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def trouble(self) -> str:
        """What stderr says, which must be one line and no traceback."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


Call = Callable[..., Said]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own with a picture in it, and a data folder beside it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ZOETROPE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("ZOETROPE_CONFIG", *SECRETS):  # an operator runs these tests too
        monkeypatch.delenv(name, raising=False)
    picture = Image.radial_gradient("L").resize((160, 120))
    Image.merge("RGB", (picture, picture.rotate(90), picture)).save("photo.png")
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("zoetrope", "bot", "providers")]
    handlers, levels = root.handlers[:], [(log, log.level) for log in (root, *ours)]
    umask = os.umask(0o022)
    yield folder
    os.umask(umask)
    root.handlers[:] = handlers
    for log, level in levels:
        log.setLevel(level)


@pytest.fixture
def zoetrope(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the program in this process."""

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["zoetrope", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return call


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def started() -> Iterator[Start]:
    """Start the program for real, leading a process group as under a shell."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> "subprocess.Popen[str]":
        command, pipe = [sys.executable, "-m", "bot", *words], subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> Said:
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


def heard(process: "subprocess.Popen[str]", words: str) -> None:
    """Wait until the program has said that on stderr."""
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words!r}, but {lines}")


def toy(script: str = "makes", takes: float = 0, *, cancellable: bool = True, deadline: float = 60) -> None:
    """Write a `config.toml` whose only maker follows a script."""
    text = TOY.format(script=script, takes=takes, cancellable=str(cancellable).lower(), deadline=deadline)
    Path("config.toml").write_text(text)


def charges() -> int:
    """Count what the toy has charged for."""
    return len((Path(os.environ["ZOETROPE_DATA"]) / "providers/toy/charges").read_text().splitlines())


@contextmanager
def rows() -> Iterator[sqlite3.Connection]:
    """Open the database behind the program's back."""
    database = sqlite3.connect(Path(os.environ["ZOETROPE_DATA"]) / "zoetrope.db", isolation_level=None)
    yield database
    database.close()


def only_job(zoetrope: Call) -> dict[str, object]:
    [line] = zoetrope("jobs", "--json").out.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


# A picture and a few words go in, a video comes out.


def test_a_picture_and_words_become_a_real_video(started: Start, here: Path) -> None:
    said = ended(started("animate", "photo.png", "slow zoom in", "--seconds", "2", "--resolution", "480p"))

    assert said.code == 0, said.err
    words, line = said.out.splitlines()
    path, _, size_and_time = line.partition("  ")
    assert path == str(here / "photo.mp4")
    assert re.fullmatch(r"[\d.]+ [kM]B, made in \d+\.\d s", size_and_time)
    clip = probed(Path(path))
    assert (clip.seconds, clip.width, clip.height, clip.is_ready) == (2, 640, 480, True)
    assert f"2 s, 640 {TIMES} 480" in words
    assert [line.removesuffix(" ...") for line in said.err.splitlines()][1:3] == [
        "Looking at the picture",
        "Waiting to start",
    ]


def test_an_end_picture_is_taken(zoetrope: Call) -> None:
    Image.new("RGB", (200, 100), "teal").save("end.jpg")
    said = zoetrope("animate", "photo.png", "", "--end", "end.jpg", "--seconds", "2", "--resolution", "480p", "--json")

    assert json.loads(said.out)["outcome"] == "rendered"


def test_for_a_program_there_is_one_line_and_nothing_else(zoetrope: Call, here: Path) -> None:
    toy()
    said = zoetrope("animate", "photo.png", "go", "--json")

    assert (said.code, said.err) == (0, "")
    [line] = said.out.splitlines()
    facts = json.loads(line)
    assert (here / "photo.mp4").stat().st_size == facts.pop("bytes")
    assert facts.pop("took_seconds") < 60
    assert len(facts.pop("id")) == 10
    assert facts == {
        "state": "closed",
        "outcome": "rendered",
        "exit_code": 0,
        "file": str(here / "photo.mp4"),
        "seconds": 1.0,
        "width": 160,
        "height": 96,
        "price_dollars": 0.28,
        "cost_dollars": 0.28,
        "words": f"Here is your video: 1 s, 160 {TIMES} 96. "
        "The picture is closest to 16:9 of the shapes this model makes. It cost $0.28.",
    }


def test_a_file_is_replaced_only_when_it_was_named(zoetrope: Call, here: Path) -> None:
    toy()
    for name in ("photo.mp4", "named.mp4"):
        Path(name).write_bytes(b"mine")
    zoetrope("animate", "photo.png", "go")
    zoetrope("animate", "photo.png", "go", "--out", "named.mp4")

    assert Path("photo.mp4").read_bytes() == b"mine"
    assert probed(Path("photo-2.mp4")).size == probed(Path("named.mp4")).size
    assert sorted(path.suffix for path in here.iterdir()) == [".mp4", ".mp4", ".mp4", ".png", ".toml"]


def test_two_at_once_on_one_database_both_get_their_video(started: Start) -> None:
    toy(takes=0.5)
    both = [started("animate", "photo.png", "go", "--json") for _ in range(2)]
    ends = [ended(process) for process in both]

    assert [end.code for end in ends] == [0, 0], ends
    assert {Path(json.loads(end.out)["file"]).name for end in ends} == {"photo.mp4", "photo-2.mp4"}
    assert charges() == 2


# What a crash or an impatient person leaves is finished later.


def test_a_job_whose_process_was_killed_is_finished_by_resume(started: Start) -> None:
    toy(takes=1.5)
    process = started("animate", "photo.png", "go", "--out", "late.mp4")
    heard(process, "Rendering")
    process.kill()
    ended(process)
    assert not Path("late.mp4").exists()

    with rows() as database:  # as if it had been in the middle of a step, which is its own for an hour
        database.execute("UPDATE jobs SET claimed = 1, due = due + 3600")

    said = ended(started("resume"))

    assert (said.code, charges()) == (0, 1)
    assert probed(Path("late.mp4")).seconds == 1
    assert str(Path("late.mp4").absolute()) in said.out


def test_ctrl_c_once_asks_the_job_to_stop(started: Start, zoetrope: Call, here: Path) -> None:
    toy(takes=60)
    process = started("animate", "photo.png", "go")
    heard(process, "Rendering")
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process)

    assert said.code == 130
    assert "Stopped." in said.err
    assert "Traceback" not in said.err
    assert not list(here.glob("*.mp4"))
    assert only_job(zoetrope)["outcome"] == "cancelled"


def test_ctrl_c_twice_leaves_the_job_to_resume(started: Start, zoetrope: Call) -> None:
    toy(takes=3, cancellable=False)
    process = started("animate", "photo.png", "go", "--out", "left.mp4")
    heard(process, "Rendering")
    os.killpg(process.pid, signal.SIGINT)
    heard(process, "Ctrl-C again leaves it")
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process)
    assert said.code == 130
    assert said.err.splitlines()[-1].startswith("Left as it is. `zoetrope resume` goes on with job ")
    assert only_job(zoetrope)["state"] == "rendering"

    assert zoetrope("resume").code == 0
    assert probed(Path("left.mp4")).seconds == 1
    assert charges() == 1


def test_a_process_that_works_holds_the_lock_that_others_ask(started: Start) -> None:
    toy(takes=60)
    process = started("animate", "photo.png", "go")
    heard(process, "Rendering")
    with (Path(os.environ["ZOETROPE_DATA"]) / "zoetrope.lock").open("ab") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_there_may_be_nothing_to_resume(zoetrope: Call) -> None:
    said = zoetrope("resume")

    assert (said.code, said.trouble) == (0, "There is nothing to resume.")


def test_a_job_of_a_chat_is_left_to_run(zoetrope: Call) -> None:
    toy()
    zoetrope("animate", "photo.png", "go")
    with rows() as database:
        database.execute("UPDATE jobs SET state = 'queued', chat = 'discord', outcome = NULL")

    assert "1 of discord. `zoetrope run` finishes those." in zoetrope("resume").err


def test_a_video_that_can_not_be_saved_is_kept_and_saved_by_resume(started: Start, zoetrope: Call, here: Path) -> None:
    toy(takes=1)
    (here / "there").mkdir()
    process = started("animate", "photo.png", "go", "--out", "there/v.mp4")
    heard(process, "Rendering")
    shutil.rmtree("there")
    said = ended(process)

    assert said.code == 5
    kept = Path(said.err.rpartition(" kept as ")[2].partition(";")[0].strip())
    assert probed(kept).seconds == 1
    shown = zoetrope("jobs", "show", str(only_job(zoetrope)["id"])).out
    assert str(kept) in shown

    (here / "there").mkdir()
    assert zoetrope("resume").code == 0
    assert probed(here / "there/v.mp4").seconds == 1


# How it ends, to a shell.


@pytest.mark.parametrize(
    ("script", "end", "words"),
    [
        ("refuses", (3, "refused"), "The words are against the video maker's content rules"),
        ("is misconfigured", (5, "misconfigured"), "not set up correctly"),
        ("loses the answer", (4, "interrupted"), "It may have been charged ($0.28)"),
    ],
)
def test_every_end_has_its_code_and_its_words(
    zoetrope: Call, here: Path, script: str, end: tuple[int, str], words: str
) -> None:
    toy(script)
    said = zoetrope("animate", "photo.png", "go", "--json")

    facts = json.loads(said.out)
    assert (said.code, facts["outcome"]) == end
    assert (facts["exit_code"], facts["file"]) == (said.code, None)
    assert words in facts["words"]
    assert not list(here.glob("*.mp4"))


def test_a_video_that_is_late_still_arrives_by_resume(zoetrope: Call) -> None:
    toy(takes=2, deadline=0.3)
    said = zoetrope("animate", "photo.png", "go", "--json")
    facts = json.loads(said.out)
    assert (said.code, facts["state"], facts["outcome"]) == (4, "overdue", None)
    assert "zoetrope resume" in facts["words"]

    toy()  # finished by now
    with rows() as database:
        database.execute("UPDATE jobs SET due = 0")  # else it looks again in a minute
    assert zoetrope("resume").code == 0
    assert probed(Path("photo.mp4")).seconds == 1


def test_a_limit_of_money_is_a_refusal(zoetrope: Call) -> None:
    toy()
    Path("config.toml").write_text(f"{Path('config.toml').read_text()}\n[limits]\ndollars_per_day = 0.1")
    said = zoetrope("animate", "photo.png", "go")

    assert said.code == 3
    assert "this server has used $0.00 of its $0.10" in said.trouble


def test_the_operator_may_ask_more_often_than_a_person_in_a_chat(zoetrope: Call) -> None:
    toy()
    Path("config.toml").write_text(
        f"{Path('config.toml').read_text()}\n[limits]\nper_person_per_day = 0\nopen_per_person = 0"
    )

    assert zoetrope("animate", "photo.png", "go", "--json").code == 0


# Bad input: one sentence that says what to do, the right code, nothing half-written.


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere.png", "go"), "There is no file nowhere.png. Check the name."),
        (("photo.png/x", "go"), "There is no file photo.png/x. Check the name."),
        ((".", "go"), ". is not a file. Give a picture."),
        (("notes.txt", "go"), "kind that can't be read. Send a JPEG"),
        (("broken.jpg", "go"), "The picture is damaged or incomplete."),
        (("empty.png", "go"), "The picture is an empty file."),
        (("big.png", "go"), "The picture is larger than 20 MB."),
        (("tiny.png", "go"), f"The picture is too small (40 {TIMES} 40 pixels)"),
        (("long.png", "go"), "The picture is too long and narrow"),
        (("photo.png", "go", "--end", "nowhere.png"), "There is no file nowhere.png."),
        (("photo.png", "go", "--end", "tiny.png"), "can't end on a second picture"),
        (("photo.png", ""), "There are no words."),
        (("photo.png", "x" * 2001), "2001 characters, at most 2000"),
        (("photo.png", "go \udce9"), "The words are not UTF-8 text."),
        (("photo.png", "go", "--model", "toi"), "no model called toi. Did you mean toy?"),
        (("photo.png", "go", "--seconds", "7"), "can't make a clip of 7 s. Choose 5 or 10 s."),
        (("photo.png", "go", "--seconds", "nan"), "can't make a clip of nan s."),
        (("photo.png", "go", "--aspect", "3:1"), "toy can't make 3:1. Choose 16:9."),
        (("photo.png", "go", "--resolution", "4k"), "toy can't make 4k. Choose 720p."),
        (("photo.png", "go", "--guidance", "3"), "takes no guidance"),
        (("photo.png", "go", "--negative", "blur"), "can't be told what to avoid"),
        (("photo.png", "go", "--seed", "1"), "takes no seed"),
        (("photo.png", "go", "--audio"), "makes no sound"),
        (("photo.png", "go", "--out", "no/where.mp4"), "no. Make it, or give another place with --out."),
        (("photo.png", "go", "--out", "."), "is not a file. Give the video's own name with --out."),
        (("photo.png", "go", "--out", "/dev/full"), "/dev/full is not a file."),
        (("photo.png", "go", "--out", "photo.png"), "is the picture itself."),
        (("photo.png", "go", "--out", "photo.png/v.mp4"), "There is no folder"),
        (("photo.png", "go", "--out", f"{'v' * 300}.mp4"), "can't be written (File name too long)."),
        (("photo.png", "go", "--out", "/proc/v.mp4"), "Give another place with --out."),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    zoetrope: Call, here: Path, words: tuple[str, ...], sentence: str
) -> None:
    toy()
    Path("notes.txt").write_text("not a picture")
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(500))
    Path("empty.png").touch()
    Path("big.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.truncate("big.png", 21 * 2**20)
    Image.new("RGB", (40, 40)).save("tiny.png")
    Image.new("RGB", (3000, 100)).save("long.png")
    before = sorted(here.iterdir())
    said = zoetrope("animate", *words, "--json")

    facts = json.loads(said.out)
    assert (said.code, facts["exit_code"], facts["id"]) == (2, 2, None)
    assert sentence in facts["words"]
    assert "\n" not in facts["words"]
    assert sorted(here.iterdir()) == before
    assert not list(Path(os.environ["ZOETROPE_DATA"]).glob("jobs/*"))


def test_trouble_is_told_on_stderr_in_one_line(zoetrope: Call) -> None:
    said = zoetrope("animate", "nowhere.png", "go")

    assert (said.code, said.out) == (2, "")
    assert said.trouble == "There is no file nowhere.png. Check the name."


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", disk], check=False).returncode == 0
    if not made:
        pytest.skip("a tiny disk can't be mounted here: that takes root and the right to mount")
    with pytest.raises(OSError, match="No space"):
        (disk / "fill").write_bytes(bytes(100_000))
    yield disk
    subprocess.run([str(shutil.which("umount")), disk], check=True)


@pytest.mark.parametrize("what", ["output", "data"])
def test_a_full_disk_is_said_before_anything_is_started(
    started: Start, here: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    toy()
    if what == "data":
        monkeypatch.setenv("ZOETROPE_DATA", str(full_disk))
    out = full_disk if what == "output" else here
    said = ended(started("animate", "photo.png", "go", "--out", str(out / "v.mp4")))

    assert said.code == 5
    assert "full" in said.trouble or "no room" in said.trouble
    assert {path.name for path in full_disk.iterdir()} <= {"fill", "zoetrope.db", "zoetrope.lock"}
    assert not list(here.glob("*.mp4"))


def test_a_broken_config_names_its_key(zoetrope: Call) -> None:
    Path("bad.toml").write_text("[worker]\nlease_second = 3")
    for words in (("--config", "bad.toml", "models"), ("config", "check", "bad.toml")):
        said = zoetrope(*words)
        assert said.code == 5
        assert said.trouble == "bad.toml: worker.lease_second: unknown key; did you mean worker.lease_seconds?"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[providers.nobody]", "providers.nobody: there is no module providers.nobody; install it, or mend the name"),
        ('[providers.x]\nadapter = "json"', "providers.x: the module json has no Provider; name another one"),
        ("[providers.local]\nrenders = 2", "providers.local.renders: unknown key"),
        ("[providers.local]\n[chat.icq]", "chat.icq: there is no module bot.chats.icq"),
        ("[providers.local]\n[chat.icq]\nadapter = 3", 'name a Python module, like "package.module"'),
    ],
)
def test_a_config_that_names_what_is_not_there_is_told(zoetrope: Call, text: str, sentence: str) -> None:
    Path("bad.toml").write_text(f'{text}\n[models.m]\nprovider = "{text[11:].partition("]")[0]}"\n')
    Path("bad.toml").write_text(f'default_model = "m"\n{Path("bad.toml").read_text()}')
    said = zoetrope("config", "check", "bad.toml")

    assert said.code == 5
    assert sentence in said.trouble


def test_a_good_config_is_told_as_it_is_understood(zoetrope: Call) -> None:
    said = zoetrope("config", "check", str(ROOT / "config.example.toml"))

    assert said.code == 0
    assert "local (1 model)" in said.out


def test_a_program_too_is_told_what_the_operator_must_mend(zoetrope: Call) -> None:
    Path("config.toml").write_text("limit = 3")
    said = zoetrope("animate", "photo.png", "go", "--json")

    facts = json.loads(said.out)
    assert (said.code, said.err, facts["exit_code"]) == (5, "", 5)
    assert facts["words"] == "config.toml: limit: unknown key; did you mean limits?"


def test_an_old_locale_breaks_no_table(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    toy()

    assert ended(started("animate", "photo.png", "go \N{SPARKLES}")).code == 0
    assert ended(started("jobs")).code == 0


def test_a_damaged_database_is_told(zoetrope: Call) -> None:
    data = Path(os.environ["ZOETROPE_DATA"])
    data.mkdir()
    (data / "zoetrope.db").write_bytes(b"no rows at all" * 1000)
    for words in (("animate", "photo.png", "go"), ("jobs",), ("resume",)):
        said = zoetrope(*words)
        assert said.code == 5
        assert "damaged" in said.trouble


def test_a_locked_database_is_told(zoetrope: Call) -> None:
    assert zoetrope("jobs").code == 0
    with rows() as database:
        database.execute("BEGIN IMMEDIATE")
        said = zoetrope("animate", "photo.png", "go")

    assert said.code == 5
    assert "locked" in said.trouble


def test_a_data_folder_that_can_not_be_written_is_told(zoetrope: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOETROPE_DATA", "/proc/zoetrope")
    said = zoetrope("animate", "photo.png", "go")

    assert said.code == 5
    assert "data folder /proc/zoetrope can't be written" in said.trouble


# Looking, and asking to stop.


def test_models_are_a_page_in_markdown_too(zoetrope: Call) -> None:
    said = zoetrope("models", "--markdown")

    assert said.out.splitlines()[0] == "| Model | Provider | Seconds | Shapes | Sizes | End picture | Price | Takes |"
    assert {line.count("|") for line in said.out.splitlines()} == {9}
    assert "| local | local | 2-10 |" in said.out


def test_models_are_listed_with_what_they_can_do(zoetrope: Call) -> None:
    toy()
    Path("config.toml").write_text(
        f"{Path('config.toml').read_text()}\n[models.old]\nprovider = 'toy'\nretired_on = 2025-01-01"
    )
    table = zoetrope("models").out
    specs = [json.loads(line) for line in zoetrope("models", "--json").out.splitlines()]

    assert "5, 10" in table
    assert "$0.28" in table
    assert "retired" in table
    assert [spec["name"] for spec in specs] == ["toy", "old"]


def test_jobs_are_listed_and_one_is_told_with_its_history(zoetrope: Call) -> None:
    toy()
    assert zoetrope("jobs").trouble == "There are no jobs."
    zoetrope("animate", "photo.png", "go \x1b[31m red")
    job = str(only_job(zoetrope)["id"])

    table, story = zoetrope("jobs").out, zoetrope("jobs", "show", job).out
    assert job in table
    assert "\x1b" not in table + story
    for words in ("Asked", "Ticketed", "Settled", "Closed", "photo.mp4", "$0.28", "video.mp4"):
        assert words in story
    assert zoetrope("jobs", "--state", "queued").trouble == "There are no jobs that are queued."
    events = json.loads(zoetrope("jobs", "show", job, "--json").out)["history"]
    assert [event["event"] for event in events][0::10] == ["Asked"]


def test_a_job_that_is_not_there_is_told(zoetrope: Call) -> None:
    for words in (("jobs", "show", "nope"), ("cancel", "nope"), ("deliver", "nope")):
        said = zoetrope(*words)
        assert (said.code, said.trouble) == (2, "There is no job 'nope'. `zoetrope jobs` lists them.")


def lost(zoetrope: Call, address: str = '{"out": "/nowhere/v.mp4", "replace": "no"}') -> str:
    """Make a video whose place is gone for good."""
    toy()
    zoetrope("animate", "photo.png", "go", "--out", "first.mp4")
    job = str(only_job(zoetrope)["id"])
    with rows() as database:
        values = "receipt = 'gone', undelivered_since = closed - 86400, chat = 'discord', address = ?"
        database.execute(f"UPDATE jobs SET {values}", (address,))  # noqa: S608 - our own words
    return job


def test_a_video_that_could_not_be_posted_is_listed_and_written_to_a_file_at_once(zoetrope: Call) -> None:
    job = lost(zoetrope)
    listed = zoetrope("jobs", "--undelivered")
    said = zoetrope("deliver", job, "--to", "terminal", "v.mp4")

    assert job in listed.out
    assert "undelivered" in listed.out
    assert (said.code, Path("v.mp4").read_bytes()) == (0, Path("first.mp4").read_bytes())
    assert "v.mp4" in said.out
    assert zoetrope("jobs", "--undelivered").trouble == "Every video was delivered."
    assert zoetrope("jobs", "--undelivered", "--json").out == ""
    assert charges() == 1


def test_for_a_program_what_is_undelivered_says_since_when(zoetrope: Call) -> None:
    lost(zoetrope)
    [line] = zoetrope("jobs", "--undelivered", "--json").out.splitlines()

    assert json.loads(line)["undelivered_since"] > 0


CHATS = """
[chat.discord]
token = "env:DISCORD_TOKEN"
[chat.slack]
bot_token = "env:SLACK_BOT_TOKEN"
app_token = "env:SLACK_APP_TOKEN"
[chat.quiet]
adapter = "tests.fakes.quiet"
"""


@pytest.fixture
def chats(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Configure three chats, of which nobody asks anything."""
    for name, token in (("DISCORD_TOKEN", "a.b.c"), ("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_APP_TOKEN", "xapp-1")):
        monkeypatch.setenv(name, token)

    def configure() -> None:
        with Path("config.toml").open("a") as config:
            config.write(CHATS)

    return configure


@pytest.mark.parametrize(
    ("words", "chat", "place"),
    [
        ((), "discord", {"channel": "1", "user": "7"}),
        (("--to", "discord", "42"), "discord", {"channel": "42", "user": "7", "status": ""}),
        (("--to", "slack", "T1/C2"), "slack", {"team": "T1", "channel": "C2", "user": "", "status": ""}),
    ],
)
def test_a_video_is_put_back_for_whoever_serves_the_chat(
    zoetrope: Call, chats: Callable[[], None], words: tuple[str, ...], chat: str, place: dict[str, str]
) -> None:
    job = lost(zoetrope, '{"guild": "", "channel": "1", "status": "1", "thread": "", "user": "7", "locale": "en"}')
    chats()
    said = zoetrope("deliver", job, *words)

    assert (said.code, said.trouble) == (0, f"`zoetrope run` posts the video of job {job} in {chat}.")
    found = only_job(zoetrope)
    assert (found["state"], found["surface"], found["receipt"]) == ("replying", chat, None)
    assert place.items() <= dict(found["place"]).items()  # type: ignore[call-overload] # a JSON object
    assert zoetrope("deliver", job).trouble == f"Job {job} is not over yet (replying): its answer comes by itself."


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        (("irc", "#here"), "There is no chat 'irc' in config.toml. Choose of: discord, slack, quiet, terminal."),
        (("discord", "general"), "In Discord a place is the id of a channel or thread: Copy Channel ID in its menu."),
        (("slack", "general"), "In Slack a place is TEAM/CHANNEL, like T024BE7LD/C0G9QF9GZ: the ids in the "),
        (("quiet", "here"), "The chat 'quiet' takes no place by hand. Deliver to another, or to a file: --to te"),
        (("terminal", "/nowhere/v.mp4"), "There is no folder /nowhere. Make it, or choose another file with --to "),
    ],
)
def test_a_place_that_can_not_be_is_one_sentence(
    zoetrope: Call, chats: Callable[[], None], to: tuple[str, str], sentence: str
) -> None:
    job = lost(zoetrope)
    chats()
    said = zoetrope("deliver", job, "--to", *to)

    assert (said.code, said.trouble[: len(sentence)]) == (2, sentence)
    assert zoetrope("jobs", "--undelivered").out


def test_what_has_no_video_to_deliver_says_why(zoetrope: Call) -> None:
    job = lost(zoetrope)
    for video in (Path(os.environ["ZOETROPE_DATA"]) / "jobs" / job / "video").iterdir():
        video.unlink()
    assert zoetrope("deliver", job).trouble == f"The video of job {job} is no longer kept here."
    with rows() as database:
        database.execute("UPDATE jobs SET outcome = 'refused'")
    assert zoetrope("deliver", job).trouble == f"Job {job} has no video: it was refused."


def test_a_job_is_cancelled_from_another_shell(started: Start, zoetrope: Call) -> None:
    toy(takes=60)
    process = started("animate", "photo.png", "go", "--json", "--out", "v.mp4")
    job = ""
    while not job:
        assert process.poll() is None
        job = next(
            (json.loads(line)["id"] for line in zoetrope("jobs", "--state", "rendering", "--json").out.splitlines()), ""
        )
    assert zoetrope("cancel", job).code == 0
    said = ended(process)

    assert (said.code, json.loads(said.out)["outcome"]) == (130, "cancelled")
    assert zoetrope("cancel", job).trouble == f"Job {job} is over; there is nothing left to stop."


# A data folder that is not where it was.


def rendering(started: Start, zoetrope: Call) -> str:
    """Pull the plug on a command whose video is being made."""
    toy(takes=1)
    process = started("animate", "photo.png", "go", "--out", "v.mp4")
    while not zoetrope("jobs", "--state", "rendering", "--json").out:
        assert process.poll() is None
    process.kill()
    process.wait()
    return str(only_job(zoetrope)["id"])


def test_a_copied_folder_says_so_once_and_charges_nobody_again(
    started: Start, zoetrope: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering(started, zoetrope)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    monkeypatch.setenv("ZOETROPE_DATA", str(tmp_path / "copy"))
    said = zoetrope("resume")

    assert said.err.count("was copied or moved here") == 1
    assert "1 open jobs" in said.err
    assert Path("v.mp4").is_file()
    assert charges() == 1
    assert "copied" not in zoetrope("resume").err


def test_a_folder_that_lost_its_videos_fetches_them_once_more(started: Start, zoetrope: Call, tmp_path: Path) -> None:
    job = rendering(started, zoetrope)
    shutil.rmtree(tmp_path / "data" / "jobs")  # only the database was moved
    with rows() as database:
        values = "state = 'replying', outcome = 'rendered', cost = 280000, settled = 1, detail = '{\"bytes\": 1}'"
        database.execute(f"UPDATE jobs SET {values}, claimed = 0")  # noqa: S608 - our own words
    said = zoetrope("resume")

    assert f"job {job}: its video is no longer here; it is fetched once more" in said.err
    assert Path("v.mp4").is_file()
    assert charges() == 1


# Serving chats.


def test_without_a_chat_run_says_in_three_lines_what_to_do(zoetrope: Call) -> None:
    said = zoetrope("run")

    assert (said.code, said.out, said.err.count("\n")) == (5, "", 3)
    assert "config.example.toml" in said.err


def quiet(**extra: object) -> None:
    toy()
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"adapter": "tests.fakes.quiet", **extra}.items()]
    Path("config.toml").write_text("\n".join([Path("config.toml").read_text(), "[chat.quiet]", *lines]))


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_run_serves_until_it_is_told_to_stop(started: Start, sign: signal.Signals) -> None:
    quiet()
    process = started("run")
    heard(process, "running: quiet")
    os.killpg(process.pid, sign)
    said = ended(process)

    assert said.code == 0
    assert said.err.splitlines()[-1].endswith("] stopped")
    assert "Traceback" not in said.err


def test_run_finishes_the_command_lines_jobs_too(started: Start) -> None:
    quiet()
    toy_settings = Path("config.toml").read_text()
    toy(takes=1)
    process = started("animate", "photo.png", "go", "--out", "v.mp4")
    heard(process, "Rendering")
    process.kill()
    ended(process)
    Path("config.toml").write_text(toy_settings)
    serving = started("run")
    heard(serving, "state=closed")
    serving.terminate()

    assert ended(serving).code == 0
    assert probed(Path("v.mp4")).seconds == 1


def test_a_chat_that_breaks_ends_run_with_its_sentence(started: Start) -> None:
    quiet(breaks=True)
    said = ended(started("run"))

    assert said.code == 5
    assert said.err.splitlines()[-1] == "The token of quiet is wrong; write a new one."
    assert "Traceback" not in said.err


# Being quick.


def test_asking_for_help_loads_nothing_heavy() -> None:
    look = "import bot, sys; from bot.cli import commands; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout

    assert not {"sqlalchemy", "alembic", "PIL", "av", "httpx", "aiosqlite", "msgspec"} & set(out.split())


# What a terminal shows meanwhile.


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "Waiting to start"),
        ({"attempts": 2}, "The maker is busy, trying again"),
        ({"state": State.SUBMITTING}, "Handing it to the maker"),
        ({"state": State.RENDERING, "progress": Waiting(3)}, "In the maker's queue, 3 before yours"),
        ({"state": State.RENDERING, "progress": Waiting()}, "In the maker's queue"),
        ({"state": State.RENDERING, "progress": Rendering()}, "Rendering"),
        ({"state": State.RENDERING, "cancel_asked": 1.0}, "Stopping"),
        ({"state": State.RENDERING, "cancel_asked": 1.0, "cancel_answered": True}, "Rendering"),
        ({"state": State.OVERDUE}, "Rendering, longer than usual"),
        ({"state": State.REPLYING, "outcome": Outcome.RENDERED}, "Saving"),
        ({"state": State.REPLYING, "attempts": 1}, "It can't be saved yet, trying again"),
    ],
)
def test_every_stage_has_its_words(changes: dict[str, Any], stage: str) -> None:
    assert progress.stage_of(replace(JOB, **changes)) == stage


def test_a_live_line_shows_a_part_done_only_where_it_was_measured() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with progress.view(console, silent=False) as view:
        view.job(replace(JOB, state=State.RENDERING, progress=Rendering()))
    assert "Rendering" in screen.getvalue()
    assert "%" not in screen.getvalue()
    with progress.view(console, silent=False) as view:
        view.job(replace(JOB, state=State.RENDERING, progress=Rendering(0.58)))
    assert "58 %" in screen.getvalue()


def test_a_slip_in_the_wire_table_of_an_own_model_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    table = '[models.mine]\nprovider = "fal"\nendpoint = "acme/dream"\n[models.mine.wire]\nfrist = "start_image"\n'
    config.write_text(f'[providers.local]\n[providers.fal]\nkey = "env:FAL_KEY"\n{table}')
    done = subprocess.run(
        [sys.executable, "-m", "bot", "config", "check", str(config)],
        env={**os.environ, "FAL_KEY": "x"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 5
    assert "models.mine.wire.frist: unknown key; did you mean models.mine.wire.first?" in done.stderr


# What an operator does with what is kept.


def test_a_backup_is_made_and_brought_back(zoetrope: Call, here: Path) -> None:
    toy()
    zoetrope("animate", "photo.png", "go")
    said = zoetrope("backup")
    file = Path(said.out.strip())
    assert (said.code, file.parent) == (0, Path(os.environ["ZOETROPE_DATA"]) / "backups")
    assert re.fullmatch(r"1 job, 0 of them open; [\d.]+ [kM]B in \d+\.\d s\.", said.trouble)
    assert zoetrope("backup", "mine.db").out.strip() == str(here / "mine.db")
    (here / "there").mkdir()
    assert Path(zoetrope("backup", "there").out.strip()).parent == here / "there"

    zoetrope("animate", "photo.png", "again")
    said = zoetrope("restore", str(file))
    assert said.code == 0
    assert said.err.startswith("Restored 1 job, the last of 20")
    assert f"What was here before is in {os.environ['ZOETROPE_DATA']}/before-restore-" in said.err
    assert only_job(zoetrope)["prompt"] == "go"


def test_what_can_not_be_backed_up_or_restored_is_one_sentence(zoetrope: Call) -> None:
    none = zoetrope("backup")
    assert (none.code, none.out) == (5, "")
    assert "yet, so there is nothing to back up. Check data_dir." in none.trouble
    assert not Path(os.environ["ZOETROPE_DATA"]).exists()
    foreign = zoetrope("restore", "photo.png")
    assert (foreign.code, foreign.trouble) == (
        5,
        "photo.png is no backup of Zoetrope, or it is damaged. Choose another.",
    )
    assert "nowhere.db can't be used (No such file" in zoetrope("restore", "nowhere.db").trouble


def test_a_bot_that_runs_is_not_restored_under(started: Start, zoetrope: Call) -> None:
    toy(takes=60)
    process = started("animate", "photo.png", "go")
    heard(process, "Rendering")
    zoetrope("backup", "mine.db")
    said = zoetrope("restore", "mine.db")

    assert said.code == 5
    assert re.fullmatch(r"Zoetrope is running on .* Stop it, then restore again\.", said.trouble)


def test_restored_open_jobs_are_told_of_and_finished(started: Start, zoetrope: Call) -> None:
    toy(takes=1)
    process = started("animate", "photo.png", "go", "--out", "late.mp4")
    heard(process, "Rendering")
    zoetrope("backup", "mine.db")
    process.kill()
    ended(process)
    said = zoetrope("restore", "mine.db")
    assert "Open: 1 rendering. They may have gone further since" in said.err

    assert zoetrope("resume").code == 0
    assert (probed(Path("late.mp4")).seconds, charges()) == (1, 1)


def test_a_disk_with_too_little_room_takes_nothing_new_and_finishes_what_is_open(
    started: Start, zoetrope: Call
) -> None:
    toy(takes=1)
    process = started("animate", "photo.png", "go", "--out", "late.mp4")
    heard(process, "Rendering")
    process.kill()
    ended(process)
    Path("config.toml").write_text(f"{Path('config.toml').read_text()}\n[limits]\nmin_free_mb = 1e12")

    said = zoetrope("animate", "photo.png", "another", "--json")
    facts = json.loads(said.out)
    assert (said.code, facts["id"]) == (5, None)
    assert facts["words"].startswith("There is no room left on the bot's disk, so nothing was started.")
    assert zoetrope("resume").code == 0
    assert (probed(Path("late.mp4")).seconds, charges()) == (1, 1)


# A machine that gives too little.


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (MemoryError(), "memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "memory"),
        (RuntimeError("can't start new thread"), "memory"),
        (OSError(errno.ENFILE, "Too many open files in system"), "files"),
    ],
)
def test_a_machine_that_gives_too_little_is_one_sentence(
    zoetrope: Call, monkeypatch: pytest.MonkeyPatch, trouble: Exception, words: str
) -> None:
    def breaks(**_: object) -> None:
        raise ValueError("about something else") from trouble

    monkeypatch.setattr("bot.cli.commands.app", breaks)
    said = zoetrope("jobs")
    assert (said.code, words in said.trouble) == (5, True)


def test_a_process_that_may_open_few_files_says_so() -> None:
    command = f"ulimit -n 16; exec {sys.executable} -m bot animate photo.png hello"
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    last = ran.stderr.splitlines()[-1]
    assert (ran.returncode, last.startswith("This process may not open as many files")) == (5, True)
    assert "Traceback" not in ran.stderr


def test_a_share_without_locks_is_one_sentence(zoetrope: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuses)
    said = zoetrope("resume")
    assert (said.code, "share that has no locks" in said.trouble) == (5, True)
    assert "No locks available" in zoetrope("doctor", "--json").out


def test_what_is_written_is_nobody_elses_to_read(zoetrope: Call, tmp_path: Path) -> None:
    assert zoetrope("animate", "photo.png", "hello", "--seconds", "2").code == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "photo.png"]
    assert any(path.suffix == ".mp4" for path in files)
    assert not [path for path in files if path.stat().st_mode & 0o077]
