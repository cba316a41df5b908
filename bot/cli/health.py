"""Asks the running bot how it is, as Docker does every half minute. So nothing heavy is imported here."""

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from bot.config import Config

SECONDS = 3.0
_MOST_BYTES = 65_536
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens everywhere is asked on this machine


def ask(config: Config, *, ready: bool) -> tuple[bool, str]:
    """Return whether it is well, and one line that says so or why not."""
    host, port = config.health.host, config.health.port
    if port in {"off", 0}:
        return False, f"Nobody can be asked: [health] port is {port!r} in {config.source}. Give it a number."
    try:
        status, body = _get(_EVERYWHERE.get(host, host), int(port), "/readyz" if ready else "/healthz")
        return status == 200, _readiness(body) if ready else body
    except OSError as error:
        return False, f"No answer from {host} port {port} ({error}). Is `zoetrope run` running?"
    except (HTTPException, ValueError, KeyError, TypeError):
        return False, f"Another program answers on {host} port {port}. Choose another port with [health]."


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    """Return status and body. Raises `OSError`, `HTTPException`."""
    with closing(HTTPConnection(host, port, timeout=SECONDS)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES).decode(errors="replace").strip()


def _readiness(body: str) -> str:
    found = json.loads(body)
    trouble = found.get("trouble", {})
    said = {name: "connected" if there else "not connected" for name, there in found["chats"].items()}
    chats = ", ".join(f"{name} {words}{_because(trouble.get(name))}" for name, words in said.items())
    return f"{'ready' if found['ready'] else 'not ready'}: database {found['database']}; {chats or 'no chat'}"


def _because(why: str | None) -> str:
    return f" ({why})" if why else ""
