"""One accepted task at the Kling server, how it is told to go, and what either API says of it. No server lives here.

Shapes are those of Kling's pages on querying tasks, of API 2.0 and before, as read on 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tests.fakes.faults import Fault, says
from tests.fakes.files import File, video
from tests.fakes.kling_inputs import STATUS, Wish

REQUEST_ID = "CjMT7WdSwWcAAAAAALvB3g"


@dataclass(frozen=True, slots=True)
class Failed:
    """The task ends without a video, and a few free words say why."""

    message: str
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How one task goes. The defaults finish it by the first look."""

    queue_seconds: float = 0
    run_seconds: float = 0
    ends: File | Failed = field(default_factory=video)
    word: str | None = None  # said in place of the true status
    url: str | None = None  # said in place of the video's address
    cash: bool = False  # paid from the balance and not from a pack


class Bill(NamedTuple):
    key: str  # the caller's own id of the task
    task_id: str
    model: str
    units: float
    at: float


@dataclass(slots=True)
class Task:
    """Times are the server's clock, in seconds."""

    id: str
    api: Literal["2.0", "legacy"]
    wish: Wish
    body: Mapping[str, Any] = field(repr=False)
    plan: Plan
    at: float
    url: str = ""

    @property
    def ends_at(self) -> float:
        return self.at + self.plan.queue_seconds + self.plan.run_seconds

    @property
    def charged(self) -> bool:
        return not isinstance(self.plan.ends, Failed) or self.plan.ends.charged

    @property
    def bill(self) -> Bill:
        return Bill(self.wish.key, self.id, self.wish.model, self.wish.units, self.at)

    def word(self, now: float) -> str:
        if self.plan.word is not None:
            return self.plan.word
        if now >= self.ends_at:
            return "failed" if isinstance(self.plan.ends, Failed) else "succeeded"
        return "processing" if now >= self.at + self.plan.queue_seconds else "submitted"

    def told(self, now: float) -> dict[str, Any]:
        return self._told_by_2(now) if self.api == "2.0" else self._told_by_legacy(now)

    def accepted(self) -> dict[str, Any]:
        """Say what the answer to the submission says."""
        told = self.told(self.at)
        for name in ("outputs", "billing", "message", "task_result", "task_status_msg", "final_unit_deduction"):
            told.pop(name, None)
        return told | ({"status": "submitted"} if self.api == "2.0" else {"task_status": "submitted"})

    def _told_by_2(self, now: float) -> dict[str, Any]:
        told = {"id": self.id, "status": self.word(now), "message": self._message(now), "external_id": self.wish.key}
        told |= {"create_time": _ms(self.at), "update_time": _ms(now), "outputs": [], "billing": []}
        if now >= self.ends_at:
            told["outputs"] = [{**film, "type": "video"} for film in self._films()]
            told["billing"] = [self._charge()] if self.charged else []
        return told

    def _told_by_legacy(self, now: float) -> dict[str, Any]:
        word = self.word(now).replace("succeeded", "succeed")
        told = {"task_id": self.id, "task_status": word, "task_status_msg": self._message(now)}
        told |= {"task_info": {"external_task_id": self.wish.key}, "created_at": _ms(self.at), "updated_at": _ms(now)}
        if now >= self.ends_at:
            told["task_result"] = {"videos": self._films()}
            told["final_unit_deduction"] = f"{self.wish.units:g}" if self.charged and not self.plan.cash else "0"
        return told

    def _message(self, now: float) -> str:
        return self.plan.ends.message if isinstance(self.plan.ends, Failed) and now >= self.ends_at else ""

    def _films(self) -> list[dict[str, Any]]:
        if isinstance(self.plan.ends, Failed):
            return []
        return [{"id": f"v{self.id}", "url": self.url, "watermark_url": f"{self.url}?mark", "duration": "5.1"}]

    def _charge(self) -> dict[str, str]:
        if self.plan.cash:
            dollars = f"{self.wish.units * 0.14:.4f}"
            money = {"cash_type": "balance", "amount": dollars, "currency": "USD", "list_price": dollars}
            return {"charge_type": "cash", **money}
        return {"charge_type": "unit", "amount": f"{self.wish.units:g}", "package_type": "video"}


def no(code: int, message: str = "", *, acts: bool = False, **headers: str) -> Fault:
    """Kling's own no, by its code."""
    body = {"code": code, "message": message or f"code {code}", "request_id": REQUEST_ID}
    return says(STATUS[code], body, {name.replace("_", "-"): value for name, value in headers.items()}, acts=acts)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
