"""Whether H.264 pixels are 8-bit 4:2:0 in limited range, from the stream's own header. Nothing else is asked here."""

_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}  # profiles that state their chroma
_EXTENDED_SAR = 255


def is_plain(avcc: bytes) -> bool:
    """Answer from an avcC record (ISO 14496-15). Anything that can't be read is not plain."""
    length = int.from_bytes(avcc[6:8], "big")
    unit = avcc[8 : 8 + length]
    if len(avcc) < 8 or avcc[5] & 31 < 1 or len(unit) < max(length, 4):
        return False
    try:
        return _is_plain(_Bits(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")))
    except IndexError:
        return False


class _Bits:
    """Bits from the highest; past the end is an `IndexError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - self._at & 7) & 1
            self._at += 1
        return value

    def number(self) -> int:
        """Return an Exp-Golomb number, unsigned."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def _is_plain(bits: _Bits) -> bool:
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    bits.number()  # id
    if profile in _WITH_CHROMA and not _chroma_is_plain(bits):
        return False
    _skip_to_vui(bits)
    return not (bits.take(1) and _is_full_range(bits))


def _chroma_is_plain(bits: _Bits) -> bool:
    chroma, luma_depth, chroma_depth = bits.number(), 0, 0
    if chroma == 3:
        return False
    luma_depth, chroma_depth = bits.number(), bits.number()
    bits.take(1)  # lossless bypass
    if bits.take(1):
        for index in range(8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma == 1 and luma_depth == chroma_depth == 0


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_to_vui(bits: _Bits) -> None:
    bits.number()  # frame numbers
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.number(), 255)):
            bits.signed()
    bits.number()  # reference frames
    bits.take(1)
    bits.number()  # width
    bits.number()  # height
    if not bits.take(1):
        bits.take(1)  # interlaced
    bits.take(1)
    if bits.take(1):
        for _ in range(4):
            bits.number()  # cropping


def _is_full_range(bits: _Bits) -> bool:
    if bits.take(1) and bits.take(8) == _EXTENDED_SAR:
        bits.take(32)
    if bits.take(1):
        bits.take(1)  # overscan
    if not bits.take(1):
        return False
    bits.take(3)  # video format
    return bool(bits.take(1))
