"""Work out how many bits and pixels fit under a limit: pure arithmetic, no file and no codec is touched.

Measured: one pass at CRF 21 under a VBV cap kept every limit on a clip whose second half is noise; plain bit-rate
targets and two passes broke it by 5 to 19 %.
"""

from typing import NamedTuple

_SHORT_SIDES = (1080, 720, 480, 360, 240)  # pixels
_SHARE = 0.985  # of the limit; the rest is for the container's own noise
_FRAME_BYTES = 16  # of index per frame
_PACKET_BYTES = 8  # of index per audio packet
_FIXED_BYTES = 4096
_SLACK_SECONDS = 0.9  # of the cap's buffer, which may be full at the end
_ENOUGH = 0.05  # bits per pixel: less looks broken at this size
_LEAST = 0.02  # bits per pixel: less is not worth sending at any size
_TIGHT = 350_000  # bits per second; below it sound is made small
_SMALL_SOUND = 64_000  # bits per second


class Measured(NamedTuple):
    width: int
    height: int
    seconds: float
    frames: int
    audio_bytes: int  # 0: silent
    audio_packets: int
    audio_copies: bool  # the sound is AAC already


class Try(NamedTuple):
    width: int
    height: int
    maxrate: int  # bits per second, also the size of the buffer
    audio_bits: int | None  # bits per second; None: copy the sound, if any


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Return even sizes of the same shape, largest first, none larger than the clip itself."""
    shorter, longer = sorted((width, height))
    found: list[tuple[int, int]] = []
    for side in _SHORT_SIDES:
        scale = min(1.0, side / shorter, side * 16 / 9 / longer)
        size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
        if size not in found:
            found.append(size)
    return found


def first_try(clip: Measured, limit: int) -> Try | None:
    """Return the largest size that looks good under `limit` bytes; None when no size does."""
    seconds = max(clip.seconds, 0.04)
    index = _FIXED_BYTES + clip.frames * _FRAME_BYTES + clip.audio_packets * _PACKET_BYTES
    room = (limit * _SHARE - index) * 8 / seconds
    audio_bits, audio = _sound(clip, room, seconds)
    maxrate = (room - audio) * seconds / (seconds + _SLACK_SECONDS)
    per_second = max(clip.frames, 1) / seconds
    for width, height in (all_sizes := sizes(clip.width, clip.height)):
        if maxrate >= _ENOUGH * width * height * per_second:
            return Try(width, height, int(maxrate), audio_bits)
    width, height = all_sizes[-1]
    if maxrate < _LEAST * width * height * per_second:
        return None
    return Try(width, height, int(maxrate), audio_bits)


def next_try(clip: Measured, last: Try, size: int, limit: int, tries: int) -> Try:
    """Return what to do after `last` came out at `size` bytes, over the limit; every second time one rung lower."""
    factor = min(0.92, max(0.3, 0.92 * limit / size))
    lower = [both for both in sizes(clip.width, clip.height) if both[0] < last.width]
    width, height = lower[0] if lower and tries % 2 == 0 else last[:2]
    return Try(width, height, max(1000, int(last.maxrate * factor)), last.audio_bits)


def _sound(clip: Measured, room: float, seconds: float) -> tuple[int | None, float]:
    """Return how to treat the sound, and what it costs in bits per second."""
    if not clip.audio_bytes:
        return None, 0.0
    own = clip.audio_bytes * 8 / seconds
    if clip.audio_copies and (room - own >= _TIGHT or own <= _SMALL_SOUND):
        return None, own
    bits = _SMALL_SOUND if room - 2 * _SMALL_SOUND < _TIGHT else 2 * _SMALL_SOUND
    return bits, bits * 1.1  # the encoder does not keep to its rate exactly
