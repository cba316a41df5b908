"""Make videos playable and small enough with FFmpeg's libraries, inside a sandbox."""

from __future__ import annotations  # PyAV's packets are generic to the type checker alone

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from bot.media.sandbox import bitrate
from bot.media.sandbox.declined import Declined
from bot.media.sandbox.probe import Probed, declining, is_aac, is_plain, probed, reading, streams
from providers.sandbox import limit_time

_THREADS = min(4, os.cpu_count() or 1)
_TRIES = 5
_FIT_CRF = 21
_KEEP_CRF = 18
_KEEP_SOUND = 128_000  # bits per second
_QUARTERS = {90: ["cclock"], -90: ["clock"], 180: ["clock", "clock"], -180: ["clock", "clock"]}


class _Overshot(Exception):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size  # bytes, as foreseen


def done(request: dict[str, Any]) -> dict[str, Any]:
    """Write the file `part`: the video `source`, playable everywhere and, where there is a `limit`, not larger.

    Answer what it is. Raises `Declined` with a word of `films.Problem`, or "no_space".
    """
    least, most = request["least_cpu_seconds"], request["most_cpu_seconds"]
    source, part, limit = request["source"], request["part"], request["limit"]
    limit_time(cpu_seconds=least, wall_seconds=2 * least)
    with declining():
        clip = probed(source)
        work = clip.frames * clip.width * clip.height // request["pixels_per_cpu_second"]
        seconds = min(most, least + work) if clip.frames else most
        limit_time(cpu_seconds=seconds, wall_seconds=2 * seconds)
        if fits := _fits(source, limit):
            _prepare(clip, source, part)
        if not (fits and _fits(part, limit)):
            _fit(clip, source, part, limit)
        return probed(part)._asdict()


def _fits(path: str, limit: int | None) -> bool:
    return limit is None or Path(path).stat().st_size <= limit


def _writing(part: str) -> OutputContainer:
    return av.open(part, "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"})


def _prepare(clip: Probed, source: str, part: str) -> None:
    with reading(source) as film:
        video, audio = streams(film)
        size = None if is_plain(video) else bitrate.sizes(clip.width, clip.height)[0]
        sound = None if audio is None or is_aac(audio) else _KEEP_SOUND
    _convert(source, part, size, {"crf": str(_KEEP_CRF)}, sound)


def _fit(clip: Probed, source: str, part: str, limit: int) -> None:
    measured = _measured(clip, source)
    attempt = bitrate.first_try(measured, limit)
    size = Path(source).stat().st_size
    for tries in range(1, _TRIES + 1):
        if attempt is None:
            break
        rate = str(attempt.maxrate)
        options = {"crf": str(_FIT_CRF), "maxrate": rate, "bufsize": rate}
        try:
            _convert(source, part, attempt[:2], options, attempt.audio_bits, ceiling=limit)
            size = Path(part).stat().st_size
        except _Overshot as over:
            size = over.size
        if size <= limit:
            return
        attempt = bitrate.next_try(measured, attempt, size, limit, tries)
    raise Declined("too_long_for_limit", size=size, limit=limit, seconds=round(measured.seconds))


def _measured(clip: Probed, source: str) -> bitrate.Measured:
    """Count by reading all packets: what the index says may be wrong."""
    with reading(source) as film:
        video, audio = streams(film)
        frames = packets = sound = 0
        end = 0.0
        for packet in film.demux([video, audio] if audio else [video]):
            if packet.pts is None:
                continue
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream is video:
                frames += 1
            else:
                packets += 1
                sound += packet.size
        copies = audio is not None and is_aac(audio)
    return bitrate.Measured(clip.width, clip.height, end, frames, sound, packets, copies)


def _convert(
    source: str,
    part: str,
    size: tuple[int, int] | None,
    options: dict[str, str],
    sound: int | None,
    *,
    ceiling: int | None = None,
) -> None:
    """Write `part`: the picture copied, or encoded at `size`; the sound copied, or encoded at `sound` bits/s."""
    parent = os.getppid()
    with reading(source) as film, _writing(part) as out:
        video, audio = streams(film)
        video.thread_type, video.codec_context.thread_count = "AUTO", _THREADS
        tracks: dict[int, _Track] = {video.index: _Video(out, video, size, options) if size else _Copy(out, video)}
        if audio:
            tracks[audio.index] = _Audio(out, audio, sound) if sound else _Copy(out, audio)
        written = 0
        for packet in film.demux([video, audio] if audio else [video]):
            for made in tracks[packet.stream.index].feed(packet):
                written += made.size
                if ceiling is not None and written > ceiling:
                    raise _Overshot(_foreseen(written, packet, film))
                out.mux(made)
            if os.getppid() != parent:
                raise SystemExit(1)  # nobody waits for this any more


def _foreseen(written: int, packet: av.Packet[Any], film: InputContainer) -> int:
    """Return the likely size of the whole, from how far it had come when it was over the limit."""
    if not film.duration or packet.pts is None:
        return written
    passed = float(packet.pts * packet.time_base) * av.time_base / film.duration
    return round(written / min(1.0, max(passed, 0.1)))


class _Track(Protocol):
    def feed(self, packet: Any) -> Iterable[av.Packet[Any]]: ...


class _Copy:
    def __init__(self, out: OutputContainer, stream: VideoStream | AudioStream) -> None:
        self._to = out.add_stream_from_template(stream)

    def feed(self, packet: av.Packet[Any]) -> Iterable[av.Packet[Any]]:
        if packet.dts is None:  # the end
            return ()
        packet.stream = self._to
        return (packet,)


class _Video:
    """Encodes as H.264, 8 bits, 4:2:0, limited range, upright. Frames keep their own times."""

    def __init__(
        self, out: OutputContainer, video: VideoStream, size: tuple[int, int], options: dict[str, str]
    ) -> None:
        self._to = out.add_stream("libx264", rate=video.average_rate or 24, options={"preset": "veryfast", **options})
        self._to.width, self._to.height = size
        self._to.pix_fmt = "yuv420p"
        context = self._to.codec_context
        context.time_base = video.time_base or Fraction(1, 90_000)
        context.thread_type, context.thread_count = "FRAME", _THREADS
        context.color_range = ColorRange.MPEG
        context.colorspace = video.codec_context.colorspace
        context.color_primaries = video.codec_context.color_primaries
        context.color_trc = video.codec_context.color_trc
        self._upright = _Upright()

    def feed(self, packet: av.Packet[VideoStream]) -> Iterator[av.Packet[VideoStream]]:
        for frame in packet.decode():
            shown = self._upright.turned(frame).reformat(
                self._to.width, self._to.height, "yuv420p", dst_color_range=ColorRange.MPEG
            )
            shown.pict_type = 0  # the encoder chooses its own key frames
            yield from self._to.encode(shown)
        if packet.dts is None:
            yield from self._to.encode(None)


class _Upright:
    """Turns frames as a player would: FFmpeg decodes them as they were filmed."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None

    def turned(self, frame: av.VideoFrame) -> av.VideoFrame:
        turns = _QUARTERS.get(frame.rotation)
        if turns is None:
            return frame
        if self._graph is None:
            self._graph = _graph(frame, turns)
        self._graph.vpush(frame)
        return self._graph.vpull()


def _graph(frame: av.VideoFrame, turns: list[str]) -> av.filter.Graph:
    graph = av.filter.Graph()
    first = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    steps = [first, *(graph.add("transpose", turn) for turn in turns), graph.add("buffersink")]
    graph.link_nodes(*steps).configure()
    return graph


class _Audio:
    """Encodes as AAC, stereo at most."""

    def __init__(self, out: OutputContainer, audio: AudioStream, bits: int) -> None:
        rate = min(48_000, audio.codec_context.sample_rate or 48_000)
        layout = "mono" if audio.codec_context.channels == 1 else "stereo"
        self._to = out.add_stream("aac", rate=rate, layout=layout)
        self._to.bit_rate = bits
        self._as = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1024)

    def feed(self, packet: av.Packet[AudioStream]) -> Iterator[av.Packet[AudioStream]]:
        for frame in packet.decode():
            yield from self._encoded(frame)
        if packet.dts is None:
            yield from self._encoded(None)
            yield from self._to.encode(None)

    def _encoded(self, frame: av.AudioFrame | None) -> Iterator[av.Packet[AudioStream]]:
        for piece in self._as.resample(frame):
            yield from self._to.encode(piece)
