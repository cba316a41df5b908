"""Pictures for the tests, good and evil, made from nothing. Nothing is asserted here."""

import io
import random
import struct
import zlib
from fractions import Fraction
from typing import Any

import av
from PIL import Image

CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))  # top left, top right, bottom left, bottom right


def four_corners(size: tuple[int, int] = (320, 200)) -> Image.Image:
    tiny = Image.new("RGB", (2, 2))
    tiny.putdata(CORNERS)
    return tiny.resize(size, Image.Resampling.NEAREST)


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    count = size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, random.Random(7).randbytes(count))  # noqa: S311 - noise, not a secret


def plain(width: int, height: int, kind: str = "JPEG") -> bytes:
    return as_bytes(Image.new("RGB", (width, height), (200, 90, 30)), kind)


def as_bytes(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corners_of(picture: Image.Image) -> list[tuple[int, ...]]:
    """Return the four corner colours, each channel rounded to 0, 128 or 255."""
    across, down = picture.width - 10, picture.height - 10
    colours = [picture.convert("RGB").getpixel(at) for at in ((9, 9), (across, 9), (9, down), (across, down))]
    return [tuple(min((0, 128, 255), key=lambda to: abs(to - band)) for band in colour) for colour in colours]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def flat_png(width: int, height: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """Return a whole PNG of zeros: huge to decode, tiny to send."""
    row = bytes(1 + (width * bits * (3 if colour == 2 else 1) + 7) // 8)
    press = zlib.compressobj(1)
    data = b"".join(press.compress(row) for _ in range(height)) + press.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def scan_bomb(size: tuple[int, int], scans: int, **options: Any) -> bytes:
    """Return a progressive JPEG whose last scan is there `scans` times."""
    data = as_bytes(Image.new("L", size, 77), "JPEG", progressive=True, **options)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + b"\xff\xd9"


def webp_claiming(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    body = b"\x2f" + struct.pack("<I", bits) + bytes(12)
    lossless = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(lossless)) + b"WEBP" + lossless


def avif_claiming(width: int, height: int) -> bytes:
    data = as_bytes(Image.new("RGB", (128, 128)), "AVIF")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def p3_profile() -> bytes:
    """Return a minimal Display P3 profile: three primaries and a gamma of 2.2."""

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(2.2 * 256))
    name = b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(79)
    tags = {
        b"desc": name + bytes(-len(name) % 4),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2919, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1572, 0.0666, 0.7841),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    head = struct.pack(">I4xI4s4s4s", 132 - 4 + len(table) + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + xyz(0.9642, 1.0, 0.8249)[8:]
    return head.ljust(128, b"\0") + table + body


def heic(picture: Image.Image) -> bytes:
    """Wrap one HEVC frame as a HEIC: there is no encoder for it among our libraries."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as film:
        options = {"x265-params": "log-level=none:keyint=1", "preset": "ultrafast"}
        video = film.add_stream("libx265", rate=1, options=options)
        video.width, video.height, video.pix_fmt = picture.width, picture.height, "yuv420p"
        frame = av.VideoFrame.from_image(picture)
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        packets = [*video.encode(frame), *video.encode(None)]
        sample = b"".join(bytes(packet) for packet in packets)
        film.mux(packets)
    mp4 = out.getvalue()
    config = mp4[(at := mp4.index(b"hvcC") - 4) : at + int.from_bytes(mp4[at : at + 4], "big")]
    mdat = mp4.index(b"mdat")
    sample = mp4[mdat + 4 : mdat - 4 + int.from_bytes(mp4[mdat - 4 : mdat], "big")]
    return _heic_around(sample, config, picture.size)


def _heic_around(sample: bytes, config: bytes, size: tuple[int, int]) -> bytes:
    def box(kind: bytes, *bodies: bytes) -> bytes:
        body = b"".join(bodies)
        return struct.pack(">I", 8 + len(body)) + kind + body

    def meta(offset: int) -> bytes:
        entry = box(b"infe", bytes.fromhex("02000000 0001 0000"), b"hvc1\0")
        shape = box(b"ispe", bytes(4), struct.pack(">II", *size))
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), struct.pack(">H", 1)),
            box(b"iloc", bytes(4), struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(sample))),
            box(b"iinf", bytes(4), struct.pack(">H", 1), entry),
            box(
                b"iprp",
                box(b"ipco", config, shape),
                box(b"ipma", bytes(4), struct.pack(">IHBBB", 1, 1, 2, 0x81, 0x02)),
            ),
        )

    start = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", sample)
