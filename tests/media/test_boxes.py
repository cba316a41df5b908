"""The walk over an MP4's boxes: order, words and ends, in milliseconds and whatever the bytes claim."""

import io
import random
from pathlib import Path

import pytest

from bot.media import boxes
from tests.media.clips import SECRET, clip

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def mp4(*parts: bytes, index: bytes = b"") -> bytes:
    return box(b"ftyp", b"isom\0\0\0\0") + b"".join(parts) + box(b"moov", index) + box(b"mdat", b"pixels")


def read(data: bytes) -> boxes.Mp4:
    return boxes.read(io.BytesIO(data))


def metadata(*said: bytes) -> bytes:
    return box(b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst", *said)))


def nested(kinds: bytes, inside: bytes) -> bytes:
    for kind in reversed(kinds.split()):
        inside = box(kind, inside)
    return inside


@pytest.mark.parametrize(
    "index",
    [
        box(b"udta", box(b"XYZ ", b"words")),
        box(b"udta", b"\0\0\0\x0cXYZ wordmore"),
        box(b"uuid", bytes(16)),
        metadata(box(b"\xa9cmt", b"words")),
        metadata(box(b"\xa9too", bytes(24) + b"a muxer whose name tells a whole story")),
        nested(b"trak udta", box(b"name", b"words")),
        nested(b"trak mdia minf uuid", b"words"),
        nested(b"trak mdia", box(b"hdlr", bytes(24) + b"a handler whose name is a whole message")),
    ],
)
def test_words_are_seen_wherever_they_stand(index: bytes) -> None:
    assert read(mp4(index=index)).words


@pytest.mark.parametrize(
    "index",
    [
        b"",
        metadata(box(b"\xa9too", bytes(16) + b"Lavf62.3.100")),
        nested(b"trak mdia", box(b"hdlr", bytes(24) + b"VideoHandler\0")),
        box(b"udta", bytes(4)),  # QuickTime ends a list by a zero
    ],
)
def test_a_muxers_own_name_is_no_words(index: bytes) -> None:
    assert read(mp4(index=index)).is_clean


def test_a_strange_part_at_the_top_counts_as_words() -> None:
    assert read(mp4(box(b"note", b"words"))).words


def test_a_signature_is_found_where_it_stands() -> None:
    data = mp4(box(b"uuid", bytes(16)), box(b"uuid", C2PA, b"manifest"))
    found = read(data).signature
    assert found is not None
    assert data[found.start : found.end] == box(b"uuid", C2PA, b"manifest")
    assert read(mp4(box(b"uuid", bytes(16)))).signature is None


@pytest.mark.parametrize(
    "index", [b"\0\0\0\x08trak" * 5000, nested(b"trak " * 5000, b""), box(b"trak", b"\0\0\1\0mdia")]
)
def test_an_index_that_is_absurd_or_contradicts_itself_is_refused(index: bytes) -> None:
    with pytest.raises(boxes.Broken) as caught:
        read(mp4(index=index))
    assert caught.value.flaw is boxes.Flaw.BROKEN


def test_spoiled_boxes_give_an_answer_or_a_reason(tmp_path: Path) -> None:
    whole = clip(tmp_path / "video.mp4", sound="aac", says=SECRET).read_bytes()
    chance = random.Random(5)  # noqa: S311 - a repeatable walk
    outcomes: set[bool | boxes.Flaw] = set()
    for _ in range(1500):
        data = bytearray(whole[:3000])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(2200)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        try:
            outcomes.add(read(bytes(data)).truncated)
        except boxes.Broken as no:
            outcomes.add(no.flaw)
    assert {True, boxes.Flaw.BROKEN} <= outcomes
