"""Intake of other people's pictures: from any bytes to one clean JPEG. Decoding happens in a sandbox, never here."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from bot.media.sandbox import process
from providers.contract import Picture


class Problem(StrEnum):
    """Why a picture is not taken, with the facts that come along."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"  # size, limit: bytes
    UNSUPPORTED = "unsupported"  # found: "pdf", "svg", "video", "unknown", ...
    CORRUPT = "corrupt"  # found: "jpeg", ...
    TOO_MANY_PIXELS = "too_many_pixels"  # width, height, limit: pixels
    TOO_SMALL = "too_small"  # width, height, limit: pixels of the shorter side
    ABSURD_SHAPE = "absurd_shape"  # width, height, limit: longer / shorter side, limit_side: pixels
    TOO_HARD = "too_hard"  # why: "scans" (with limit), "cpu", "memory", "time", "answer", "crash"


class BadPicture(Exception):
    """The picture can't be used; `text.sentences` makes the sentence from `problem` and `facts`."""

    def __init__(self, problem: Problem, **facts: int | str) -> None:
        super().__init__(f"{problem} {facts}")
        self.problem = problem
        self.facts: dict[str, int | str] = facts


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken, what comes out, and what a sandbox may use. All but the first are checked inside it."""

    max_bytes: int = 20 * 2**20
    max_pixels: int = 64_000_000
    max_side: int = 20_000  # pixels
    min_side: int = 64  # pixels
    max_ratio: int = 10  # longer side / shorter side
    max_scans: int = 64  # of a progressive JPEG; each costs a pass over all pixels
    longest: int = 2048  # pixels of the longer side of what comes out
    quality: int = 92  # of the JPEG
    memory_bytes: int = 2**30
    cpu_seconds: int = 10
    wall_seconds: int = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """A clean picture, and machine words for what was done to it: "first_frame", "flattened"."""

    picture: Picture
    notes: tuple[str, ...]


_STANDARD = Limits()
_ANSWER_BYTES = 32 * 2**20
_FILE_BYTES = 2**20  # the interpreter may cache its bytecode; nothing else is written


async def normalise(data: bytes, limits: Limits = _STANDARD, slots: process.Slots | None = None) -> Looked:
    """Return the picture as an upright sRGB JPEG without any metadata, its longer side at most `limits.longest`.

    Raises `BadPicture`. `slots` bounds how many sandboxes run at once; by default all calls on this loop share one.
    """
    if not data:
        raise BadPicture(Problem.EMPTY)
    if len(data) > limits.max_bytes:
        raise BadPicture(Problem.TOO_LARGE, size=len(data), limit=limits.max_bytes)
    allowed = process.Limits(limits.memory_bytes, limits.cpu_seconds, limits.wall_seconds, _FILE_BYTES)
    answer = await process.run("picture", asdict(limits), allowed, data=data, answer_bytes=_ANSWER_BYTES, slots=slots)
    if answer.problem is not None:
        raise BadPicture(Problem(answer.problem), **answer.facts)
    picture = Picture(answer.body, "image/jpeg", int(answer.facts["width"]), int(answer.facts["height"]))
    return Looked(picture, tuple(answer.facts["notes"]))
