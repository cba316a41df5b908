"""The smallest vendor over HTTP: whatever it is asked, the video is still rendering. It answers as Kling does too."""

import asyncio
import socket


def serve(listening: socket.socket) -> None:
    """Answer until killed."""
    from aiohttp import web  # noqa: PLC0415 - whoever measures its own memory must not carry it

    async def answer(request: web.BaseRequest) -> web.Response:
        if "task_ids" in request.query:
            tasks = [{"id": name, "status": "processing"} for name in request.query["task_ids"].split(",")]
            return web.json_response({"code": 0, "data": tasks})
        return web.json_response({"state": "rendering"})

    async def serving() -> None:
        runner = web.ServerRunner(web.Server(answer, access_log=None))
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await asyncio.Event().wait()

    asyncio.run(serving())
