"""Draws the frames of a shot from its picture, as Y, U and V planes.

Each plane is bent on its own: half the bytes of RGB, and no colour conversion per frame.
"""

from dataclasses import dataclass, field
from pathlib import Path

import av
from PIL import Image, ImageFilter

from providers.local.camera import Lens, Shot, Size, View, apply

Planes = tuple[Image.Image, Image.Image, Image.Image]
Edges = tuple[list[int], list[int]]
FORMATS = ("JPEG", "PNG", "WEBP")
_CELLS = (32, 18)  # of the parallax mesh
_DEPTH = (64, 36)


@dataclass(frozen=True)
class Canvas:
    """What a shot ever sees of a picture, prepared once."""

    shot: Shot
    planes: Planes
    depth: list[list[float]] = field(default_factory=list, repr=False)  # 0 far .. 1 near; only for a mesh


def open_picture(path: Path) -> Image.Image:
    """Open a picture without decoding it; the caller closes it. Raises OSError when it is none."""
    return Image.open(path, formats=FORMATS)


def prepare(picture: Image.Image, shot: Shot) -> Canvas:
    """Decode an opened picture, once, at the size the shot needs. Decoders raise what they like on broken ones."""
    left, top, right, bottom = shot.reach
    enough = (round(shot.canvas[0] / (right - left)), round(shot.canvas[1] / (bottom - top)))
    picture.draft("RGB", enough)  # a JPEG may be decoded at a half or a quarter, never below `enough`
    width, height = picture.size
    box = (left * width, top * height, min(right * width, width), min(bottom * height, height))
    rgb = picture.convert("RGB").resize(shot.canvas, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    planes = _to_planes(rgb)
    return Canvas(shot, planes, _guess_depth(planes[0]) if shot.lens is Lens.MESH else [])


def draw(canvas: Canvas, index: int, size: Size) -> Planes:
    """Draw one frame of the shot."""
    view = canvas.shot.views[index]
    half = (size[0] // 2, size[1] // 2)
    match canvas.shot.lens:
        case Lens.BOX:
            return _cut_boxes(canvas, view, size, half)
        case Lens.MESH:
            return _bend_mesh(canvas, view, half)
    y, u, v = canvas.planes
    bend = _bend_affine if canvas.shot.lens is Lens.AFFINE else _bend_perspective
    return bend(y, view, size), bend(u, view, half), bend(v, view, half)


def mix(first: Planes, last: Planes, weight: float) -> Planes:
    """Lay one frame over another: weight 0 shows the first alone, 1 the last."""
    y, u, v = (Image.blend(a, b, weight) for a, b in zip(first, last, strict=True))
    return y, u, v


def _to_planes(rgb: Image.Image) -> Planes:
    """Convert to BT.709 limited range, colour at half size."""
    frame = av.VideoFrame.from_image(rgb).reformat(  # type: ignore[no-untyped-call]  # PyAV leaves this one untyped
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="BICUBIC"
    )
    y, u, v = (
        Image.frombytes("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in frame.planes
    )
    return y, u, v


def _cut_boxes(canvas: Canvas, view: View, size: Size, half: Size) -> Planes:
    """Colour is content with the cheaper filter; both average over all they cover, so nothing shimmers."""
    y, u, v = canvas.planes
    fine, cheap = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
    return _cut_box(y, view, size, fine), _cut_box(u, view, half, cheap), _cut_box(v, view, half, cheap)


def _cut_box(plane: Image.Image, view: View, size: Size, how: Image.Resampling) -> Image.Image:
    m, (width, height) = view.matrix, plane.size
    left, top = max(m[2] * width, 0.0), max(m[5] * height, 0.0)
    box = (left, top, min((m[2] + m[0]) * width, width), min((m[5] + m[4]) * height, height))
    return plane.resize(size, how, box=box)


def _bend_affine(plane: Image.Image, view: View, size: Size) -> Image.Image:
    data = _to_pixels(view, plane.size, size)[:6]
    return plane.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def _bend_perspective(plane: Image.Image, view: View, size: Size) -> Image.Image:
    data = _to_pixels(view, plane.size, size)
    return plane.transform(size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)


def _to_pixels(view: View, canvas: Size, size: Size) -> tuple[float, ...]:
    """Eight numbers as Pillow wants them: frame's pixels -> plane's pixels, the ninth being 1."""
    m = view.matrix
    (across, down), (width, height) = canvas, size
    rows = (
        (m[0] * across / width, m[1] * across / height, m[2] * across),
        (m[3] * down / width, m[4] * down / height, m[5] * down),
        (m[6] / width, m[7] / height),
    )
    return tuple(value / m[8] for row in rows for value in row)


def _lay_grid(canvas: Canvas, view: View, edges: Edges, half: Size) -> list[list[tuple[float, float]]]:
    """Where the corners of the mesh look: near points slide against far ones. In parts of the canvas."""
    grid = []
    for y in edges[1]:
        points = (apply(view.matrix, x / half[0], y / half[1]) for x in edges[0])
        grid.append([(p + view.slide * (_read_depth(canvas.depth, p, q) - 0.5), q) for p, q in points])
    return grid


def _bend_mesh(canvas: Canvas, view: View, half: Size) -> Planes:
    """Bend cell by cell. Neighbours share corners, so no seams; cells end on even pixels, so colour fits brightness."""
    columns, rows = _CELLS
    edges = ([half[0] * i // columns for i in range(columns + 1)], [half[1] * i // rows for i in range(rows + 1)])
    grid = _lay_grid(canvas, view, edges, half)

    def bend(plane: Image.Image, times: int) -> Image.Image:
        width, height = plane.size
        scaled = [[(p * width, q * height) for p, q in line] for line in grid]
        xs, ys = ([times * edge for edge in axis] for axis in edges)
        cells = [
            (
                (xs[i], ys[j], xs[i + 1], ys[j + 1]),
                (*scaled[j][i], *scaled[j + 1][i], *scaled[j + 1][i + 1], *scaled[j][i + 1]),
            )
            for j in range(rows)
            for i in range(columns)
        ]
        return plane.transform(
            (half[0] * times, half[1] * times), Image.Transform.MESH, cells, Image.Resampling.BILINEAR
        )

    y, u, v = canvas.planes
    return bend(y, 2), bend(u, 1), bend(v, 1)


def _read_depth(depth: list[list[float]], p: float, q: float) -> float:
    """Look up how near a point of the canvas is, between the samples."""
    x = min(max(p, 0.0), 1.0) * (_DEPTH[0] - 1)
    y = min(max(q, 0.0), 1.0) * (_DEPTH[1] - 1)
    column, row = min(int(x), _DEPTH[0] - 2), min(int(y), _DEPTH[1] - 2)
    x, y = x - column, y - row
    above, below = depth[row], depth[row + 1]
    upper = above[column] * (1 - x) + above[column + 1] * x
    return upper * (1 - y) + (below[column] * (1 - x) + below[column + 1] * x) * y


def _guess_depth(luma: Image.Image) -> list[list[float]]:
    """Guess depth without a model: what is low is near, and so is what is detailed and in the middle."""
    columns, rows = _DEPTH
    edges = luma.resize((4 * columns, 4 * rows), Image.Resampling.BOX).filter(ImageFilter.FIND_EDGES)
    edges = edges.filter(ImageFilter.GaussianBlur(14)).resize(_DEPTH, Image.Resampling.BOX)
    busy = edges.tobytes()
    most = max(*busy, 1)
    return [
        [
            0.55 * row / (rows - 1)
            + 0.45 * busy[row * columns + column] / most * (1 - abs(2 * column / (columns - 1) - 1) ** 2)
            for column in range(columns)
        ]
        for row in range(rows)
    ]
