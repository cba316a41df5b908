"""Says what fal's errors mean for us, by remedy, and quotes nothing that a person wrote."""

from collections.abc import Mapping
from typing import Any

import httpx

from providers import http
from providers.contract import Busy, Misconfigured, Reason, Refused

PICTURE_FAULTS = {
    "image_too_small",
    "image_too_large",
    "image_load_error",
    "face_detection_error",
    "file_download_error",
    "file_too_large",
    "unsupported_image_format",
}
POLICY_FAULTS = {"content_policy_violation"}


def submission_error(answer: httpx.Response) -> Refused | Misconfigured:
    """Return what an answer of 4xx to a submission means. It quotes none of our input."""
    if answer.status_code in {401, 402, 403}:
        return account_error(answer)
    return refusal(answer, otherwise=Reason.UNSUPPORTED)


def result_error(answer: httpx.Response, *, failed: bool, spent: bool) -> Exception:
    """Return what an error in place of a finished job's result means.

    `failed`: its status told of an error, so whatever fal's JSON says is its end; else only the model's own no is one.
    `spent`: it used time of a machine, for which fal may charge a 422.
    """
    detail = http.parsed(answer).get("detail")
    models_no = answer.status_code == 422 or (isinstance(detail, list) and answer.status_code < 500)
    if detail is None or not (failed or models_no):
        return poll_error(answer)
    unnamed = Reason.UNSUPPORTED if answer.status_code == 422 else Reason.FAILED
    return refusal(answer, otherwise=unnamed, charged=spent and answer.status_code == 422)


def refusal(answer: httpx.Response, *, otherwise: Reason, charged: bool = False) -> Refused:
    """Return the no in an answer; `otherwise`: the reason where fal names none that we know."""
    detail = http.parsed(answer).get("detail")
    faults = [fault for fault in detail if isinstance(fault, dict)] if isinstance(detail, list) else []
    kinds = [str(fault.get("type")) for fault in faults]
    text = f"fal answered {answer.status_code} {', '.join(kinds)}"
    which = next(filter(None, map(at_fault, faults)), None)
    if POLICY_FAULTS & set(kinds):
        return Refused(Reason.POLICY, text, which=which, charged=charged)
    if PICTURE_FAULTS & set(kinds):
        return Refused(Reason.PICTURE, text, which=which or "picture", charged=charged)
    if "no_media_generated" in kinds:
        return Refused(Reason.FAILED, text, charged=charged)
    return Refused(Reason.PROMPT if which == "prompt" else otherwise, text, which=which, charged=charged)


def at_fault(fault: Mapping[str, Any]) -> str | None:
    """Return which input an entry of `detail` names."""
    place = fault.get("loc")
    name = str(place[-1]) if isinstance(place, list) and place else ""
    if "prompt" in name:
        return "prompt"
    if "image" in name or "frame_url" in name:
        return "end picture" if name.startswith(("end", "tail", "last")) else "picture"
    return None


def poll_error(answer: httpx.Response) -> Exception:
    """Return what a failed poll means: only a forgotten request or a bad key is more than a moment's trouble."""
    told = http.parsed(answer)
    if answer.status_code in {401, 402, 403} and "detail" in told:
        return account_error(answer)
    if answer.status_code == 404 and told.get("status") == "NOT_FOUND":
        return Refused(Reason.FORGOTTEN, "fal does not know the request")
    return Busy(f"fal answered {answer.status_code}", http.retry_after(answer))


def account_error(answer: httpx.Response) -> Misconfigured:
    words = str(http.parsed(answer).get("detail"))
    if answer.status_code == 402 or "locked" in words.casefold() or "balance" in words.casefold():
        return Misconfigured("fal has locked the account, usually for an empty balance: top it up in fal's dashboard.")
    if answer.status_code == 401:
        return Misconfigured("fal does not accept the key: set providers.fal.key to one that works.")
    return Misconfigured("fal does not let this key use the model: give it that right in fal's dashboard.")
