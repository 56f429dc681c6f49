"""What is counted of use: how often, of which dataset, how many people, and that nobody is followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from tests.catalogue.conftest import OBJECTS, RECORD, new_asset

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Forbidden
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.operations.tables import use_salt, use_visitor
from pulvinar.operations.use import Use, UseCounter, use_by_dataset, use_by_month


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def version(database):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, create_dataset(work, replace(RECORD, title="Counted")).id)
        add_asset(work, draft.id, new_asset("volume"), OBJECTS)
        publish(work, draft.id)
    return get_version(database, LOCAL_OWNER, draft.dataset_id)


def kept(database):
    with database.session() as session:
        return session.execute(select(use_visitor)).all(), session.execute(select(use_salt)).all()


def test_a_person_counts_once_a_day_in_all_processes_together(database, clock):
    one, other = UseCounter(database, clock), UseCounter(database, clock)
    for counter in (one, other, one):
        counter.visit("192.0.2.1", "Firefox")
        counter.flush()
    other.visit("192.0.2.2", "Firefox")
    other.visit("", "whoever asks not to be followed")
    other.flush()
    (month,) = use_by_month(database, LOCAL_OWNER)
    assert (month.month, month.counts) == ("2026-01", {Use.VISIT: 5, Use.PERSON: 2})


def test_who_came_is_forgotten_once_the_day_is_over(database, clock):
    counter = UseCounter(database, clock)
    counter.visit("192.0.2.1", "Firefox")
    counter.flush()
    people, salts = kept(database)
    assert len(people) == len(salts) == 1
    assert "192.0.2.1" not in repr(people)
    clock.now += timedelta(days=1)
    counter.visit("192.0.2.1", "Firefox")
    counter.flush()
    again, salts_then = kept(database)
    assert [row.day for row in again] == [row.day for row in salts_then] == ["2026-02-01"]
    assert again[0].digest != people[0].digest
    assert salts_then[0].salt != salts[0].salt
    assert [(one.month, one.counts[Use.PERSON]) for one in use_by_month(database, LOCAL_OWNER)] == [
        ("2026-02", 1),
        ("2026-01", 1),
    ]


def test_datasets_are_counted_by_identifier_or_digest(database, clock, version):
    counter = UseCounter(database, clock)
    counter.add(Use.PAGE, version.dataset_id)
    counter.add(Use.DOWNLOAD, version.digest)
    counter.add(Use.DOWNLOAD, version.dataset_id)
    counter.add(Use.VIEW, "gone")
    counter.flush()
    clock.now += timedelta(days=30)
    counter.add(Use.VIEW, version.dataset_id)
    counter.flush()
    most, gone = use_by_dataset(database, LOCAL_OWNER)
    assert (most.title, most.counts) == ("Counted", {Use.PAGE: 1, Use.DOWNLOAD: 2, Use.VIEW: 1})
    assert (gone.dataset_id, gone.title) == ("gone", "")
    (later,) = use_by_dataset(database, LOCAL_OWNER, "2026-03")
    assert later.counts == {Use.VIEW: 1}


def test_what_can_not_be_written_stays_counted(database, clock, monkeypatch):
    counter = UseCounter(database, clock)
    counter.visit("192.0.2.1", "Firefox")
    with monkeypatch.context() as broken:
        broken.setattr("pulvinar.operations.use._write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            counter.flush()
    counter.flush()
    assert use_by_month(database, LOCAL_OWNER)[0].counts == {Use.VISIT: 1, Use.PERSON: 1}


def test_only_owners_see_it(database):
    for asked in (use_by_month, use_by_dataset):
        with pytest.raises(Forbidden):
            asked(database, ANONYMOUS)
