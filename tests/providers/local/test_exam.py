"""The local renderer sits the exam of every provider, with real children."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from providers.contract import AnimationRequest, Finished, Ticket
from providers.local import Provider, Settings
from tests.providers.exam import Exam


@dataclass
class LocalWorks:
    folder: Path
    request: AnimationRequest
    secret: str = "there is none"  # noqa: S105 - the renderer has no key
    providers: list[Provider] = field(default_factory=list)

    def provider(self) -> Provider:
        self.providers.append(Provider(Settings(), self.folder))
        return self.providers[-1]

    async def finish(self, ticket: Ticket) -> None:
        """Poll until it is finished: it renders for real."""
        provider, deadline = self.provider(), time.monotonic() + 60
        while not isinstance(await provider.check(ticket), Finished):
            assert time.monotonic() < deadline, "it never came true"
            await asyncio.sleep(0.02)

    def charges(self) -> int:
        return sum(1 for _ in (self.folder / "jobs").iterdir())

    def unknown(self) -> Ticket:
        return Ticket("nothing")


@pytest.fixture
async def works(tmp_path: Path, request_of: Callable[..., AnimationRequest]) -> AsyncIterator[LocalWorks]:
    works = LocalWorks(tmp_path / "local", request_of("zoom in gently"))
    yield works
    for provider in works.providers:
        await provider.close()


class TestLocalSitsTheExam(Exam):
    pass
