"""Says what MiniMax's error codes mean for us, by remedy, in both of its APIs.

The first API answers 200 for everything, and `base_resp.status_code` decides; the second has real statuses, and the
same code in parentheses at the end of its message. Codes as in MiniMax's list, read 2026-11-20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import httpx

from providers import http
from providers.contract import Busy, Misconfigured, ProviderError, Reason, Refused, Unsure


class Meaning(Enum):
    BUSY = auto()  # surely not accepted: too much at once
    UNCLEAR = auto()  # its machines had trouble, and nobody says whether the request was taken
    KEY = auto()
    BALANCE = auto()
    ALLOWANCE = auto()
    IDENTITY = auto()
    PROMPT = auto()
    INPUT = auto()  # our prompt or picture is against its policy
    OUTPUT = auto()  # the video that it made is
    PARAMETERS = auto()


CODES = {
    1000: Meaning.UNCLEAR,
    1001: Meaning.UNCLEAR,  # timed out: it may be at work on it
    1002: Meaning.BUSY,
    1004: Meaning.KEY,
    1008: Meaning.BALANCE,
    1013: Meaning.UNCLEAR,
    1024: Meaning.UNCLEAR,
    1026: Meaning.INPUT,
    1027: Meaning.OUTPUT,
    1033: Meaning.UNCLEAR,
    1039: Meaning.BUSY,
    1041: Meaning.BUSY,
    1042: Meaning.PROMPT,  # too many invisible characters
    2013: Meaning.PARAMETERS,
    2037: Meaning.PARAMETERS,  # this and the next but one are about voices
    2038: Meaning.IDENTITY,
    2039: Meaning.PARAMETERS,
    2042: Meaning.PARAMETERS,
    2045: Meaning.BUSY,
    2049: Meaning.KEY,
    2056: Meaning.ALLOWANCE,
}
STATUSES = {
    401: Meaning.KEY,
    402: Meaning.BALANCE,
    403: Meaning.KEY,
    429: Meaning.BUSY,
    **dict.fromkeys((400, 404, 413, 422), Meaning.PARAMETERS),
    **dict.fromkeys((301, 302, 303, 307, 308), Meaning.PARAMETERS),  # nobody follows: it went nowhere
}
REMEDIES = {
    Meaning.KEY: "MiniMax does not accept the key: set providers.minimax.api_key to one that works, and "
    "providers.minimax.base_url to the region that it belongs to.",
    Meaning.BALANCE: "MiniMax's account has no balance left: top it up in MiniMax's console.",
    Meaning.ALLOWANCE: "The plan's allowance at MiniMax is used up for these hours: wait, or set "
    "providers.minimax.api_key to a pay-as-you-go key.",
    Meaning.IDENTITY: "MiniMax wants the account's owner to be verified: do that in MiniMax's console.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is a no, or no answer at all.

    `says`: MiniMax's own words, to be searched and never shown. `documented`: its code says what it means, and
    not the HTTP status beside it.
    """

    meaning: Meaning
    text: str
    says: str
    retry_after: float | None
    documented: bool

    def of_submission(self) -> ProviderError:
        """Return it as the answer to a paid POST."""
        if self.meaning is Meaning.UNCLEAR:
            return Unsure(self.text)
        return self._common() or self.of_task()

    def of_poll(self) -> ProviderError:
        """Return it as the answer to a poll, whose only parameter is the task's id."""
        if self.meaning is Meaning.PARAMETERS and self._knows_no_task():
            return Refused(Reason.FORGOTTEN, self.text)
        if self.meaning in {Meaning.UNCLEAR, Meaning.PARAMETERS}:
            return Busy(self.text)
        return self._common() or self.of_task(charged=self.meaning is Meaning.OUTPUT)

    def of_task(self, *, charged: bool = False) -> Refused:
        """Return it as the end of a task, or of a request that became none."""
        match self.meaning:
            case Meaning.INPUT | Meaning.OUTPUT:
                return Refused(Reason.POLICY, self.text, charged=charged)
            case Meaning.PROMPT:
                return Refused(Reason.PROMPT, self.text, which="prompt", charged=charged)
            case Meaning.PARAMETERS:
                reason, which = at_fault(self.says)
                return Refused(reason, self.text, which=which, charged=charged)
            case _:
                return Refused(Reason.FAILED, self.text, charged=charged)

    def _knows_no_task(self) -> bool:
        """Say whether it was MiniMax that does not know the task, and not something in between."""
        return self.documented or bool(re.search(r"record not found|invalid task", self.says.casefold()))

    def _common(self) -> ProviderError | None:
        if self.meaning in REMEDIES:
            return Misconfigured(REMEDIES[self.meaning])
        return Busy(self.text, self.retry_after) if self.meaning is Meaning.BUSY else None


def find_fault(answer: httpx.Response) -> Fault | None:
    """Return what is wrong with an answer, whichever API it came from; None: nothing."""
    body = http.parsed(answer)
    if isinstance(body.get("error"), dict):
        return read_fault(body["error"], answer)
    told = body.get("base_resp")
    if isinstance(told, dict) and str(told.get("status_code", 0)) != "0":
        return read_fault(told, answer)
    return None if answer.is_success else read_fault({}, answer)


def read_fault(told: Mapping[str, Any], answer: httpx.Response) -> Fault:
    """Return what a `base_resp` or an `error` means; for a code that nobody knows the HTTP status decides."""
    says = str(told.get("status_msg") or told.get("message") or "")
    behind = re.search(r"\((\d{4})\)\s*$", says)
    code = str(behind[1] if behind else told.get("status_code") or told.get("code") or "")
    meaning = CODES.get(int(code)) if re.fullmatch("[0-9]{4}", code) else None
    text = f"MiniMax answered {answer.status_code}" + (f" ({code})" if meaning else "")
    documented = meaning is not None
    meaning = meaning or STATUSES.get(answer.status_code, Meaning.UNCLEAR)
    return Fault(meaning, text, says or code, http.retry_after(answer), documented)


def at_fault(says: str) -> tuple[Reason, str | None]:
    """Return which input the words about a bad parameter name."""
    words = says.casefold()
    if "last_frame" in words:
        return Reason.PICTURE, "end picture"
    if "image" in words or "first_frame" in words:
        return Reason.PICTURE, "picture"
    return (Reason.PROMPT, "prompt") if "prompt" in words or "text" in words else (Reason.UNSUPPORTED, None)
