"""The inside of a media child: enter the cage, do one piece of work, answer. Never imported by the bot itself."""

import json
import os
import sys
from typing import Any

from bot.media.sandbox.declined import Declined
from providers.sandbox import enter


def main(work: str, cage: str, orders: str) -> None:
    """Answer with one line of JSON and, after it, bytes. An error of our own ends in a traceback and code 1."""
    enter(**json.loads(cage))
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a chatty library must not write into the answer
    said, body = _done(work, json.loads(orders))
    answer.write(json.dumps(said).encode() + b"\n" + body)
    answer.close()
    os._exit(0)  # nothing to tidy: the process is over


def _done(work: str, orders: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        if work == "picture":
            from bot.media.sandbox import decode  # noqa: PLC0415 - decoders are imported inside, and only those needed

            facts, body = decode.normalised(sys.stdin.buffer.read(orders["max_bytes"] + 1), orders)
        else:
            from bot.media.sandbox import transcode  # noqa: PLC0415 - the same

            facts, body = transcode.done(orders), b""
    except Declined as no:
        return {"problem": no.problem, **no.facts}, b""
    except MemoryError:
        return {"problem": "too_hard", "why": "memory"}, b""
    return {"problem": None, **facts}, body
