"""Who is who on Slack: auth.*, oauth.*, users.* and usergroups.*, and one call of a method as they all take it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.slack_things import Install, Json, Member
from tests.fakes.slack_words import Wrong
from tests.fakes.slack_world import World


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a method, its token understood."""

    args: Json
    install: Install

    def __getitem__(self, name: str) -> Any:
        if self.args.get(name) in (None, ""):
            raise Wrong("invalid_arguments", f"missing required field: {name}")
        return self.args[name]


Method = Callable[[Ask], Json]


def true(value: Any) -> bool:
    return str(value).lower() in {"1", "true"}


class Who:
    def __init__(self, world: World) -> None:
        self._world = world
        self.methods: dict[str, Method] = {
            "api.test": lambda _ask: {},
            "auth.test": self.test,
            "auth.revoke": self.revoke,
            "users.info": self.user,
            "usergroups.list": self.groups,
            "usergroups.users.list": self.group,
        }

    def test(self, ask: Ask) -> Json:
        team = ask.install.team
        said = {"url": f"{self._world.url}/", "team": team.name, "team_id": team.id, "is_enterprise_install": False}
        return said | {"user": team.bot.name, "user_id": team.bot.id, "bot_id": team.bot_id}

    def revoke(self, ask: Ask) -> Json:
        ask.install.dead = "token_revoked"
        return {"revoked": True}

    def exchange(self, args: Json) -> Json:
        """Answer oauth.v2.access."""
        team = self._world.codes.pop(str(args.get("code")), None)
        if team is None:
            raise Wrong("invalid_code")
        install = self._world.install(team)
        said: Json = {"app_id": self._world.app_id, "access_token": install.token, "token_type": "bot"}
        said |= {"scope": ",".join(sorted(install.scopes)), "bot_user_id": team.bot.id, "is_enterprise_install": False}
        people = (one.id for one in self._world.members.values() if one.team is team and not one.is_bot)
        who = {"authed_user": {"id": next(people, team.bot.id)}}
        return said | who | {"team": {"id": team.id, "name": team.name}, "enterprise": None}

    def member(self, ask: Ask, name: str) -> Member:
        member = self._world.members.get(str(ask[name]))
        if member is None or member.team is not ask.install.team:
            raise Wrong("user_not_found")
        return member

    def user(self, ask: Ask) -> Json:
        member = self.member(ask, "user")
        return {"user": member.json() | ({"locale": member.locale} if true(ask.args.get("include_locale")) else {})}

    def groups(self, ask: Ask) -> Json:
        return {"usergroups": [group.json() for group in ask.install.team.groups.values()]}

    def group(self, ask: Ask) -> Json:
        group = ask.install.team.groups.get(str(ask["usergroup"]))
        if group is None:
            raise Wrong("no_such_subteam")
        return {"users": [member.id for member in group.members]}
