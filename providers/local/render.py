"""Renders one job, in a child process: `python -m providers.local.render FOLDER`. Decoders load under its limits.

It starts with its folder's lock open and never closes it: the lock ends with the process.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from providers import atomic, sandbox
from providers.local import folders
from providers.local.camera import FPS
from providers.local.folders import Failure, Request

_MEMORY_BYTES = 1 << 30
_FILE_BYTES = 512 << 20
_EACH_FRAMES = 4  # between two words of progress


class _Cancelled(Exception):
    pass


def main() -> int:
    job = Path(sys.argv[1])
    request = folders.read_request(job)
    seconds, megapixels = request.frames / FPS, request.size[0] * request.size[1] / 1e6
    load = seconds * megapixels * (2 if request.cross else 1)
    sandbox.limit_process(
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=round(30 + 20 * load),
        wall_seconds=round(60 + 10 * load),
        file_bytes=_FILE_BYTES,
    )
    return _render(job, request)


def _render(job: Path, request: Request) -> int:
    from providers.local import film  # noqa: PLC0415 - decoders are loaded under the limits

    part = job / (folders.VIDEO + ".part")
    last = job / folders.LAST if request.cross else None
    try:
        film.make(
            part,
            (job / folders.FIRST, last),
            request.move,
            size=request.size,
            count=request.frames,
            seed=request.seed,
            each=_make_reporter(job, request.frames),
        )
    except film.BrokenPicture as broken:
        folders.write_failure(job, Failure(f"The {broken} cannot be decoded.", str(broken)))
    except MemoryError:
        folders.write_failure(job, Failure("Rendering needs more memory than it is allowed: choose a smaller size."))
    except _Cancelled:
        part.unlink(missing_ok=True)
    else:
        atomic.settle(part, job / folders.VIDEO)  # a power cut must not leave an empty video behind
    return 0


def _make_reporter(job: Path, count: int) -> Callable[[int], None]:
    progress, cancelled = job / folders.PROGRESS, job / folders.CANCELLED
    handle = os.open(progress, os.O_WRONLY | os.O_CREAT, 0o600)

    def each(done: int) -> None:
        if cancelled.exists():
            raise _Cancelled
        if done % _EACH_FRAMES == 0:
            os.pwrite(handle, f"{done / count:.4f}".encode(), 0)  # always six bytes: never seen half-written

    return each


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to tidy; the encoder's threads need not be waited for
