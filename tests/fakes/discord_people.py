"""People on the pretended Discord: they type, click, fill in forms, delete; the bot hears of it by its gateway."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes import discord_words as words
from tests.fakes.discord_commands import Commands
from tests.fakes.discord_form import Value, filled
from tests.fakes.discord_interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Answers,
    Interaction,
    owners,
)
from tests.fakes.discord_posts import Posts, mentioned
from tests.fakes.discord_things import Attachment, Channel, Guild, Message, Role, Upload, User
from tests.fakes.discord_world import World

SUBCOMMAND, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 3, 4, 5, 10, 11
PICTURES = ("image", "end_image")  # where `attachments` go while no command is synced
Option = str | int | float | bool | bytes | Upload


class People:
    """Everything a test does as a person. Each act returns as soon as it was sent to the bot."""

    world: World
    answers: Answers
    commands: Commands
    posts: Posts

    async def slash(
        self,
        user: User,
        channel: Channel,
        command: str,
        /,
        *,
        attachments: Sequence[bytes | Upload] = (),
        user_install: bool = False,
        **options: Option,
    ) -> Interaction:
        """Send a command, e.g. `slash(ann, channel, "animate", image=png, prompt="waves")`; "group name" works too.

        `attachments` go to the command's attachment options in their order. Types follow the synced command; of one
        that was never synced they are guessed. An option that the synced command lacks is a LookupError.
        """
        name, *path = command.split()
        known = self.commands.find(name, 1, channel.guild)
        offered = _offered(known, path)
        slots = [one["name"] for one in offered if one["type"] == ATTACHMENT] if known else list(PICTURES)
        options |= dict(zip(slots, attachments, strict=False))
        resolved: dict[str, Any] = {}
        said = [self._option(one, value, offered if known else None, resolved) for one, value in options.items()]
        data = self._command(known, name, 1, channel) | {"options": _nest(path, said)}
        data |= {"resolved": {"attachments": resolved}} if resolved else {}
        return self._act(self.answers.new(COMMAND, user, channel, data, user_install=user_install))

    def _command(self, known: Mapping[str, Any] | None, name: str, kind: int, channel: Channel) -> dict[str, Any]:
        scope = {"guild_id": known["guild_id"]} if known and "guild_id" in known else {}
        id_ = known["id"] if known else str(self.world.new_id())
        here = {"guild_id": str(channel.guild.id)} if channel.guild and scope else {}
        return {"id": id_, "name": name, "type": kind, **scope, **here}

    def _option(
        self, name: str, value: Option, offered: Sequence[Mapping[str, Any]] | None, resolved: dict[str, Any]
    ) -> dict[str, Any]:
        kind = _kind(value)
        if offered is not None:
            one = next((one for one in offered if one["name"] == name), None)
            if one is None:
                raise LookupError(f"The command offers no option {name!r}.")
            kind = one["type"]
        if isinstance(value, bytes | Upload):
            file = self._lay(value)
            resolved[str(file.id)] = file.json()
            value = str(file.id)
        return {"name": name, "type": kind, "value": value}

    def _lay(self, value: bytes | Upload) -> Attachment:
        return self.world.attach(None, Upload(value) if isinstance(value, bytes) else value)

    async def autocomplete(
        self, user: User, channel: Channel, command: str, /, *, focused: str, value: str = "", **options: Option
    ) -> Interaction:
        """Type into one option; the suggestions will be in `.choices`."""
        name, *path = command.split()
        known = self.commands.find(name, 1, channel.guild)
        said = [self._option(one, what, _offered(known, path) or None, {}) for one, what in options.items()]
        offered = {one["name"]: one["type"] for one in _offered(known, path)}
        said.append({"name": focused, "type": offered.get(focused, STRING), "value": value, "focused": True})
        data = self._command(known, name, 1, channel) | {"options": _nest(path, said)}
        return self._act(self.answers.new(AUTOCOMPLETE, user, channel, data))

    async def menu(self, user: User, message: Message, command: str, *, user_install: bool = False) -> Interaction:
        """Use a message's context menu; the bot gets the message whole."""
        channel = message.channel
        known = self.commands.find(command, 3, channel.guild)
        whole = {str(message.id): self.world.show(message, whole=True)}
        data = self._command(known, command, 3, channel)
        data |= {"target_id": str(message.id), "resolved": {"messages": whole}}
        return self._act(self.answers.new(COMMAND, user, channel, data, user_install=user_install))

    async def press(
        self, user: User, message: Message, custom_id: str, *, values: Sequence[str] = (), forged: bool = False
    ) -> Interaction:
        """Press a button, or choose `values` from a select, by its custom id or its label.

        LookupError when there is none that can be pressed; `forged` sends the id all the same.
        """
        found = [one for one in message.buttons if custom_id in {one["custom_id"], one.get("label")}]
        usable = [one for one in found if not one.get("disabled")]
        if not usable and not forged:
            raise LookupError(f"The message has no {custom_id!r} that can be pressed.")
        part = usable[0] if usable else {"type": 2, "custom_id": custom_id, "id": 1}
        data: dict[str, Any] = {"custom_id": part["custom_id"], "component_type": part["type"], "id": part.get("id", 1)}
        data |= {"values": list(values)} if part["type"] != 2 else {}
        return self._act(self.answers.new(COMPONENT, user, message.channel, data, message=message))

    async def submit_modal(
        self,
        opened: Interaction | str,
        values: Mapping[str, Value] | None = None,
        *,
        user: User | None = None,
        channel: Channel | None = None,
    ) -> Interaction:
        """Send a form: the one that `opened` was answered with, or any by its custom id (then say who and where).

        `values` by custom id or by label; what isn't given keeps the form's own value. LookupError for a field that
        isn't there, ValueError for a required one left empty.
        """
        form: Mapping[str, Any] | None = None
        message: Message | None = None
        if isinstance(opened, Interaction):
            form, message = opened.modal, opened.message
            user, channel = user or opened.user, channel or opened.channel
            if form is None:
                raise LookupError("That interaction was not answered with a form.")
        if user is None or channel is None:
            raise ValueError("Say who submits the form, and where.")
        resolved: dict[str, Any] = {}
        custom_id = str(form["custom_id"]) if form else str(opened)
        parts = filled(form, dict(values or {}), lambda upload: self._upload(upload, resolved))
        data: dict[str, Any] = {"custom_id": custom_id, "components": parts}
        data |= {"resolved": {"attachments": resolved}} if resolved else {}
        return self._act(self.answers.new(MODAL_SUBMIT, user, channel, data, message=message))

    def _upload(self, upload: bytes | Upload, resolved: dict[str, Any]) -> str:
        file = self._lay(upload)
        resolved[str(file.id)] = file.json()
        return str(file.id)

    async def say(
        self,
        user: User,
        channel: Channel,
        text: str = "",
        attachments: Sequence[bytes | Upload] = (),
        *,
        reply_to: Message | None = None,
        mentions: Sequence[User | Role] = (),
        ping: bool = True,
    ) -> Message:
        """Write a message. `mentions` not in the text are put before it; `ping`: a reply also mentions its author.

        A reply to a command's answer doesn't count as mentioning the bot, nor does a role: then it gets no content.
        """
        guild = channel.guild
        text = " ".join([*(one.mention for one in mentions if one.mention not in text), text]).strip()
        users, roles = mentioned(text, self.world, guild)
        if reply_to and ping and not reply_to.interaction and reply_to.author not in users:
            users.append(reply_to.author)
        if guild:
            guild.members.setdefault(user.id, set())
        message = Message(self.world.new_id(), channel, user, text, self.world.clock(), reply_to=reply_to)
        message.type, message.wordings = 19 if reply_to else 0, [text]
        message.mentions, message.role_mentions = users, roles
        uploads = [Upload(one) if isinstance(one, bytes) else one for one in attachments]
        message.attachments = [self.world.attach(channel, upload) for upload in uploads]
        self.posts.stand(message)
        return message

    async def delete_message(self, message: Message) -> None:
        self.world.remove(message)

    async def delete_channel(self, channel: Channel) -> None:
        self.world.close(channel)

    async def lock_thread(self, thread: Channel) -> None:
        thread.locked = True
        self.world.changed(thread)

    async def archive(self, thread: Channel) -> None:
        thread.archived = True
        self.world.changed(thread)

    async def remove_bot(self, guild: Guild) -> None:
        """Throw the bot out of a guild."""
        self.world.emit("GUILD_DELETE", {"id": str(guild.id)}, guild)
        guild.joined = False
        guild.members.pop(self.world.bot.id, None)

    async def expire(self, *messages_or_files: Message | Attachment) -> None:
        """Let links die: the CDN answers 404 from now on."""
        for one in messages_or_files:
            for file in one.attachments if isinstance(one, Message) else [one]:
                file.gone = True

    def _act(self, interaction: Interaction) -> Interaction:
        guild = interaction.channel.guild
        if guild:
            guild.members.setdefault(interaction.user.id, set())
        self.world.emit("INTERACTION_CREATE", self._event(interaction), guild)
        return interaction

    def _event(self, act: Interaction) -> dict[str, Any]:
        channel, guild, world = act.channel, act.channel.guild, self.world
        said: dict[str, Any] = {"id": str(act.id), "application_id": str(world.application_id), "type": act.type}
        said |= {"token": act.token, "version": 1, "data": act.data, "locale": act.user.locale, "entitlements": []}
        said |= {"channel_id": str(channel.id), "authorizing_integration_owners": owners(act)}
        rights = world.permissions(world.bot, channel) if guild is None or guild.joined else words.IN_DM
        said |= {"attachment_size_limit": act.upload_limit, "app_permissions": str(int(rights))}
        theirs = str(int(world.permissions(act.user, channel)))
        said["channel"] = channel.json() | {"permissions": theirs}
        if act.message:
            said["message"] = world.show(act.message, whole=True)
        if guild is None:
            return said | {"user": act.user.json(), "context": 1}
        member = world.member(guild, act.user) | {"permissions": theirs}
        home = {"id": str(guild.id), "locale": guild.locale, "features": []}
        return said | {
            "guild_id": str(guild.id),
            "guild_locale": guild.locale,
            "guild": home,
            "member": member,
            "context": 0,
        }


def _kind(value: Option) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, float):
        return NUMBER
    return STRING if isinstance(value, str) else ATTACHMENT


def _offered(known: Mapping[str, Any] | None, path: Sequence[str]) -> list[dict[str, Any]]:
    options = list(known["options"]) if known else []
    for name in path:
        options = next((list(one.get("options", ())) for one in options if one["name"] == name), [])
    return options


def _nest(path: Sequence[str], said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for depth, name in enumerate(reversed(path)):
        said = [{"name": name, "type": SUBCOMMAND if depth == 0 else SUBCOMMAND + 1, "options": said}]
    return said
