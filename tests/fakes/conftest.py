"""What the tests of every vendor's stand-in share. No vendor lives here."""

import pytest

from tests.fakes.loopback import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
