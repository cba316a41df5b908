"""Shows what a person may see of their jobs and of the models."""

from collections.abc import Sequence

from bot.chats.contract import Actor, JobView, Offer
from bot.desk import actions
from bot.desk.contract import Tools
from bot.domain import options, policy
from bot.domain.job import Job, State
from bot.text import sentences
from providers.contract import ModelSpec


class Views:
    """Reads and never changes anything."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        catalogue = tools.catalogue
        self._models = (*catalogue.offers(tools.default_model), *catalogue.all)  # the preferred provider comes first

    async def job(self, actor: Actor, job: str) -> JobView | None:
        """Show one job; None for one that there isn't, and for who may not see it."""
        found = await self._tools.store.get(job)
        return self.show(found) if found is not None and policy.may_see(actor, found) else None

    async def recent(self, actor: Actor, most: int = 10) -> Sequence[JobView]:
        """Show somebody's own jobs, newest first."""
        jobs = await self._tools.store.jobs(requester=actor.person, most=most)
        return [self.show(job) for job in jobs if job.address.chat == actor.chat]

    def offers(self, typed: str, most: int = 25, first: str | None = None) -> Sequence[Offer]:
        """List the models that go with what was typed so far: the one named `first`, then the default. From memory."""
        today, word = self._tools.today(), typed.strip().casefold()
        models: dict[str, ModelSpec] = {}
        for spec in self._models:
            if not spec.retired(today):
                models.setdefault(spec.name, spec)
        found = (
            Offer(spec.name, _label(spec, choices["seconds"]), choices)
            for spec in sorted(models.values(), key=lambda spec: spec.name != first)
            if word in " ".join((spec.name, spec.title, *spec.aliases)).casefold()
            and (choices := options.choices(spec, self._tools.limits.max_seconds))["seconds"]
        )
        return [offer for offer, _ in zip(found, range(most), strict=False)]

    def show(self, job: Job) -> JobView:
        words = sentences.status(job, self._tools.clock()).words if job.outcome is None else sentences.answer(job)
        return JobView(
            id=job.id,
            address=job.address,
            words=words,
            prompt=job.prompt,
            options=job.options.chosen(job.model),
            created=job.created,
            open=job.state is not State.CLOSED,
            receipt=job.receipt,
            actions=actions.offered(job),
        )


def _label(spec: ModelSpec, seconds: tuple[float, ...]) -> str:
    size = spec.resolutions[0] if spec.resolutions else None
    price = sentences.money(spec.price.of(seconds[0], size))
    return f"{spec.title or spec.name} · {seconds[0]:g} s · {price}"
