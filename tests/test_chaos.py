"""The crash walk with real processes, in small: `bench/chaos.py` does it for longer. The enumeration is the proof."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SEED = 7


def test_three_workers_that_are_killed_and_frozen_charge_once_post_once_and_lose_nothing() -> None:
    command = [sys.executable, str(ROOT / "bench" / "chaos.py"), "--seconds", "8", "--jobs", "200"]
    walk = subprocess.run([*command, "--seed", str(SEED)], capture_output=True, text=True, timeout=420, check=False)
    told = f"seed {SEED}\n{walk.stdout}\n{walk.stderr}"
    print(told)  # noqa: T201 - the seed and the table, for whoever looks

    assert walk.returncode == 0, told
    assert walk.stdout.endswith(f"Seed {SEED}: all 0\n"), told
    assert blows("kills", walk.stdout) >= 10, told
    assert blows("stops", walk.stdout) >= 2, told


def blows(kind: str, told: str) -> int:
    """Return how many kills or stops there were in all."""
    return sum(int(number) for number in re.findall(rf"(?:aimed )?{kind} (\d+)", told))
