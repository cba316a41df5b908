"""Look at videos and transcode them with FFmpeg's libraries, inside a sandbox. The bot itself imports no codec."""

from __future__ import annotations  # PyAV's packets are generic to the type checker alone

import errno
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from bot.media.sandbox import bitrate
from bot.media.sandbox.declined import Declined
from providers.atomic import is_full

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
    """Do request["do"], "prepare" or "fit", from the file `source` to the new file `part`.

    Raises `Declined` with a word of `films.Problem`, or "no_space".
    """
    source, part = request["source"], request["part"]
    try:
        match request["do"]:
            case "fit":
                return _fit(source, part, request["limit"])
            case _:
                _prepare(source, part)
    except (av.error.FFmpegError, EOFError) as error:
        _decline(error)
    return {}


def _decline(error: Exception) -> NoReturn:
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, OSError) and is_full(error):
        why = Declined("too_hard", why="size") if error.errno == errno.EFBIG else Declined("no_space")
        raise why from error
    if isinstance(error, av.error.ExternalError):  # what x264 says when it gets no memory
        raise Declined("too_hard", why="memory") from error
    raise Declined("corrupt", words=str(error)[:200]) from error


def _reading(source: str) -> InputContainer:
    """Open as MP4 and as nothing else: a playlist named .mp4 would otherwise open its neighbours."""
    return av.open(source, format="mp4", options={"protocol_whitelist": "file"}, metadata_errors="replace")


def _writing(part: str) -> OutputContainer:
    return av.open(part, "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"})


def _streams(film: InputContainer) -> tuple[VideoStream, AudioStream | None]:
    if not film.streams.video:
        raise Declined("no_picture")
    video = film.streams.video[0]
    video.thread_type, video.codec_context.thread_count = "AUTO", _THREADS
    return video, film.streams.audio[0] if film.streams.audio else None


def _copies(video: VideoStream) -> bool:
    """Say whether every player shows it as it is."""
    context = video.codec_context
    return context.name == "h264" and context.pix_fmt == "yuv420p"


def _prepare(source: str, part: str) -> None:
    with _reading(source) as film:
        video, audio = _streams(film)
        shape = None if _copies(video) else _upright_sizes(source, video)[0]
        sound = _KEEP_SOUND if audio and audio.codec_context.name != "aac" else None
    options = {"crf": str(_KEEP_CRF)}
    _convert(source, part, shape, options, sound)


def _fit(source: str, part: str, limit: int) -> dict[str, Any]:
    clip = _measured(source)
    attempt = bitrate.first_try(clip, limit)
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
            return {"tries": tries}
        attempt = bitrate.next_try(clip, attempt, size, limit, tries)
    raise Declined("too_long_for_limit", size=size, limit=limit, seconds=round(clip.seconds))


def _measured(source: str) -> bitrate.Clip:
    """Count by reading all packets: what the index says may be wrong."""
    with _reading(source) as film:
        video, audio = _streams(film)
        width, height = _upright_sizes(source, video)[0]
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
        copies = audio is not None and audio.codec_context.name == "aac"
    return bitrate.Clip(width, height, end, frames, sound, packets, copies)


def _upright_sizes(source: str, video: VideoStream) -> list[tuple[int, int]]:
    """Return the sizes to choose from, of the picture as a player turns it."""
    with _reading(source) as film:
        first = next(film.decode(film.streams.video[0]), None)
        turned = first is not None and abs(first.rotation) == 90
    width, height = video.codec_context.width, video.codec_context.height
    return bitrate.sizes(height, width) if turned else bitrate.sizes(width, height)


def _convert(
    source: str,
    part: str,
    shape: tuple[int, int] | None,
    options: dict[str, str],
    sound: int | None,
    *,
    ceiling: int | None = None,
) -> None:
    """Write `part`: the picture copied, or encoded at `shape`; the sound copied, or encoded at `sound` bits/s."""
    parent = os.getppid()
    with _reading(source) as film, _writing(part) as out:
        video, audio = _streams(film)
        lanes: dict[int, _Lane] = {video.index: _Filmed(out, video, shape, options) if shape else _Copied(out, video)}
        if audio:
            lanes[audio.index] = _Heard(out, audio, sound) if sound else _Copied(out, audio)
        written = 0
        for packet in film.demux([video, audio] if audio else [video]):
            for made in lanes[packet.stream.index].feed(packet):
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


class _Lane(Protocol):
    def feed(self, packet: Any) -> Iterable[av.Packet[Any]]: ...


class _Copied:
    def __init__(self, out: OutputContainer, stream: VideoStream | AudioStream) -> None:
        self._to = out.add_stream_from_template(stream)

    def feed(self, packet: av.Packet[Any]) -> Iterable[av.Packet[Any]]:
        if packet.dts is None:  # the end
            return ()
        packet.stream = self._to
        return (packet,)


class _Filmed:
    """Encodes as H.264, 8 bits, 4:2:0, limited range, upright. Frames keep their own times."""

    def __init__(
        self, out: OutputContainer, video: VideoStream, shape: tuple[int, int], options: dict[str, str]
    ) -> None:
        self._to = out.add_stream("libx264", rate=video.average_rate or 24, options={"preset": "veryfast", **options})
        self._to.width, self._to.height = shape
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


class _Heard:
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
