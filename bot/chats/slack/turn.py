"""Answers one thing that somebody did on Slack: in private, by a status message, by a form. Decides nothing."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bot.chats.contract import Action, Actor, Address, ChatError, ChatGone, JobView
from bot.chats.conversation import Conversation, MayNotPost
from bot.chats.slack import buttons, forms, places
from bot.chats.slack.api import ABSENT, code
from bot.chats.slack.events import Incoming
from bot.chats.slack.people import People

LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"})
Form = Callable[[buttons.Say], buttons.Block]


@dataclass(frozen=True, slots=True)
class Turn:
    """What `conversation.Turn` promises. `groups`: the user groups of which one must be the person's, none for all."""

    who: Incoming
    people: People = field(repr=False)
    conversation: Conversation = field(repr=False)
    groups: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.who.key

    @property
    def locale(self) -> str:
        return self.people.known(self.who.team, self.who.user) or "en"

    @property
    def lacks(self) -> tuple[str, ...]:
        """Return nothing: Slack says so when we post."""
        return ()

    @property
    def actor(self) -> Actor:
        who = self.who
        return Actor("slack", who.requester, {"team": who.team}, frozenset(filter(None, [who.channel])))

    @property
    def speech(self) -> buttons.Say:
        return self.conversation.speech(self.locale)

    async def with_roles(self) -> Actor:
        group = await self.people.group(self.who.api, self.who.team, self.who.user, self.groups)
        return replace(self.actor, roles=frozenset(filter(None, [group])))

    async def with_rank(self) -> Actor:
        return replace(self.actor, moderator=await self.people.leads(self.who.api, self.who.team, self.who.user))

    async def learn_language(self) -> None:
        await self.people.locale(self.who.api, self.who.team, self.who.user)

    async def acknowledge(self) -> bool:
        """Say yes: each handler did that first."""
        return True

    async def tell(self, words: str) -> None:
        await self.who.tell(words)

    def at(self, address: Address) -> "Turn":
        """Return the turn there, for a press in the app's home."""
        if self.who.channel:
            return self
        return replace(self, who=replace(self.who, channel=address.place["channel"], thread=address.place["thread"]))

    async def post(self, words: str) -> Address:
        who = self.who
        channel = who.channel or await places.private(who.api, who.user)
        message = buttons.message(places.written(words), (), self.speech)
        try:
            status = await places.post(who.api, channel, who.root, message)
        except ChatGone as error:
            raise MayNotPost(await self._way_in(error)) from error
        more = {"user": who.user, "locale": self.locale, "enterprise": who.enterprise}
        return Address("slack", places.place(who.team, channel, who.root, status, **more))

    async def remove(self, address: Address) -> None:
        await places.remove(self.who.api, address.place["channel"], address.place["status"])

    async def open_thread(self, address: Address, title: str) -> None:
        """Leave it to Slack: the first answer makes the thread."""

    async def dress(self, address: Address, words: str, job: JobView) -> None:
        message = buttons.message(places.written(words), job.actions, self.speech)
        await places.edit(self.who.api, address.place, message)

    async def ask_words(self, action: Action, job: JobView) -> None:
        who = self.at(job.address).who
        about = {"act": action.act, "job": job.id, "channel": who.channel, "thread": who.root}
        offers = self.conversation.desk.offers("", forms.MODELS, first=job.options.model)
        await self.open_form(lambda say: forms.edit_form(say, about, offers, job))

    async def open_form(self, form: Form) -> None:
        """Open a form from memory alone; only then is somebody's language asked, and the form changed to it."""
        api, before = self.who.api, form(self.speech)
        try:
            opened = await api.call("views.open", trigger_id=self.who.trigger, view=before)
        except ChatGone as error:
            if code(error) not in LATE:
                raise
            await self.learn_language()
            return await self.tell(self.speech("chat.too_late"))
        await self.learn_language()
        view, after = opened["view"], form(self.speech)
        if after != before:
            with suppress(ChatError):  # it is closed, or sent in already; else it works in English
                await api.call("views.update", view_id=view["id"], hash=view.get("hash"), view=after)

    async def take_away(self, job: JobView, words: str) -> None:
        await places.forget(self.who.api, job.receipt or "")
        with suppress(ChatGone):  # the status message stood there with the buttons, or is gone too
            await places.edit(self.who.api, job.address.place, buttons.message(places.written(words), (), self.speech))

    async def show_jobs(self, jobs: Sequence[JobView]) -> None:
        url = (await self.who.api.me()).url
        rows = [self._listed(job, places.link(url, job.address.place, job.receipt)) for job in jobs]
        await self.who.api.call("views.publish", user_id=self.who.user, view=forms.home(self.speech, rows))

    async def finish(self) -> None:
        """Leave it: Slack shows no sign that we think."""

    def _listed(self, job: JobView, link: str) -> list[buttons.Block]:
        head = f"{buttons.clock(job.created, date=True)} <{link}|{self.speech('home.open')}>"
        return [buttons.section(f"{head}\n{places.written(job.words)}"), *buttons.row(job.actions, self.speech)]

    async def _way_in(self, error: ChatGone) -> str:
        """Say how we could be let in."""
        if code(error) not in ABSENT or self.who.channel.startswith("D"):  # nobody can be invited between two people
            return self.speech("chat.no_posting")
        return self.conversation.say("chat.invite", self.locale, name=(await self.who.api.me()).name)
