"""Slack on loopback: Web API, Socket Mode, signed POSTs and files, for the real slack-bolt and slack-sdk.

Plays Slack's pages as read on 2026-11-20, as far as a bot with shortcuts, commands, forms, buttons, mentions, App Home
and uploads needs them. The state is in `slack_world`, people are in `slack_people`, methods in `slack_who`,
`slack_chat`, `slack_views` and `slack_files`, sockets in `slack_wire`, HTTP in `slack_server`, and what can go wrong in
`slack_faults`. Not played: org-wide installs, link unfurling, user tokens; rate limits only as `tiers` says.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fakes import slack_words as words
from tests.fakes.slack_people import Act, Person
from tests.fakes.slack_server import Call, Server
from tests.fakes.slack_things import Channel, File, Group, Install, Json, Kind, Member, Message, Team, Upload, View
from tests.fakes.slack_wire import Envelope
from tests.fakes.slack_world import World


class Slack(Server):
    """`async with Slack() as slack:` answers until the block ends; answers still held are let go then.

    `clock`: seconds; it ages trigger ids and response URLs and makes ts. `urls["foreign"]` is no host of Slack.
    """

    signing_secret = "not-a-secret"  # noqa: S105 - opens nothing

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        world = World(clock)
        super().__init__(world, self.signing_secret)
        world.emit, world.new_member = self.event, self._person
        self.subscriptions = set(words.EVENTS)
        self.team = world.team("home")

    # where and who

    @property
    def api_url(self) -> str:
        """For `AsyncWebClient(base_url=...)`; ends with /api/."""
        return f"{self.urls['main']}/api/"

    @property
    def file_hosts(self) -> tuple[str, ...]:
        """Return the hosts that may see a token: where files are, and where they may redirect to."""
        return tuple(self.urls[name].removeprefix("http://") for name in ("main", "origin"))

    @property
    def install(self) -> Install:
        assert self.team.install
        return self.team.install

    @property
    def bot_token(self) -> str:
        return self.install.token

    @property
    def bot(self) -> Member:
        return self.team.bot

    @property
    def scopes(self) -> set[str]:
        """What the token may; take some away to see `missing_scope`."""
        return self.install.scopes

    # the world

    def _person(self, *args: Any, **more: Any) -> Person:
        person = Person(*args, **more)
        person.stage = self
        return person

    def workspace(self, name: str, *, installed: bool = True) -> Team:
        """Make another workspace; its token is `team.install.token`."""
        return self.world.team(name, installed=installed)

    def grants(self, team: Team) -> str:
        """Let somebody allow the app there; return the code for oauth.v2.access."""
        code = f"code-{len(self.world.codes)}-{team.id}"
        self.world.codes[code] = team
        return code

    def person(
        self, name: str = "ann", locale: str = "en-US", *, team: Team | None = None, admin: bool = False
    ) -> Person:
        member = self.world.member(name, team or self.team, locale, admin=admin)
        assert isinstance(member, Person)
        return member

    def channel(
        self, name: str = "general", *members: Member, private: bool = False, bot: bool = True, team: Team | None = None
    ) -> Channel:
        """Make a channel with these members; `bot`: the app is in it."""
        kind: Kind = "group" if private else "channel"
        channel = self.world.channel(name, team or self.team, kind, bot=bot)
        channel.members |= set(members)
        return channel

    def dm(self, person: Member) -> Channel:
        return self.world.dm(person)

    def group(self, handle: str, *members: Member, team: Team | None = None) -> Group:
        return self.world.group(team or self.team, handle, *members)

    # what can be seen

    def messages(self, channel: Channel) -> list[Message]:
        """All that stand there now, replies too, oldest first; ephemeral ones are in `ephemerals`."""
        return list(channel.messages.values())

    def thread(self, channel: Channel, ts: str) -> list[Message]:
        """Return the replies under a message, oldest first."""
        return [one for one in channel.thread(ts) if one.ts != ts]

    @property
    def ephemerals(self) -> list[Message]:
        return self.world.ephemerals

    @property
    def views(self) -> list[View]:
        return list(self.world.views.values())

    @property
    def homes(self) -> dict[str, View]:
        """What App Home shows, by user id."""
        return self.world.homes

    @property
    def files(self) -> list[File]:
        return list(self.world.files.values())

    @property
    def envelopes(self) -> list[Envelope]:
        """Return everything that was sent to the app, with its acks."""
        return self.wire.envelopes

    def videos(self, channel: Channel | None = None) -> list[Message]:
        """Return the messages that carry a video, oldest first."""
        places = [channel] if channel else list(self.world.channels.values())
        found = [one for place in places for one in place.messages.values()]
        return [one for one in found if any(file.mime.startswith("video/") for file in one.files)]

    # what Slack does by itself

    def event(self, team: Team, event: str, body: Json) -> Envelope | None:
        """Send an event that the app is subscribed to and has the scope for."""
        install = team.install
        if install is None or event not in self.subscriptions:
            return None
        if install.dead and event not in {"tokens_revoked", "app_uninstalled"}:
            return None
        if words.EVENTS[event] and words.EVENTS[event] not in install.scopes:
            return None
        place = self.world.channels.get(body.get("channel", ""))
        if event.startswith(("message.", "app_mention")) and not (place and place.has_bot):
            return None
        bot = {"team_id": team.id, "user_id": team.bot.id, "is_bot": True, "is_enterprise_install": False}
        said: Json = {"token": "gone", "team_id": team.id, "api_app_id": self.world.app_id, "event": body}
        said |= {"type": "event_callback", "event_id": self.world.new_id("Ev"), "event_time": int(self.world.clock())}
        said |= {"authorizations": [bot | {"enterprise_id": None}], "is_ext_shared_channel": False}
        return self.wire.send(Envelope("events_api", said))

    def send(self, envelope: Envelope) -> Envelope:
        return self.wire.send(envelope)

    def posts_to(self, url: str) -> None:
        """Tell the app by signed POSTs from now on, no longer by sockets."""
        self.wire.request_url = url

    async def verifies(self, **more: Any) -> tuple[int, str]:
        """POST a url_verification with the challenge "proof"; `secret`, `age`: see `Wire.post`."""
        said = {"token": "gone", "challenge": "proof", "type": "url_verification"}
        return await self.wire.post("events_api", said, **more)

    def redeliver(self, what: Act | Envelope | None = None, reason: str = "timeout") -> list[Envelope]:
        """Send again what was sent (None: all events that were never acked); events say that they are retries."""
        old = what.envelopes if isinstance(what, Act) else [what] if what else []
        old = old if what else [one for one in self.envelopes if one.kind == "events_api" and not one.acks]
        fresh = Envelope("events_api", {}).id
        return [
            self.send(
                replace(
                    one, id=f"{fresh}{n}", attempt=one.attempt + 1, reason=reason, acks=[], failures=[], unheard=False
                )
            )
            for n, one in enumerate(old)
        ]

    def uninstalls(self, team: Team | None = None) -> Envelope | None:
        """Let somebody remove the app."""
        team = team or self.team
        assert team.install
        team.install.dead = "account_inactive"
        self._revoked(team)
        return self.event(team, "app_uninstalled", {"type": "app_uninstalled", "event_ts": self.world.new_ts()})

    def revokes_token(self, team: Team | None = None) -> Envelope | None:
        team = team or self.team
        assert team.install
        team.install.dead = "token_revoked"
        return self._revoked(team)

    def _revoked(self, team: Team) -> Envelope | None:
        body = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [team.bot.id]}}
        return self.event(team, "tokens_revoked", body | {"event_ts": self.world.new_ts()})

    # the file host

    @property
    def shares_after(self) -> int | None:
        """How many looks by files.info see no share yet; None: none appears until `share`."""
        return self.files_of.shares_after

    @shares_after.setter
    def shares_after(self, looks: int | None) -> None:
        self.files_of.shares_after = looks

    def share(self, *files: File) -> None:
        """Let the messages of completed files (of all that wait) appear now."""
        self.files_of.share(*files)
        self._wake()


__all__ = ["Act", "Call", "Channel", "Envelope", "File", "Message", "Person", "Slack", "Team", "Upload", "View"]
