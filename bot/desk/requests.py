"""Turns a request into a quote, and an accepted quote into a job. Everything that can be declined is, before money."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace

from bot.chats.contract import Actor, Address, ChatBusy, ChatGone, Request, Upload
from bot.desk import fallbacks, gates
from bot.desk.contract import No, Tools
from bot.desk.fallbacks import Promise
from bot.desk.gates import Draft, Original
from bot.domain import options, policy
from bot.domain.job import Fallback, Job
from bot.domain.options import ResolvedOptions
from bot.files.contract import NoSpace
from bot.media.pictures import BadPicture, Looked
from bot.store.contract import StoreBusy
from bot.text import sentences
from providers.contract import ModelSpec, Picture

LETTERS = "23456789bcdfghjkmnpqrstvwxz"  # no vowels, so no words by chance; nothing to mistake for something else

AT_ONCE = 4  # uploads that are in memory at the same time, each of up to `UPLOAD_BYTES`; the next ones wait in line

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quote:
    """A request after every check, complete and priced (micro-dollars)."""

    actor: Actor
    request: Request = field(repr=False)
    spec: ModelSpec
    prompt: str = field(repr=False)
    options: ResolvedOptions
    price: int
    words: str
    old: Original | None = None  # what it makes again

    @property
    def title(self) -> str:
        return self.request.prompt


class Requests:
    """Quotes, and accepts what was quoted."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._room = asyncio.Semaphore(AT_ONCE)

    async def consider(self, actor: Actor, request: Request) -> Quote:
        """Send a request through the gates. Raises `No`."""
        return await self._through_gates(Draft(self._tools, actor, request))

    async def consider_again(self, actor: Actor, request: Request, old: Original) -> Quote:
        """Do the same for what an old job's pictures are to become. Raises `No`."""
        quote = await self._through_gates(Draft(self._tools, actor, request, old))
        return replace(quote, words=sentences.say("chat.again", request.locale))

    async def accept(self, quote: Quote, address: Address) -> str:
        """Look at the pictures, keep them, write the job down; returns its id. Raises `No`."""
        gates.check_offered(quote.spec, self._tools, quote.request.locale)
        if quote.old is None:
            pictures, notices = await self._look_at_pictures(quote)
        else:
            pictures, notices = quote.old.pictures, quote.old.job.notices
        if shape := options.nearest_shape(quote.request.options, quote.spec, pictures[0]):
            quote, notices = replace(quote, options=replace(quote.options, aspect=shape)), (*notices, "first.shape")
        job = _job(quote, address, self._tools.clock())
        return await self._write(
            replace(job, notices=notices, fallbacks=self._fallbacks(quote, pictures)), quote.actor, pictures
        )

    async def _through_gates(self, draft: Draft) -> Quote:
        for check in gates.GATES:
            await check(draft)
        spec, locale = draft.spec, draft.request.locale
        words = sentences.plan(spec.title or spec.name, draft.options, draft.price, draft.notes, locale)
        return Quote(draft.actor, draft.request, spec, draft.prompt, draft.options, draft.price, words, draft.old)

    async def _look_at_pictures(self, quote: Quote) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
        """Return the pictures, and codes of what was seen in them."""
        pictures, notices = list[Picture](), list[str]()
        for upload, role in zip(quote.request.uploads, ("first", "last"), strict=False):
            looked = await self._look(upload, quote.request.locale, end=role == "last")
            pictures.append(looked.picture)
            notices += [f"{role}.{note}" for note in looked.notes]
            gates.check_sizes(pictures, quote.spec, quote.request.locale)
        return tuple(pictures), tuple(notices)

    async def _look(self, upload: Upload, locale: str, *, end: bool) -> Looked:
        try:  # one byte more than is taken: then `look` finds it too large
            async with self._room:
                return await self._tools.look(await upload.read(policy.UPLOAD_BYTES + 1))
        except BadPicture as bad:
            raise No(sentences.picture(bad.problem, bad.facts, locale, end=end)) from bad
        except ChatGone as error:
            raise No(sentences.picture("gone", locale=locale, end=end)) from error
        except ChatBusy as error:
            raise No(sentences.picture("busy", locale=locale, end=end)) from error

    def _fallbacks(self, quote: Quote, pictures: tuple[Picture, ...]) -> tuple[Fallback, ...]:
        spec, tools = quote.spec, self._tools
        others = [other for other in tools.catalogue.offers(spec.name) if other.provider != spec.provider]
        usual = next(iter(spec.resolutions), None)
        promise = Promise(quote.request.options, quote.options, quote.prompt, quote.price, pictures, usual)
        return fallbacks.fallbacks(promise, others, tools.limits, tools.today())

    async def _write(self, job: Job, actor: Actor, pictures: tuple[Picture, ...]) -> str:
        """Keep the pictures, then add the row: a row without pictures must never be. Returns the id that counts."""
        files, last = self._tools.files, pictures[1] if job.options.last else None
        try:
            await asyncio.to_thread(files.keep, job.id, pictures[0], last)
            stored = await self._admit(job, actor)
        except Exception as error:
            surely_not = isinstance(error, No | NoSpace | StoreBusy)
            if surely_not or await self._tools.store.get(job.id) is None:
                await asyncio.to_thread(files.forget, job.id)
            raise
        if stored.id == job.id:
            facts = {"job": job.id, "provider": job.provider, "model": job.model, "state": job.state}
            _log.info("Asked", extra=facts)
        else:
            await asyncio.to_thread(files.forget, job.id)
        self._tools.ring()
        return stored.id

    async def _admit(self, job: Job, actor: Actor) -> Job:
        admitted = await self._tools.store.admit(job, policy.limits_for(actor, self._tools.limits))
        if isinstance(admitted, policy.Broken):
            raise gates.broken_limit(admitted, job.locale)
        return admitted


def _job(quote: Quote, address: Address, now: float) -> Job:
    old = quote.old
    return Job(
        id=new_id(),
        key=quote.request.key,
        address=address,
        requester=quote.actor.person,
        locale=quote.request.locale,
        prompt=quote.prompt,
        model=quote.spec.name,
        provider=quote.spec.provider,
        options=quote.options,
        price=quote.price,
        parent=old.job.id if old else None,
        relation=old.relation if old else None,
        created=now,
        due=now,
    )


def new_id() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(10))
