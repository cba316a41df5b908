"""H.264 headers, bit by bit: what no encoder at hand writes is read all the same."""

import re

import pytest

from bot.media import sps


def ue(number: int) -> str:
    bits = f"{number + 1:b}"
    return "0" * (len(bits) - 1) + bits


def se(number: int) -> str:
    return ue(2 * number - 1 if number > 0 else -2 * number)


def avcc(bits: str) -> bytes:
    """Wrap header bits (after the NAL byte) as an avcC record, with the bytes that keep start codes out."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    unit = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    unit = re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", unit)
    return b"\x01\x64\x00\x1f\xff\xe1" + len(unit).to_bytes(2, "big") + unit


def header(
    *,
    profile: int = 66,
    level: int = 31,
    ident: int = 0,
    chroma: str = "",
    order: str = ue(2),
    vui: str = "0",
) -> bytes:
    frame = ue(1) + "0" + ue(39) + ue(21) + "1" + "1" + "1" + ue(0) + ue(0) + ue(0) + ue(2)  # references .. cropping
    return avcc(f"{profile:08b}{0:08b}{level:08b}" + ue(ident) + chroma + ue(0) + order + frame + vui)


FULL_RANGE = "1" + "0" + "0" + "1" + "101" + "1" + "0"  # no aspect, no overscan; a signal type, which says full
LIMITED = "1" + "1" + f"{255:08b}" + f"{1:016b}" * 2 + "1" + "0" + "1" + "101" + "0" + "0"  # an odd aspect before it
SCALED = (
    ue(1) + ue(0) + ue(0) + "0" + "1" + "1" + se(2) * 15 + se(-3) + "1" + se(-4) * 2 + "0" * 6
)  # lists, one cut short


@pytest.mark.parametrize(
    ("record", "plain"),
    [
        (header(), True),
        (header(vui=LIMITED), True),
        (header(vui=FULL_RANGE), False),
        (header(level=0, ident=255, vui=LIMITED), True),  # three zero bytes in a row
        (header(level=0, ident=255, vui=FULL_RANGE), False),
        (header(order=ue(0) + ue(4), vui=FULL_RANGE), False),
        (header(order=ue(1) + "0" + se(-7) + se(7) + ue(2) + se(1) + se(-1), vui=FULL_RANGE), False),
        (header(profile=100, chroma=SCALED, vui=LIMITED), True),
        (header(profile=100, chroma=SCALED, vui=FULL_RANGE), False),
        (header(profile=100, chroma=ue(0) + ue(0) + ue(0) + "00"), False),  # grey
        (header(profile=110, chroma=ue(1) + ue(2) + ue(2) + "00"), False),  # 10 bits
        (header(profile=122, chroma=ue(2) + ue(0) + ue(0) + "00"), False),  # 4:2:2
        (header(profile=244, chroma=ue(3) + "0" + ue(0) + ue(0) + "00"), False),  # 4:4:4
        (header()[:-4], False),
        (header()[:7], False),
        (b"", False),
        (b"\x01\x64\x00\x1f\xff\xe1\x00\x28\x67" + bytes(39), False),
    ],
)
def test_only_8_bit_420_in_limited_range_is_plain(record: bytes, plain: bool) -> None:
    assert sps.is_plain(record) is plain
