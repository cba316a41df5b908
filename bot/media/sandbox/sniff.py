"""Tell what bytes claim to be, by their first bytes and without a decoder: nothing is decoded or allocated."""

import re

_STARTS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"BM", "bmp"),
    (b"%PDF", "pdf"),
    (b"%!PS", "eps"),
    (b"\xc5\xd0\xd3\xc6", "eps"),
    (b"\x00\x00\x00\x0cjP  ", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"\x00\x00\x00\x0cJXL ", "jxl"),
    (b"\xff\x0a", "jxl"),
    (b"8BPS", "psd"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"PK\x03\x04", "zip"),
    (b"\x1aE\xdf\xa3", "video"),
)
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_BARE = {0x01, 0xD8, *range(0xD0, 0xD8)}  # JPEG markers without a length: TEM, SOI, RST0..7


def kind(data: bytes) -> str:
    """Return a lower-case word for the format ("jpeg", "heif", "pdf", ...), "unknown" if none fits."""
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")):
        return "svg"
    return "html" if text.startswith((b"<!doctype", b"<html")) else "unknown"


def _by_brands(data: bytes) -> str:
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & _AVIF:
        return "avif"
    return "heif" if brands & _HEIF else "video"


def jpeg_scans(data: bytes, enough: int) -> int:
    """Count the scans of the first picture as a decoder would meet them, up to `enough`.

    Each scan of a progressive JPEG costs a pass over all pixels. What comes after the picture (a phone's motion clip,
    a second picture) is not counted: it is never decoded.
    """
    scans, at = 0, 2
    while scans < enough and (found := _MARKER.search(data, at)):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            break
        if marker not in _BARE:
            scans += marker == 0xDA
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from a WebP header: its decoder allocates the canvas when it is opened."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(data) >= 30:
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None
