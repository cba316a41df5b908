"""Asking the running bot how it is, as Docker does every half minute. So nothing heavy is imported here."""

import json
import socket

from bot.config import Config

SECONDS = 3.0
_MOST_BYTES = 65_536
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens everywhere is asked on this machine


def ask(config: Config, *, ready: bool) -> tuple[bool, str]:
    """Return whether it is well, and one line that says so or why not."""
    host, port = config.health.host, config.health.port
    if port in {"off", 0}:
        return False, f"Nobody can be asked: [health] port is {port!r} in {config.source}. Give it a number."
    place = (_EVERYWHERE.get(host, host), int(port))
    try:
        status, body = _get(place, "/readyz" if ready else "/healthz")
        return status == 200, _readiness(body) if ready else body
    except OSError as error:
        return False, f"No answer from {host} port {port} ({error}). Is `zoetrope run` running?"
    except (ValueError, KeyError, TypeError):
        return False, f"Another program answers on {host} port {port}. Choose another port with [health]."


def _get(place: tuple[str, int], path: str) -> tuple[int, str]:
    """Ask in HTTP/1.0: the answer ends with the connection. Raises `OSError`, `ValueError`."""
    with socket.create_connection(place, timeout=SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            head, _, body = answer.read(_MOST_BYTES).partition(b"\r\n\r\n")
    status = head.split(maxsplit=2)[1] if head.startswith(b"HTTP/") else b"no HTTP"
    return int(status), body.decode(errors="replace").strip()


def _readiness(body: str) -> str:
    found = json.loads(body)
    chats = ", ".join(f"{name} {'connected' if there else 'not connected'}" for name, there in found["chats"].items())
    return f"{'ready' if found['ready'] else 'not ready'}: database {found['database']}; {chats or 'no chat'}"
