"""Draw docs/strip.jpg, six frames of what `make demo` makes: `python docs/draw_strip.py`. Nothing else lives here."""
# ruff: noqa: INP001 - a script, not a package

from pathlib import Path

import av
from PIL import Image

HERE = Path(__file__).parent
FRAMES, WIDTH, GAP = 6, 300, 6  # pixels


def main() -> None:
    with av.open(str(HERE.parent / "demo" / "sample.mp4")) as film:
        frames = [frame.to_image() for frame in film.decode(video=0)]
    chosen = [frames[round(i * (len(frames) - 1) / (FRAMES - 1))] for i in range(FRAMES)]
    high = round(chosen[0].height * WIDTH / chosen[0].width)
    strip = Image.new("RGB", (FRAMES * (WIDTH + GAP) - GAP, high), "white")
    for i, frame in enumerate(chosen):
        strip.paste(frame.resize((WIDTH, high), Image.Resampling.LANCZOS), (i * (WIDTH + GAP), 0))
    strip.save(HERE / "strip.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
