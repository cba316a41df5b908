"""What an MP4 says of itself, read atom by atom in pure Python with caps on everything. No decoder is used here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from bot.media import sps

_MOOV_BYTES = 32 * 2**20
_MOST_ATOMS = 4096  # at the top; and in the index
_PLAIN_TOPS = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"sidx"}
_TALKING = {b"udta", b"meta", b"uuid"}
_NESTS = {b"mdia", b"minf", b"stbl"}
_ENTRY_BYTES = 4096  # of a part's own fields
_LONGEST_NAME = 32  # bytes; a handler's name beyond that is a message


class Flaw(StrEnum):
    FOREIGN = "foreign"  # not an MP4 at all
    CUT = "cut"  # its end is missing
    BROKEN = "broken"  # its parts contradict each other


class Broken(ValueError):
    def __init__(self, words: str, flaw: Flaw = Flaw.BROKEN) -> None:
        super().__init__(words)
        self.flaw = flaw


class Atom(NamedTuple):
    kind: bytes
    start: int  # of the whole atom
    body: int
    end: int


@dataclass(slots=True)
class Track:
    kind: bytes = b""  # "vide", "soun", ...
    codec: str = ""  # fourcc
    width: int = 0  # pixels as shown
    height: int = 0
    samples: int = 0
    seconds: float = 0.0
    turned: bool = False  # by a quarter
    plain: bool = False  # known to every player: H.264 with 8-bit 4:2:0 limited pixels; AAC


@dataclass(slots=True)
class Film:
    """One MP4 file."""

    size: int = 0
    tracks: list[Track] = field(default_factory=list)
    seconds: float = 0.0
    faststart: bool = False
    fragmented: bool = False
    talks: bool = False  # carries words: metadata, or a name long enough to be a message
    cut: bool = False  # its last atom ends beyond the file


def read(file: BinaryIO) -> Film:
    """Read the heads of the top atoms and the one index atom, never the media. Raises `Broken`."""
    film = Film(size=file.seek(0, 2))
    tops = list(_tops(file, film.size))
    if not tops or tops[0].kind not in {b"ftyp", b"moov"}:
        raise Broken("it does not begin like an MP4", Flaw.FOREIGN)
    film.cut = tops[-1].end > film.size
    order = [top.kind for top in tops]
    if b"moov" not in order:
        raise Broken("it has no index", Flaw.CUT if film.cut else Flaw.BROKEN)
    moov = tops[order.index(b"moov")]
    if moov.end > film.size:
        raise Broken("its index is cut off", Flaw.CUT)
    if moov.end - moov.body > _MOOV_BYTES:
        raise Broken("its index is absurdly large")
    film.faststart = b"mdat" not in order or order.index(b"moov") < order.index(b"mdat")
    film.talks = any(kind not in _PLAIN_TOPS for kind in order)
    file.seek(moov.body)
    _Index(file.read(moov.end - moov.body), film).read()
    return film


def _tops(file: BinaryIO, size: int) -> Iterator[Atom]:
    at = 0
    for _ in range(_MOST_ATOMS):
        if at >= size:
            return
        file.seek(at)
        atom = _head(file.read(16), at, size)
        if atom is None:
            yield Atom(b"free", at, size, size + 1)  # less than a head is left: cut
            return
        yield atom
        at = atom.end
    raise Broken("it has too many parts")


def _head(head: bytes, at: int, limit: int) -> Atom | None:
    if len(head) < 8:
        return None
    length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
    if length == 1:
        length, body = int.from_bytes(head[8:16], "big"), at + 16
    end = limit if head[:4] == bytes(4) else at + length
    if end < body:
        raise Broken("a part is smaller than its head")
    return Atom(kind, at, body, end)


class _Index:
    """The index atom in memory. Every atom in it is looked at once, and only so many."""

    def __init__(self, data: bytes, film: Film) -> None:
        self.data = data
        self.film = film
        self._left = _MOST_ATOMS

    def inside(self, start: int, end: int) -> Iterator[Atom]:
        at = start
        while atom := _head(self.data[at : min(at + 16, end)], at, end):
            self._left -= 1
            if atom.end > end or self._left < 0:
                raise Broken("its index contradicts itself")
            yield atom
            at = atom.end

    def read(self) -> None:
        for atom in self.inside(0, len(self.data)):
            match atom.kind:
                case b"mvhd":
                    self.film.seconds = max(self.film.seconds, _duration(self.data[atom.body : atom.end]))
                case b"mvex":
                    self.film.fragmented = True
                case b"trak":
                    self.film.tracks.append(self._track(atom))
                case kind if kind in _TALKING:
                    self.film.talks |= self._says_something(atom)

    def _says_something(self, talking: Atom, depth: int = 0) -> bool:
        """Say whether metadata holds more than the muxer's own name, which harms nobody."""
        if talking.kind == b"uuid" or depth > 2:
            return True
        body = talking.body + 4 if talking.kind == b"meta" else talking.body  # meta has a version before its parts
        return any(self._is_said(atom, depth) for atom in self.inside(body, talking.end))

    def _is_said(self, atom: Atom, depth: int) -> bool:
        match atom.kind:
            case b"meta" | b"ilst":
                return self._says_something(atom, depth + 1)
            case b"\xa9too" | b"hdlr":
                return atom.end - atom.body > _LONGEST_NAME + 24
            case _:
                return True

    def _track(self, trak: Atom) -> Track:
        track = Track()
        waiting = [trak]
        while waiting:
            parent = waiting.pop()
            for atom in self.inside(parent.body, parent.end):
                if atom.kind in _NESTS:
                    waiting.append(atom)
                elif atom.kind in _TALKING:
                    self.film.talks |= self._says_something(atom)
                elif atom.kind == b"hdlr":
                    self.film.talks |= atom.end - atom.body - 24 > _LONGEST_NAME
                _note(atom.kind, self.data[atom.body : min(atom.end, atom.body + _ENTRY_BYTES)], track)
        if track.turned:
            track.width, track.height = track.height, track.width
        return track


def _note(kind: bytes, body: bytes, track: Track) -> None:
    match kind:
        case b"tkhd":
            track.turned = _is_turned(body)
        case b"mdhd":
            track.seconds = _duration(body)
        case b"hdlr":
            track.kind = track.kind or body[8:12]  # the first is the media's own; a second belongs to its data
        case b"stsd":
            _read_entry(body, track)
        case b"stsz":
            track.samples = int.from_bytes(body[8:12], "big")


def _duration(body: bytes) -> float:
    """Return seconds from an mvhd or mdhd; an unknown length is 0."""
    wide = body[:1] == b"\x01"
    scale_at, width = (20, 8) if wide else (12, 4)
    scale = int.from_bytes(body[scale_at : scale_at + 4], "big")
    ticks = body[scale_at + 4 : scale_at + 4 + width]
    return 0.0 if not scale or ticks == b"\xff" * width else int.from_bytes(ticks, "big") / scale


def _is_turned(tkhd: bytes) -> bool:
    """Say whether the matrix turns the picture by a quarter: a = 0 and b is not."""
    at = 52 if tkhd[:1] == b"\x01" else 40
    return int.from_bytes(tkhd[at : at + 4], "big") == 0 and int.from_bytes(tkhd[at + 4 : at + 8], "big") != 0


def _read_entry(stsd: bytes, track: Track) -> None:
    """Read the first sample entry: its fourcc, the size of its picture, and whether every player knows the kind."""
    track.codec = stsd[12:16].decode("latin-1")
    entry = stsd[16:]
    if track.kind == b"vide":
        track.width, track.height = int.from_bytes(entry[24:26], "big"), int.from_bytes(entry[26:28], "big")
        at = entry.find(b"avcC", 78)
        track.plain = track.codec == "avc1" and at > 0 and sps.is_plain(entry[at + 4 :])
    elif track.kind == b"soun":
        at = entry.find(b"esds")
        track.plain = track.codec == "mp4a" and at > 0 and _is_aac(entry[at + 8 :])


def _is_aac(descriptor: bytes) -> bool:
    """Answer from an ES descriptor (ISO 14496-1): MP3 in an MP4 has the same fourcc."""
    at = _after_length(descriptor, 1)
    if descriptor[:1] != b"\x03" or descriptor[at + 2 : at + 4] != b"\x00\x04":
        return False
    at = _after_length(descriptor, at + 4)
    return descriptor[at : at + 1] in {b"\x40", b"\x67"}


def _after_length(descriptor: bytes, at: int) -> int:
    while descriptor[at : at + 1] >= b"\x80":
        at += 1
    return at + 1
