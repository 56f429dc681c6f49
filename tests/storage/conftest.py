"""What storage tests share: a ledger in memory, and a store that counts on nothing but a folder."""

from pathlib import Path

import pytest

from pulvinar.storage.store import open_store


@pytest.fixture
def folder(tmp_path: Path):
    """A store in an empty folder."""
    return open_store(f"file://{tmp_path / 'store'}")
