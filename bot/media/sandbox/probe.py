"""Say what a video is by FFmpeg's libraries, inside a sandbox. The bot itself imports no codec."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Any, NamedTuple

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from bot.media.sandbox.declined import Declined


class Probed(NamedTuple):
    seconds: float
    width: int  # pixels as shown
    height: int
    frames: int  # 0: not said
    video: str  # codec: "h264", "hevc", ...
    audio: str | None  # codec: "aac", ...
    plain: bool  # known to every player: H.264 with 8-bit 4:2:0 limited pixels; AAC or silent
    strays: bool  # tracks beside one picture and one sound


def done(request: dict[str, Any]) -> dict[str, Any]:
    """Answer what the file `source` is. Raises `Declined` with a word of `films.Problem`."""
    with declining():
        return probed(request["source"])._asdict()


@contextlib.contextmanager
def declining() -> Iterator[None]:
    """Turn FFmpeg's errors into `Declined`, by name."""
    try:
        yield
    except (av.error.FFmpegError, EOFError) as error:
        if isinstance(error, MemoryError):
            raise
        raise _declined(error) from error


def _declined(error: Exception) -> Declined:
    from providers.atomic import is_full  # noqa: PLC0415 - 6 ms that only a failure is worth

    if isinstance(error, OSError) and is_full(error):
        return Declined("too_hard", why="size") if error.errno == errno.EFBIG else Declined("no_space")
    if isinstance(error, av.error.ExternalError):  # what x264 says when it gets no memory
        return Declined("too_hard", why="memory")
    return Declined("corrupt", words=str(error)[:200])


def probed(source: str) -> Probed:
    """Read the index and the first frame. Raises `Declined` and FFmpeg's errors."""
    with reading(source) as film:
        video, audio = streams(film)
        width, height = video.codec_context.width, video.codec_context.height
        if _is_turned(film, video):
            width, height = height, width
        return Probed(
            seconds=(film.duration or 0) / av.time_base,
            width=width,
            height=height,
            frames=video.frames,
            video=video.codec_context.name,
            audio=audio.codec_context.name if audio else None,
            plain=is_plain(video) and video.codec_context.codec_tag == "avc1" and (audio is None or is_aac(audio)),
            strays=len(film.streams) > (2 if audio else 1),
        )


def reading(source: str) -> InputContainer:
    """Open as MP4 and as nothing else: a playlist named .mp4 would otherwise open its neighbours."""
    return av.open(source, format="mp4", options={"protocol_whitelist": "file"}, metadata_errors="replace")


def streams(film: InputContainer) -> tuple[VideoStream, AudioStream | None]:
    if not film.streams.video:
        raise Declined("no_picture")
    video = film.streams.video[0]
    return video, film.streams.audio[0] if film.streams.audio else None


def is_plain(video: VideoStream) -> bool:
    """Say whether every player shows the pixels as they are."""
    context = video.codec_context
    return (context.name, context.pix_fmt) == ("h264", "yuv420p")  # of full range it would be yuvj420p


def is_aac(audio: AudioStream) -> bool:
    return audio.codec_context.name == "aac"


def _is_turned(film: InputContainer, video: VideoStream) -> bool:
    """Say whether a player turns the picture by a quarter. Only a decoded frame tells; one that is broken does not."""
    video.codec_context.thread_count = 1  # more threads want more frames
    with contextlib.suppress(av.error.InvalidDataError):
        first = next(film.decode(video), None)
        return first is not None and abs(first.rotation) == 90
    return False
