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
SURE = POLICY | INPUT | LOST  # codes whose HTTP status adds nothing
MAYBE = {408, 409}  # statuses that do not say whether a request was taken
ADDRESS = "this is not how Kling answers: is providers.kling.base_url right?"


class Answer(msgspec.Struct, frozen=True):
    """What Kling answered. `code` is None where it is not one of Kling's, as from something in between."""

    status: int
    code: int | None
    message: str
    data: Any
    retry_after: float | None

    def __str__(self) -> str:
        return f"Kling answered {self.status}" + ("" if self.code is None else f" with its code {self.code}")


def read_answer(answer: httpx.Response) -> Answer:
    body = http.parsed(answer)
    code = body.get("code") if type(body.get("code")) is int else None
    return Answer(answer.status_code, code, str(body.get("message", "")), body.get("data"), http.retry_after(answer))


def submission_error(answer: Answer) -> ProviderError:
    """Return what a no to a submission means. Nothing has been charged, except, perhaps, where it is `Unsure`."""
    if (found := common_error(answer)) is not None:
        return found
    if answer.code in POLICY:
        return Refused(Reason.POLICY, str(answer))
    if answer.code in LOST or (answer.code not in INPUT and (answer.status in MAYBE or not 400 <= answer.status < 500)):
        return Unsure(str(answer))  # or half an answer, or a code that nobody knows
    words = answer.message.casefold()
    if re.search(r"external.?task|duplicat|already (exist|used)", words):  # how it is said is not documented
        return Unsure("Kling has a task of that key already")  # so that it is looked for
    reason, which = at_fault(words) if answer.code != 1203 else (Reason.UNSUPPORTED, None)
    return Refused(reason, str(answer), which=which)


def at_fault(words: str) -> tuple[Reason, str | None]:
    """Return which input a message of Kling's names."""
    if re.search(r"tail|last[_ ]frame|end[_ ]frame", words):
        return Reason.PICTURE, "end picture"
    if re.search(r"image|picture|first[_ ]frame", words):
        return Reason.PICTURE, "picture"
    return (Reason.PROMPT, "prompt") if "prompt" in words else (Reason.UNSUPPORTED, None)


def poll_error(answer: Answer) -> ProviderError:
    """Return what a failed poll means: only a forgotten task or the operator's business is more than a moment's."""
    if (found := common_error(answer)) is not None:
        return found
    lacking = answer.code in INPUT and re.search(r"not (found|exist)|does not|doesn't", answer.message.casefold())
    if answer.code == 1203 or lacking:
        return Refused(Reason.FORGOTTEN, "Kling does not know the task")
    return Busy(str(answer), answer.retry_after)


def common_error(answer: Answer) -> Misconfigured | Busy | None:
    """Return what has nothing to do with what was asked, if it is that."""
    if answer.code in OPERATORS:
        return Misconfigured(f"{OPERATORS[answer.code]} (code {answer.code})")
    if answer.code in FULL or (answer.code not in SURE and answer.status == 429):
        return Busy(str(answer), answer.retry_after)
    if answer.code not in SURE and answer.status in {401, 403}:
        return Misconfigured(f"{KEY} ({answer})")
    if answer.code is None and 300 <= answer.status < 500 and answer.status not in MAYBE:
        return Misconfigured(f"{answer}: {ADDRESS}")
    return None
