"""What Slack knows of people: language, rank, user groups. Kept for a while; nobody is judged here."""

import logging
from collections.abc import Iterable

from cachetools import TTLCache

from bot.chats.contract import ChatError
from bot.chats.slack.api import Api

KEPT_SECONDS = 3600.0
GROUP_SECONDS = 300.0
REMEMBERED = 2000  # people

_log = logging.getLogger("zoetrope.slack")


class People:
    """Asks Slack once in a while."""

    def __init__(self) -> None:
        self._locales: TTLCache[tuple[str, str], str] = TTLCache(REMEMBERED, KEPT_SECONDS)
        self._groups: TTLCache[tuple[str, str], frozenset[str]] = TTLCache(REMEMBERED, GROUP_SECONDS)

    def known(self, team: str, user: str) -> str | None:
        """Return somebody's language if it is in memory."""
        return self._locales.get((team, user))

    async def locale(self, api: Api, team: str, user: str) -> str:
        """Return somebody's language. Never raises: what can't be asked is English."""
        if known := self.known(team, user):
            return known
        try:
            said = await api.call("users.info", user=user, include_locale="true")
        except ChatError as error:
            _log.info("somebody's language can't be asked now: %s", error)
            return "en"
        found = str(said["user"].get("locale") or "en")
        self._locales[team, user] = found
        return found

    async def leads(self, api: Api, team: str, user: str) -> bool:
        """Say whether somebody is an admin of that workspace, as it is now. Raises `ChatError`.

        In a channel that two companies share, an admin may be the other's.
        """
        said = (await api.call("users.info", user=user))["user"]
        of = {said.get("team_id"), *(said.get("enterprise_user") or {}).get("teams", ())}
        return team in of and bool(said.get("is_admin") or said.get("is_owner"))

    async def group(self, api: Api, team: str, user: str, groups: Iterable[str]) -> str | None:
        """Return the first of the user groups that somebody is in. Raises `ChatError`."""
        for group in groups:
            members = self._groups.get((team, group))
            if members is None:
                members = frozenset((await api.call("usergroups.users.list", usergroup=group))["users"])
                self._groups[team, group] = members
            if user in members:
                return group
        return None
