"""A small real picture and a small real video for the toys. Nothing is measured here."""

import io
from fractions import Fraction
from pathlib import Path

from providers.contract import Picture


def still() -> Picture:
    from PIL import Image  # noqa: PLC0415 - an idle process must not carry it

    into = io.BytesIO()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(into, "JPEG", quality=80)
    return Picture(into.getvalue(), "image/jpeg", 96, 64)


def clip(into: Path, *, ready: bool = True) -> None:
    """Write a real H.264 MP4 of a second, about 5 kB; unless `ready`, its index is at the end, as encoders leave it."""
    import av  # noqa: PLC0415 - the same
    from PIL import Image  # noqa: PLC0415 - the same

    options = {"movflags": "faststart", "fflags": "+bitexact"} if ready else {}
    with av.open(str(into), "w", format="mp4", options=options) as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(24):
            picture = Image.new("RGB", (160, 96), (5 * number % 256, 90, 30))
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
            frame.pts, frame.time_base = number, Fraction(1, 24)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
