"""From a person's act to the desk and back: what is answered, to whom. Defines no command, button or event."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol

import aiohttp
import discord

from bot.chats import fields
from bot.chats.contract import Act, Address, Ask, ChatError, Declined, Desk, Shown
from bot.chats.discord import asks, buttons, places
from bot.chats.discord.asks import Asker
from bot.chats.underway import Underway
from bot.domain.options import ChosenOptions

QUICK_SECONDS = 2.0  # a form is a first answer: it can't wait for a slow disk
REMEMBERED = 200  # forms of the menu that may be open at once
LISTED = 10

_log = logging.getLogger("zoetrope.discord")
Accept = Callable[[Address], Awaitable[str | Declined]]


class Allowed(Protocol):
    """What of the settings is needed here."""

    @property
    def guilds(self) -> tuple[int, ...]: ...
    @property
    def channels(self) -> tuple[int, ...]: ...
    @property
    def roles(self) -> tuple[int, ...]: ...
    @property
    def default_model(self) -> str | None: ...
    @property
    def threads(self) -> bool: ...


class Talk:
    """Everything that people can do, in our words."""

    def __init__(self, client: discord.Client, desk: Desk, allowed: Allowed) -> None:
        self._client = client
        self.desk = desk
        self._allowed = allowed
        self.starts = Underway()
        self._chosen: OrderedDict[str, list[discord.Attachment]] = OrderedDict()  # pictures of open forms

    # Wishes.

    async def animate(self, who: Asker, prompt: str, files: list[discord.Attachment], options: ChosenOptions) -> None:
        """Make a wish of it: declined in private, or a status message and a job."""
        if no := self._refusal(who):
            return await who.tell(no)
        options = replace(options, model=options.model or self._allowed.default_model)
        uploads = tuple(asks.upload(file) for file in files)
        plan = await self.desk.consider(Ask(who.key, str(who.user.id), prompt, uploads, options, who.locale))
        if isinstance(plan, Declined):
            return await who.tell(plan.words)
        await self._start(who, plan.words, prompt, lambda address: self.desk.accept(plan, address))

    async def again(self, who: Asker, job: Shown, prompt: str | None, changes: Mapping[str, Any] | None = None) -> None:
        """Make a job anew, here, with its words or others."""
        if no := self._refusal(who):
            return await who.tell(no)
        words = self.desk.say("chat.again", who.locale)
        await self._start(
            who, words, prompt or job.prompt, lambda address: self.desk.retry(job.id, who.key, address, prompt, changes)
        )

    async def _start(self, who: Asker, words: str, name: str, accept: Accept) -> None:
        with self.starts.one():
            await self._started(who, words, name, accept)

    async def _started(self, who: Asker, words: str, name: str, accept: Accept) -> None:
        status = await self._post(who, words)
        try:
            thread = self._allowed.threads and who.may_thread
            at = places.place(who.guild, who.channel, status.id, who.user.id, who.locale, thread=thread)
            job = await accept(Address("discord", at))
        except BaseException:
            with suppress(discord.HTTPException):
                await status.delete()
            raise
        if isinstance(job, Declined):
            with suppress(discord.HTTPException):  # the reason is what matters
                await status.delete()
            return await who.tell(job.words)
        try:
            await self._dressed(who, status, at, job, name)
        except (discord.DiscordException, ChatError, aiohttp.ClientError, OSError) as error:
            _log.info("job %s: its status has no thread or button yet: %s", job, type(error).__name__)  # it goes on

    async def _dressed(self, who: Asker, status: discord.Message, at: places.Place, job: str, name: str) -> None:
        """Give the status message of an accepted job its thread and its buttons."""
        shown = await self.desk.job(job)
        if shown is not None and shown.place.get("status") != at["status"]:  # the same act was delivered twice
            await status.delete()
            return await who.done()
        if at["thread"]:
            await places.open_thread(self._client, at, name)
        if shown is not None and shown.open and shown.actions:
            await status.edit(view=buttons.view(shown.actions, self.speech(who.locale)))
        await who.done()

    async def _post(self, who: Asker, words: str) -> discord.Message:
        content, nobody = places.written(words, str(who.user.id)), discord.AllowedMentions.none()
        if who.message is not None:
            return await who.message.reply(content, allowed_mentions=nobody)
        room = self._client.get_partial_messageable(who.channel)
        return await room.send(content, allowed_mentions=nobody)

    def _refusal(self, who: Asker) -> str | None:
        """Say why nothing can be asked for here, before anything is spent."""
        lists = (
            (self._allowed.guilds, {who.guild}),
            (self._allowed.channels, who.above),
            (self._allowed.roles, who.roles),
        )
        if any(wanted and not set(wanted) & has for wanted, has in lists):
            return self.desk.say("chat.not_here", who.locale)
        if who.lacks:
            names = ", ".join(self.desk.say(f"permission.{name}", who.locale) for name in who.lacks)
            return self.desk.say("chat.lacks", who.locale, permissions=names)
        return None

    # The menu and its form.

    async def choose(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask for words in a form: the message's pictures are known by the form's name."""
        files, say = asks.pictures(message), self.speech(interaction.locale.value)
        if not files:
            return await asks.private(interaction, say("chat.no_picture_there"))
        name = f"menu:{message.channel.id}:{message.id}"
        self._chosen[name] = files
        while len(self._chosen) > REMEMBERED:
            self._chosen.popitem(last=False)
        offers = self.desk.offers("", first=self._allowed.default_model)
        form = buttons.wish_form(name, say, offers, two=len(files) > 1)
        await interaction.response.send_modal(form)

    async def submitted(self, interaction: discord.Interaction[Any], name: str, given: dict[str, str]) -> None:
        """Take a form that was filled in, of this process or of one before it."""
        if not await self._acknowledged(interaction):
            return
        who, kind = asks.clicked(interaction), name.partition(":")[0]
        if kind == "edit":
            await self._edited(who, name.partition(":")[2], given)
        else:
            await self._menu_filled(who, name, given)

    async def _menu_filled(self, who: Asker, name: str, given: dict[str, str]) -> None:
        files = self._chosen.get(name) or await self._fetched(name)
        if not files:
            return await who.tell(self.desk.say("chat.choose_again", who.locale))
        chosen = await self._read(who, given)
        if chosen is not None:
            ends = files if given.get("end", "no") == "yes" else files[:1]
            await self.animate(who, given["prompt"], ends, ChosenOptions.of(chosen))

    async def _read(self, who: Asker, given: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the options that were chosen in a form, or say what is wrong with it."""
        say = self.speech(who.locale)
        chosen, wrong = fields.read(given, say)
        if wrong:
            await who.tell(fields.complaint(wrong, say))
        return None if wrong else chosen

    async def _fetched(self, name: str) -> list[discord.Attachment]:
        """Read the message again, after a restart: without the privileged intent Discord may hide its pictures."""
        channel, message = map(int, name.split(":")[1:])
        try:
            return asks.pictures(await self._client.get_partial_messageable(channel).fetch_message(message))
        except discord.HTTPException:
            return []

    async def _edited(self, who: Asker, job: str, given: Mapping[str, str]) -> None:
        shown = await self.desk.job(job)
        if shown is None or not self._may(who, shown, Act.EDIT):
            return await who.tell(self.desk.say("chat.not_yours", who.locale))
        chosen = await self._read(who, given)
        if chosen is not None:
            await self.again(who, shown, given["prompt"], chosen)

    # Buttons.

    async def pressed(self, interaction: discord.Interaction[Any], act: Act, job: str) -> None:
        async with self.guarded(interaction):
            if act is Act.EDIT:
                await self._ask_words(asks.clicked(interaction), interaction, job)
            elif await self._acknowledged(interaction):
                await self._done(asks.clicked(interaction), act, job)

    async def _done(self, who: Asker, act: Act, job: str) -> None:
        shown = await self.desk.job(job)
        if shown is None or not self._may(who, shown, act):
            return await who.tell(self.desk.say("chat.not_yours", who.locale))
        acts = {Act.CANCEL: self._cancel, Act.RETRY: self._retry, Act.DELETE: self._delete}
        await acts[act](who, shown)

    async def _ask_words(self, who: Asker, interaction: discord.Interaction[Any], job: str) -> None:
        shown = await asyncio.wait_for(self.desk.job(job), QUICK_SECONDS)
        if shown is None or not self._may(who, shown, Act.EDIT):
            return await who.tell(self.desk.say("chat.not_yours", who.locale))
        offers = self.desk.offers("", first=shown.model)
        form = buttons.edit_form(f"edit:{job}", self.speech(who.locale), offers, shown)
        await interaction.response.send_modal(form)

    async def _cancel(self, who: Asker, job: Shown) -> None:
        asked = await self.desk.cancel(job.id)
        words = {True: "chat.stopping", False: "chat.over"}
        await who.tell(asked.words if isinstance(asked, Declined) else self.desk.say(words[asked], who.locale))

    async def _retry(self, who: Asker, job: Shown) -> None:
        await self.again(who, job, None)

    async def _delete(self, who: Asker, job: Shown) -> None:
        if not await self.desk.forget(job.id):
            return await who.tell(self.desk.say("chat.not_deleted", who.locale))
        channel, _, message = (job.receipt or "").partition("/")
        if channel.isdigit() and message.isdigit():
            with suppress(discord.NotFound, discord.Forbidden):  # it is gone already
                await self._client.get_partial_messageable(int(channel)).get_partial_message(int(message)).delete()
        await who.tell(self.desk.say("chat.deleted", who.locale))

    def _may(self, who: Asker, job: Shown, act: Act) -> bool:
        """Let the requester do all, and a moderator of that very server what costs nothing."""
        if job.requester == str(who.user.id) and "status" in job.place:
            return True
        rights = who.interaction.permissions if who.interaction else discord.Permissions.none()
        here = who.guild is not None and job.place.get("guild") == str(who.guild)
        return here and rights.manage_messages and act in {Act.CANCEL, Act.DELETE}

    # Lists and help.

    async def jobs(self, who: Asker) -> None:
        """Show somebody's last jobs, each with its state, its link and what can be done about it."""
        say, lines, actions, labels = self.speech(who.locale), list[str](), [], []
        for number, job in enumerate(await self.desk.recent(str(who.user.id), LISTED), 1):
            if "status" not in job.place:
                continue
            words = discord.utils.escape_markdown(job.words)[:140]
            link = places.link(job.place, job.receipt)
            lines.append(f"{number}. <t:{int(job.created)}:R> {link} {words}")
            for action in [one for one in job.actions if one.act in {Act.CANCEL, Act.RETRY}][:1]:
                actions.append(action)
                labels.append(f"{number}. {say(f'label.{action.act.value}')}")
        await who.tell("\n".join(lines) or say("chat.no_jobs"), buttons.view(actions, say, labels))

    def speech(self, locale: str) -> Callable[[str], str]:
        return lambda sentence: self.desk.say(sentence, locale)

    # What goes wrong.

    @asynccontextmanager
    async def guarded(self, interaction: discord.Interaction[Any]) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the person gets one sentence
            await self.failed(interaction, error)

    async def failed(self, interaction: discord.Interaction[Any], error: BaseException) -> None:
        """Tell the person one sentence with a reference that is in the log too. The log gets no words of theirs."""
        await self.complain(error, interaction.locale.value, lambda words: asks.private(interaction, words))

    async def complain(self, error: BaseException, locale: str, tell: Callable[[str], Awaitable[None]]) -> None:
        reference = secrets.token_hex(3)
        _log.error("reference %s: %s", reference, type(error).__name__, exc_info=error)
        busy = isinstance(error, ChatError | TimeoutError)
        words = self.desk.say("chat.busy" if busy else "chat.error", locale, reference=reference)
        if self._client.is_closed():
            return
        try:
            await tell(words)
        except discord.HTTPException as late:
            _log.warning("reference %s could not be told: code %s", reference, late.code)

    async def _acknowledged(self, interaction: discord.Interaction[Any]) -> bool:
        taken = await asks.acknowledge(interaction)
        if not taken:
            _log.warning("an act came too late to be answered, or another process answers with the same token")
        return taken
