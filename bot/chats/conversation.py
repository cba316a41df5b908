"""Says what is said when, once for all chats: decline, quote, post the status, accept, dress it, answer a press.

A chat gives a `Turn` for each thing that somebody does there: who did it, and how to answer. What the answer looks like
is the chat's; whether somebody may is the desk's.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

from cachetools import TTLCache

from bot.chats.contract import (
    Action,
    Actor,
    Address,
    AsksWords,
    ChatError,
    ChatGone,
    Declined,
    Desk,
    Done,
    JobView,
    Press,
    Quote,
    Request,
    Upload,
)
from bot.chats.underway import Underway
from bot.domain.options import ChosenOptions

QUICK_SECONDS = 2.0  # a form is a first answer: it can't wait for a slow disk
TWICE_SECONDS = 5.0  # two presses of one button within that are one
HEARD_SECONDS = 3600.0  # within that, an act that comes by a second way is the same one
REMEMBERED = 2000
LISTED = 10

_log = logging.getLogger("zoetrope.conversation")
T = TypeVar("T")


class MayNotPost(ChatGone):
    """We are not let in there; `words` say to the person how we could be."""

    def __init__(self, words: str) -> None:
        super().__init__("we may not post there")
        self.words = words


class Turn(Protocol):
    """One thing that somebody did in a chat, and how to answer it there. Each call may raise `ChatError`."""

    @property
    def key(self) -> str:
        """The platform's own id of the act."""

    @property
    def actor(self) -> Actor:
        """Who did it, as known from memory."""

    @property
    def locale(self) -> str:
        """The person's language, as known from memory."""

    @property
    def lacks(self) -> tuple[str, ...]:
        """Rights that we need to answer there and have not, by their sentences."""

    async def with_roles(self) -> Actor:
        """Find out which roles the person has, if the operator's lists ask for any."""

    async def with_rank(self) -> Actor:
        """Find out whether the person is a moderator there."""

    async def learn_language(self) -> None: ...

    async def acknowledge(self) -> bool:
        """Say "heard"; False when it is too late to answer at all."""

    async def tell(self, words: str) -> None:
        """Say something to the person alone."""

    def at(self, address: Address) -> Self:
        """Return the same turn there, for one that has no place of its own."""

    async def post(self, words: str) -> Address:
        """Post the status message of a new job. Raises `MayNotPost`."""

    async def remove(self, address: Address) -> None:
        """Take a status message back."""

    async def open_thread(self, address: Address, title: str) -> None: ...

    async def dress(self, address: Address, words: str, job: JobView) -> None:
        """Give a status message its buttons, or, for a job that is over, what belongs there then."""

    async def ask_words(self, action: Action, job: JobView) -> None:
        """Open the form that asks for other words and choices."""

    async def take_away(self, job: JobView, words: str) -> None:
        """Delete what was posted of a job; where something has to stay, it says `words`."""

    async def show_jobs(self, jobs: Sequence[JobView]) -> None: ...

    async def finish(self) -> None:
        """Take back the sign that we think about it."""


class Conversation:
    """Answers what people do in one chat."""

    def __init__(self, desk: Desk, chat: str, default_model: str | None = None) -> None:
        self.desk = desk
        self.starts = Underway()
        self._chat = chat
        self._default_model = default_model
        self._heard: TTLCache[str, bool] = TTLCache(REMEMBERED, HEARD_SECONDS)
        self._pressed: TTLCache[tuple[str, Action], bool] = TTLCache(REMEMBERED, TWICE_SECONDS)

    async def request(self, turn: Turn, prompt: str, uploads: Sequence[Upload], options: ChosenOptions) -> None:
        """Make a job of it, or say in private why not."""
        if _known(self._heard, turn.key):
            return
        options = replace(options, model=options.model or self._default_model)
        request = Request(turn.key, prompt, tuple(uploads), options, turn.locale, turn.lacks)
        answer = await self.desk.consider(await turn.with_roles(), request)
        await self._follow(turn, answer)

    async def press(self, turn: Turn, action: Action) -> None:
        """Do what was pressed. What asks for words opens its form at once, the rest is acknowledged first."""
        if self.desk.asks_words(action.act):
            press = Press(turn.key, action, turn.locale)
            answer = await asyncio.wait_for(self.desk.press(turn.actor, press), QUICK_SECONDS)
            if isinstance(answer, AsksWords):
                return await turn.ask_words(answer.action, answer.job)
        again = _known(self._pressed, (turn.actor.person, action))
        if not await turn.acknowledge():
            return None
        if again:
            return await turn.finish()
        await turn.learn_language()
        await self._press(turn, action)

    async def fill_in(self, turn: Turn, action: Action, words: str, changes: Mapping[str, Any]) -> None:
        """Do what was pressed, now that its form was filled in."""
        await self._press(turn, action, words, changes)

    async def list_jobs(self, turn: Turn) -> None:
        """Show somebody's last jobs, each with its state, its link and what can be done about it."""
        await turn.show_jobs(await self.desk.recent(turn.actor, LISTED))

    async def help(self, turn: Turn) -> None:
        await turn.tell(self.say("chat.help", turn.locale))

    def say(self, sentence: str, locale: str, **facts: object) -> str:
        """Return a sentence, in this chat's own wording where it has one."""
        with suppress(LookupError):
            return self.desk.say(f"{sentence}.{self._chat}", locale, **facts)
        return self.desk.say(sentence, locale, **facts)

    def speech(self, locale: str) -> Callable[[str], str]:
        return lambda sentence: self.say(sentence, locale)

    @asynccontextmanager
    async def guarded(self, turn: Turn) -> AsyncIterator[None]:
        """Whatever goes wrong inside is told, in one sentence."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the person gets one sentence
            await self.complain(turn, error)

    async def complain(self, turn: Turn, error: BaseException) -> None:
        """Tell the person one sentence with a reference that is in the log too. The log gets no words of theirs."""
        reference = secrets.token_hex(3)
        _log.error("reference %s: %s", reference, type(error).__name__, exc_info=error)
        await turn.learn_language()
        try:
            await turn.tell(self.say(_sentence(error), turn.locale, reference=reference))
        except ChatError as late:
            _log.warning("reference %s could not be told: %s", reference, late)

    async def _press(
        self, turn: Turn, action: Action, words: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> None:
        """Find out what a person's rights hang on here, and no more: each question is a call to the platform."""
        job = await self.desk.job(turn.actor, action.job)
        turn = turn if job is None else turn.at(job.address)
        actor = turn.actor
        if self.desk.makes_job(action.act):
            actor = await turn.with_roles()
        elif job is None:
            actor = await turn.with_rank()
        press = Press(turn.key, action, turn.locale, words, changes or {}, turn.lacks)
        await self._follow(turn, await self.desk.press(actor, press))

    async def _follow(self, turn: Turn, answer: Done | AsksWords | Quote | Declined) -> None:
        match answer:
            case Declined(words):
                await turn.tell(words)
            case AsksWords(action, job):
                await turn.ask_words(action, job)
            case Done(words, deleted):
                if deleted is not None:
                    await turn.take_away(deleted, words)
                await turn.tell(words)
            case quote:
                with self.starts.one():
                    await self._start(turn, quote)

    async def _start(self, turn: Turn, quote: Quote) -> None:
        try:
            address = await turn.post(quote.words)
        except MayNotPost as error:
            return await turn.tell(error.words)
        job = await self._accept(turn, quote, address)
        if isinstance(job, Declined):
            return await turn.tell(job.words)
        try:
            await self._dress(turn, quote, address, job)
        except ChatError as error:
            _log.info("job %s: its status has no thread or button yet: %s", job, error)  # it goes on

    async def _accept(self, turn: Turn, quote: Quote, address: Address) -> str | Declined:
        job: str | Declined | None = None
        try:
            job = await self.desk.accept(quote, address)
        finally:
            if not isinstance(job, str):  # nothing was begun
                with suppress(ChatError):  # the reason is what matters
                    await turn.remove(address)
        return job

    async def _dress(self, turn: Turn, quote: Quote, address: Address, job: str) -> None:
        """Give the status of an accepted job its thread and its buttons, those of its end if that came meanwhile."""
        found = await self.desk.job(turn.actor, job)
        if found is not None and found.address != address:  # the same act was delivered twice
            await turn.remove(address)
            return await turn.finish()
        await turn.open_thread(address, quote.title)
        dressed = None if found is None or found.open else found.actions
        while found is not None and found.actions != dressed:
            dressed = found.actions
            words = quote.words if found.open else self.say("status.closed", turn.locale)
            await turn.dress(address, words, found)
            found = await self.desk.job(turn.actor, job)
        await turn.finish()


def _sentence(error: BaseException) -> str:
    if isinstance(error, ChatError):
        return error.sentence
    return "chat.busy" if isinstance(error, TimeoutError) else "chat.error"


def _known(memory: "TTLCache[T, bool]", act: T) -> bool:
    """Say whether that was remembered already, else remember it from now on."""
    if act in memory:
        return True
    memory[act] = True
    return False
