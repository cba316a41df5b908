"""Encodes frames as an H.264 MP4 that plays at once everywhere."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from providers.local.camera import FPS, Size
from providers.local.frames import Planes

_OPTIONS = {"preset": "veryfast", "crf": "18"}
_THREADS = 3  # fixed, not "as many as there are": the same input makes the same file on every machine
_BT709, _LIMITED = 1, 1


def write(path: Path, size: Size, frames: Iterable[av.VideoFrame]) -> None:
    """Write a video of `FPS` frames a second: index in front, BT.709 limited range said, no words inside."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS, options=_OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.thread_type, context.thread_count = "FRAME", _THREADS
        context.color_range = _LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def pack(planes: Planes, size: Size) -> av.VideoFrame:
    """Copy three planes into a frame for the encoder."""
    frame = av.VideoFrame(size[0], size[1], "yuv420p")
    for plane, image in zip(frame.planes, planes, strict=True):
        plane.update(_pad_rows(image, plane.line_size, plane.buffer_size))
    return frame


def _pad_rows(image: Image.Image, line_size: int, buffer_size: int) -> bytes:
    """Bytes row by row, each padded to the encoder's line."""
    return image.tobytes("raw", "L", line_size, 1).ljust(buffer_size, b"\0")
