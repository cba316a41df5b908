"""Answers every request and every press with what comes of it, or with one sentence that says what to do instead."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from bot.chats import contract
from bot.chats.contract import Actor, Address, AsksWords, Declined, Done, Fault, JobView, Offer, Press, Request
from bot.desk.actions import ACTIONS, Answer, Pressed
from bot.desk.contract import No, Tools
from bot.desk.requests import Quote, Requests
from bot.desk.views import Views
from bot.domain import policy
from bot.files.contract import NoSpace
from bot.store.contract import StoreBroken, StoreBusy
from bot.text import sentences

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class FrontDesk:
    """Does nothing itself: asks whether somebody may, lets the use cases answer, and turns a no into words."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._requests = Requests(tools)
        self._views = Views(tools)
        self._accepting: dict[str, asyncio.Task[str | Declined]] = {}

    async def consider(self, actor: Actor, request: Request) -> Quote | Declined:
        """Check rules, model, pictures as declared, words and options; free and quick."""
        return await _answer(self._requests.consider(actor, request), request.locale)

    async def press(self, actor: Actor, press: Press) -> Done | AsksWords | Quote | Declined:
        """Do what was pressed, if that person may; what makes a new job becomes a quote, or asks for words first."""
        return await _answer(self._press(actor, press), press.locale)

    async def accept(self, quote: contract.Quote, address: Address) -> str | Declined:
        """Look at the pictures, keep them, write the job down; returns its id. The same `key` gives the same id."""
        if not isinstance(quote, Quote):
            raise TypeError("accept takes a quote of this desk")
        key = quote.request.key
        task = self._accepting.get(key)
        if task is None:  # else the same act was delivered twice at once
            task = asyncio.create_task(_answer(self._requests.accept(quote, address), quote.request.locale))
            self._accepting[key] = task
            task.add_done_callback(lambda _: self._accepting.pop(key))
        return await asyncio.shield(task)  # a caller who goes away must not leave a job half written

    async def job(self, actor: Actor, job: str) -> JobView | None:
        """Show one job; None for one that there isn't, and for who may not see it."""
        return await self._views.job(actor, job)

    async def recent(self, actor: Actor, most: int = 10) -> Sequence[JobView]:
        """Show somebody's own jobs, newest first."""
        return await self._views.recent(actor, most)

    def asks_words(self, act: str) -> bool:
        """Say from memory whether such an action has a form."""
        return act in ACTIONS and ACTIONS[act].asks_words

    def makes_job(self, act: str) -> bool:
        """Say from memory whether such an action starts a new job."""
        return act in ACTIONS and ACTIONS[act].makes_job

    def offers(self, typed: str, most: int = 25, first: str | None = None) -> Sequence[Offer]:
        """List the models that go with what was typed so far: the one named `first`, then the default. From memory."""
        return self._views.offers(typed, most, first)

    def say(self, sentence: str, locale: str, **facts: object) -> str:
        """Return one of the house's sentences in that language."""
        return sentences.say(sentence, locale, **facts)

    async def _press(self, actor: Actor, press: Press) -> Answer:
        act, job = press.action.act, await self._tools.store.get(press.action.job)
        if job is None or act not in ACTIONS or not policy.may(actor, act, job):
            raise No(sentences.say("chat.not_yours", press.locale))
        return await ACTIONS[act].do(Pressed(self._tools, self._requests, self._views.show, actor, press, job))


async def _answer(work: Coroutine[Any, Any, _T], locale: str) -> _T | Declined:
    try:
        return await work
    except No as no:
        return no.declined
    except (NoSpace, StoreBusy, StoreBroken) as error:
        _log.error("%s", error)
        words = sentences.disk_full if isinstance(error, NoSpace) else sentences.database_unavailable
        return Declined(words(locale), Fault.OPERATOR)
