"""What starting costs, and what an idle `zoetrope run` costs.

`python bench/startup.py`. Each start is a fresh process, rounds interleaved, medians. The idle bot is the real command
with the local provider, the command line's surface, and one chat of our own in which nobody talks; its database exists
already (a first start also loads Alembic).
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.toys import tables  # noqa: E402 - the repository is found first

ROUNDS, IDLE_SECONDS = 7, 5.0
STARTS = {
    "python itself": ["-c", "pass"],
    "import bot": ["-c", "import bot"],
    "import bot.app, the whole house": ["-c", "import bot.app"],
    "python -m bot --help": ["-m", "bot", "--help"],
    "python -m bot models": ["-m", "bot", "models"],
}
CONFIG = """data_dir = "data"
[chat.quiet]
adapter = "bench.toys.quiet"
"""


def started(arguments: list[str], folder: Path) -> float:
    """Return the milliseconds a fresh process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, env=_env(), check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def idle(folder: Path) -> tuple[float, float]:
    """Return MiB resident and % of a core of the idle command."""
    for last in (False, True):
        with subprocess.Popen(
            [sys.executable, "-m", "bot", "run"], cwd=folder, env=_env(), stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                _heard(process, "running: quiet")
                if last:
                    before = _cpu(process.pid)
                    time.sleep(IDLE_SECONDS)
                    return _resident(process.pid), (_cpu(process.pid) - before) / IDLE_SECONDS * 100
            finally:
                process.send_signal(signal.SIGKILL if last else signal.SIGTERM)
    raise AssertionError


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def _heard(process: subprocess.Popen[str], words: str) -> None:
    told = []
    for line in process.stderr or ():
        told.append(line)
        if words in line:
            return
    raise RuntimeError("".join(told))


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "config.toml").write_text(CONFIG)
        took: dict[str, list[float]] = {name: [] for name in STARTS}
        for _ in range(ROUNDS):
            for name, arguments in STARTS.items():
                took[name].append(started(arguments, folder))
        resident, cpu = idle(folder)
    figures = [tables.Figure(name, f"{statistics.median(times):.0f} ms") for name, times in took.items()]
    figures.append(tables.at_most("idle `zoetrope run`, memory", resident, 90, "MiB"))
    figures.append(tables.Figure("idle `zoetrope run`, CPU", f"{cpu:.2g} % of a core"))
    tables.show(f"starting and idling; medians of {ROUNDS}; {os.cpu_count()} cores", figures)


if __name__ == "__main__":
    main()
