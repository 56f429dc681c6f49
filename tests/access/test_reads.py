"""Reads are counted without the database, add up to rows of several processes, and end in the sealed log."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as sql_event

from pulvinar.access.audit import Wanted, search_events
from pulvinar.access.reads import ReadCounter, reads_of, tell_reads
from pulvinar.errors import Forbidden, Unavailable
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.storage.database import Database


def test_counting_asks_no_database(database: Database):
    asked = []
    sql_event.listen(database.engine, "before_cursor_execute", lambda *parts: asked.append(parts[2]))
    counter = ReadCounter(database)
    for _ in range(1000):
        counter.add("ann", "asset", "brain", chunks=1, size_bytes=10)
    assert asked == []
    assert counter.flush() == 1
    (row,) = reads_of(database, LOCAL_OWNER)
    assert (row.chunks, row.size_bytes, row.dataset_id) == (1000, 10_000, "brain")


def test_what_several_processes_count_adds_up(database: Database):
    one, other = ReadCounter(database), ReadCounter(database)
    for counter in (one, other, one):
        counter.add("ann", "asset", "brain", chunks=1, size_bytes=5)
        counter.add("bob", "asset", "brain", chunks=2, size_bytes=7)
        counter.flush()
    assert {(row.actor_id, row.chunks, row.size_bytes) for row in reads_of(database, LOCAL_OWNER)} == {
        ("ann", 3, 15),
        ("bob", 6, 21),
    }
    assert one.flush() == 0
    assert len(reads_of(database, LOCAL_OWNER, actor_id="ann")) == 1
    assert reads_of(database, LOCAL_OWNER, dataset_id="another") == ()


def test_what_could_not_be_written_stays_counted(database: Database, monkeypatch):
    counter = ReadCounter(database)
    counter.add("ann", "asset", "brain", chunks=1, size_bytes=5)
    with monkeypatch.context() as broken:
        broken.setattr(database, "writing", lambda: (_ for _ in ()).throw(Unavailable("gone")))
        with pytest.raises(Unavailable):
            counter.flush()
    counter.add("ann", "asset", "brain", chunks=1, size_bytes=5)
    counter.flush()
    assert [(row.chunks, row.size_bytes) for row in reads_of(database, LOCAL_OWNER)] == [(2, 10)]


def test_an_hour_that_is_over_is_told_in_the_log_once(database: Database):
    counter = ReadCounter(database)
    counter.add("ann", "asset", "brain", chunks=3, size_bytes=5)
    counter.flush()
    later = datetime.now(UTC) + timedelta(hours=1, minutes=6)
    assert tell_reads(database) == 0
    assert tell_reads(database, later) == 1
    assert tell_reads(database, later) == 0
    (told,) = search_events(database, LOCAL_OWNER, Wanted(verb="read-controlled")).items
    assert (told.actor_id, told.subject_id) == ("ann", "asset")
    assert (told.details["chunks"], told.details["size_bytes"], told.details["dataset"]) == (3, 5, "brain")
    # what a process writes late is told again, with the sum
    counter.add("ann", "asset", "brain", chunks=1, size_bytes=1)
    counter.flush()
    assert tell_reads(database, later) == 1
    newest = search_events(database, LOCAL_OWNER, Wanted(verb="read-controlled")).items[0]
    assert newest.details["chunks"] == 4


def test_only_owners_see_who_read(database: Database):
    with pytest.raises(Forbidden):
        reads_of(database, ANONYMOUS)
