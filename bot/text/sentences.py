"""Every sentence a person reads, from `words.<language>.toml`. Pure; no markup, mention or vendor's own words."""

import contextlib
import importlib.resources
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from bot.chats.contract import Status
from bot.domain import options
from bot.domain.job import Job, Outcome, State
from bot.domain.options import ResolvedOptions
from providers.contract import Reason, Rendering, Waiting

Sentences = Mapping[str, str | list[str]]


def read(folder: Traversable) -> Mapping[str, Sentences]:
    """Return the sentences of every `words.<language>.toml` in the folder, by language, then by their ids."""
    pages = [page for page in folder.iterdir() if page.name.startswith("words.") and page.name.endswith(".toml")]
    return MappingProxyType(
        {page.name.split(".")[1]: tomllib.loads(page.read_text(encoding="utf-8")) for page in pages}
    )


WORDS = read(importlib.resources.files("bot.text"))
_ENGLISH = WORDS["en"]


def say(sentence: str, locale: str = "en", **facts: object) -> str:
    """Return the sentence of that id. Raises `LookupError` for one that there isn't."""
    return _say(locale, sentence, **facts)


def picture(problem: str, facts: Mapping[str, Any] | None = None, locale: str = "en", *, end: bool = False) -> str:
    """Say what is wrong with a picture, by the code of the problem; `end`: with the end picture.

    `facts` are those of `media.picture.BadPicture`; a `limit` counts bytes, pixels or whatever the problem is about.
    """
    known = dict(facts or {})
    if "limit" in known:
        show = {"too_large": size, "too_heavy": size, "too_many_pixels": _millions}.get(problem, _number)
        known["limit"] = show(known["limit"])
    return _say(locale, f"picture.{problem}", **known, picture=_say(locale, "last" if end else "first"))


def prompt_missing(locale: str = "en") -> str:
    return _say(locale, "prompt.empty")


def prompt_too_long(model: str, length: int, limit: int, locale: str = "en") -> str:
    return _say(locale, "prompt.long", model=model, length=length, limit=limit)


def unknown_model(name: str, nearest: Sequence[str], locale: str = "en") -> str:
    return _say(locale, "model.unknown", name=_typed(name), nearest=_choices(nearest, locale))


def retired_model(model: str, successor: str | None, locale: str = "en") -> str:
    return _say(locale, "model.retired", model=model, successor=successor)


def cannot(option: str, model: str, asked: object = "", choices: Sequence[object] = (), locale: str = "en") -> str:
    """Say that a model can't do what was asked by that option, and what it can: `choices`, none for nothing at all.

    Options: seconds, aspect, resolution, last, negative_prompt, negative_long, audio, silence; together, for choices
    that exclude each other; guidance and seed, whose choices are the lowest and the highest value.
    """
    if option in ("guidance", "seed") and choices:
        can = f" {_say(locale, 'to')} ".join(_choices([end], locale) for end in choices)
    else:
        can = _choices(choices, locale)
    if option == "together":
        wanted = ", ".join(_chosen(word, locale) for word in str(asked).split())
    else:
        wanted = _say(locale, "own") if asked == "own" else _typed(asked)
    return _say(locale, f"cannot.{option}", model=model, asked=wanted, choices=can)


def rule(broken: str, limit: float, used: float, asked: float, locale: str = "en") -> str:
    """Say which limit of this server would be broken. A spend is micro-dollars."""
    show = _dollars if broken.endswith("spend") else _number
    return _say(locale, f"rule.{broken}", limit=show(limit), used=show(used), asked=show(asked))


def disk_full(locale: str = "en") -> str:
    return _say(locale, "disk.full")


def database_unavailable(locale: str = "en") -> str:
    return _say(locale, "database.busy")


def misconfigured(locale: str = "en") -> str:
    return _say(locale, "maker.misconfigured")


def job_gone(locale: str = "en") -> str:
    return _say(locale, "job.gone")


def still_open(locale: str = "en") -> str:
    return _say(locale, "job.open")


def too_big_to_post(limit: int, locale: str = "en") -> str:
    """Say that the video does not fit, `limit` in bytes; 0: nothing would."""
    return _say(locale, "post.too_big", limit=size(limit)) if limit else _say(locale, "post.no_video")


def note(code: str, locale: str = "en", **facts: object) -> str:
    """Say what was adjusted."""
    return _say(locale, f"note.{code}", **facts)


def plan(model: str, resolved: ResolvedOptions, price: int, notes: Iterable[str] = (), locale: str = "en") -> str:
    """Say what will be made, for how much, and what was adjusted (`notes`: sentences)."""
    row = resolved.row()
    what = [_quoted(option.name, row[option.name], locale) for option in options.OPTIONS if option.quoted]
    what = [words for words in what if words]
    return _joined(_say(locale, "plan", model=model, what=", ".join(what), price=money(price, locale)), *notes)


def status(job: Job, now: float) -> Status:
    """Say how far an open job is; `now` in Unix seconds."""
    waited = duration(now - (job.rendering_started or job.ticketed or job.created))
    words = _say(job.locale, f"status.{_stage(job)}", waited=waited, **_measured(job))
    return Status(_joined(words, *(_notes(job) if job.state is State.QUEUED else ())))


def overdue(job: Job) -> str:
    return _say(job.locale, "overdue")


def answer(job: Job) -> str:
    """Tell a settled job's end: what happened, what it cost, what to do next."""
    if job.outcome is None:
        raise ValueError(f"job {job.id} is not settled")
    match job.outcome:
        case Outcome.RENDERED:
            return _rendered(job)
        case Outcome.REFUSED:
            return _joined(_refused(job), _charge(job))
        case Outcome.MISCONFIGURED:
            return misconfigured(job.locale)
        case Outcome.CANCELLED | Outcome.UNAVAILABLE:
            return _joined(_say(job.locale, job.outcome), _charge(job))
        case Outcome.INTERRUPTED | Outcome.TIMED_OUT:
            return _say(job.locale, job.outcome, price=money(job.price, job.locale) if job.price else None)


def money(micros: float, locale: str = "en") -> str:
    """Return "$0.28" for 280000 micro-dollars, "free" for none."""
    return _dollars(micros) if micros else _say(locale, "free")


def size(count: int) -> str:
    """Return "20 MB" for 20 MiB, the way platforms write their limits."""
    if count < 1024 * 1024:
        return f"{max(count // 1024, 1)} kB"
    return f"{count / (1024 * 1024):.3g} MB"


def duration(seconds: float) -> str:
    """Return "45 s", "2 min 5 s" or "1 h 20 min"."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _rendered(job: Job) -> str:
    took = duration((job.settled or job.created) - job.created)
    facts = {name: job.detail.get(name) for name in ("width", "height")}
    seconds = job.detail.get("seconds")
    return _joined(
        _say(job.locale, "rendered", seconds=_number(round(seconds, 1)) if seconds else None, **facts),
        str(job.detail.get("note") or ""),
        *_notes(job),
        _say(job.locale, "rendered.late", waited=took) if job.late else "",
        _say(job.locale, "rendered.after_cancel") if job.cancel_asked is not None else "",
        _say(job.locale, "cost", price=money(job.cost, job.locale)) if job.cost else "",
    )


def _refused(job: Job) -> str:
    reason = str(job.detail.get("reason"))
    ends = {"end picture": "end", "picture": "picture", "prompt": "prompt"}
    closest = f"refused.{reason}.{ends.get(str(job.detail.get('which')))}"
    if closest in _ENGLISH:
        return _say(job.locale, closest)
    return _say(job.locale, f"refused.{reason}" if reason in set(Reason) else "refused.failed")


def _charge(job: Job) -> str:
    if not job.price and not job.cost:
        return ""
    if job.detail.get("charged"):
        known = 0 if job.detail.get("unsure") else job.cost  # that it was charged is said by evidence
        return _say(job.locale, "charged", price=money(known, job.locale) if known else None)
    return _say(job.locale, "not_charged")


def _quoted(option: str, value: object, locale: str) -> str:
    """Return a choice as a quote says it: in its own sentence where it has one; nothing for what is not there."""
    if not value:
        return ""
    sentence = f"plan.{option}"
    shown = _typed(value)
    return _say(locale, sentence, **{option: shown}) if sentence in _ENGLISH else shown


def _stage(job: Job) -> str:
    if job.outcome is not None or job.state is State.CLOSED:
        return "closed" if job.state is State.CLOSED else "replying"
    if job.to_cancel:
        return "cancelling"
    if job.cancel_asked is not None:
        return "unstoppable"
    if job.state is State.RENDERING and isinstance(job.progress, Waiting):
        return "waiting"
    return _in_line(job) if job.state is State.QUEUED else job.state


def _in_line(job: Job) -> str:
    if isinstance(job.progress, Waiting):
        return "in_line" if job.progress.position else "next"
    return "busy" if job.attempts else "queued"


def _measured(job: Job) -> dict[str, Any]:
    match job.progress:
        case Waiting(position):
            return {"position": position}
        case Rendering(fraction) if fraction is not None:
            return {"percent": round(min(max(fraction, 0), 1) * 100)}
        case _:
            return {}


def _notes(job: Job) -> list[str]:
    """Return what was noticed when the pictures were looked at, after the plan had been told: "first.flattened"."""
    noticed = [code.partition(".") for code in job.notices]
    facts = {"aspect": job.options.aspect}
    told = [note(code, job.locale, picture=_say(job.locale, which), **facts) for which, _, code in noticed]
    if passed := job.passed_providers:
        price = money(job.price, job.locale)
        others = _choices(passed, job.locale)
        told.append(note("passed_over", job.locale, others=others, maker=job.provider, price=price))
    return told


def _say(locale: str, sentence: str, **facts: object) -> str:
    known = {key: value for key, value in facts.items() if value not in (None, "")}
    language = locale.casefold()
    for words in (WORDS.get(language), WORDS.get(language.partition("-")[0]), _ENGLISH):
        ways = (words or {}).get(sentence, [])
        for way in [ways] if isinstance(ways, str) else ways:
            with contextlib.suppress(KeyError):  # a fact is not known: say it the next, shorter way
                return way.format_map(known)
    raise LookupError(f"there is no sentence {sentence!r} for the facts {sorted(known)}")


def _choices(values: Sequence[object], locale: str) -> str:
    """Return "2, 3 or 5", or "2 to 10" for a run of whole numbers."""
    words = [_say(locale, "own") if value == "own" else _typed(value) for value in values]
    if len(words) > 3 and all(word.isdigit() for word in words):
        numbers = sorted(map(int, words))
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{numbers[0]} {_say(locale, 'to')} {numbers[-1]}"
    return f" {_say(locale, 'or')} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def _chosen(word: str, locale: str) -> str:
    """Return a choice of `ModelSpec.never` as a plan says it."""
    if word in ("last", "audio"):
        return _say(locale, f"plan.{word}")
    return _say(locale, "plan.seconds", seconds=word[:-1]) if word[:-1].isdigit() and word[-1] == "s" else word


def _typed(asked: object) -> str:
    """Return what somebody typed, short and on one line: it is quoted in a sentence of ours."""
    text = (
        _number(asked) if isinstance(asked, int | float) else "".join(c if c.isprintable() else " " for c in str(asked))
    )
    return text if len(text) <= 40 else text[:39] + "…"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def _millions(value: float) -> str:
    return _number(value / 1_000_000)


def _dollars(micros: float) -> str:
    """Return two digits after the point, more only where there are parts of a cent."""
    whole, _, parts = f"{micros / 1_000_000:.4f}".partition(".")
    return f"${whole}.{parts[:2]}{parts[2:].rstrip('0')}"


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
