"""The scripted maker sits the exam of the real ones: a fake that fails it would prove nothing."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.contract import AnimationRequest, ModelSpec, Picture, Role, Ticket
from tests.fakes.toy import Provider, Settings
from tests.providers.exam import Exam


@dataclass
class ToyWorks:
    folder: Path
    request: AnimationRequest
    secret: str = "there is none"  # noqa: S105 - it has no key

    def provider(self) -> Provider:
        return Provider(Settings(), self.folder)

    async def finish(self, ticket: Ticket) -> None:
        """Do nothing: it is finished at once."""

    def charges(self) -> int:
        return len((self.folder / "charges").read_text().splitlines())

    def unknown(self) -> Ticket:
        return Ticket("nothing")


@pytest.fixture
def works(tmp_path: Path) -> ToyWorks:
    still = Picture(b"jpeg", "image/jpeg", 640, 480)
    return ToyWorks(tmp_path / "toy", AnimationRequest("it moves", {Role.FIRST: still}, ModelSpec("toy", "toy")))


class TestToySitsTheExam(Exam):
    pass
