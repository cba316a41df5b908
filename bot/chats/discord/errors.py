"""Says what Discord's errors mean for us, by their remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from bot.chats.contract import ChatBusy, ChatError, ChatGone, ChatUnsure, TooBig
from providers.http import retry_after

BUSY = frozenset({20016, 20028, 30046, 40062, 130000})  # slow mode, write limits, overload
BIG = frozenset({40005, 50045, 400001})
FILTERED = frozenset({200000, 200001, 240000})  # the server's AutoMod did not like the words
# Discord's own word that a place or a person is not to be had: its page on opcodes and status codes, read 2026-11-20.
GONE = frozenset({10003, 10004, 10008, 10013, 50001, 50007, 50008, 50013, 50024, 50083, 50278, 160005})
THREAD_EXISTS = 160004
NO_REPLY = frozenset({160002, 50035})  # may not read the message that is replied to, or it is gone
BAD_TOKEN = "Discord does not accept the bot's token. Reset it in the developer portal and set it anew."  # noqa: S105 - a sentence
UNREACHABLE = "Discord can't be reached. Check this machine's network, and whether Discord is up."


@contextmanager
def speaking(*, posting: bool = False, size: int = 0) -> Iterator[None]:
    """Turn whatever Discord and its library raise into a `ChatError`.

    `posting`: a lost answer may mean that it stands there. `size`: bytes of the file that goes with it.
    """
    try:
        yield
    except discord.RateLimited as error:
        raise ChatBusy("Discord asks to wait", error.retry_after) from error
    except discord.LoginFailure as error:
        raise ChatBusy(BAD_TOKEN) from error
    except discord.HTTPException as error:
        raise _speak(error, posting=posting, size=size) from error
    except aiohttp.ClientConnectorError as error:
        raise ChatBusy(UNREACHABLE) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = f"the connection to Discord broke ({type(error).__name__})"
        raise (ChatUnsure if posting else ChatBusy)(why) from error


def _speak(error: discord.HTTPException, *, posting: bool, size: int) -> ChatError:
    """Return Discord's code by its remedy; the codes stand on its page on opcodes and status codes (2026-11-20)."""
    told = f"Discord says {error.status}, code {error.code}"
    if error.code in BIG or error.status == 413:
        return TooBig(0 if error.code == 400001 else size * 4 // 5)  # the true limit is not told: a fifth less
    if error.code in BUSY or error.status == 429:
        return ChatBusy(told, retry_after(error.response))
    if error.status == 401:
        return ChatBusy(BAD_TOKEN)
    if error.code in GONE | FILTERED | NO_REPLY:
        return ChatGone(told)  # no such place, no right to it, a locked thread, closed DMs
    if error.status < 500 and error.code:
        return ChatBusy(told)  # a no that we do not know is trouble, not an answer
    return ChatUnsure(told) if posting else ChatBusy(told)  # a page of whatever stands in between
