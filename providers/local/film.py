"""Makes the whole video: pictures, a move and a size become one MP4."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import av

from providers.local import encode, frames
from providers.local.camera import Size, plan
from providers.local.frames import Canvas
from providers.local.moves import Move

_THREADS = 2  # Pillow lets go of the interpreter while it bends a plane
_AHEAD = 6  # frames drawn before the encoder asks
_DISSOLVE = (0.3, 0.85)  # from when to when, as parts of the film, the end picture appears


class BrokenPicture(Exception):
    """A picture cannot be decoded; the text names which."""


def make(
    into: Path,
    pictures: tuple[Path, Path | None],
    move: Move,
    *,
    size: Size,
    count: int,
    seed: int,
    each: Callable[[int], None],
) -> None:
    """Film `count` frames of a move over the first picture, dissolving to the second if there is one.

    `each` hears the number of frames done and may raise to stop. Raises `BrokenPicture`.
    """
    first_path, last_path = pictures
    cross = last_path is not None
    first = _prepare(first_path, "picture", move, (count, size, seed, cross))
    last = _prepare(last_path, "end picture", move, (count, size, seed, cross)) if last_path else None
    draw = make_drawer(first, last, size)
    encode.write(into, size, _draw_in_order(draw, count, each))


def make_drawer(first: Canvas, last: Canvas | None, size: Size) -> Callable[[int], frames.Planes]:
    """How one frame is drawn, by its index."""
    count = len(first.shot.views)

    def draw(index: int) -> frames.Planes:
        weight = _weigh(index / max(count - 1, 1)) if last else 0.0
        if last is None or weight == 0.0:
            return frames.draw(first, index, size)
        onto = frames.draw(last, index, size)
        return onto if weight == 1.0 else frames.mix(frames.draw(first, index, size), onto, weight)

    return draw


def _weigh(done: float) -> float:
    begin, end = _DISSOLVE
    part = min(max((done - begin) / (end - begin), 0.0), 1.0)
    return part * part * (3 - 2 * part)


def _prepare(path: Path, which: str, move: Move, how: tuple[int, Size, int, bool]) -> Canvas:
    count, size, seed, cross = how
    try:
        with frames.open_picture(path) as picture:
            shot = plan(move, frames=count, size=size, picture=picture.size, seed=seed, cross=cross)
            return frames.prepare(picture, shot)
    except MemoryError:
        raise
    except Exception as broken:  # decoders raise what they like
        raise BrokenPicture(which) from broken


def _draw_in_order(
    draw: Callable[[int], frames.Planes], count: int, each: Callable[[int], None]
) -> Iterator[av.VideoFrame]:
    """Draw ahead on a few threads and hand the frames out in order."""
    pool = ThreadPoolExecutor(_THREADS)
    waiting: deque[Future[frames.Planes]] = deque()
    try:
        for index in range(count):
            waiting.append(pool.submit(draw, index))
            if len(waiting) >= _AHEAD:
                yield _pack(waiting.popleft())
                each(index + 1 - len(waiting))
        while waiting:
            yield _pack(waiting.popleft())
            each(count - len(waiting))
    finally:
        pool.shutdown(cancel_futures=True)


def _pack(drawn: Future[frames.Planes]) -> av.VideoFrame:
    planes = drawn.result()
    return encode.pack(planes, planes[0].size)
