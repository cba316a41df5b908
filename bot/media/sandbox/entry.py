"""Run inside a sandbox: take on the limits, do one piece of work, answer. Never imported by the bot itself."""

import json
import os
import sys
from typing import Any

from bot.media.sandbox.declined import Declined
from providers.sandbox import limit_process


def main(work: str, limits: str, request: str) -> None:
    """Answer with one line of JSON and, after it, bytes. An error of our own ends in a traceback and code 1."""
    limit_process(**json.loads(limits))
    os.umask(0o077)  # what is written is nobody else's to read
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a chatty library must not write into the answer
    said, body = _done(work, json.loads(request))
    answer.write(json.dumps(said).encode() + b"\n" + body)
    answer.close()
    os._exit(0)  # nothing to tidy: the process is over


def _done(work: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        facts, body = _work(work, request)
    except Declined as no:
        return {"problem": no.problem, **no.facts}, b""
    except MemoryError:
        return {"problem": "too_hard", "why": "memory"}, b""
    return {"problem": None, **facts}, body


def _work(work: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    # decoders are imported inside the sandbox, and only those that are needed
    match work:
        case "picture":
            from bot.media.sandbox import decode  # noqa: PLC0415 - see above

            return decode.normalised(sys.stdin.buffer.read(request["max_bytes"] + 1), request)
        case "probe":
            from bot.media.sandbox import probe  # noqa: PLC0415 - see above

            return probe.done(request), b""
        case _:
            from bot.media.sandbox import transcode  # noqa: PLC0415 - see above

            return transcode.done(request), b""
