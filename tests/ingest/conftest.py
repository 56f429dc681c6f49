"""For tests of ingest: means of one kind, where kinds of databases and stores are not the point."""

import pytest

from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.store import open_store


@pytest.fixture
def means(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    migrate(database)
    store = open_store((tmp_path / "store").as_uri())
    yield Means(database=database, store=store, scratch=tmp_path / "scratch", limits=Limits(), threads=2)
    database.close()
