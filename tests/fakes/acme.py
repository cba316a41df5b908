"""Acme, a vendor that does not exist, on loopback: the works behind the example in docs/add-a-provider.md."""

from typing import Any

from aiohttp import web

from tests.fakes.files import video
from tests.fakes.loopback import Loopback

KEY = "acme-not-a-key"


class Acme(Loopback[str]):
    """`async with Acme() as acme:` answers until the block ends. A job ends when `finish` is called, or at once."""

    def __init__(self, *, at_once: bool = False) -> None:
        super().__init__(api=self._api)
        self.key = KEY
        self.jobs: dict[str, dict[str, Any]] = {}  # by our key; one charge each
        self.at_once = at_once

    @property
    def keys_at_video(self) -> list[str | None]:
        return [seen.headers.get("Authorization") for seen in self.seen if seen.place == "cdn"]

    def finish(self, job_id: str) -> None:
        self._job(job_id)["state"] = "done"

    def _job(self, job_id: str) -> dict[str, Any]:
        return next((job for job in self.jobs.values() if job["id"] == job_id), {})

    async def _api(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "unknown key"}, status=401)
        match request.method, request.path.split("/")[1:]:
            case "POST", ["jobs"]:
                return self._submit(request.headers["Idempotency-Key"], await request.json())
            case "GET", ["jobs", job_id]:
                return self._look(self._job(job_id))
            case "DELETE", ["jobs", job_id]:
                return self._stop(self._job(job_id))
            case "GET", ["account"]:
                return web.json_response({"plan": "all you can watch"})
        return web.Response(status=404)

    def _submit(self, key: str, wish: dict[str, Any]) -> web.Response:
        if "forbidden" in wish["prompt"]:
            return web.json_response({"error": "policy", "field": "prompt"}, status=422)
        state = "done" if self.at_once else "waiting"
        job = {"id": f"j{len(self.jobs)}", "state": state, "cents": 12 * wish["seconds"]}
        return web.json_response(self.jobs.setdefault(key, job), status=201)

    def _look(self, job: dict[str, Any]) -> web.Response:
        if not job:
            return web.json_response({"error": "unknown job"}, status=404)
        return web.json_response(job | ({"video": self.put("video.mp4", video())} if job["state"] == "done" else {}))

    def _stop(self, job: dict[str, Any]) -> web.Response:
        stopped = job.get("state") == "waiting"
        if stopped:
            job["state"] = "stopped"
        return web.json_response({"stopped": stopped})
