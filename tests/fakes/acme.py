"""Acme, a vendor that does not exist, on loopback: the works behind the example in docs/add-a-provider.md."""

from typing import Any, Self

from aiohttp import web

from tests.fakes.fal_script import film

KEY = "acme-not-a-key"


class Acme:
    """`async with Acme() as acme:` answers until the block ends. A job ends when `finish` is called, or at once."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.key = KEY
        self.jobs: dict[str, dict[str, Any]] = {}  # by our key; one charge each
        self.url = ""
        self.at_once = at_once
        self.keys_at_video: list[str | None] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=32 * 1024**2)
        app.router.add_post("/jobs", self._submit)
        app.router.add_get("/jobs/{id}", self._look)
        app.router.add_delete("/jobs/{id}", self._stop)
        app.router.add_get("/video.mp4", self._video)
        app.router.add_get("/account", self._account)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def finish(self, job_id: str) -> None:
        self._job(job_id)["state"] = "done"

    def _job(self, job_id: str) -> dict[str, Any]:
        return next((job for job in self.jobs.values() if job["id"] == job_id), {})

    async def _submit(self, request: web.Request) -> web.Response:
        if answer := self._stranger(request):
            return answer
        wish = await request.json()
        if "forbidden" in wish["prompt"]:
            return web.json_response({"error": "policy", "field": "prompt"}, status=422)
        state = "done" if self.at_once else "waiting"
        job = {"id": f"j{len(self.jobs)}", "state": state, "cents": 12 * wish["seconds"]}
        return web.json_response(self.jobs.setdefault(request.headers["Idempotency-Key"], job), status=201)

    async def _look(self, request: web.Request) -> web.Response:
        job = self._job(request.match_info["id"])
        if answer := self._stranger(request):
            return answer
        if not job:
            return web.json_response({"error": "unknown job"}, status=404)
        return web.json_response(job | ({"video": f"{self.url}/video.mp4"} if job["state"] == "done" else {}))

    async def _stop(self, request: web.Request) -> web.Response:
        job = self._job(request.match_info["id"])
        stopped = job.get("state") == "waiting"
        if stopped:
            job["state"] = "stopped"
        return self._stranger(request) or web.json_response({"stopped": stopped})

    async def _account(self, request: web.Request) -> web.Response:
        return self._stranger(request) or web.json_response({"plan": "all you can watch"})

    async def _video(self, request: web.Request) -> web.Response:
        self.keys_at_video.append(request.headers.get("Authorization"))
        return web.Response(body=film(), content_type="video/mp4")

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {self.key}":
            return None
        return web.json_response({"error": "unknown key"}, status=401)
