"""A chat of one's own, outside the tree: adapter = "tests.fakes.murmur". All of it is in memory. For tests alone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import msgspec

from bot.chats.contract import Action, Actor, Address, Allowed, Desk, JobView, Reply, Status, Upload
from bot.chats.conversation import Conversation, MayNotPost
from bot.domain.options import ChosenOptions

CHATS: list["Chat"] = []  # that were built in this process


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rooms: tuple[str, ...] = ()


@dataclass
class Post:
    words: str
    actions: tuple[Action, ...] = ()
    video: bool = False
    wordings: list[str] = field(default_factory=list)


class Chat:
    """A place is `room`, `status`: the number of the status message."""

    name = "murmur"
    edit_every = 0.2
    connected = True

    def __init__(self, settings: Settings) -> None:
        self.allowed = Allowed(channels=frozenset(settings.rooms))
        self.posts: dict[str, Post] = {}
        self.whispers: list[tuple[str, str]] = []  # to whom, what
        self.forms: list[tuple[str, Action]] = []
        self.closed = False  # nobody may post
        self.breaks: Exception | None = None  # is raised by the next post
        self.numbers = count(1)
        self._shown = asyncio.Event()
        self._conversation: asyncio.Future[Conversation] = asyncio.get_running_loop().create_future()
        CHATS.append(self)

    async def listen(self, desk: Desk) -> None:
        self._conversation.set_result(Conversation(desk, self.name))
        await asyncio.Event().wait()

    async def show(self, address: Address, status: Status) -> None:
        if post := self.posts.get(address.place["status"]):
            post.wordings.append(post.words)
            post.words, post.actions = status.words, status.actions
            self._shown.set()

    async def deliver(self, address: Address, reply: Reply, key: str, *, again: bool) -> str:  # noqa: ARG002 - a key is one post
        self.posts[key] = Post(reply.words, reply.actions, video=reply.video is not None)
        return key

    async def upload_limit(self, address: Address) -> int | None:  # noqa: ARG002 - there is none
        return None

    async def ping(self) -> str:
        return "murmur: fine"

    async def until(self, so: Callable[[], object]) -> None:
        """Wait until what is shown is so."""
        async with asyncio.timeout(60):
            while not so():
                self._shown.clear()
                await self._shown.wait()

    # What people do.

    async def conversation(self) -> Conversation:
        return await self._conversation

    def turn(self, person: str, key: str = "", room: str = "hall", *, moderator: bool = False) -> "Turn":
        return Turn(self, person, key or f"murmur:{next(self.numbers)}", room, moderator=moderator)

    async def ask(self, turn: "Turn", prompt: str, *pictures: bytes) -> None:
        talk = await self.conversation()
        async with talk.guarded(turn):
            await talk.request(turn, prompt, [upload(one) for one in pictures], ChosenOptions())

    async def press(self, turn: "Turn", action: Action) -> None:
        talk = await self.conversation()
        async with talk.guarded(turn):
            await talk.press(turn, action)

    def told(self, person: str) -> list[str]:
        return [words for who, words in self.whispers if who == person]


@dataclass(frozen=True)
class Turn:
    chat: Chat
    person: str
    key: str
    room: str
    moderator: bool = False
    locale: str = "en"
    lacks: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        return Actor("murmur", self.person, {"house": "1"}, frozenset({self.room}))

    async def with_roles(self) -> Actor:
        return self.actor

    async def with_rank(self) -> Actor:
        return replace(self.actor, moderator=self.moderator)

    async def learn_language(self) -> None: ...

    async def acknowledge(self) -> bool:
        return True

    async def tell(self, words: str) -> None:
        self.chat.whispers.append((self.person, words))

    def at(self, address: Address) -> "Turn":  # noqa: ARG002 - everything has its place
        return self

    async def post(self, words: str) -> Address:
        if self.chat.breaks is not None:
            error, self.chat.breaks = self.chat.breaks, None
            raise error
        if self.chat.closed:
            raise MayNotPost("Open the door first.")
        status = f"status {next(self.chat.numbers)}"
        self.chat.posts[status] = Post(words)
        return Address("murmur", {"house": "1", "room": self.room, "status": status})

    async def remove(self, address: Address) -> None:
        del self.chat.posts[address.place["status"]]

    async def open_thread(self, address: Address, title: str) -> None: ...

    async def dress(self, address: Address, words: str, job: JobView) -> None:
        post = self.chat.posts[address.place["status"]]
        post.words, post.actions = words, job.actions

    async def ask_words(self, action: Action, job: JobView) -> None:  # noqa: ARG002 - nobody reads the form
        self.chat.forms.append((self.person, action))

    async def take_away(self, job: JobView, words: str) -> None:  # noqa: ARG002 - nothing has to stay
        self.chat.posts.pop(job.receipt or "", None)

    async def show_jobs(self, jobs: Sequence[JobView]) -> None:
        await self.tell("; ".join(job.words for job in jobs))

    async def finish(self) -> None: ...


def upload(picture: bytes) -> Upload:
    async def read(cap: int) -> bytes:
        return picture[:cap]

    return Upload("a.png", "image/png", len(picture), read)
