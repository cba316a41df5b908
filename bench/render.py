"""How fast and how smooth the local renderer is: 5 s, 24 fps, 720p, zoom 1 -> 1.3 from a 12 MP photo.

`python bench/render.py [PHOTO]`; without a photo it makes one from docs/sample.jpg. Every figure comes from the same
run, each render from a fresh process, rounds interleaved, medians. The limit is the encoder alone, its frames drawn
before. Jitter: how far dots stray from a smooth zoom, whatever its speed and place.
"""

import argparse
import io
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random

import av
from av.filter import Graph
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from providers.local import camera, encode, film, frames, moves

SIZE, COUNT, ROUNDS = (1280, 720), 120, 5
ZOOM_IN, SLOW_ZOOM_IN = moves.Move(zoom=1), moves.Move(zoom=1, speed=moves.Speed.SLOW)
CANVAS = (1920, 1080)
DOTS = [(x, y) for x in (0.38, 0.46, 0.54, 0.62) for y in (0.38, 0.46, 0.54, 0.62)]


def shot_of(photo: Path, move: moves.Move) -> camera.Shot:
    with frames.open_picture(photo) as picture:
        return camera.plan(move, frames=COUNT, size=SIZE, picture=picture.size)


def drawn(photo: Path, move: moves.Move) -> Iterator[frames.Planes]:
    shot = shot_of(photo, move)
    with frames.open_picture(photo) as picture:
        canvas = frames.prepare(picture, shot)
    return (frames.draw(canvas, index, SIZE) for index in range(COUNT))


def zoompan(photo: Path, deepest: float) -> Iterator[av.VideoFrame]:
    """FFmpeg's own zoom, on a canvas of the same size as ours, along the same path."""
    with frames.open_picture(photo) as picture:
        picture.draft("RGB", CANVAS)
        height = round(picture.width * 9 / 16)
        top = (picture.height - height) // 2
        rgb = picture.convert("RGB").crop((0, top, picture.width, top + height)).resize(CANVAS, reducing_gap=2.0)
    still = av.VideoFrame.from_image(rgb).reformat(  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    still.pts, still.time_base = 0, Fraction(1, camera.FPS)
    zoom = f"exp({math.log(deepest)}*(0.5-0.5*cos(PI*on/{COUNT - 1})))"
    graph = Graph()
    source = graph.add_buffer(width=CANVAS[0], height=CANVAS[1], format=still.format, time_base=still.time_base)
    wanted = f"z={zoom}:x=iw/2-iw/zoom/2:y=ih/2-ih/zoom/2:d={COUNT}:s={SIZE[0]}x{SIZE[1]}:fps={camera.FPS}"
    pan, sink = graph.add("zoompan", wanted), graph.add("buffersink")
    source.link_to(pan)
    pan.link_to(sink)
    graph.configure()
    graph.push(still)
    for _ in range(COUNT):
        frame = graph.pull()
        assert isinstance(frame, av.VideoFrame)  # noqa: S101 - a picture went in
        yield frame


def run_one(name: str, photo: Path, out: Path) -> None:
    """Render once in this fresh process and print what it took."""
    ready = [encode.pack(planes, SIZE) for planes in drawn(photo, ZOOM_IN)] if name == "limit" else []
    began, cpu = time.perf_counter(), time.process_time()
    if name == "limit":
        encode.write(out, SIZE, ready)
    elif name == "zoompan":
        encode.write(out, SIZE, zoompan(photo, 1.3))
    else:
        film.make(out, (photo, None), ZOOM_IN, size=SIZE, count=COUNT, seed=0, each=lambda _: None)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "rss": rss, "bytes": out.stat().st_size}))


def measured(photo: Path, folder: Path) -> dict[str, dict[str, float]]:
    rounds: dict[str, list[dict[str, float]]] = {"limit": [], "ours": [], "zoompan": []}
    for _ in range(ROUNDS):
        for name, results in rounds.items():
            command = [sys.executable, __file__, str(photo), "--one", name, "--out", str(folder / "one.mp4")]
            results.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return {
        name: {key: statistics.median(result[key] for result in results) for key in results[0]}
        for name, results in rounds.items()
    }


def dots(path: Path) -> None:
    """Draw white Gaussian dots, 1920 x 1080, to be followed from frame to frame."""
    picture, sigma = Image.new("L", CANVAS), 4.5
    for x, y in DOTS:
        left, top = int(x * CANVAS[0]) - 24, int(y * CANVAS[1]) - 24
        away = [(left + i % 48 + 0.5 - x * CANVAS[0]) ** 2 + (top + i // 48 + 0.5 - y * CANVAS[1]) ** 2
                for i in range(48 * 48)]  # fmt: skip
        values = bytes(round(255 * math.exp(-square / (2 * sigma**2))) for square in away)
        picture.paste(Image.frombytes("L", (48, 48), values), (left, top))
    picture.save(path, "PNG")


def shot_depth(picture: Path) -> float:
    """Read off our own slow zoom how deep it goes."""
    return 1 / shot_of(picture, SLOW_ZOOM_IN).views[-1].matrix[0]


def luma(frame: av.VideoFrame) -> Image.Image:
    plane = frame.planes[0]
    return Image.frombytes("L", (frame.width, frame.height), bytes(plane), "raw", "L", plane.line_size, 1)


def jitter(planes: Sequence[Image.Image], deepest: float) -> float:
    """Rms distance in pixels of each dot from the straight line it draws as the zoom eases in."""
    zooms = [math.exp(math.log(deepest) * (0.5 - 0.5 * math.cos(math.pi * i / (COUNT - 1)))) for i in range(COUNT)]
    strays: list[float] = []
    for dot in DOTS:
        path = []
        for plane, zoom in zip(planes, zooms, strict=True):
            near = [((part - 0.5) * zoom + 0.5) * side for part, side in zip(dot, SIZE, strict=True)]
            path.append(centroid(plane, near))
        for axis in (0, 1):
            along = [point[axis] for point in path]
            slope, start = statistics.linear_regression(zooms, along)
            strays += [(value - start - slope * zoom) ** 2 for value, zoom in zip(along, zooms, strict=True)]
    return math.sqrt(statistics.fmean(strays))


def centroid(plane: Image.Image, near: Sequence[float], radius: int = 13) -> tuple[float, float]:
    left, top, side = round(near[0]) - radius, round(near[1]) - radius, 2 * radius + 1
    values = [value - 16 for value in plane.crop((left, top, left + side, top + side)).tobytes()]
    total = sum(values)
    x = sum(value * (index % side) for index, value in enumerate(values)) / total
    y = sum(value * (index // side) for index, value in enumerate(values)) / total
    return left + x + 0.5, top + y + 0.5


def smoothness(folder: Path) -> dict[str, tuple[float, float]]:
    """Jitter before the encoder and decoded from the MP4, of a slow zoom over dots."""
    picture = folder / "dots.png"
    dots(picture)
    deepest = shot_depth(picture)

    def both(shown: list[av.VideoFrame]) -> tuple[float, float]:
        before = [luma(frame) for frame in shown]
        encode.write(folder / "dots.mp4", SIZE, shown)
        with av.open(str(folder / "dots.mp4"), format="mp4") as container:
            decoded = [luma(frame) for frame in container.decode(video=0)]
        return jitter(before, deepest), jitter(decoded, deepest)

    return {
        "ours": both([encode.pack(planes, SIZE) for planes in drawn(picture, SLOW_ZOOM_IN)]),
        "zoompan": both(list(zoompan(picture, deepest))),
    }


def twelve_megapixels(path: Path) -> None:
    """Enlarge our own sample and add grain, as a phone would."""
    with Image.open(Path(__file__).parents[1] / "docs" / "sample.jpg") as sample:
        large = sample.convert("RGB").resize((4032, 3024), Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", large.size, Random(1).randbytes(large.width * large.height)).convert("RGB")
    into = io.BytesIO()
    Image.blend(large, grain, 0.04).save(into, "JPEG", quality=92)
    path.write_bytes(into.getvalue())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("photo", nargs="?", type=Path)
    words.add_argument("--one", choices=["limit", "ours", "zoompan"], help=argparse.SUPPRESS)
    words.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    asked = words.parse_args()
    if asked.one:
        run_one(asked.one, asked.photo, asked.out)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photo = asked.photo
        if photo is None:
            photo = folder / "photo.jpg"
            twelve_megapixels(photo)
        table(measured(photo, folder), smoothness(folder))


def table(speed: dict[str, dict[str, float]], smooth: dict[str, tuple[float, float]]) -> None:
    titles = {"limit": "encoder alone (the limit)", "ours": "ours", "zoompan": "ffmpeg zoompan, same canvas"}
    print(f"5 s, 24 fps, 720p, zoom 1 -> 1.3; x264 veryfast crf 18; {os.cpu_count()} cores, medians of {ROUNDS} rounds")
    print(f"{'':28} {'wall s':>7} {'x limit':>8} {'fps':>5} {'CPU s':>6} {'RSS MiB':>8} {'KiB':>6}"
          f" {'jitter px':>10} {'decoded':>8}")  # fmt: skip
    for name, title in titles.items():
        row = speed[name]
        before, after = (f"{px:.4f}" for px in smooth[name]) if name in smooth else ("-", "-")
        print(f"{title:28} {row['wall']:7.2f} {row['wall'] / speed['limit']['wall']:8.2f} {COUNT / row['wall']:5.0f}"
              f" {row['cpu']:6.2f} {row['rss']:8.0f} {row['bytes'] / 1024:6.0f} {before:>10} {after:>8}")  # fmt: skip
    print("goal: ours <= 2.2 x limit; jitter <= 0.02 px before the encoder, <= 0.1 px decoded")


if __name__ == "__main__":
    main()
