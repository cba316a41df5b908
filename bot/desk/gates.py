"""Checks a request in order, before money: each gate completes it or declines it. A new check is a line in `GATES`."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from bot.chats.contract import Actor, Allowed, Fault, Request
from bot.desk.contract import No, Tools
from bot.domain import options, policy
from bot.domain.job import Job, Relation
from bot.domain.options import ResolvedOptions
from bot.text import sentences
from providers.catalog import UnknownModel
from providers.contract import ModelSpec, Picture

GENTLE = "gentle, natural movement"  # asked for when nobody said anything and the model allows that


@dataclass(frozen=True, slots=True)
class Original:
    """An old job whose pictures are used anew."""

    job: Job
    pictures: tuple[Picture, ...] = field(repr=False)
    relation: Relation  # of the new job to it


@dataclass(slots=True)
class Draft:
    """A request on its way to a quote."""

    tools: Tools
    actor: Actor
    request: Request
    old: Original | None = None
    notes: list[str] = field(default_factory=list)  # sentences on what was adjusted
    spec: ModelSpec = field(init=False)
    prompt: str = field(init=False, repr=False)
    options: ResolvedOptions = field(init=False)
    price: int = field(init=False)  # micro-dollars

    @property
    def last(self) -> bool:
        """Say whether it ends on a second picture."""
        return len(self.old.pictures if self.old else self.request.uploads) > 1

    def say(self, note: str, **facts: object) -> None:
        self.notes.append(sentences.note(note, self.request.locale, **facts))


async def check_place(draft: Draft) -> None:
    """Let ask only where and whom the operator allows."""
    allowed = draft.tools.allowed.get(draft.actor.chat, Allowed())
    if not policy.may_ask_here(draft.actor, allowed):
        raise No(sentences.say("chat.not_here", draft.request.locale), Fault.RULES)


async def check_rights(draft: Draft) -> None:
    """Name what we lack to answer there."""
    if draft.request.lacks:
        names = ", ".join(sentences.say(name, draft.request.locale) for name in draft.request.lacks)
        raise No(sentences.say("chat.lacks", draft.request.locale, permissions=names), Fault.RULES)


async def find_model(draft: Draft) -> None:
    """Find the model, made by the same provider as before for what is made again."""
    tools, locale, name, old = draft.tools, draft.request.locale, draft.request.options.model, draft.old
    provider = old.job.provider if old is not None and old.job.model == name else None
    try:
        draft.spec = tools.catalogue.find(name or tools.default_model, provider, tools.today())
    except UnknownModel as error:
        raise No(sentences.unknown_model(error.name, error.nearest, locale)) from error
    check_offered(draft.spec, tools, locale)


def check_offered(spec: ModelSpec, tools: Tools, locale: str) -> None:
    if spec.retired(tools.today()):
        raise No(sentences.retired_model(spec.name, spec.successor, locale))


async def check_pictures(draft: Draft) -> None:
    """Judge pictures by what their platform says of them, none is read yet; those of an old job by their size."""
    if draft.old is not None:
        check_sizes(draft.old.pictures, draft.spec, draft.request.locale)
        return
    uploads, locale = draft.request.uploads, draft.request.locale
    if not uploads:
        raise No(sentences.picture("none", locale=locale))
    for upload, end in zip(uploads, (False, True), strict=False):
        if problem := policy.undeclarable(upload):
            raise No(sentences.picture(problem, {"limit": policy.UPLOAD_BYTES}, locale, end=end))


def check_sizes(pictures: Iterable[Picture], spec: ModelSpec, locale: str) -> None:
    for picture, end in zip(pictures, (False, True), strict=False):
        if wrong := policy.misfit(picture, spec.image):
            facts = {"width": picture.width, "height": picture.height, "limit": wrong[1], "model": spec.name}
            raise No(sentences.picture(wrong[0], facts, locale, end=end))


async def check_words(draft: Draft) -> None:
    """Take the words, those of a job that is made again as they are."""
    request, spec, old = draft.request, draft.spec, draft.old
    if old is not None and old.job.prompt and (old.job.prompt, old.job.model) == (request.prompt, spec.name):
        draft.prompt = old.job.prompt
        return
    draft.prompt = request.prompt.strip()
    length = policy.prompt_length(draft.prompt, spec)
    if length > spec.prompt_limit:
        raise No(sentences.prompt_too_long(spec.name, length, spec.prompt_limit, request.locale))
    if not draft.prompt:
        if spec.prompt_required:
            raise No(sentences.prompt_missing(request.locale))
        draft.prompt = GENTLE
        draft.say("no_prompt")


async def resolve_options(draft: Draft) -> None:
    """Fit the choices to the model, and price them."""
    request, spec, tools, old = draft.request, draft.spec, draft.tools, draft.old
    if old is not None and spec.name != old.job.model:
        chosen = options.carried_over(request.options, old.job.options.chosen(old.job.model), spec)
        draft.request = request = replace(request, options=chosen)
    if len(request.uploads) > 2:
        draft.say("extra_pictures")
    try:
        found = options.resolve(request.options, spec, tools.limits.max_seconds, last=draft.last)
    except options.Cannot as no:
        choices = no.choices or (_with_end(tools) if no.option == "last" else ())
        raise No(sentences.cannot(no.option, spec.name, no.asked, choices, request.locale)) from no
    if too_long := policy.may_last(found.seconds, tools.limits):
        raise broken_limit(too_long, request.locale)
    if request.options.seconds is None and found.seconds != spec.seconds[0]:
        draft.say("shorter", seconds=f"{found.seconds:g}")
    draft.options = found
    draft.price = spec.price.of(found.seconds, found.resolution, audio=found.audio)


async def check_limits(draft: Draft) -> None:
    """Decline what would break a limit of this server; the same act delivered again has been allowed already."""
    tools, actor = draft.tools, draft.actor
    if await tools.store.by_key(draft.request.key) is not None:
        return
    usage = await tools.store.usage(actor.person, tools.clock() - policy.DAY)
    broken = policy.may_ask(usage, policy.limits_for(actor, tools.limits), draft.price)
    if broken is not None:
        raise broken_limit(broken, draft.request.locale)


def broken_limit(broken: policy.Broken, locale: str) -> No:
    return No(sentences.rule(broken.rule, broken.limit, broken.used, broken.asked, locale), Fault.RULES)


def _with_end(tools: Tools) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.name for spec in tools.catalogue.all if spec.last_frame))[:3]


GATES: list[Callable[[Draft], Awaitable[None]]] = [
    check_place,
    check_rights,
    find_model,
    check_pictures,
    check_words,
    resolve_options,
    check_limits,
]
