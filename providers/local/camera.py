"""Lays out a camera move: where each frame looks at the picture. Pixels are the business of `frames`.

Units: lengths are in output frames' shorter sides, angles in radians, x to the right and y down from the middle of the
picture. The picture is as large as it must be to cover the frame at zoom 1; what the frame's shape cuts off stays
reachable for the camera.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from providers.local.moves import Move, Speed

FPS = 24
Matrix = tuple[float, float, float, float, float, float, float, float, float]
Size = tuple[int, int]
Shape = tuple[float, float]

_STRENGTH = {Speed.SLOW: 0.55, Speed.NORMAL: 1.0, Speed.FAST: 1.6}
_CROSS_STRENGTH = 0.7  # the end picture should end nearly whole
_STRONGEST = 1.8
_ZOOM = math.log(1.3)
_TRAVEL = 0.18  # of the frame's side, in a pan or tilt
_ROLL = math.radians(10)
_YAW, _PITCH = math.radians(16), math.radians(3)
_SLIDE = 0.07  # of the shorter side, nearest against farthest point, in a parallax; more looks like rubber
_DRIFT = 0.08  # of the frame's width, all of the picture, in a parallax
_SWAY, _SWAY_ROLL = 0.0045, math.radians(0.25)  # of one component of the hand's tremble
_FOCAL = 1.6  # of the frame's longer side: a mild perspective
_DEEPEST = 2.4  # zoom; beyond it pixels show
_LONGEST_SIDE = 4096  # pixels; beyond it many players give up
_ABOVE = 0.45  # where a frame sits that cannot show the whole height: a little above the middle


class Lens(StrEnum):
    """The cheapest way to bend the picture that can show the move."""

    BOX = "box"  # an upright rectangle
    AFFINE = "affine"  # a turned rectangle
    PERSPECTIVE = "perspective"
    MESH = "mesh"  # near and far points move differently


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is in one frame."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    slide: float = 0.0  # how far the nearest point moves against the farthest


@dataclass(frozen=True, slots=True)
class View:
    """What a frame shows: the matrix takes the frame's unit square to that of `Shot.reach`; slide is in its widths."""

    matrix: Matrix
    slide: float


@dataclass(frozen=True, slots=True)
class Shot:
    lens: Lens
    views: tuple[View, ...]
    reach: tuple[float, float, float, float]  # left, top, right, bottom of what is ever seen, as parts of the picture
    canvas: Size  # pixels that `reach` should be prepared with, even


def choose_size(picture: Size, aspect: str, resolution: str) -> Size:
    """Size the video in even pixels: "720p" is its shorter side, "own" the picture's shape, else "16:9" and the like.

    Raises ValueError for words it does not know.
    """
    short = int(resolution.removesuffix("p"))
    across, down = picture if aspect == "own" else (int(part) for part in aspect.split(":"))
    if min(short, across, down) <= 0:
        raise ValueError(f"No video has the shape {aspect!r} at {resolution!r}.")
    long = short * max(across, down) / min(across, down)
    shrink = min(1.0, _LONGEST_SIDE / long)
    short_side, long_side = (2 * round(side * shrink / 2) for side in (short, long))
    return (long_side, short_side) if across >= down else (short_side, long_side)


def plan(move: Move, *, frames: int, size: Size, picture: Size, seed: int = 0, cross: bool = False) -> Shot:
    """Lay out every frame of a move so that the picture's edge is never seen."""
    short = min(size)
    frame = (size[0] / short, size[1] / short)
    plane, lift = _cover(frame, picture)
    strength = _STRENGTH[move.speed] * math.sqrt(frames / FPS / 5) * (_CROSS_STRENGTH if cross else 1.0)
    strength = min(strength, _STRONGEST)
    while True:
        poses = _lay_path(move, frames, strength, seed, frame=frame, spare=(plane[0] - frame[0], plane[1] - frame[1]))
        fit = _fit(poses, frame, plane, lift)
        deepest = fit * max(pose.zoom for pose in poses)
        if deepest <= _DEEPEST or strength < 0.1:
            break
        strength *= 0.85
    matrices = [_to_matrix(pose, fit, frame, lift) for pose in poses]
    return _cut_shot(_choose_lens(move), matrices, poses, fit, (plane, frame, short))


def _cover(frame: Shape, picture: Size) -> tuple[Shape, float]:
    """Measure the picture when it just covers the frame, and how far the frame sits off its middle."""
    ratio = picture[0] / picture[1]
    width, height = max(frame[0], frame[1] * ratio), max(frame[1], frame[0] / ratio)
    return (width, height), (height - frame[1]) * (_ABOVE - 0.5)


def _lay_path(move: Move, frames: int, strength: float, seed: int, *, frame: Shape, spare: Shape) -> list[Pose]:
    across = strength * (_TRAVEL * frame[0] + 0.4 * min(spare[0], frame[0]))
    down = strength * (_TRAVEL * frame[1] + 0.4 * min(spare[1], frame[1]))
    sway = _make_sway(move.hand, strength, seed)
    poses = []
    for index in range(frames):
        done = _ease(index / max(frames - 1, 1))
        aside = done - 0.5
        dx, dy, droll = sway(index / FPS)
        poses.append(
            Pose(
                zoom=math.exp(_ZOOM * strength * (done if move.zoom > 0 else 1 - done)) if move.zoom else 1.0,
                x=(move.pan * across + move.parallax * strength * _DRIFT * frame[0]) * aside + dx,
                y=move.tilt * down * aside + dy,
                roll=move.roll * _ROLL * strength * aside + droll,
                yaw=-move.orbit * _YAW * strength * aside,
                pitch=move.orbit * _PITCH * strength * aside,
                slide=move.parallax * 2 * _SLIDE * min(strength, 1.2) * aside,
            )
        )
    return poses


def _ease(part: float) -> float:
    """Start and end at rest."""
    return 0.5 - 0.5 * math.cos(math.pi * part)


def _make_sway(hand: int, strength: float, seed: int) -> Callable[[float], tuple[float, float, float]]:
    """Build the tremble of a hand: seconds -> (x, y, roll). Few slow waves: smooth, and the same for the same seed."""
    if not hand:
        return lambda _: (0.0, 0.0, 0.0)
    dice = Random(seed)  # noqa: S311 - a hand's tremble, not a secret
    size = (1.0 if hand == 1 else 2.2) * min(max(strength, 0.5), 1.3)
    pace = 1.0 if hand == 1 else 1.9
    waves = [
        [(pace * dice.uniform(low, 1.6 * low), dice.uniform(0, math.tau), 0.45 / low**0.7) for low in (0.2, 0.5, 1.1)]
        for _ in range(3)
    ]

    def at(seconds: float) -> tuple[float, float, float]:
        x, y, roll = (
            size * sum(height * math.sin(math.tau * hertz * seconds + phase) for hertz, phase, height in axis)
            for axis in waves
        )
        return _SWAY * x, _SWAY * y, _SWAY_ROLL * roll

    return at


def _choose_lens(move: Move) -> Lens:
    if move.parallax:
        return Lens.MESH
    if move.orbit:
        return Lens.PERSPECTIVE
    return Lens.AFFINE if move.roll or move.hand else Lens.BOX


def _to_matrix(pose: Pose, fit: float, frame: Shape, lift: float) -> Matrix:
    """Frame's unit square -> picture plane: unfold, zoom, roll, look along yaw and pitch, move."""
    zoom = pose.zoom * fit
    width, height = frame[0] / zoom, frame[1] / zoom
    unfold = (width, 0.0, -width / 2, 0.0, height, -height / 2, 0.0, 0.0, 1.0)
    cos, sin = math.cos(pose.roll), math.sin(pose.roll)
    roll = (cos, sin, 0.0, -sin, cos, 0.0, 0.0, 0.0, 1.0)
    shift = (1.0, 0.0, pose.x, 0.0, 1.0, pose.y + lift, 0.0, 0.0, 1.0)
    return _multiply(shift, _multiply(_turn(pose.yaw, pose.pitch, _FOCAL * max(frame)), _multiply(roll, unfold)))


def _turn(yaw: float, pitch: float, focal: float) -> Matrix:
    """Where the ray through (u, v) meets a plane turned about its own middle, in that plane's coordinates."""
    if not yaw and not pitch:
        return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    a = (math.cos(yaw), 0.0, math.sin(yaw))
    b = (-math.sin(yaw) * math.sin(pitch), math.cos(pitch), math.cos(yaw) * math.sin(pitch))
    n = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    rows = [[focal * (n[2] * axis[i] - axis[2] * n[i]) for i in range(3)] for axis in (a, b)] + [list(n)]
    return tuple(value for row in rows for value in (row[0], row[1], row[2] * focal))  # type: ignore[return-value]  # 3 x 3


def _multiply(m: Matrix, n: Matrix) -> Matrix:
    return tuple(  # type: ignore[return-value]  # 3 x 3
        m[r] * n[c] + m[r + 1] * n[c + 3] + m[r + 2] * n[c + 6] for r in (0, 3, 6) for c in (0, 1, 2)
    )


def apply(m: Matrix, s: float, t: float) -> tuple[float, float]:
    """Take a point through a projective matrix."""
    depth = m[6] * s + m[7] * t + m[8]
    return (m[0] * s + m[1] * t + m[2]) / depth, (m[3] * s + m[4] * t + m[5]) / depth


def _find_corners(m: Matrix) -> list[tuple[float, float]]:
    return [apply(m, s, t) for s, t in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))]


def _fit(poses: Sequence[Pose], frame: Shape, plane: Shape, lift: float) -> float:
    """Find the extra zoom that keeps every frame of the path inside the picture (1 when none is needed)."""
    fit = 1.0
    for _ in range(12):
        need = max(_measure_need(pose, fit, frame, plane, lift) for pose in poses)
        if need <= 1 + 1e-9:
            break
        fit *= need * (1 + 1e-9)
    return fit


def _measure_need(pose: Pose, fit: float, frame: Shape, plane: Shape, lift: float) -> float:
    """How many times too far the frame's corners reach, seen from where the camera looks."""
    need, x, y = 0.0, pose.x, pose.y + lift
    room_x = plane[0] / 2 - abs(pose.slide) / 2
    for corner_x, corner_y in _find_corners(_to_matrix(pose, fit, frame, lift)):
        need = max(need, (corner_x - x) / (room_x - x) if corner_x > x else (x - corner_x) / (room_x + x))
        room_y = plane[1] / 2
        need = max(need, (corner_y - y) / (room_y - y) if corner_y > y else (y - corner_y) / (room_y + y))
    return need


def _cut_shot(
    lens: Lens, matrices: Sequence[Matrix], poses: Sequence[Pose], fit: float, scale: tuple[Shape, Shape, int]
) -> Shot:
    """Cut the canvas down to what is ever seen and choose its sharpness."""
    plane, _, short = scale
    corners = [corner for matrix in matrices for corner in _find_corners(matrix)]
    spread = max(abs(pose.slide) for pose in poses) / 2
    left = max(min(x for x, _ in corners) - spread, -plane[0] / 2)
    right = min(max(x for x, _ in corners) + spread, plane[0] / 2)
    top, bottom = max(min(y for _, y in corners), -plane[1] / 2), min(max(y for _, y in corners), plane[1] / 2)
    width, height = right - left, bottom - top
    to_reach = (1 / width, 0.0, -left / width, 0.0, 1 / height, -top / height, 0.0, 0.0, 1.0)
    views = tuple(
        View(_multiply(to_reach, matrix), pose.slide / width) for matrix, pose in zip(matrices, poses, strict=True)
    )
    sharpness = _choose_sharpness(lens, fit * min(p.zoom for p in poses), fit * max(p.zoom for p in poses)) * short
    reach = (left / plane[0] + 0.5, top / plane[1] + 0.5, right / plane[0] + 0.5, bottom / plane[1] + 0.5)
    return Shot(lens, views, reach, (2 * round(width * sharpness / 2), 2 * round(height * sharpness / 2)))


def _choose_sharpness(lens: Lens, widest: float, deepest: float) -> float:
    """Canvas pixels per output pixel at zoom 1.

    Never let the ratio to the zoom come near 1: there each frame falls differently on the pixel grid, and the picture
    pulses. Bicubic averages over what it skips and is content with 1.15; bilinear reads four pixels and wants about 2.
    """
    if lens is Lens.BOX:
        return max(1.5, 1.15 * deepest)
    return 2 * math.sqrt(widest * deepest)
