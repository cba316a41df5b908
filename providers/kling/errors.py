"""Says what Kling's own codes mean, whatever the HTTP status beside them: 429 also stands for an empty account.

Kling's page on error codes, the same for both of its APIs, read 2026-11-20. No message of Kling's is quoted, as it may
repeat what a person wrote.
"""

import re
from typing import Any

import httpx
import msgspec

from providers import http
from providers.contract import Busy, Misconfigured, ProviderError, Reason, Refused, Unsure

KEY = "Kling does not accept the key: set the key in [providers.kling] to one that works, and base_url to its region."
CLOCK = "Kling finds the token signed too early or too late: set this machine's clock right (NTP), or use an api_key."
OPERATORS = {
    1000: KEY,
    1001: KEY,
    1002: KEY,
    1003: CLOCK,
    1004: CLOCK,
    1100: "Kling finds something wrong with the account: look at it in Kling's console.",
    1101: "Kling's account is in arrears: pay what is open in Kling's console.",
    1102: "Kling's resource pack is used up or expired: buy another in Kling's console.",
    1103: "Kling does not let this key use the model: have it enabled in Kling's console, or choose another.",
    1304: "Kling does not let this machine's address in: add it to the list of allowed ones in Kling's console.",
}
OFF_CLOCK = {1003, 1004}
FULL = {1302, 1303}  # too many requests, all places of the account taken: neither is accepted
POLICY = {1300, 1301}
INPUT = {1200, 1201, 1202, 1203}
LOST = {5000, 5001, 5002}  # trouble at Kling: nobody says whether a request was taken
SAID = POLICY | INPUT | LOST  # codes whose HTTP status adds nothing
MAYBE = {408, 409}  # statuses that do not say whether a request was taken
ADDRESS = "this is not how Kling answers: is providers.kling.base_url right?"


class Answer(msgspec.Struct, frozen=True):
    """What Kling said. `code` is None where it is not in Kling's words, as from something in between."""

    status: int
    code: int | None
    message: str
    data: Any
    retry_after: float | None

    def __str__(self) -> str:
        return f"Kling answered {self.status}" + ("" if self.code is None else f" with its code {self.code}")


def read(answer: httpx.Response) -> Answer:
    told = http.parsed(answer)
    code = told.get("code") if type(told.get("code")) is int else None
    return Answer(answer.status_code, code, str(told.get("message", "")), told.get("data"), http.retry_after(answer))


def refusal(said: Answer) -> ProviderError:
    """Return what a no to a submission means. Nothing has been charged, except, perhaps, where it is `Unsure`."""
    if (found := trouble(said)) is not None:
        return found
    if said.code in POLICY:
        return Refused(Reason.POLICY, str(said))
    if said.code in LOST or (said.code not in INPUT and (said.status in MAYBE or not 400 <= said.status < 500)):
        return Unsure(str(said))  # or half an answer, or a code that nobody knows
    words = said.message.casefold()
    if re.search(r"external.?task|duplicat|already (exist|used)", words):  # how it is said is not documented
        return Unsure("Kling has a task of that key already")  # so that it is looked for
    reason, which = at_fault(words) if said.code != 1203 else (Reason.UNSUPPORTED, None)
    return Refused(reason, str(said), which=which)


def at_fault(words: str) -> tuple[Reason, str | None]:
    """Return which input a message of Kling's names."""
    if re.search(r"tail|last[_ ]frame|end[_ ]frame", words):
        return Reason.PICTURE, "end picture"
    if re.search(r"image|picture|first[_ ]frame", words):
        return Reason.PICTURE, "picture"
    return (Reason.PROMPT, "prompt") if "prompt" in words else (Reason.UNSUPPORTED, None)


def unable(said: Answer) -> ProviderError:
    """Return what a failed look means: only a forgotten task or the operator's business is more than a moment's."""
    if (found := trouble(said)) is not None:
        return found
    lacking = said.code in INPUT and re.search(r"not (found|exist)|does not|doesn't", said.message.casefold())
    if said.code == 1203 or lacking:
        return Refused(Reason.FORGOTTEN, "Kling does not know the task")
    return Busy(str(said), said.retry_after)


def trouble(said: Answer) -> Misconfigured | Busy | None:
    """Return what has nothing to do with what was asked, if it is that."""
    if said.code in OPERATORS:
        return Misconfigured(f"{OPERATORS[said.code]} (code {said.code})")
    if said.code in FULL or (said.code not in SAID and said.status == 429):
        return Busy(str(said), said.retry_after)
    if said.code not in SAID and said.status in {401, 403}:
        return Misconfigured(f"{KEY} ({said})")
    if said.code is None and 300 <= said.status < 500 and said.status not in MAYBE:
        return Misconfigured(f"{said}: {ADDRESS}")
    return None
