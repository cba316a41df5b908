"""A picture's bytes from a chat's answer, never more than asked for. Whom to ask, and how, is each chat's business."""

import aiohttp

from bot.chats.contract import ChatBusy, ChatGone


async def taken(answer: aiohttp.ClientResponse, cap: int) -> bytes:
    """Read at most `cap` bytes. Raises `ChatBusy`, and `ChatGone` for what is no longer there."""
    if answer.status >= 500 or answer.status == 429:
        raise ChatBusy(f"the picture can't be fetched now: {answer.status}")
    if answer.status != 200:
        raise ChatGone(f"the picture is no longer there: {answer.status}")
    data = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        data += part
        if len(data) >= cap:
            break
    return bytes(memoryview(data)[:cap])
