"""The front desk: a wish becomes a plan, a plan becomes a job. No platform, no vendor and no clock of its own.

Everything that can be declined is declined here, before money; after `accept` only the database remembers.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar

from bot.chats.contract import Address, Ask, ChatBusy, ChatGone, Declined, Fault, Plan, Upload
from bot.desk import fallbacks
from bot.desk.fallbacks import Promise
from bot.desk.views import Showing
from bot.domain import options, policy
from bot.domain.job import Fallback, Job, Relation, State, Usage
from bot.domain.options import ChosenOptions, ResolvedOptions
from bot.files.folder import Missing, NoSpace
from bot.media.pictures import BadPicture, Looked
from bot.store.sqlite import StoreBroken, StoreBusy
from bot.text import sentences
from providers.catalog import Catalogue, UnknownModel
from providers.contract import ModelSpec, Picture

GENTLE = "gentle, natural movement"  # asked for when nobody said anything and the model allows that
LETTERS = "23456789bcdfghjkmnpqrstvwxz"  # no vowels, so no words by chance; nothing to mistake for something else

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Rows(Protocol):
    """What the desk needs of the database. Each may raise `StoreBusy` or `StoreBroken`, with nothing changed."""

    async def admit(self, job: Job, limits: policy.Limits) -> Job | policy.Broken:
        """Return the job as stored: an older one when its key is known already; or the limit that it would break."""

    async def get(self, job_id: str) -> Job | None: ...

    async def by_key(self, key: str) -> Job | None: ...

    async def usage(self, requester: str, since: float) -> Usage: ...

    async def ask_cancel(self, job_id: str) -> bool: ...

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> Sequence[Job]: ...


class Folders(Protocol):
    """What the desk needs of the shelf: its calls block while the disk works."""

    def keep(self, job_id: str, first: Picture, last: Picture | None = None) -> None:
        """Keep a job's pictures, all or nothing. Raises `NoSpace`."""

    def pictures(self, job_id: str) -> tuple[Picture, Picture | None]:
        """Return first and last picture. Raises `Missing`."""

    def forget(self, job_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan: the wish after every check, complete and priced (micro-dollars)."""

    ask: Ask = field(repr=False)
    spec: ModelSpec
    prompt: str = field(repr=False)
    options: ResolvedOptions
    price: int
    words: str


class FrontDesk(Showing):
    """Answers every wish with a plan or with one sentence that says what to do instead."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: Rows,
        files: Folders,
        look: Callable[[bytes], Awaitable[Looked]],
        limits: policy.Limits,
        default_model: str,
        ring: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(
            catalogue=catalogue, store=store, files=files, limits=limits, default_model=default_model, clock=clock
        )
        self._catalogue = catalogue
        self._store = store
        self._shelf = files
        self._look = look
        self._limits = limits
        self._default_model = default_model
        self._ring = ring
        self._clock = clock
        self._accepting: dict[str, asyncio.Task[str | Declined]] = {}

    async def consider(self, ask: Ask) -> Plan | Declined:
        """Check model, pictures as declared, words, options and rules; free and quick."""
        return await _answered(self._considered(ask), ask.locale)

    async def accept(self, plan: Plan, address: Address) -> str | Declined:
        """Look at the pictures, keep them, write the job down; returns its id. The same `ask.key` gives the same id."""
        if not isinstance(plan, Checked):
            raise TypeError("accept takes a plan that consider made")
        task = self._accepting.get(plan.ask.key)
        if task is None:  # else the same act was delivered twice at once
            task = asyncio.create_task(_answered(self._accepted(plan, address), plan.ask.locale))
            self._accepting[plan.ask.key] = task
            task.add_done_callback(lambda _: self._accepting.pop(plan.ask.key))
        return await asyncio.shield(task)  # a caller who goes away must not leave a job half written

    async def cancel(self, job: str) -> bool | Declined:
        """Ask for a stop; False when there is nothing left to stop."""
        asked = await _answered(self._store.ask_cancel(job), "en")
        if asked is True:
            _log.info("CancelAsked", extra={"job": job})
            self._ring()
        return asked

    async def retry(
        self, job: str, key: str, address: Address, prompt: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> str | Declined:
        """Start a new job with an old one's pictures, and its words and choices or new ones.

        The same `key` gives the same id.
        """
        return await _answered(self._retried(job, key, address, prompt, changes or {}), "en")

    async def _considered(self, ask: Ask) -> Checked:
        spec = self._offered(ask)
        uploads = ask.uploads[:2]
        if not uploads:
            raise _No(sentences.picture("none", locale=ask.locale))
        for upload, end in zip(uploads, (False, True), strict=False):
            if problem := policy.undeclarable(upload):
                raise _No(sentences.picture(problem, {"limit": policy.UPLOAD_BYTES}, ask.locale, end=end))
        prompt, notes = _prompt(ask, spec)
        if len(ask.uploads) > len(uploads):
            notes.append(sentences.note("extra_pictures", ask.locale))
        return await self._priced(ask, spec, prompt, notes, last=len(uploads) > 1)

    async def _priced(self, ask: Ask, spec: ModelSpec, prompt: str, notes: list[str], *, last: bool) -> Checked:
        resolved = self._resolved(ask, spec, notes, last=last)
        price = spec.price.of(resolved.seconds, resolved.resolution, audio=resolved.audio)
        await self._check_rules(ask.key, ask.requester, price, ask.locale)
        words = sentences.plan(spec.title or spec.name, resolved, price, notes, ask.locale)
        return Checked(ask, spec, prompt, resolved, price, words)

    def _offered(self, ask: Ask, provider: str | None = None) -> ModelSpec:
        try:
            spec = self._catalogue.find(ask.options.model or self._default_model, provider, self._today())
        except UnknownModel as error:
            raise _No(sentences.unknown_model(error.name, error.nearest, ask.locale)) from error
        self._check_offered(spec, ask.locale)
        return spec

    def _check_offered(self, spec: ModelSpec, locale: str) -> None:
        if spec.retired(self._today()):
            raise _No(sentences.retired_model(spec.name, spec.successor, locale))

    def _resolved(self, ask: Ask, spec: ModelSpec, notes: list[str], *, last: bool) -> ResolvedOptions:
        try:
            resolved = options.resolve(ask.options, spec, self._limits.max_seconds, last=last)
        except options.Cannot as no:
            choices = no.choices or (self._with_end() if no.option == "last" else ())
            raise _No(sentences.cannot(no.option, spec.name, no.asked, choices, ask.locale)) from no
        seconds = resolved.seconds
        _check_rule(policy.may_last(seconds, self._limits), ask.locale)
        if ask.options.seconds is None and seconds != spec.seconds[0]:
            notes.append(sentences.note("shorter", ask.locale, seconds=f"{seconds:g}"))
        return resolved

    def _with_end(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(spec.name for spec in self._catalogue.all if spec.last_frame))[:3]

    async def _check_rules(self, key: str, requester: str, price: int, locale: str) -> None:
        if await self._store.by_key(key) is not None:  # the same act delivered again: it has been allowed already
            return
        usage = await self._store.usage(requester, self._clock() - policy.DAY)
        _check_rule(policy.may_ask(usage, self._limits, price), locale)

    async def _accepted(self, plan: Checked, address: Address) -> str:
        self._check_offered(plan.spec, plan.ask.locale)
        pictures, noticed = [], []
        for upload, which in zip(plan.ask.uploads[:2], ("first", "last"), strict=False):
            looked = await self._looked(upload, plan.spec, plan.ask.locale, end=which == "last")
            pictures.append(looked.picture)
            noticed += [f"{which}.{note}" for note in looked.notes]
        shape = options.nearest_shape(plan.ask.options, plan.spec, pictures[0])
        noticed += ["first.shape"] if shape else []
        plan = replace(plan, options=replace(plan.options, aspect=shape or plan.options.aspect))
        job = _job(plan, address, self._clock(), noticed)
        job = replace(job, fallbacks=self._fallbacks(plan, tuple(pictures)))
        return await self._written(job, pictures[0], pictures[1] if plan.options.last else None)

    def _fallbacks(self, plan: Checked, pictures: tuple[Picture, ...]) -> tuple[Fallback, ...]:
        others = [spec for spec in self._catalogue.offers(plan.spec.name) if spec.provider != plan.spec.provider]
        usual = next(iter(plan.spec.resolutions), None)
        promise = Promise(plan.ask.options, plan.options, plan.prompt, plan.price, pictures, usual)
        return fallbacks.fallbacks(promise, others, self._limits, self._today())

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    async def _retried(
        self, job: str, key: str, address: Address, prompt: str | None, changes: Mapping[str, Any]
    ) -> str:
        old = await self._store.get(job)
        if old is None:
            raise _No(sentences.job_gone())
        if old.outcome is None:
            raise _No(sentences.still_open(old.locale))
        if prompt is None and not old.prompt:  # forgotten by now
            raise _No(sentences.job_gone(old.locale))
        try:
            pictures = await asyncio.to_thread(self._shelf.pictures, job)
        except Missing as error:
            raise _No(sentences.job_gone(old.locale)) from error
        ask = Ask(key, old.requester, old.prompt if prompt is None else prompt, locale=old.locale)
        ask, spec = self._changed(ask, old, changes, pictures)
        words, notes = (old.prompt, []) if prompt is None else _prompt(ask, spec)
        plan = await self._priced(ask, spec, words, notes, last=old.options.last)
        new = _job(plan, address, self._clock(), old.notices)
        others = self._fallbacks(plan, tuple(filter(None, pictures)))
        relation = Relation.RETRY if prompt is None else Relation.EDIT
        return await self._written(replace(new, fallbacks=others, parent=old.id, relation=relation), *pictures)

    def _changed(
        self, ask: Ask, old: Job, changes: Mapping[str, Any], pictures: tuple[Picture, Picture | None]
    ) -> tuple[Ask, ModelSpec]:
        """Return what is asked for now, and its model: the old one where it was, or one that takes the pictures."""
        before = old.options.chosen(old.model)
        chosen = ChosenOptions.of({**before.values(), **changes})
        ask = replace(ask, options=chosen)
        spec = self._offered(ask, old.provider if chosen.model == old.model else None)
        if spec.name == old.model:
            return ask, spec
        for picture, end in zip(pictures, (False, True), strict=True):
            if picture is not None:
                _check_size(picture, spec, ask.locale, end=end)
        chosen = options.carried_over(chosen, before, spec)
        shape = options.nearest_shape(chosen, spec, pictures[0])
        return replace(ask, options=replace(chosen, aspect=shape or chosen.aspect)), spec

    async def _looked(self, upload: Upload, spec: ModelSpec, locale: str, *, end: bool) -> Looked:
        try:
            looked = await self._look(await upload.read(policy.UPLOAD_BYTES + 1))  # one more: `look` finds it too large
        except BadPicture as bad:
            raise _No(sentences.picture(bad.problem, bad.facts, locale, end=end)) from bad
        except ChatGone as error:
            raise _No(sentences.picture("gone", locale=locale, end=end)) from error
        except ChatBusy as error:
            raise _No(sentences.picture("busy", locale=locale, end=end)) from error
        _check_size(looked.picture, spec, locale, end=end)
        return looked

    async def _written(self, job: Job, first: Picture, last: Picture | None) -> str:
        """Keep the pictures, then add the row: a row without pictures must never be. Returns the id that counts."""
        try:
            await asyncio.to_thread(self._shelf.keep, job.id, first, last)
            stored = await self._admitted(job)
        except Exception as error:
            surely_not = isinstance(error, _No | NoSpace | StoreBusy)
            if surely_not or await self._store.get(job.id) is None:
                await asyncio.to_thread(self._shelf.forget, job.id)
            raise
        if stored.id == job.id:
            facts = {"job": job.id, "provider": job.provider, "model": job.model, "state": job.state}
            _log.info("Asked", extra=facts)
        else:
            await asyncio.to_thread(self._shelf.forget, job.id)
        self._ring()
        return stored.id

    async def _admitted(self, job: Job) -> Job:
        admitted = await self._store.admit(job, self._limits)
        if isinstance(admitted, policy.Broken):
            _check_rule(admitted, job.locale)
            raise TypeError("a broken rule is told")
        return admitted


class _No(Exception):
    """A wish is declined; carries the sentence to the door."""

    def __init__(self, words: str, fault: Fault = Fault.REQUEST) -> None:
        super().__init__(words)
        self.declined = Declined(words, fault)


async def _answered(work: Coroutine[Any, Any, _T], locale: str) -> _T | Declined:
    try:
        return await work
    except _No as no:
        return no.declined
    except (NoSpace, StoreBusy, StoreBroken) as error:
        _log.error("%s", error)
        words = sentences.disk_full if isinstance(error, NoSpace) else sentences.database_unavailable
        return Declined(words(locale), Fault.OPERATOR)


def _job(plan: Checked, address: Address, now: float, notices: Sequence[str]) -> Job:
    return Job(
        id=new_id(),
        key=plan.ask.key,
        address=address,
        requester=plan.ask.requester,
        locale=plan.ask.locale,
        prompt=plan.prompt,
        model=plan.spec.name,
        provider=plan.spec.provider,
        options=plan.options,
        notices=tuple(notices),
        price=plan.price,
        created=now,
        due=now,
    )


def new_id() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(10))


def _check_rule(broken: policy.Broken | None, locale: str) -> None:
    if broken is not None:
        words = sentences.rule(broken.rule, broken.limit, broken.used, broken.asked, locale)
        raise _No(words, Fault.RULES)


def _check_size(picture: Picture, spec: ModelSpec, locale: str, *, end: bool) -> None:
    if wrong := policy.misfit(picture, spec.image):
        facts = {"width": picture.width, "height": picture.height, "limit": wrong[1], "model": spec.name}
        raise _No(sentences.picture(wrong[0], facts, locale, end=end))


def _prompt(ask: Ask, spec: ModelSpec) -> tuple[str, list[str]]:
    prompt = ask.prompt.strip()
    length = policy.prompt_length(prompt, spec)
    if length > spec.prompt_limit:
        raise _No(sentences.prompt_too_long(spec.name, length, spec.prompt_limit, ask.locale))
    if prompt:
        return prompt, []
    if spec.prompt_required:
        raise _No(sentences.prompt_missing(ask.locale))
    return GENTLE, [sentences.note("no_prompt", ask.locale)]
