"""Slack's views.* methods, and what an answered form does to its view. No wire."""

import secrets
from typing import Any

from tests.fakes.slack_blocks import check_view
from tests.fakes.slack_things import Json, Member, View
from tests.fakes.slack_who import Ask, Method
from tests.fakes.slack_words import Wrong
from tests.fakes.slack_world import World

STACK = 3


def _hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"


class Views:
    def __init__(self, world: World) -> None:
        self._world = world
        self.home_tab = True  # False: not_enabled
        self.methods: dict[str, Method] = {
            "views.open": self.open,
            "views.push": self.push,
            "views.update": self.update,
            "views.publish": self.publish,
        }

    def _new(self, owner: Member, body: Json, below: View | None = None, act: Any = None) -> View:
        view = View(self._world.new_id("V"), owner, _hash(), body, below, act, bodies=[body])
        self._world.views[view.id] = view
        return view

    def open(self, ask: Ask) -> Json:
        trigger = self._world.spend(ask["trigger_id"], ask.install.team)
        view = self._new(trigger.member, check_view(ask["view"]), act=trigger.act)
        return {"view": view.json()}

    def push(self, ask: Ask) -> Json:
        trigger = self._world.spend(ask["trigger_id"], ask.install.team)
        view = self._pushed(trigger.member, check_view(ask["view"]), trigger.below, trigger.act)
        return {"view": view.json()}

    def _pushed(self, owner: Member, body: Json, below: View | None, act: Any) -> View:
        depth, one = 1, below
        while one:
            depth, one = depth + 1, one.below
        if below is None or depth > STACK:
            raise Wrong("push_limit_reached")
        return self._new(owner, body, below, act)

    def update(self, ask: Ask) -> Json:
        body = check_view(ask["view"])
        wanted, name = ask.args.get("view_id"), ask.args.get("external_id")
        mine = [one for one in self._world.views.values() if one.owner.team is ask.install.team and one.open]
        view = next((one for one in mine if one.id == wanted or (name and one.body.get("external_id") == name)), None)
        if view is None:
            raise Wrong("not_found")
        if ask.args.get("hash") not in (None, view.hash):
            raise Wrong("hash_conflict")
        self._becomes(view, body)
        return {"view": view.json()}

    def _becomes(self, view: View, body: Json) -> None:
        view.body, view.hash = body, _hash()
        view.bodies.append(body)

    def publish(self, ask: Ask) -> Json:
        body, owner = check_view(ask["view"], ("home",)), self._world.members.get(str(ask["user_id"]))
        if owner is None or owner.team is not ask.install.team:
            raise Wrong("invalid_arguments", "user_id")
        if not self.home_tab:
            raise Wrong("not_enabled")
        home = self._world.homes.get(owner.id)
        if home is None:
            home = self._world.homes[owner.id] = View(self._world.new_id("V"), owner, _hash(), body, bodies=[body])
        elif ask.args.get("hash") not in (None, home.hash):
            raise Wrong("hash_conflict")
        else:
            self._becomes(home, body)
        return {"view": home.json()}

    def answered(self, view: View, payload: Any, act: Any) -> None:
        """Do what the ack of a submission says; without a word the form closes."""
        if not view.open:
            return
        said = payload or {}
        what = said.get("response_action")
        view.errors = dict(said.get("errors", {})) if what == "errors" else {}
        if unknown := set(view.errors) - {block["block_id"] for block in view.blocks}:
            raise LookupError(f"Errors for blocks that the form doesn't have: {sorted(unknown)}.")
        if what == "update":
            self._becomes(view, check_view(said["view"]))
        elif what == "push":
            self._pushed(view.owner, check_view(said["view"]), view, act)
        elif what == "clear":
            for one in self._world.views.values():
                one.open = one.open and one.owner is not view.owner
        elif what != "errors":
            view.open = False
