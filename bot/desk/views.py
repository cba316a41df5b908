"""What a person may see of their jobs and of the models, and forget. Nothing here starts, prices or declines a wish."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from bot.chats.contract import Offer, Shown
from bot.domain import options, policy
from bot.domain.job import Job, State
from bot.text import sentences
from providers.catalog import Catalogue
from providers.contract import ModelSpec


class SeenRows(Protocol):
    """What is read of the database. Each may raise `StoreBusy` or `StoreBroken`."""

    async def get(self, job_id: str) -> Job | None: ...

    async def jobs(self, state: State | None = None, requester: str | None = None, most: int = 50) -> Sequence[Job]:
        """Newest first."""


class SeenFolders(Protocol):
    """What is done to the shelf; its calls block while the disk works."""

    def forget(self, job_id: str) -> None: ...


class Showing:
    """The half of the desk that only shows."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: SeenRows,
        files: SeenFolders,
        limits: policy.Limits,
        default_model: str,
        clock: Callable[[], float],
    ) -> None:
        self.__rows = store
        self.__folders = files
        self.__limits = limits
        self.__clock = clock
        self.__models = (*catalogue.offers(default_model), *catalogue.all)  # the preferred maker of a name comes first

    async def job(self, job: str) -> Shown | None:
        """Show one job."""
        found = await self.__rows.get(job)
        return None if found is None else self._shown(found)

    async def recent(self, requester: str, most: int = 10) -> Sequence[Shown]:
        """Show somebody's jobs, newest first."""
        return [self._shown(job) for job in await self.__rows.jobs(requester=requester, most=most)]

    async def forget(self, job: str) -> bool:
        """Delete a closed job's pictures and video; False when it is still open or unknown."""
        found = await self.__rows.get(job)
        if found is None or found.state is not State.CLOSED:
            return False
        await asyncio.to_thread(self.__folders.forget, job)
        return True

    def offers(self, typed: str, most: int = 25, first: str | None = None) -> Sequence[Offer]:
        """List the models that go with what was typed so far: the one named `first`, then the default. From memory."""
        today, word = datetime.fromtimestamp(self.__clock(), UTC).date(), typed.strip().casefold()
        models: dict[str, ModelSpec] = {}
        for spec in self.__models:
            if not spec.retired(today):
                models.setdefault(spec.name, spec)
        found = (
            Offer(spec.name, _label(spec, choices["seconds"]), choices)
            for spec in sorted(models.values(), key=lambda spec: spec.name != first)
            if word in " ".join((spec.name, spec.title, *spec.aliases)).casefold()
            and (choices := options.choices(spec, self.__limits.max_seconds))["seconds"]
        )
        return [offer for offer, _ in zip(found, range(most), strict=False)]

    def say(self, sentence: str, locale: str, **facts: object) -> str:
        """Return one of the house's sentences in that language."""
        return sentences.say(sentence, locale, **facts)

    def _shown(self, job: Job) -> Shown:
        words = sentences.status(job, self.__clock()).words if job.outcome is None else sentences.answer(job)
        return Shown(
            id=job.id,
            requester=job.requester,
            place=job.address.place,
            words=words,
            prompt=job.prompt,
            model=job.model,
            seconds=job.options.seconds,
            options=job.options.chosen(job.model),
            created=job.created,
            open=job.state is not State.CLOSED,
            receipt=job.receipt,
            actions=sentences.actions(job),
        )


def _label(spec: ModelSpec, seconds: tuple[float, ...]) -> str:
    size = spec.resolutions[0] if spec.resolutions else None
    price = sentences.money(spec.price.of(seconds[0], size))
    return f"{spec.title or spec.name} · {seconds[0]:g} s · {price}"
