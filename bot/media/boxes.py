"""Walk the boxes of an MP4: is it whole, may it start before it has all come, does it carry words. No decoder runs."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, NamedTuple

_INDEX_BYTES = 32 * 2**20
_MOST_BOXES = 4096  # at the top; and in the index
_PLAIN = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"sidx"}
_TALKING = {b"udta", b"meta", b"ilst"}  # hold words
_NESTS = {b"trak", b"mdia", b"minf", b"stbl", *_TALKING}
_NAME_BYTES = 24 + 32  # of a handler or an encoder; a longer name is a message
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


class Flaw(StrEnum):
    FOREIGN = "foreign"  # not an MP4 at all
    CUT = "cut"  # its end is missing
    BROKEN = "broken"  # its parts contradict each other


class Broken(ValueError):
    def __init__(self, words: str, flaw: Flaw = Flaw.BROKEN) -> None:
        super().__init__(words)
        self.flaw = flaw


class Box(NamedTuple):
    kind: bytes  # empty: less than a head was left
    start: int  # of the whole box
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Mp4:
    """One file as a container."""

    size: int  # bytes
    faststart: bool
    fragmented: bool
    words: bool  # metadata, or a name long enough to be a message
    truncated: bool  # its last box ends beyond the file
    signature: Box | None  # who made it, by C2PA

    @property
    def is_clean(self) -> bool:
        """Its pixels and sound need no other container."""
        return self.faststart and not (self.fragmented or self.words or self.truncated)


def read(file: BinaryIO) -> Mp4:
    """Read the heads of the boxes at the top and in the index, never the media. Raises `Broken`."""
    size = file.seek(0, io.SEEK_END)
    tops = list(_tops(file, size))
    if not tops or tops[0].kind not in {b"ftyp", b"moov"}:
        raise Broken("it does not begin like an MP4", Flaw.FOREIGN)
    kinds, truncated = [top.kind for top in tops], tops[-1].end > size
    if b"moov" not in kinds:
        raise Broken("it has no index", Flaw.CUT if truncated else Flaw.BROKEN)
    index = tops[kinds.index(b"moov")]
    if index.end > size:
        raise Broken("its index is cut off", Flaw.CUT)
    if index.end - index.body > _INDEX_BYTES:
        raise Broken("its index is absurdly large")
    return Mp4(
        size=size,
        faststart=b"mdat" not in kinds or kinds.index(b"moov") < kinds.index(b"mdat"),
        fragmented=b"moof" in kinds,
        words=_has_words(file, index) or not _PLAIN.issuperset(filter(None, kinds)),
        truncated=truncated,
        signature=next((top for top in tops if _is_signature(file, top)), None),
    )


def _tops(file: BinaryIO, size: int) -> Iterator[Box]:
    for number, box in enumerate(_boxes(file, 0, size)):
        if number == _MOST_BOXES:
            raise Broken("it has too many parts")
        yield box


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    while start < end:
        file.seek(start)
        box = _box(file.read(min(16, end - start)), start, end)
        yield box
        start = box.end


def _box(head: bytes, at: int, limit: int) -> Box:
    if len(head) < 8:
        return Box(b"", at, limit, limit + 1)
    length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
    if length == 1:
        length, body = int.from_bytes(head[8:16], "big"), at + 16
    end = limit if head[:4] == bytes(4) else at + length
    if end < body:
        raise Broken("a part is smaller than its head")
    return Box(kind, at, body, end)


def _is_signature(file: BinaryIO, top: Box) -> bool:
    file.seek(top.body)
    return top.kind == b"uuid" and file.read(len(_C2PA)) == _C2PA


def _has_words(file: BinaryIO, index: Box) -> bool:
    """Say whether the index holds more words than the muxer's own name, which harms nobody.

    FFmpeg does not tell: it shows the metadata that it knows and passes over the rest.
    """
    found, waiting, left = False, [index], _MOST_BOXES
    while waiting:
        parent = waiting.pop()
        body = parent.body + 4 if parent.kind == b"meta" else parent.body  # meta has a version before its parts
        for box in filter(lambda box: box.kind, _boxes(file, body, parent.end)):
            left -= 1
            if box.end > parent.end or left < 0:
                raise Broken("its index contradicts itself")
            found |= _is_words(box, parent)
            if box.kind in _NESTS:
                waiting.append(box)
    return found


def _is_words(box: Box, parent: Box) -> bool:
    match box.kind:
        case b"uuid":
            return True
        case b"hdlr" | b"\xa9too":
            return box.end - box.body > _NAME_BYTES
        case kind:
            return parent.kind in _TALKING and kind not in _TALKING
