"""What is filmed, checked by looking at frames: before the encoder, and decoded from the MP4."""

import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import av
import pytest
from PIL import Image

from providers.contract import Picture
from providers.local import camera, film, frames, moves
from providers.local.camera import Lens, Matrix, Shot, View

MOVES = [
    "zoom in", "zoom out", "pan left", "pan right", "tilt up", "tilt down", "rotate", "orbit left", "orbit right",
    "handheld", "shake", "parallax", "still camera", "fast zoom in while panning left and up",
    "fast rotate, zoom out, shaky", "fast orbit with parallax, pan right, tilt down, zoom in, shaky",
]  # fmt: skip
SIZE = (640, 360)
DOTS = [(x, y) for x in (0.38, 0.46, 0.54, 0.62) for y in (0.38, 0.5, 0.62)]  # parts of the picture


def dots_picture(size: tuple[int, int] = (1920, 1080), sigma: float = 6.0) -> bytes:
    """White Gaussian dots on black."""
    picture = Image.new("L", size)
    for x, y in DOTS:
        left, top = int(x * size[0]) - 30, int(y * size[1]) - 30
        values = [
            round(255 * math.exp(-((left + i + 0.5 - x * size[0]) ** 2 + (top + j + 0.5 - y * size[1]) ** 2)
                                 / (2 * sigma**2)))
            for j in range(60) for i in range(60)
        ]  # fmt: skip
        picture.paste(Image.frombytes("L", (60, 60), bytes(values)), (left, top))
    into = io.BytesIO()
    picture.save(into, "PNG")
    return into.getvalue()


def shot_of(words: str, *, count: int, size: tuple[int, int], picture: tuple[int, int], seed: int = 3) -> Shot:
    return camera.plan(moves.read(words), frames=count, size=size, picture=picture, seed=seed)


def canvas_of(data: bytes, shot: Shot) -> frames.Canvas:
    with Image.open(io.BytesIO(data)) as picture:
        return frames.prepare(picture, shot)


def make(into: Path, first: Path, words: str, count: int = 48, last: Path | None = None) -> None:
    film.make(into, (first, last), moves.read(words), size=SIZE, count=count, seed=3, each=lambda _: None)


def luma(path: Path) -> Iterator[Image.Image]:
    with av.open(str(path), format="mp4") as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            yield Image.frombytes("L", (frame.width, frame.height), bytes(plane), "raw", "L", plane.line_size, 1)


def seen_at(view: View, reach: Sequence[float], point: tuple[float, float]) -> tuple[float, float]:
    """Where in the frame (0..1) a point of the picture (0..1) appears: the view's matrix, turned round."""
    left, top, right, bottom = reach
    p, q = (point[0] - left) / (right - left), (point[1] - top) / (bottom - top)
    a, b, c, d, e, f, g, h, i = view.matrix
    inverse: Matrix = (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip
    return camera.apply(inverse, p, q)


def centroid(plane: Image.Image, near: tuple[float, float], radius: int = 10) -> tuple[float, float]:
    left, top = round(near[0]) - radius, round(near[1]) - radius
    side = 2 * radius + 1
    values = [value - 16 for value in plane.crop((left, top, left + side, top + side)).tobytes()]
    total = sum(values)
    x = sum(value * (index % side) for index, value in enumerate(values)) / total
    y = sum(value * (index // side) for index, value in enumerate(values)) / total
    return left + x + 0.5, top + y + 0.5


def jitter(planes: Sequence[Image.Image], shot: Shot) -> float:
    """Root mean square distance, in pixels, of the dots from where the path says they are."""
    squares = []
    for plane, view in zip(planes, shot.views, strict=True):
        for dot in DOTS:
            s, t = seen_at(view, shot.reach, dot)
            expected = (s * plane.width, t * plane.height)
            found = centroid(plane, expected)
            squares += [(a - b) ** 2 for a, b in zip(found, expected, strict=True)]
    return math.sqrt(sum(squares) / len(squares))


@pytest.mark.parametrize("words", ["slow zoom in", "slow pan left", "rotate", "handheld", "orbit right"])
def test_every_dot_is_where_the_path_says_to_a_fiftieth_of_a_pixel(words: str, tmp_path: Path) -> None:
    source = tmp_path / "dots.png"
    source.write_bytes(dots_picture())
    shot = shot_of(words, count=36, size=SIZE, picture=(1920, 1080))
    canvas = canvas_of(source.read_bytes(), shot)
    drawn = [frames.draw(canvas, index, SIZE)[0] for index in range(36)]
    assert jitter(drawn, shot) <= 0.02
    make(tmp_path / "out.mp4", source, words, 36)
    assert jitter(list(luma(tmp_path / "out.mp4")), shot) <= 0.1


def test_parallax_moves_near_points_more_and_every_point_smoothly() -> None:
    shot = shot_of("parallax right", count=36, size=SIZE, picture=(1920, 1080))
    canvas = canvas_of(dots_picture(), shot)
    drawn = [frames.draw(canvas, index, SIZE)[0] for index in range(36)]
    done = [0.5 - 0.5 * math.cos(math.pi * index / 35) for index in range(36)]
    travels = {}
    for dot in DOTS:
        path, (s, t) = [], seen_at(shot.views[0], shot.reach, dot)
        at = (s * SIZE[0], t * SIZE[1])
        for plane in drawn:
            at = centroid(plane, at)
            path.append(at[0])
        travels[dot] = path[-1] - path[0]
        straight = [path[0] + travels[dot] * part for part in done]
        assert max(abs(a - b) for a, b in zip(path, straight, strict=True)) <= 0.25
    assert all(travel < 0 for travel in travels.values())  # the camera goes right
    assert abs(travels[0.46, 0.62]) > abs(travels[0.46, 0.38]) + 1


@pytest.mark.parametrize("words", MOVES)
@pytest.mark.parametrize(
    ("picture_size", "size"), [((640, 400), (320, 180)), ((300, 600), (240, 180)), ((600, 200), (102, 180))]
)
def test_no_move_ever_shows_the_edge(words: str, picture_size: tuple[int, int], size: tuple[int, int]) -> None:
    shot = shot_of(words, count=7, size=size, picture=picture_size)
    white = io.BytesIO()
    Image.new("RGB", picture_size, "white").save(white, "PNG")
    canvas = canvas_of(white.getvalue(), shot)
    for index in range(7):
        y, u, v = frames.draw(canvas, index, size)
        assert y.size == size
        assert y.getextrema() == (235, 235)
        assert u.getextrema() == v.getextrema() == (128, 128)


@pytest.mark.parametrize("words", ["zoom in", "orbit left", "handheld", "parallax"])
def test_a_film_has_the_asked_size_and_count_and_plays_at_once(words: str, picture_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    make(out, picture_file, words)
    with av.open(str(out), format="mp4") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", *SIZE)
        assert (context.color_range, context.colorspace, context.color_trc, context.color_primaries) == (1, 1, 1, 1)
        assert stream.average_rate == 24
        assert not {"comment", "title", "encoder"} & container.metadata.keys()
        assert sum(1 for _ in container.decode(video=0)) == 48
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_what_a_zoom_shows_first_and_last_is_the_picture_and_its_middle(picture_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    make(out, picture_file, "zoom in", 120)
    shown = list(luma(out))
    with Image.open(picture_file) as whole:
        cut = whole.convert("L").crop((0, 18, 640, 378)).resize(SIZE)  # 16:9, a little above the middle
    middle = cut.crop((74, 42, 566, 318)).resize(SIZE)
    for frame, expected in ((shown[0], cut), (shown[-1], middle)):
        assert difference(frame, expected) < 4
    assert difference(shown[0], middle) > 8


def test_a_cross_move_starts_on_the_one_and_ends_on_the_other_picture(
    picture_file: Path, other: Picture, tmp_path: Path
) -> None:
    last = tmp_path / "last.jpg"
    last.write_bytes(other.data)

    def filmed(first: Path, end: Path | None, move: moves.Move) -> list[Image.Image]:
        film.make(tmp_path / "out", (first, end), move, size=SIZE, count=24, seed=0, each=lambda _: None)
        return list(luma(tmp_path / "out"))

    crossed = filmed(picture_file, last, moves.Move())
    one, two = filmed(picture_file, None, moves.Move()), filmed(last, None, moves.Move())
    assert difference(crossed[0], one[0]) < 1
    assert difference(crossed[-1], two[-1]) < 1
    away = [difference(frame, two[-1]) for frame in crossed]
    assert max(a - b for a, b in pairwise(away)) < away[0] / 5  # no jump
    assert difference(filmed(picture_file, last, moves.Move(zoom=-1))[-1], two[-1]) < 1  # all of the end picture


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean difference of brightness, whatever range each is in."""
    one, two = a.resize((64, 36)).tobytes(), b.resize((64, 36)).tobytes()
    mean_one, mean_two = sum(one) / len(one), sum(two) / len(two)
    return sum(abs((x - mean_one) - (y - mean_two)) for x, y in zip(one, two, strict=True)) / len(one)


def test_the_same_request_makes_the_same_file_and_another_seed_another_path(picture_file: Path, tmp_path: Path) -> None:
    def made(seed: int, name: str) -> str:
        out = tmp_path / name
        move = moves.read("handheld")
        film.make(out, (picture_file, None), move, size=(160, 90), count=12, seed=seed, each=lambda _: None)
        return hashlib.sha256(out.read_bytes()).hexdigest()

    assert made(1, "a") == made(1, "b") != made(2, "c")


def test_colours_come_out_as_they_went_in(tmp_path: Path) -> None:
    source, out = tmp_path / "red.png", tmp_path / "out.mp4"
    Image.new("RGB", (320, 180), (200, 60, 40)).save(source)
    film.make(out, (source, None), moves.Move(), size=(320, 180), count=3, seed=0, each=lambda _: None)
    with av.open(str(out), format="mp4") as container:
        frame = next(container.decode(video=0))
        shown = frame.reformat(format="rgb24", src_colorspace="ITU709").planes[0]
        pixel = bytes(shown)[:3]
    assert all(abs(a - b) <= 3 for a, b in zip(pixel, (200, 60, 40), strict=True))


@pytest.mark.parametrize(
    ("words", "axis", "sign"),
    [
        ("pan left", 0, 1),  # the camera goes left, so what it sees goes right
        ("pan right", 0, -1),
        ("tilt up", 1, 1),
        ("tilt down", 1, -1),
        ("parallax left", 0, 1),
        ("parallax right", 0, -1),
    ],
)
def test_the_middle_of_the_picture_goes_where_the_words_say(words: str, axis: int, sign: int) -> None:
    shot = shot_of(words, count=24, size=SIZE, picture=(1920, 1080))
    first, last = (seen_at(view, shot.reach, (0.5, 0.5)) for view in (shot.views[0], shot.views[-1]))
    assert (last[axis] - first[axis]) * sign > 0.03
    assert last[1 - axis] == pytest.approx(first[1 - axis])


def sides(shot: Shot, index: int) -> tuple[float, float, float]:
    """How tall the left and the right of the picture appear, and how much lower the right is."""
    left_top, left_low, right_top, right_low = (
        seen_at(shot.views[index], shot.reach, point) for point in ((0.3, 0.3), (0.3, 0.7), (0.7, 0.3), (0.7, 0.7))
    )
    return left_low[1] - left_top[1], right_low[1] - right_top[1], right_top[1] - left_top[1]


def test_an_orbit_to_the_right_brings_the_right_side_nearer() -> None:
    shot = shot_of("orbit right", count=24, size=SIZE, picture=(1920, 1080))
    (left, right, _), (left_after, right_after, _) = sides(shot, 0), sides(shot, -1)
    assert right < left
    assert right_after > left_after


def test_a_clockwise_rotation_lowers_the_right_side_and_a_zoom_enlarges_both() -> None:
    turned = shot_of("rotate clockwise", count=24, size=SIZE, picture=(1920, 1080))
    assert sides(turned, 0)[2] < -0.02 < 0.02 < sides(turned, -1)[2]
    zoomed = shot_of("zoom in", count=24, size=SIZE, picture=(1920, 1080))
    assert sides(zoomed, -1)[0] > 1.1 * sides(zoomed, 0)[0]


def test_a_portrait_of_a_landscape_pans_over_what_its_shape_cuts_off() -> None:
    shot = shot_of("pan right", count=120, size=(360, 640), picture=(1920, 1080))
    middles = [camera.apply(view.matrix, 0.5, 0.5)[0] for view in (shot.views[0], shot.views[-1])]
    seen = (middles[1] - middles[0]) * (shot.reach[2] - shot.reach[0])
    assert seen > 0.15  # of the whole picture
    height = shot.views[0].matrix[4] * (shot.reach[3] - shot.reach[1])
    assert height == pytest.approx(1.0)  # with no zoom to pay for it


@pytest.mark.parametrize("words", MOVES)
def test_the_canvas_is_never_nearly_as_fine_as_the_frame(words: str) -> None:
    """Near one canvas pixel per frame pixel the picture pulses."""
    shot = shot_of(words, count=48, size=(1280, 720), picture=(4000, 3000))
    finest = min(
        math.dist(camera.apply(view.matrix, 0.5, 0.5), camera.apply(view.matrix, 0.5 + 1 / 1280, 0.5)) * shot.canvas[0]
        for view in shot.views
    )
    assert finest >= (1.14 if shot.lens is Lens.BOX else 1.4)


@pytest.mark.parametrize(
    ("picture_size", "aspect", "resolution", "size"),
    [
        ((4032, 3024), "own", "720p", (960, 720)),
        ((3024, 4032), "own", "720p", (720, 960)),
        ((4032, 3024), "16:9", "720p", (1280, 720)),
        ((4032, 3024), "9:16", "720p", (720, 1280)),
        ((4032, 3024), "16:9", "480p", (854, 480)),
        ((4032, 3024), "1:1", "1080p", (1080, 1080)),
        ((4032, 3024), "4:3", "480p", (640, 480)),
        ((4608, 1976), "own", "720p", (1680, 720)),
        ((4000, 1000), "own", "1080p", (4096, 1024)),
    ],
)
def test_the_shorter_side_is_what_the_resolution_says(
    picture_size: tuple[int, int], aspect: str, resolution: str, size: tuple[int, int]
) -> None:
    assert camera.choose_size(picture_size, aspect, resolution) == size


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut short", dots_picture()[:900]])
def test_a_broken_picture_is_named(data: bytes, picture_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(data)
    with pytest.raises(film.BrokenPicture, match="end picture"):
        make(tmp_path / "out.mp4", picture_file, "zoom in", 5, last=broken)
