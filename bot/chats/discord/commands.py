"""Gives Discord our commands: names, options, suggestions, languages. What they do is the handlers' business."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.chats.contract import Offer
from bot.chats.discord.handlers import Handlers
from bot.domain.options import ChosenOptions, Option, asked

Say = Callable[[str, str], str]
SUGGESTED = 25

_log = logging.getLogger("zoetrope.discord")


class Tree(app_commands.CommandTree[Any]):
    """Our commands; an error of any of them goes to the person, in one sentence."""

    def __init__(self, client: discord.Client, handlers: Handlers | None = None) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self._handlers = handlers

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        if self._handlers is not None and interaction.type is not discord.InteractionType.autocomplete:
            await self._handlers.failed(interaction, getattr(error, "original", error))


class Languages(app_commands.Translator):
    """Discord's languages from our own sentences; what we have no words for stays English."""

    def __init__(self, say: Say) -> None:
        self._say = say

    async def translate(
        self, string: locale_str, locale: discord.Locale, _context: app_commands.TranslationContextTypes
    ) -> str | None:
        key = string.extras.get("key")
        words = self._say(key, locale.value) if key else string.message
        return None if words == string.message else words


def add_commands(tree: Tree, handlers: Handlers, say: Say) -> None:
    """Put all commands into the tree."""

    def words(key: str) -> locale_str:
        return locale_str(say(key, "en"), key=key)

    tree.add_command(_animate(handlers, words))
    menu = app_commands.ContextMenu(name=words("menu.animate"), callback=_menu(handlers))
    tree.add_command(menu)

    @tree.command(name=words("command.animations"), description=words("command.animations.about"))
    async def animations(interaction: discord.Interaction[Any]) -> None:
        turn = handlers.clicked(interaction)
        if await turn.acknowledge():
            await handlers.conversation.list_jobs(turn)

    @tree.command(name=words("command.help"), description=words("command.help.about"))
    async def help_(interaction: discord.Interaction[Any]) -> None:
        await handlers.conversation.help(handlers.clicked(interaction))


def _animate(handlers: Handlers, words: Callable[[str], locale_str]) -> app_commands.Command[Any, Any, Any]:
    async def animate(interaction: discord.Interaction[Any], **given: Any) -> None:
        turn = handlers.clicked(interaction)
        if not await turn.acknowledge():
            return
        files = [given[name] for name in ("image", "end_image") if given[name] is not None]
        chosen = ChosenOptions.of({option.name: given[option.words] for option in asked()})
        await handlers.animate(turn, given["prompt"], files, chosen)

    takes, callback = _parameters(), cast("Any", animate)
    callback.__signature__ = inspect.Signature(takes)  # the library reads the options off it
    names = [parameter.name for parameter in takes[1:]]
    app_commands.rename(**{name: words(f"option.{name}") for name in names})(callback)
    app_commands.describe(**{name: words(f"option.{name}.about") for name in names})(callback)
    made: app_commands.Command[Any, Any, Any] = app_commands.Command(
        name=words("command.animate"), description=words("command.animate.about"), callback=callback
    )
    made.autocomplete("model")(_models(handlers))
    for option in asked():
        if option.suggested:
            made.autocomplete(option.words)(_suggestions(handlers, option))
    return made


def _parameters() -> list[inspect.Parameter]:
    """Return what the command takes: the pictures, the words and every option there is."""
    picture = discord.Attachment
    wanted: list[tuple[str, Any, Any]] = [
        ("interaction", discord.Interaction, inspect.Parameter.empty),
        ("image", picture, inspect.Parameter.empty),
        ("prompt", str, ""),
        ("end_image", picture | None, None),
        *((option.words, _annotation(option), None) for option in asked()),
    ]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(name, kind, annotation=type_, default=default) for name, type_, default in wanted]


def _annotation(option: Option) -> Any:
    """Return the type as Discord's library understands it: with the bounds that Discord itself holds."""
    if option.kind is str:
        return app_commands.Range[str, 1, option.most] | None
    if option.among is not None:
        return app_commands.Range[option.kind, *option.among] | None
    return option.kind | None


def _menu(handlers: Handlers) -> Callable[[discord.Interaction[Any], discord.Message], Any]:
    async def menu(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await handlers.choose(interaction, message)

    return menu


def _models(handlers: Handlers) -> Any:
    async def models(_interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        return [Choice(name=one.label[:100], value=one.name[:100]) for one in handlers.desk.offers(typed, SUGGESTED)]

    return models


def _suggestions(handlers: Handlers, option: Option) -> Any:
    async def suggestions(interaction: discord.Interaction[Any], typed: Any) -> list[Choice[Any]]:
        offer, start = _offer(handlers, interaction), _typed(typed)
        values = [
            one for one in (offer.choices.get(option.name, ()) if offer else ()) if option.write(one).startswith(start)
        ]
        return [
            Choice(name=_shown(handlers, option, value, interaction.locale.value), value=option.kind(value))
            for value in values[:SUGGESTED]
        ]

    return suggestions


def _typed(value: Any) -> str:
    """Return what was typed so far; a number of which nothing is typed yet comes as not-a-number."""
    return "" if value != value else f"{value:g}" if isinstance(value, float) else str(value)  # noqa: PLR0124 - only NaN does


def _shown(handlers: Handlers, option: Option, value: Any, locale: str) -> str:
    if value == "own":
        return handlers.desk.say("own", locale)
    return f"{option.write(value)} s" if option.name == "seconds" else option.write(value)


def _offer(handlers: Handlers, interaction: discord.Interaction[Any]) -> Offer | None:
    """Return the model that is chosen so far, else the first one offered."""
    found = handlers.desk.offers(getattr(interaction.namespace, "model", None) or "", 1)
    return found[0] if found else None


async def synced(tree: Tree) -> bool:
    """Give Discord our commands, if they are not what it has: writes are counted there. True when it was needed."""
    translator = tree.translator
    if translator is None:
        raise ValueError("set the translator first")
    ours = [await command.get_translated_payload(tree, translator) for command in tree.get_commands()]
    application = tree.client.application_id
    route = discord.http.Route("GET", "/applications/{application_id}/commands", application_id=application)
    theirs = await tree.client.http.request(route, params={"with_localizations": "true"})
    if _all_alike(ours, theirs):
        return False
    await tree.sync()
    _log.info("the commands were changed: Discord has the new ones")
    return True


def _all_alike(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    def ordered(commands: list[Any]) -> list[Any]:
        return sorted(commands, key=lambda command: (command.get("type", 1), command["name"]))

    if len(ours) != len(theirs):
        return False
    pairs = zip(ordered(ours), ordered(theirs), strict=True)
    return all(_bare(mine) == _bare({key: theirs[key] for key in mine if key in theirs}) for mine, theirs in pairs)


def _bare(value: Any) -> Any:
    """Return a payload without what is said by leaving it out, so that Discord's wording and ours can be compared."""
    if isinstance(value, Mapping):
        known = {key: _bare(part) for key, part in value.items() if key not in {"id", "application_id", "version"}}
        return {key: part for key, part in known.items() if part not in (None, False, [], {}, "")}
    if isinstance(value, list):
        parts = [_bare(part) for part in value]
        return sorted(parts) if all(isinstance(part, int) for part in parts) else parts
    return value
