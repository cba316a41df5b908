"""People on the pretended Slack: they write, pick, press, fill in forms; the app hears of it by the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes import slack_words as words
from tests.fakes.faulty_server import PATIENCE
from tests.fakes.slack_blocks import Value, filled, response_urls
from tests.fakes.slack_chat import Chat
from tests.fakes.slack_things import Channel, File, Json, Member, Message, Team, Upload, View
from tests.fakes.slack_views import Views
from tests.fakes.slack_wire import Envelope, Kind
from tests.fakes.slack_world import World


class Stage(Protocol):
    """What people need of the server."""

    world: World
    chat: Chat
    views_of: Views

    def event(self, team: Team, event: str, body: Json) -> Envelope | None: ...

    def send(self, envelope: Envelope) -> Envelope: ...

    async def until(self, so: Any, seconds: float = PATIENCE) -> None: ...


@dataclass(eq=False)
class Act:
    """What a person did. `envelopes`: what the app was sent of it; none when Slack tells it nothing."""

    stage: Stage = field(repr=False)
    member: Member
    envelopes: list[Envelope] = field(default_factory=list)
    message: Message | None = None  # the one that was written
    form: View | None = None  # the one that was sent in
    channel: Channel | None = None  # where the person was
    trigger: str = ""
    answers: list[Message] = field(default_factory=list)  # by response_url, or with the ack

    async def acked(self, seconds: float = PATIENCE) -> Any:
        """Wait until the app has acked all of it; return the first ack's payload. RuntimeError: a wrong answer."""
        await self.stage.until(lambda: all(one.acks or one.failures for one in self.envelopes), seconds)
        if failures := [one.failures for one in self.envelopes if one.failures]:
            raise RuntimeError(f"The app's answer was refused: {failures}.")
        return self.envelopes[0].acks[0].payload if self.envelopes else None

    async def view(self, seconds: float = PATIENCE) -> View:
        """Wait for the form that the app opens on this; return it as it stands then."""
        await self.stage.until(self._views, seconds)
        return self._views()[0]

    def _views(self) -> list[View]:
        return [view for view in self.stage.world.views.values() if view.act is self]

    async def answer(self, count: int = 1, seconds: float = PATIENCE) -> Message:
        """Wait for the count-th answer by response_url or with the ack; return it."""
        await self.stage.until(lambda: len(self.answers) >= count, seconds)
        return self.answers[count - 1]

    def expire(self) -> None:
        """Let the trigger id be too old."""
        self.stage.world.triggers[self.trigger].at -= words.TRIGGER_SECONDS + 1


class Person(Member):
    """A member whom a test lets act. Each act returns as soon as it was sent to the app."""

    stage: Stage

    # events

    def posts(
        self,
        channel: Channel,
        text: str = "",
        files: Sequence[bytes | Upload | File] = (),
        *,
        thread: Message | str | None = None,
        file_share: bool = True,
        mention: bool = True,
        mention_files: bool = True,
    ) -> Act:
        """Write a message; the app hears of it where it is a member.

        The oddities that are reported: without `file_share` files come with no subtype; without `mention` there is no
        app_mention; without `mention_files` it names no files.
        """
        world, ts = self.stage.world, thread.ts if isinstance(thread, Message) else thread
        root = channel.messages[ts].thread_ts or ts if ts else None
        message = Message(world.new_ts(), channel, self, words.escaped(text), world.clock(), [], root)
        message.files = [self.has(file) for file in files]
        message.subtype = "file_share" if files and file_share else None
        channel.members.add(self)
        world.stand(message)
        return Act(self.stage, self, self._told(message, mention=mention, mention_files=mention_files), message)

    def _told(self, message: Message, *, mention: bool, mention_files: bool) -> list[Envelope]:
        channel, body = message.channel, message.json()
        body |= {"channel": channel.id, "event_ts": message.ts}
        place = {"channel_type": channel.kind}
        sent = [self.stage.event(self.team, f"message.{words.PLACES[channel.kind]}", body | place)]
        if mention and channel.kind != "im" and self.team.bot.mention in message.text:
            hidden = {"subtype", *([] if mention_files else ["files"])}
            short = {name: value for name, value in body.items() if name not in hidden}
            sent.append(self.stage.event(self.team, "app_mention", short | {"type": "app_mention"}))
        return [one for one in sent if one]

    def shares(self, file: bytes | Upload | File, channel: Channel, text: str = "", **more: Any) -> Act:
        return self.posts(channel, text, [file], **more)

    def has(self, file: bytes | Upload | File) -> File:
        """Return the file as uploaded by this person."""
        if isinstance(file, File):
            return file
        return self.stage.world.lay(self, Upload(file) if isinstance(file, bytes) else file)

    def edits(self, message: Message, text: str) -> Act:
        """Write one's message anew; the app is told by a message_changed."""
        previous, message.text = message.json(), words.escaped(text)
        message.wordings.append(message.text)
        message.edits.append(self.stage.world.clock())
        self.stage.world.tell_change("message_changed", message, previous)
        return Act(self.stage, self, message=message)

    def deletes(self, thing: Message | File) -> None:
        if isinstance(thing, Message):
            self.stage.world.remove(thing)
        else:
            thing.state = "deleted"

    def opens_home(self, tab: str = "home") -> Act:
        world = self.stage.world
        body: Json = {"type": "app_home_opened", "user": self.id, "channel": world.dm(self).id, "tab": tab}
        home = world.homes.get(self.id)
        body |= {"view": home.json()} if home and tab == "home" else {}
        sent = self.stage.event(self.team, "app_home_opened", body | {"event_ts": world.new_ts()})
        return Act(self.stage, self, [sent] if sent else [])

    # clicks

    def _act(self, below: View | None = None, channel: Channel | None = None) -> Act:
        act = Act(self.stage, self, channel=channel)
        act.trigger = self.stage.world.trigger(self, act, below)
        return act

    def _payload(self, kind: str, act: Act) -> Json:
        said: Json = {"type": kind, "token": "gone", "team": self.team.json(), "user": self.brief()}
        said |= {"api_app_id": self.stage.world.app_id, "enterprise": None, "is_enterprise_install": False}
        return said | ({"trigger_id": act.trigger} if act.trigger else {})

    def _click(self, act: Act, kind: Kind, payload: Json, *, accepts: bool = False, on_ack: Any = None) -> Act:
        act.envelopes.append(self.stage.send(Envelope(kind, payload, accepts, on_ack=on_ack)))
        return act

    def picks(self, callback_id: str, message: Message) -> Act:
        """Use a message's menu; also where the app is no member."""
        channel = message.channel
        act = self._act(channel=channel)
        said = self._payload("message_action", act) | {"callback_id": callback_id, "channel": channel.brief()}
        said |= {"response_url": self.stage.world.response_url(self, channel, act)}
        said |= {"message": message.json(), "message_ts": message.ts, "action_ts": self.stage.world.new_ts()}
        return self._click(act, "interactive", said)

    def opens_global(self, callback_id: str) -> Act:
        """Use a global shortcut: there is no channel in it, nor a response_url."""
        act = self._act()
        said = self._payload("shortcut", act) | {"callback_id": callback_id}
        return self._click(act, "interactive", said | {"action_ts": self.stage.world.new_ts()})

    def types(self, command: str, text: str, channel: Channel) -> Act:
        """Send a slash command; never from a thread, as in Slack."""
        act, world = self._act(channel=channel), self.stage.world
        said: Json = {"token": "gone", "team_id": self.team.id, "team_domain": self.team.name, "user_id": self.id}
        said |= {"channel_id": channel.id, "channel_name": channel.brief()["name"], "user_name": self.name}
        said |= {"command": command, "text": words.escaped(text), "api_app_id": world.app_id}
        said |= {"is_enterprise_install": "false", "trigger_id": act.trigger}
        said |= {"response_url": world.response_url(self, channel, act)}

        def told(payload: Any) -> None:
            if payload:
                body = payload if isinstance(payload, dict) else {"text": payload}
                act.answers += filter(None, [self.stage.chat.answered(self, channel, body)])

        return self._click(act, "slash_commands", said, accepts=True, on_ack=told)

    def presses(
        self, where: Message | View, action: str, value: str | None = None, *, option: str = "", forged: bool = False
    ) -> Act:
        """Press a button, or choose an option, by its action id or label (and `value`, when many have the same).

        LookupError when there is none; `forged` sends the action id all the same.
        """
        found = [one for one in where.elements if action in {one["action_id"], one.get("text", {}).get("text")}]
        found = [one for one in found if value is None or one.get("value") == value]
        if not found and not forged:
            raise LookupError(f"There is no {action!r} to press, only {[one['action_id'] for one in where.elements]}.")
        part = found[0] if found else {"type": "button", "action_id": action, "block_id": "b0", "value": value}
        pressed = {key: part[key] for key in ("type", "action_id", "block_id", "text", "value") if key in part}
        if option:
            pressed["selected_option"] = next(one for one in found[0]["options"] if option == one["value"])
        act = self._act(where) if isinstance(where, View) else self._act(channel=where.channel)
        said = self._payload("block_actions", act) | {"state": {"values": {}}}
        said |= {"actions": [pressed | {"action_ts": self.stage.world.new_ts()}]} | self._place(where, act)
        return self._click(act, "interactive", said)

    def _place(self, where: Message | View, act: Act) -> Json:
        if isinstance(where, View):
            return {"view": where.json(), "container": {"type": "view", "view_id": where.id}}
        channel, hidden = where.channel, where.reader is not None
        box = {"type": "message", "message_ts": where.ts, "channel_id": channel.id, "is_ephemeral": hidden}
        box |= {"thread_ts": where.thread_ts} if where.thread_ts else {}
        url = self.stage.world.response_url(self, channel, act, where)
        said: Json = {"container": box, "channel": channel.brief(), "response_url": url}
        return said if hidden else said | {"message": where.json()}

    # forms

    def fills(self, view: View, values: Mapping[str, Value] | None = None, *, times: int = 1) -> Act:
        """Send a form in, more than once if asked; see `slack_blocks.filled` for what it refuses.

        Files are a person's uploads; the ack's `response_action` is done to the view, errors stand in `view.errors`.
        """
        if not view.open:
            raise LookupError("The form is closed.")
        here = view.act.channel.id if view.act and view.act.channel else ""
        view.values = filled(view, values or {}, self.has, here)
        act = self._act(view)
        act.form = view
        said = self._payload("view_submission", act) | {"view": view.json()}
        world = self.stage.world
        said["response_urls"] = response_urls(view, lambda id_: world.response_url(self, world.channels[id_], act))
        for _ in range(times):
            done = lambda payload: self.stage.views_of.answered(view, payload, act)  # noqa: E731 - names its view
            self._click(act, "interactive", said, accepts=True, on_ack=done)
        return act

    def closes(self, view: View) -> Act:
        """Close a form; the app hears of it when it asked to."""
        view.open, act = False, Act(self.stage, self)
        if not view.body.get("notify_on_close"):
            return act
        said = self._payload("view_closed", act) | {"view": view.json(), "is_cleared": False}
        return self._click(act, "interactive", said)
