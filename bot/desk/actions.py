"""Does what can be done about a job: each action stands once in `ACTIONS`, and chats offer, hear and label it by that.

A new action is one line there and its word, "label.<act>". Who may is for `domain.policy` to say; what it does not
name is for the requester alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.chats.contract import Act, Action, Actor, AsksWords, Done, JobView, Press, Request
from bot.desk.contract import No, Tools
from bot.desk.gates import Original
from bot.desk.requests import Quote, Requests
from bot.domain.job import Job, Relation, State
from bot.domain.options import ChosenOptions
from bot.files.contract import Missing
from bot.text import sentences

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pressed:
    """An action that somebody may do to a job, and what it is done with."""

    tools: Tools
    requests: Requests
    show: Callable[[Job], JobView]
    actor: Actor
    press: Press
    job: Job


Answer = Done | AsksWords | Quote


@dataclass(frozen=True, slots=True)
class UseCase:
    do: Callable[[Pressed], Awaitable[Answer]]
    offered: Callable[[Job], bool]
    makes_job: bool = False
    asks_words: bool = False  # by a form, which opens before anything is done


def offered(job: Job) -> tuple[Action, ...]:
    """Return what can be done about the job now, in the order of its buttons."""
    return tuple(Action(act, job.id) for act, case in ACTIONS.items() if case.offered(job))


async def cancel(pressed: Pressed) -> Done:
    """Ask for a stop, unless there is nothing left to stop."""
    tools, job, locale = pressed.tools, pressed.job, pressed.press.locale
    if not await tools.store.ask_cancel(job.id):
        return Done(sentences.say("chat.over", locale))
    _log.info("CancelAsked", extra={"job": job.id})
    tools.ring()
    return Done(sentences.say("chat.stopping", locale))


async def retry(pressed: Pressed) -> Quote:
    """Make it anew: the same pictures, words and choices."""
    if not pressed.job.prompt:  # forgotten by now
        raise No(sentences.job_gone(pressed.job.locale))
    return await _again(pressed, pressed.job.prompt, Relation.RETRY)


async def edit(pressed: Pressed) -> AsksWords | Quote:
    """Make it anew with other words and choices, once they are given."""
    if pressed.press.words is None:
        return AsksWords(pressed.press.action, pressed.show(pressed.job))
    return await _again(pressed, pressed.press.words, Relation.EDIT)


async def delete(pressed: Pressed) -> Done:
    """Delete a closed job's pictures and video."""
    job, locale = pressed.job, pressed.press.locale
    if job.state is not State.CLOSED:
        return Done(sentences.say("chat.not_deleted", locale))
    await asyncio.to_thread(pressed.tools.files.forget, job.id)
    return Done(sentences.say("chat.deleted", locale), deleted=pressed.show(job))


async def _again(pressed: Pressed, words: str, relation: Relation) -> Quote:
    job, press = pressed.job, pressed.press
    if job.outcome is None:
        raise No(sentences.still_open(job.locale))
    try:
        pictures = await asyncio.to_thread(pressed.tools.files.pictures, job.id)
    except Missing as error:
        raise No(sentences.job_gone(job.locale)) from error
    chosen = ChosenOptions.of({**job.options.chosen(job.model).values(), **press.changes})
    request = Request(press.key, words, options=chosen, locale=job.locale, lacks=press.lacks)
    old = Original(job, tuple(filter(None, pictures)), relation)
    return await pressed.requests.consider_again(pressed.actor, request, old)


def _is_stoppable(job: Job) -> bool:
    return job.outcome is None and job.cancel_asked is None and job.state is not State.CLOSED


def _has_ended(job: Job) -> bool:
    return job.outcome is not None


ACTIONS: dict[str, UseCase] = {
    Act.CANCEL: UseCase(cancel, _is_stoppable),
    Act.RETRY: UseCase(retry, _has_ended, makes_job=True),
    Act.EDIT: UseCase(edit, _has_ended, makes_job=True, asks_words=True),
    Act.DELETE: UseCase(delete, _has_ended),
}
