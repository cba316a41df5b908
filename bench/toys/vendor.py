"""The smallest vendor over HTTP: whatever it is asked, the video is still rendering."""

import asyncio
import socket


def serve(listening: socket.socket) -> None:
    """Answer until killed."""
    from aiohttp import web  # noqa: PLC0415 - whoever measures its own memory must not carry it

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"state": "rendering"})

    async def serving() -> None:
        runner = web.ServerRunner(web.Server(answer, access_log=None))
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await asyncio.Event().wait()

    asyncio.run(serving())
