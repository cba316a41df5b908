"""The commands as Discord shows them: names, options, suggestions, languages. What they do is `talk`'s business."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.chats.contract import Offer
from bot.chats.discord import asks
from bot.chats.discord.talk import Talk
from bot.domain.options import ChosenOptions

Say = Callable[[str, str], str]
OPTIONS = ("image", "prompt", "end_image", "model", "seconds", "aspect", "negative", "seed")
SUGGESTED = 25

_log = logging.getLogger("zoetrope.discord")


class Tree(app_commands.CommandTree[Any]):
    """Our commands; an error of any of them goes to the person, in one sentence."""

    def __init__(self, client: discord.Client, talk: Talk | None = None) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self._talk = talk

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        if self._talk is not None and interaction.type is not discord.InteractionType.autocomplete:
            await self._talk.failed(interaction, getattr(error, "original", error))


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


def add_commands(tree: Tree, talk: Talk, say: Say) -> None:
    """Put all commands into the tree."""

    def words(key: str) -> locale_str:
        return locale_str(say(key, "en"), key=key)

    tree.add_command(_animate(talk, words))
    menu = app_commands.ContextMenu(name=words("menu.animate"), callback=_menu(talk))
    tree.add_command(menu)

    @tree.command(name=words("command.animations"), description=words("command.animations.about"))
    async def animations(interaction: discord.Interaction[Any]) -> None:
        if await asks.acknowledge(interaction):
            await talk.jobs(asks.clicked(interaction))

    @tree.command(name=words("command.help"), description=words("command.help.about"))
    async def help_(interaction: discord.Interaction[Any]) -> None:
        await asks.private(interaction, talk.desk.say("chat.help", interaction.locale.value))


def _animate(talk: Talk, words: Callable[[str], locale_str]) -> app_commands.Command[Any, Any, Any]:
    @app_commands.rename(**{name: words(f"option.{name}") for name in OPTIONS})
    @app_commands.describe(**{name: words(f"option.{name}.about") for name in OPTIONS})
    async def animate(  # noqa: PLR0917 - Discord calls it by names
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        prompt: str = "",
        end_image: discord.Attachment | None = None,
        model: app_commands.Range[str, 1, 100] | None = None,
        seconds: app_commands.Range[float, 0, 600] | None = None,
        aspect: app_commands.Range[str, 1, 40] | None = None,
        negative: str | None = None,
        seed: app_commands.Range[int, 0, 9007199254740991] | None = None,
    ) -> None:
        if not await asks.acknowledge(interaction):
            return
        files = [image, *([end_image] if end_image else [])]
        options = ChosenOptions(model, seconds, aspect, negative_prompt=negative, seed=seed)
        await talk.animate(asks.clicked(interaction), prompt, files, options)

    made: app_commands.Command[Any, Any, Any] = app_commands.Command(
        name=words("command.animate"), description=words("command.animate.about"), callback=animate
    )
    made.autocomplete("model")(_models(talk))
    made.autocomplete("seconds")(_lengths(talk))
    made.autocomplete("aspect")(_shapes(talk))
    return made


def _menu(talk: Talk) -> Callable[[discord.Interaction[Any], discord.Message], Any]:
    async def menu(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await talk.choose(interaction, message)

    return menu


def _models(talk: Talk) -> Any:
    async def models(_interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        return [Choice(name=one.label[:100], value=one.name[:100]) for one in talk.desk.offers(typed, SUGGESTED)]

    return models


def _lengths(talk: Talk) -> Any:
    async def lengths(interaction: discord.Interaction[Any], typed: float) -> list[Choice[float]]:
        offer, start = _offer(talk, interaction), str(typed or "")
        all_ = [length for length in (offer.choices["seconds"] if offer else ()) if f"{length:g}".startswith(start)]
        return [Choice(name=f"{length:g} s", value=float(length)) for length in all_[:SUGGESTED]]

    return lengths


def _shapes(talk: Talk) -> Any:
    async def shapes(interaction: discord.Interaction[Any], typed: str) -> list[Choice[str]]:
        offer = _offer(talk, interaction)
        all_ = [shape for shape in (offer.choices.get("aspect", ()) if offer else ()) if typed in shape]
        return [Choice(name=shape, value=shape) for shape in all_[:SUGGESTED]]

    return shapes


def _offer(talk: Talk, interaction: discord.Interaction[Any]) -> Offer | None:
    """Return the model that is chosen so far, else the first one offered."""
    found = talk.desk.offers(getattr(interaction.namespace, "model", None) or "", 1)
    return found[0] if found else None


async def synced(tree: Tree, *, force: bool = False) -> bool:
    """Give Discord our commands, if they are not what it has: writes are counted there. True when it was needed."""
    translator = tree.translator
    if translator is None:
        raise ValueError("set the translator first")
    ours = [await command.get_translated_payload(tree, translator) for command in tree.get_commands()]
    application = tree.client.application_id
    route = discord.http.Route("GET", "/applications/{application_id}/commands", application_id=application)
    theirs = await tree.client.http.request(route, params={"with_localizations": "true"})
    if not force and _all_alike(ours, theirs):
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
