"""Slack's chat.*, conversations.* and reactions.* methods, and what is said by a response_url. No wire."""

import re

from tests.fakes import slack_words as words
from tests.fakes.slack_blocks import check
from tests.fakes.slack_things import Channel, Json, Member, Message
from tests.fakes.slack_who import Ask, Method, Who, true
from tests.fakes.slack_words import PLACES, Wrong, need
from tests.fakes.slack_world import World


class Chat:
    def __init__(self, world: World, who: Who) -> None:
        self._world = world
        self._who = who
        self.methods: dict[str, Method] = {
            "chat.postMessage": self.post,
            "chat.update": self.update,
            "chat.delete": self.delete,
            "chat.postEphemeral": self.ephemeral,
            "chat.getPermalink": self.permalink,
            "conversations.info": self.info,
            "conversations.members": self.members,
            "conversations.history": self.history,
            "conversations.replies": self.replies,
            "conversations.open": self.open,
            "reactions.add": self.react,
        }

    # where

    def channel(self, ask: Ask) -> Channel:
        """Return a channel that the token can see: a private one only as a member."""
        found = self._world.channels.get(str(ask["channel"]))
        if found is None or found.gone or found.team is not ask.install.team:
            raise Wrong("channel_not_found")
        if found.kind != "channel" and not found.has_bot:
            raise Wrong("channel_not_found")
        return found

    def writable(self, ask: Ask) -> Channel:
        """Return a channel that isn't archived."""
        channel = self.channel(ask)
        if channel.archived:
            raise Wrong("is_archived")
        return channel

    def target(self, ask: Ask) -> Channel:
        """Return where a new message may go: a channel, or a person's direct messages by their id."""
        member = self._world.members.get(str(ask["channel"]))
        return self._world.dm(member) if member and member.team is ask.install.team else self.writable(ask)

    def _inside(self, channel: Channel, ask: Ask, instead: str = "") -> None:
        if not channel.has_bot and instead not in ask.install.scopes:
            raise Wrong("not_in_channel")

    def thread(self, ask: Ask, channel: Channel) -> str | None:
        """Return the thread as it was named; a parent that is gone leaves the message outside, without a word.

        So reported for chat.postMessage (slack-go issue 1571, read on 2026-11-20); a reply's ts makes a thread that
        nobody sees, as Slack warns.
        """
        ts = ask.args.get("thread_ts")
        if ts is None:
            return None
        if not isinstance(ts, str) or not re.fullmatch(r"\d+\.\d{6}", ts):
            raise Wrong("invalid_thread_ts")
        return ts if channel.thread(ts) else None

    # messages

    def _body(self, ask: Ask, most: int) -> tuple[str, list[Json]]:
        text, blocks = str(ask.args.get("text") or ""), ask.args.get("blocks") or []
        if not text and not blocks and not ask.args.get("attachments"):
            raise Wrong("no_text")
        if len(text) > most:
            raise Wrong("msg_too_long")
        return text, check(blocks)

    def post(self, ask: Ask) -> Json:
        channel = self.target(ask)
        self._inside(channel, ask, "chat:write.public")
        text, blocks = self._body(ask, words.TEXT)
        world, thread = self._world, self.thread(ask, channel)
        message = Message(world.new_ts(), channel, ask.install.team.bot, text, world.clock(), blocks, thread)
        message.said = ask.args
        world.stand(message)
        world.tell(message)
        return {"channel": channel.id, "ts": message.ts, "message": message.json()}

    def _own(self, ask: Ask, word: str) -> Message:
        message = self._world.find(self.writable(ask), ask["ts"])
        if message.author is not ask.install.team.bot:
            raise Wrong(word)
        return message

    def update(self, ask: Ask) -> Json:
        message = self._own(ask, "cant_update_message")
        text, blocks = self._body(ask, words.UPDATE)
        previous = message.json()
        message.text, message.blocks = text, blocks
        message.wordings.append(text)
        message.edits.append(self._world.clock())
        self._world.tell_change("message_changed", message, previous)
        return {"channel": message.channel.id, "ts": message.ts, "text": text, "message": message.json()}

    def delete(self, ask: Ask) -> Json:
        message = self._own(ask, "cant_delete_message")
        self._world.remove(message)
        return {"channel": message.channel.id, "ts": message.ts}

    def ephemeral(self, ask: Ask) -> Json:
        channel = self.writable(ask)
        self._inside(channel, ask)
        reader = self._world.members.get(str(ask["user"]))
        if reader not in channel.members:
            raise Wrong("user_not_in_channel")
        text, blocks = self._body(ask, words.TEXT)
        return {"message_ts": self._world.whisper(channel, reader, ask.args | {"text": text}, blocks).ts}

    def permalink(self, ask: Ask) -> Json:
        channel = self.channel(ask)
        message = self._world.find(channel, ask["message_ts"])
        link = f"{self._world.url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
        return {"channel": channel.id, "permalink": link}

    def react(self, ask: Ask) -> Json:
        message = self._world.find(self.writable(ask), ask["timestamp"])
        if ask["name"] in message.reactions:
            raise Wrong("already_reacted")
        message.reactions.add(ask["name"])
        return {}

    # conversations

    def _seen(self, ask: Ask, what: str) -> Channel:
        found = self._world.channels.get(str(ask["channel"]))
        need(f"{PLACES[found.kind] if found else 'channels'}:{what}", ask.install.scopes)
        return self.channel(ask)

    def info(self, ask: Ask) -> Json:
        return {"channel": self._seen(ask, "read").json()}

    def members(self, ask: Ask) -> Json:
        ids = sorted(one.id for one in self._seen(ask, "read").members)
        return {"members": ids, "response_metadata": {"next_cursor": ""}}

    def _read(self, ask: Ask) -> Channel:
        channel = self._seen(ask, "history")
        self._inside(channel, ask)
        return channel

    def history(self, ask: Ask) -> Json:
        found = [one for one in self._read(ask).messages.values() if one.thread_ts in (None, one.ts)]
        return self._page(ask, list(reversed(found)))

    def replies(self, ask: Ask) -> Json:
        channel, ts = self._read(ask), str(ask["ts"])
        named = channel.messages.get(ts)
        found = channel.thread(named.thread_ts or ts if named else ts)
        if not found:
            raise Wrong("thread_not_found")
        return self._page(ask, found)

    def _page(self, ask: Ask, found: list[Message]) -> Json:
        oldest, latest = float(ask.args.get("oldest") or 0), float(ask.args.get("latest") or "inf")
        edges = true(ask.args.get("inclusive"))
        found = [
            one for one in found if oldest < float(one.ts) < latest or (edges and float(one.ts) in (oldest, latest))
        ][: int(ask.args.get("limit") or 100)]
        wants = true(ask.args.get("include_all_metadata"))
        shown = [
            one.json() | ({"metadata": one.said["metadata"]} if wants and "metadata" in one.said else {})
            for one in found
        ]
        return {"messages": shown, "has_more": False}

    def open(self, ask: Ask) -> Json:
        member = None if ask.args.get("channel") else self._who.member(ask, "users")
        return {"channel": (self._world.dm(member) if member else self.channel(ask)).json()}

    # answers to what a person did

    def answered(self, member: Member, channel: Channel, said: Json, pressed: Message | None = None) -> Message | None:
        """Do what was sent to a response_url, or with a command's ack: show, replace or delete."""
        blocks = check(said.get("blocks") or [])
        if pressed and said.get("delete_original"):
            self._gone(pressed)
            return None
        if pressed and said.get("replace_original"):
            return self._replaced(pressed, said, blocks)
        if said.get("response_type") != "in_channel":
            return self._world.whisper(channel, member, said, blocks)
        world, bot = self._world, channel.team.bot
        message = Message(world.new_ts(), channel, bot, str(said.get("text") or ""), world.clock(), blocks)
        message.thread_ts, message.said = said.get("thread_ts"), said
        world.tell(world.stand(message))
        return message

    def _gone(self, pressed: Message) -> None:
        if pressed.reader:
            pressed.deleted = True
            self._world.ephemerals.remove(pressed)
        else:
            self._world.remove(pressed)

    def _replaced(self, pressed: Message, said: Json, blocks: list[Json]) -> Message:
        previous = pressed.json()
        pressed.text, pressed.blocks = str(said.get("text") or ""), blocks
        pressed.wordings.append(pressed.text)
        pressed.edits.append(self._world.clock())
        if not pressed.reader:
            self._world.tell_change("message_changed", pressed, previous)
        return pressed

    def respond(self, id_: str, said: Json) -> None:
        """Take a POST to a response_url: 5 within 30 minutes."""
        url = self._world.responses.get(id_)
        if url is None or self._world.clock() - url.at > words.RESPONSE_SECONDS:
            raise Wrong("expired_url")
        if url.uses >= words.RESPONSE_USES:
            raise Wrong("used_url")
        if not any(said.get(name) for name in ("text", "blocks", "attachments", "delete_original")):
            raise Wrong("no_text")
        message = self.answered(url.member, url.channel, said, url.message)
        url.uses += 1
        if message:
            url.act.answers.append(message)
