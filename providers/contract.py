"""Declares the words between the bot and whoever makes a video. No I/O and no provider's name lives here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, NewType, Protocol

Ticket = NewType("Ticket", str)
"""A provider's own handle as JSON text: opaque to the bot, survives a restart, holds no credential."""


class Secret:
    """A key or a token. It never prints; only `reveal` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "••••••"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Picture:
    """A clean still: bytes, never a URL. A provider that needs a URL uploads it itself."""

    data: bytes = field(repr=False)
    mime: str
    width: int  # pixels
    height: int  # pixels


class Role(StrEnum):
    """What an input is to the video."""

    FIRST = "first"  # it begins with this picture
    LAST = "last"  # it ends on this one
    REFERENCE = "reference"  # who or what is in it
    VIDEO = "video"  # it goes on from this one


@dataclass(frozen=True, slots=True)
class AnimationRequest:
    """What to make. Every field has been checked against the model's `ModelSpec` before a provider sees it."""

    prompt: str = field(repr=False)
    inputs: Mapping[Role, Picture]  # `FIRST` is always there
    model: "ModelSpec"
    seconds: float = 5.0
    aspect: str | None = None  # "16:9"; None: the picture's own shape
    resolution: str | None = None  # "720p"
    negative_prompt: str | None = field(default=None, repr=False)
    guidance: float | None = None
    seed: int | None = None
    audio: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # choices that have no field here, by name

    @property
    def first(self) -> Picture:
        return self.inputs[Role.FIRST]

    @property
    def last(self) -> Picture | None:
        return self.inputs.get(Role.LAST)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What pictures a model accepts. `bytes` counts the normalised file."""

    min_side: int = 64  # pixels
    max_side: int = 8192  # pixels
    max_ratio: float = 4.0  # longer side / shorter side
    max_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """In micro-dollars: `per_clip + per_second * seconds`, times every factor that applies.

    Factors go by resolution ("1080p"), length ("10s") and "audio"; one for a pair ("4k audio") stands for both.
    """

    per_clip: int = 0
    per_second: int = 0
    factors: Mapping[str, float] = field(default_factory=dict)

    def of(self, seconds: float, resolution: str | None, *, audio: bool = False) -> int:
        pair = f"{resolution} audio"
        if audio and pair in self.factors:
            words = [pair, f"{seconds:g}s"]
        else:
            words = [resolution or "", f"{seconds:g}s", "audio" if audio else ""]
        price = self.per_clip + self.per_second * seconds
        return round(price * math.prod(self.factors.get(word, 1.0) for word in words))


class Audio(StrEnum):
    NEVER = "never"
    OPTIONAL = "optional"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of one provider, as data: what it takes is checked before money is spent."""

    name: str  # what a person types
    provider: str  # its name in the settings
    title: str = ""
    endpoint: str = ""  # the provider's id for it
    aliases: tuple[str, ...] = ()
    seconds: tuple[float, ...] = (5,)  # every length it can make; the first is the default
    resolutions: tuple[str, ...] = ()  # the first is the default; empty: not to be chosen
    aspects: tuple[str, ...] = ()  # shapes it can make; "own" = the picture's own; the first is the default
    last_frame: bool = False
    negative_prompt: bool = False
    guidance: tuple[float, float] | None = None  # lowest, highest
    seed: bool = False
    audio: Audio = Audio.NEVER
    prompt_required: bool = True
    prompt_limit: int = 2000  # characters, or UTF-8 bytes:
    prompt_in_bytes: bool = False
    image: ImageLimits = field(default_factory=ImageLimits)
    never: tuple[str, ...] = ()  # choices it does not make together, in the words of `Price`: "1080p 10s", "512p last"
    price: Price = field(default_factory=Price)
    typical_seconds: float = 60.0  # from accepted to finished, until our own history says better
    deadline_seconds: float = 900.0  # from the start of rendering; later is late, not lost
    poll_floor: float = 1.0  # seconds; never poll more often
    retired_on: date | None = None
    successor: str | None = None
    wire: Mapping[str, Any] = field(default_factory=dict)  # how the provider names things; read by its own code alone

    def retired(self, today: date) -> bool:
        return self.retired_on is not None and self.retired_on <= today

    def clash(self, *choices: str | None) -> str | None:
        """Return which of `never` those choices are, in its words; None: they go together."""
        return next((pair for pair in self.never if set(choices).issuperset(pair.split())), None)


@dataclass(frozen=True, slots=True)
class Waiting:
    position: int | None = None  # jobs before ours, when the provider says


@dataclass(frozen=True, slots=True)
class Rendering:
    fraction: float | None = None  # 0..1, only when measured, never guessed


@dataclass(frozen=True, slots=True)
class Finished:
    source: str  # where `fetch` finds the video; may die soon
    cost: int | None = None  # micro-dollars, when the provider says
    note: str = ""  # what the provider wants the person to know, e.g. which camera move it chose


Progress = Waiting | Rendering | Finished


class Cancelled(StrEnum):
    FREE = "free"  # stopped, costs nothing
    CHARGED = "charged"  # stopped, but it may be charged
    TOO_LATE = "too late"  # it goes on, or is already over: poll again


class Recovery(StrEnum):
    """What can be done after an answer to `submit` was lost."""

    RESEND = "resend"  # the same key never makes a second charge: submit again
    FIND = "find"  # `find` knows whether it was accepted
    NONE = "none"  # nobody can know: the person is told


class ProviderError(Exception):
    """Named by remedy. The text is for the log and the operator; the person reads the words of `bot.text`."""


class Busy(ProviderError):
    """Not accepted, or cannot answer now: wait and try again. A refused connection is Busy."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Expired(Busy):
    """The address of a finished video is refused or gone: the next `check` may give a fresh one. `fetch` only."""


class Reason(StrEnum):
    PROMPT = "prompt"
    PICTURE = "picture"
    POLICY = "policy"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"  # accepted, then could not be made
    FORGOTTEN = "forgotten"  # the provider no longer knows the ticket


class Refused(ProviderError):
    """It said no, for good. `which` names the input at fault ("picture", "end picture", "prompt"), when known."""

    def __init__(self, reason: Reason, text: str = "", *, which: str | None = None, charged: bool = False) -> None:
        super().__init__(text or reason)
        self.reason = reason
        self.which = which
        self.charged = charged


class Unsure(ProviderError):
    """It may have been accepted: the answer was lost. Raised by `submit` only."""


class Misconfigured(ProviderError):
    """Key, balance or permission: the operator's business. The text says what to do and holds no secret."""


class VideoProvider(Protocol):
    """Makes videos, at a vendor's or here.

    Each call is one short conversation with the vendor: it never sleeps, loops, retries or remembers. Every call may
    raise `Busy` or `Misconfigured`; any other exception is a bug. Calls may be repeated after a crash.
    """

    @property
    def recovery(self) -> Recovery: ...

    @property
    def places(self) -> int | None:
        """How many jobs it takes at once. None, or left out: not known; it is asked until it is `Busy`."""
        return None

    async def submit(self, request: AnimationRequest, key: str) -> Ticket:
        """Start making a video; at most one paid request goes out. `key` is our own id of the job.

        Raises `Refused`, and `Unsure` when the request may have been accepted but the answer was lost.
        """

    async def check(self, ticket: Ticket) -> Progress:
        """Poll. Free and repeatable; a word the vendor never used before means "still running".

        Raises `Refused` when the video will never come.
        """

    async def fetch(self, source: str, into: Path) -> None:
        """Bring the finished video to the file `into`: whole or not at all. Repeatable."""

    async def cancel(self, ticket: Ticket) -> Cancelled:
        """Ask the vendor to stop."""

    async def find(self, key: str, since: float) -> Ticket | None:
        """Look for a submission by our key, made at or after `since` (Unix seconds). None: not there (yet)."""

    async def ping(self) -> str:
        """Say in one line that the vendor can be used, or raise."""

    async def close(self) -> None:
        """Let go of connections. Jobs go on without us."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a provider's module offers, in its `ADAPTER`; without one, its `Provider` and `Settings` alone count."""

    provider: Callable[[Any, Path], VideoProvider]  # settings, and a folder that is its own
    settings: type[Any]  # the table [providers.<name>], a field a key
    wire: type[Any] | None = None  # what a model's `wire` table may hold; None: anything
    addresses: tuple[str, ...] = ()  # settings that say where the vendor is reached
