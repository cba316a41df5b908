"""Says in which words the house and any chat speak with each other, without a platform's name."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bot.domain.options import ChosenOptions


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture somebody sent: declared facts first, bytes only when asked. `read(cap)` gives at most `cap` bytes.

    `read` raises `ChatGone` when the platform no longer has it, `ChatBusy` when it can't be read now.
    """

    name: str
    mime: str | None
    size: int | None  # bytes, as declared
    read: Callable[[int], Awaitable[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and where, as the chat knows it. What that person may do is for the desk to say."""

    chat: str
    person: str  # one and the same wherever in that chat
    server: Mapping[str, str] = field(default_factory=dict)  # as every address in it says; empty in private
    channels: frozenset[str] = frozenset()  # the place itself, and what it is a part of
    roles: frozenset[str] = frozenset()
    moderator: bool = False  # of that server
    operator: bool = False  # runs this bot


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where in a chat, and by whom, videos may be asked for: the operator's lists of ids; an empty one allows all."""

    servers: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


@runtime_checkable
class Restricted(Protocol):
    """A chat whose settings have such lists."""

    @property
    def allowed(self) -> Allowed: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What one person asks for. `key` is the platform's own id of the act: the same act delivered twice is one job."""

    key: str
    prompt: str = field(repr=False)
    uploads: tuple[Upload, ...] = ()  # first frame, then last frame
    options: ChosenOptions = field(default_factory=ChosenOptions)
    locale: str = "en"
    lacks: tuple[str, ...] = ()  # rights that we need to answer there and have not, by their sentences


@dataclass(frozen=True, slots=True)
class Address:
    """Where to answer. `place` is understood by its chat alone; it outlives the handler that made it."""

    chat: str
    place: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Declined:
    """A no before anything was spent: one sentence that says what to do instead. `fault` says whose move it is."""

    words: str
    fault: "Fault"


class Fault(StrEnum):
    REQUEST = "request"  # the person can change it
    RULES = "rules"  # a limit of this server
    OPERATOR = "operator"  # only the operator can mend it


class Act(StrEnum):
    """What can be done about a job. `desk.actions` says what each does, `domain.policy` who may."""

    CANCEL = "cancel"
    RETRY = "retry"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Action:
    act: str  # an `Act`, or one that somebody added
    job: str


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody chose an action. What its form gave is `words`, None before it was filled in, and `changes`.

    `changes` are choices by option, None for the usual; what is not in it stays as it was.
    """

    key: str  # as a request's
    action: Action
    locale: str = "en"
    words: str | None = field(default=None, repr=False)
    changes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """What a waiting person sees; shown over the last one. Losing one does no harm."""

    words: str
    actions: tuple[Action, ...] = ()
    since: float | None = None  # Unix seconds: when rendering began
    expected: float | None = None  # Unix seconds: when such a video is usually ready, while that is still to come


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer. `mention` is who is told; nobody named in `words` is."""

    words: str
    video: Path | None = None
    actions: tuple[Action, ...] = ()
    mention: str | None = None
    alt: str = ""  # what the video shows, for people who can't see it


class ChatError(Exception):
    """Named by remedy; the text is for the log, `sentence` for whoever asked meanwhile."""

    sentence = "chat.busy"


class ChatBusy(ChatError):
    """Surely not posted: wait and try again."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ChatUnsure(ChatError):
    """It may have been posted, the answer was lost: look for it before posting again."""


class ChatGone(ChatError):
    """The place or the person is gone: nobody left to tell."""


class TooBig(ChatError):
    """The platform would not take the video; `limit` is the largest file it takes here, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"larger than {limit} bytes")
        self.limit = limit


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, but somebody should look
    FAIL = "fail"  # it does not work


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `zoetrope doctor`: what was looked at, how it is, and what to do next."""

    name: str
    verdict: Verdict
    words: str
    step: str = ""


class Quote(Protocol):
    """A request that can be made: checked, priced, adjusted."""

    @property
    def words(self) -> str:
        """Say what will be made."""

    @property
    def title(self) -> str:
        """Return what its thread may be called: what the person said."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its chat may show it to somebody who may see it."""

    id: str
    address: Address
    words: str  # how it stands, or how it ended
    prompt: str = field(repr=False)
    options: ChosenOptions  # those that make the same again
    created: float  # Unix seconds
    open: bool
    receipt: str | None  # the platform's id of the answer
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """It was done, as `words` say; `deleted` is a job whose answer the chat should take away too."""

    words: str
    deleted: JobView | None = None


@dataclass(frozen=True, slots=True)
class AsksWords:
    """Its form has to be filled in first; the job's own words and options are what it begins with."""

    action: Action
    job: JobView


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as a person may choose it."""

    name: str
    label: str  # with length and price
    choices: Mapping[str, tuple[Any, ...]]  # by option; (): anything of its kind; no entry: the model hasn't it


class Desk(Protocol):
    """What a chat may ask of the house. Whoever may not is told so in a `Declined`."""

    async def consider(self, actor: Actor, request: Request) -> "Quote | Declined":
        """Check rules, model and price; free and quick."""

    async def press(self, actor: Actor, press: Press) -> "Done | AsksWords | Quote | Declined":
        """Do what was pressed; what makes a new job becomes a quote, or asks for words first."""

    async def accept(self, quote: Quote, address: Address) -> "str | Declined":
        """Look at the pictures, keep them, write the job down; returns its id. The same `key` gives the same id."""

    async def job(self, actor: Actor, job: str) -> JobView | None:
        """Show one job; None for one that there isn't, and for who may not see it."""

    async def recent(self, actor: Actor, most: int = 10) -> Sequence[JobView]:
        """Show somebody's own jobs, newest first."""

    def asks_words(self, act: str) -> bool:
        """Say from memory whether such an action has a form."""

    def makes_job(self, act: str) -> bool:
        """Say from memory whether such an action starts a new job."""

    def offers(self, typed: str, most: int = 25, first: str | None = None) -> Sequence[Offer]:
        """List the models that go with what was typed so far, the one of that name `first`; from memory."""

    def say(self, sentence: str, locale: str, **facts: object) -> str:
        """Return one of the house's sentences in that language: labels, help, what a chat alone can notice."""


class Chat(Protocol):
    """A place where people talk. It translates and never decides: no retry, no sleep, no state but the connection."""

    name: str
    edit_every: float  # seconds between two changes of a status message

    @property
    def connected(self) -> bool:
        """Say from memory whether people's requests reach us now."""

    async def listen(self, desk: Desk) -> None:
        """Bring people's requests to the desk until cancelled."""

    async def show(self, address: Address, status: Status) -> None:
        """Best effort; may be lost."""

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:
        """Post the answer and return the platform's id of it. It arrives, or this raises a `ChatError`.

        `key` names this very answer: `again` says that an earlier try may have posted it, so that the chat looks for
        its own post before posting.
        """

    async def upload_limit(self, address: Address) -> int | None:
        """Ask for the largest file this place takes now, in bytes; None: no limit."""

    async def ping(self) -> str:
        """Say in one line that the platform can be reached, or raise."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a chat's module offers, in its `ADAPTER`; without one, its `Chat` and `Settings` alone count."""

    chat: Callable[[Any], Chat]  # of its settings
    settings: type[Any]  # the table [chat.<name>], a field a key
    checks: Callable[[Any], AsyncGenerator[Check]] | None = None  # for the doctor; raises `ChatError`; None: a ping
    addresses: tuple[str, ...] = ()  # settings that say where it is reached
    elsewhere: Callable[[str, str, str], Mapping[str, str]] | None = None
    """The place that an operator types; then the person there, "" for none, and the locale. Raises `ValueError`."""
