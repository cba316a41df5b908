"""Gives the tests of the desk a desk with real rows and real files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.files.folder import Folder
from bot.store.sqlite import Store
from tests.desk.here import NOW, Here, desk


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    store, files = await Store.open(tmp_path / "z.db", lambda: NOW), Folder(tmp_path / "jobs")
    yield Here(desk(store, files), store, files)
    await store.close()
