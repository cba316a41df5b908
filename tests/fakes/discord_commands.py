"""The application's commands as they were synced: stored as sent, with an id; counted. They run nothing."""

from typing import Any

from aiohttp import web

from tests.fakes.discord_posts import body_of
from tests.fakes.discord_things import Guild
from tests.fakes.discord_words import Wrong, bad_field
from tests.fakes.discord_world import World


class Commands:
    """The application's commands: what was synced, and how often. Stored as sent, with an id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.synced: dict[int, list[dict[str, Any]]] = {}  # by guild id; 0: everywhere
        self.syncs = 0  # bulk PUTs taken

    def find(self, name: str, kind: int, guild: Guild | None) -> dict[str, Any] | None:
        """Return a synced command by name; a guild's own comes before the global one."""
        scopes = [guild.id, 0] if guild else [0]
        known = [command for scope in scopes for command in self.synced.get(scope, ())]
        return next((one for one in known if one["name"] == name and one.get("type", 1) == kind), None)

    def _scope(self, request: web.Request) -> int:
        if request.match_info["application"] != str(self._world.application_id):
            raise Wrong(50001)
        return int(request.match_info.get("guild", 0))

    async def get(self, request: web.Request) -> Any:
        return self.synced.get(self._scope(request), [])

    async def put(self, request: web.Request) -> Any:
        scope, said = self._scope(request), (await body_of(request)).said
        self.synced[scope] = [self._made(command, scope) for command in said.get("list", [])]
        self.syncs += 1
        return self.synced[scope]

    async def post(self, request: web.Request) -> Any:
        scope, said = self._scope(request), (await body_of(request)).said
        made = self._made(said, scope)
        others = [
            one for one in self.synced.get(scope, []) if (one["name"], one["type"]) != (made["name"], made["type"])
        ]
        self.synced[scope] = [*others, made]
        return made

    def _made(self, command: dict[str, Any], scope: int) -> dict[str, Any]:
        old = next((o for o in self.synced.get(scope, []) if o["name"] == command["name"]), None)
        usual = {"type": 1, "description": "", "options": [], "default_member_permissions": None, "nsfw": False}
        ids = {"id": old["id"] if old else str(self._world.new_id()), "version": str(self._world.new_id())}
        ids["application_id"] = str(self._world.application_id)
        made: dict[str, Any] = usual | command | ids | ({"guild_id": str(scope)} if scope else {})
        if not 1 <= len(made["name"]) <= 32 or len(made["description"]) > 100 or len(made["options"]) > 25:
            raise bad_field("0.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        return made
