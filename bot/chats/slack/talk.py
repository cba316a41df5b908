"""From a person's act to the desk and back: what is answered, to whom. Names no shortcut, event or field of Slack."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol

from bot.chats.contract import (
    Act,
    Action,
    Address,
    Ask,
    ChatError,
    ChatGone,
    Declined,
    Desk,
    Offer,
    Shown,
)
from bot.chats.slack import asks, buttons, forms, places
from bot.chats.slack.api import ABSENT, code
from bot.chats.slack.asks import Asker
from bot.chats.slack.people import Fresh, People
from bot.chats.underway import Underway
from bot.domain.options import ChosenOptions

QUICK_SECONDS = 2.0  # a form is a first answer: it can't wait for a slow disk
TWICE_SECONDS = 5.0  # two presses of one button within that are one
HEARD_SECONDS = 3600.0
LISTED = 10
LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"})

_log = logging.getLogger("zoetrope.slack")
Accept = Callable[[Address], Awaitable[str | Declined]]
Form = Callable[[buttons.Say], buttons.Block]


class Allowed(Protocol):
    """What of the settings is needed here."""

    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def user_groups(self) -> tuple[str, ...]: ...
    @property
    def default_model(self) -> str | None: ...
    @property
    def file_hosts(self) -> tuple[str, ...]: ...


class Talk:
    """Everything that people can do, in our words."""

    def __init__(self, desk: Desk, allowed: Allowed) -> None:
        self.desk = desk
        self._allowed = allowed
        self.starts = Underway()
        self._people = People()
        self._heard: Fresh[bool] = Fresh(HEARD_SECONDS)  # acts that came by more than one way
        self._lately: Fresh[bool] = Fresh(TWICE_SECONDS)  # buttons

    # Wishes.

    async def animate(self, who: Asker, prompt: str, files: Sequence[asks.Body], options: ChosenOptions) -> None:
        """Make a wish of it: declined in private, or a status message and a job."""
        if self._heard.get(who.team, who.key):
            return None
        self._heard.put(who.team, who.key, value=True)
        if no := await self._refusal(who):
            return await who.tell(no)
        options = replace(options, model=options.model or self._allowed.default_model)
        uploads = tuple(asks.upload(file, who.api, self._allowed.file_hosts) for file in files)
        plan = await self.desk.consider(Ask(who.key, who.requester, prompt, uploads, options, who.locale))
        if isinstance(plan, Declined):
            return await who.tell(plan.words)
        await self._start(who, plan.words, lambda address: self.desk.accept(plan, address))

    async def again(self, who: Asker, job: Shown, prompt: str | None, changes: Mapping[str, Any] | None = None) -> None:
        """Make a job anew, here, with its words or others."""
        if no := await self._refusal(who):
            return await who.tell(no)
        words = self.desk.say("chat.again", who.locale)
        await self._start(who, words, lambda address: self.desk.retry(job.id, who.key, address, prompt, changes))

    async def _start(self, who: Asker, words: str, accept: Accept) -> None:
        with self.starts.one():
            if not who.channel:
                who = replace(who, channel=await places.private(who.api, who.user))
            await self._started(who, words, accept)

    async def _started(self, who: Asker, words: str, accept: Accept) -> None:
        try:
            status = await self._post(who, words)
        except ChatGone as error:
            return await who.tell(await self._closed(who, error))
        at = places.place(
            who.team, who.channel, who.root, status, user=who.user, locale=who.locale, enterprise=who.enterprise
        )
        job: str | Declined | None = None
        try:
            job = await accept(Address("slack", at))
        finally:
            if not isinstance(job, str):  # nothing was begun
                with suppress(ChatError):
                    await places.remove(who.api, at["channel"], status)
        if isinstance(job, Declined):
            return await who.tell(job.words)
        try:
            await self._dressed(who, at, job, words)
        except ChatError as error:
            _log.info("job %s: its status has no button yet: %s", job, error)  # it goes on

    async def _dressed(self, who: Asker, at: places.Place, job: str, words: str) -> None:
        """Give the status message of an accepted job its buttons, those of its end when that came meanwhile."""
        shown, say = await self.desk.job(job), self.speech(who.locale)
        if shown is not None and shown.place.get("status") != at["status"]:  # the same act was delivered twice
            return await places.remove(who.api, at["channel"], at["status"])
        given = None if shown is None or shown.open else shown.actions
        while shown is not None and shown.actions != given:
            given, text = shown.actions, words if shown.open else say("status.closed")
            await places.edit(who.api, at, buttons.message(places.written(text), given, say))
            shown = await self.desk.job(job)

    async def _post(self, who: Asker, words: str) -> str:
        message = buttons.message(places.written(words), (), self.speech(who.locale))
        return await places.post(who.api, who.channel, who.root, message)

    async def _refusal(self, who: Asker) -> str | None:
        """Say why nothing can be asked for here, before anything is spent."""
        channels, groups = self._allowed.channels, self._allowed.user_groups
        here = not channels or who.channel in channels
        if not here or (groups and not await self._people.belongs(who.api, who.team, who.user, groups)):
            return self.desk.say("chat.not_here", who.locale)
        return None

    async def _closed(self, who: Asker, error: ChatGone) -> str:
        """Say how we could be let in, before anything is spent."""
        if code(error) not in ABSENT or who.channel.startswith("D"):  # nobody can be invited between two people
            return self.desk.say("chat.no_posting", who.locale)
        return self.desk.say("chat.invite", who.locale, name=(await who.api.me()).name)

    # Messages and forms.

    async def heard(self, who: Asker, message: asks.Body, ours: str) -> None:
        """Take what was said to us: with pictures it is a wish."""
        who = await self._located(who)
        words = asks.words_of(str(message.get("text") or ""), ours)
        files = asks.pictures(message) or await self._around(who, words, ours)
        if files:
            return await self.animate(who, words, files, ChosenOptions())
        await who.tell(self.desk.say("chat.help.slack", who.locale))

    async def _around(self, who: Asker, words: str, ours: str) -> list[asks.Body]:
        """Look at the message itself, whose files Slack may leave out, and at the first one of its thread."""
        if who.channel.startswith("D"):
            return []
        try:
            thread = await places.thread(who.api, who.channel, who.root, who.source)
        except ChatError as error:
            _log.info("a thread can't be read: %s", error)
            return []
        for message in thread:
            root = message["ts"] == who.thread and message.get("user") != ours and words
            if (message["ts"] == who.source or root) and (files := asks.pictures(message)):
                return files
        return []

    async def choose(self, who: Asker, message: asks.Body, trigger: str) -> None:
        """Ask for the words that go with a message's pictures."""
        files = asks.pictures(message)[:2]
        if not files:
            who = await self._located(who)
            return await who.tell(self.desk.say("chat.no_picture_there", who.locale))
        about: dict[str, Any] = {"channel": who.channel, "thread": who.thread, "source": who.source}
        about |= {"files": [asks.kept(file) for file in files]}
        offers = self._offers()
        await self._opened(who, trigger, lambda say: forms.wish_form(say, offers, about, pictures=len(files)))

    async def open(self, who: Asker, prompt: str, trigger: str) -> None:
        """Ask for a picture, words and the place."""
        offers = self._offers()
        await self._opened(who, trigger, lambda say: forms.wish_form(say, offers, {}, pictures=0, prompt=prompt))

    async def _opened(self, who: Asker, trigger: str, form: Form) -> None:
        """Open a form from memory alone; only then is somebody's language asked, and the form changed to it."""
        known = self._people.known(who.team, who.user)
        try:
            opened = await who.api.call("views.open", trigger_id=trigger, view=form(self.speech(known or "en")))
        except ChatGone as error:
            if code(error) not in LATE:
                raise
            who = await self._located(who)
            return await who.tell(self.desk.say("chat.too_late", who.locale))
        who = await self._located(who)
        if known is None and form(self.speech(who.locale)) != form(self.speech("en")):
            view = opened["view"]
            with suppress(ChatError):  # it is closed, or sent in already; else it works in English
                await who.api.call(
                    "views.update", view_id=view["id"], hash=view.get("hash"), view=form(self.speech(who.locale))
                )

    async def submitted(
        self, who: Asker, about: Mapping[str, Any], given: Mapping[str, Any], chosen: Mapping[str, Any]
    ) -> None:
        """Take a form that was filled in, of this process or of one before it."""
        who = await self._located(who)
        picked, there = given["picture"], about.get("files", [])
        files = picked or (there if given["end"] == "yes" else there[:1])
        channel = given["channel"] or about.get("channel", "")
        who = replace(who, channel=channel, thread=about.get("thread", ""), source=about.get("source", ""))
        await self.animate(who, given["prompt"], files, ChosenOptions.of(chosen))

    async def edited(
        self, who: Asker, about: Mapping[str, Any], given: Mapping[str, Any], chosen: Mapping[str, Any]
    ) -> None:
        who = replace(await self._located(who), channel=about["channel"], thread=about["thread"])
        shown = await self.desk.job(about["job"])
        if shown is None or not await self._may(who, shown, Act.EDIT):
            return await who.tell(self.desk.say("chat.not_yours", who.locale))
        await self.again(who, shown, given["prompt"], chosen)

    def known_speech(self, who: Asker) -> buttons.Say:
        """Return how to speak to somebody from memory alone."""
        return self.speech(self._people.known(who.team, who.user) or "en")

    # Buttons.

    async def pressed(self, who: Asker, action: Action, trigger: str) -> None:
        press = f"{who.user}/{action.act}/{action.job}"
        if self._lately.get(who.team, press):
            return None
        self._lately.put(who.team, press, value=True)
        shown = await asyncio.wait_for(self.desk.job(action.job), QUICK_SECONDS)
        if shown is not None and not who.channel:  # from the app's home
            who = replace(who, channel=shown.place.get("channel", ""), thread=shown.place.get("thread", ""))
        if action.act is Act.EDIT and shown is not None and self._own(who, shown):
            return await self._ask_words(who, shown, trigger)
        who = await self._located(who)
        if shown is None or not await self._may(who, shown, action.act):
            return await who.tell(self.desk.say("chat.not_yours", who.locale))
        acts = {Act.CANCEL: self._cancel, Act.RETRY: self._retry, Act.DELETE: self._delete}
        await acts[action.act](who, shown)

    async def _ask_words(self, who: Asker, job: Shown, trigger: str) -> None:
        about = {"job": job.id, "channel": who.channel, "thread": who.root}
        offers = self.desk.offers("", forms.MODELS, first=job.model)
        await self._opened(who, trigger, lambda say: forms.edit_form(say, about, offers, job))

    async def _cancel(self, who: Asker, job: Shown) -> None:
        asked = await self.desk.cancel(job.id)
        words = {True: "chat.stopping", False: "chat.over"}
        await who.tell(asked.words if isinstance(asked, Declined) else self.desk.say(words[asked], who.locale))

    async def _retry(self, who: Asker, job: Shown) -> None:
        await self.again(who, job, None)

    async def _delete(self, who: Asker, job: Shown) -> None:
        if not await self.desk.forget(job.id):
            return await who.tell(self.desk.say("chat.not_deleted", who.locale))
        await places.forget(who.api, job.receipt or "")
        with suppress(ChatGone):  # the status message stood there with the buttons, or is gone too
            words = places.written(self.desk.say("chat.deleted", who.locale))
            await places.edit(who.api, job.place, buttons.message(words, (), self.speech(who.locale)))
        await who.tell(self.desk.say("chat.deleted", who.locale))

    def _own(self, who: Asker, job: Shown) -> bool:
        return job.requester == who.requester and "status" in job.place

    async def _may(self, who: Asker, job: Shown, act: Act) -> bool:
        """Let the requester do all, and an admin of that very workspace what costs nothing."""
        if self._own(who, job):
            return True
        here = job.place.get("team") == who.team and act in {Act.CANCEL, Act.DELETE}
        return here and await self._people.leads(who.api, who.team, who.user)

    # Lists and help.

    async def home(self, who: Asker) -> None:
        """Show somebody's last jobs, each with its state, its link and what can be done about it."""
        who = await self._located(who)
        say, url = self.speech(who.locale), (await who.api.me()).url
        jobs = [job for job in await self.desk.recent(who.requester, LISTED) if "status" in job.place]
        rows = [self._listed(job, say, places.link(url, job.place, job.receipt)) for job in jobs]
        await who.api.call("views.publish", user_id=who.user, view=forms.home(say, rows))

    def _listed(self, job: Shown, say: buttons.Say, link: str) -> list[buttons.Block]:
        head = f"{buttons.clock(job.created, date=True)} <{link}|{say('home.open')}>"
        return [buttons.section(f"{head}\n{places.written(job.words)}"), *buttons.row(job.actions, say)]

    def speech(self, locale: str) -> Callable[[str], str]:
        return lambda sentence: self.desk.say(sentence, locale)

    def _offers(self) -> Sequence[Offer]:
        return self.desk.offers("", forms.MODELS, first=self._allowed.default_model)

    async def _located(self, who: Asker) -> Asker:
        return replace(who, locale=await self._people.locale(who.api, who.team, who.user))

    # What goes wrong.

    @asynccontextmanager
    async def guarded(self, who: Asker) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the person gets one sentence
            await self.complain(error, await self._located(who))

    async def complain(self, error: BaseException, who: Asker) -> None:
        """Tell the person one sentence with a reference that is in the log too. The log gets no words of theirs."""
        reference = secrets.token_hex(3)
        _log.error("reference %s: %s", reference, type(error).__name__, exc_info=error)
        words = "chat.busy" if isinstance(error, ChatError | TimeoutError) else "chat.error"
        words = "chat.no_files" if isinstance(error, asks.Forbidden) else words
        try:
            await who.tell(self.desk.say(words, who.locale, reference=reference))
        except ChatError as late:
            _log.warning("reference %s could not be told: %s", reference, late)
