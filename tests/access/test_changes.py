"""The state of the log is another after every change, and after nothing else."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from pulvinar.access.audit_chain import seal_all
from pulvinar.access.changes import state_of
from pulvinar.access.tables import dataset_access, granted
from pulvinar.access.work import UnitOfWork
from pulvinar.model.access import LOCAL_OWNER, Right


def note(work, verb="do"):
    work.ask(Right.ADMINISTER)
    work.record_event(verb, "node")


def test_a_change_makes_it_another_and_to_look_does_not(database):
    states = [state_of(database)]
    for _ in range(3):
        with UnitOfWork(database, LOCAL_OWNER) as work:
            note(work)
        states.append(state_of(database))
        assert state_of(database) == states[-1]
    seal_all(database)
    states.append(state_of(database))
    with UnitOfWork(database, LOCAL_OWNER) as work:
        note(work)
    states.append(state_of(database))
    assert len(set(states)) == len(states)


def test_what_was_undone_changes_nothing(database):
    before = state_of(database)
    with pytest.raises(ZeroDivisionError), UnitOfWork(database, LOCAL_OWNER) as work:
        note(work)
        raise ZeroDivisionError
    assert state_of(database) == before


def test_a_change_that_took_longer_than_a_later_one_is_not_missed(database):
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    with UnitOfWork(database, LOCAL_OWNER) as slow:
        note(slow, "slow")
        with UnitOfWork(database, LOCAL_OWNER) as quick:
            note(quick, "quick")
        seal_all(database)
        between = state_of(database)
    assert state_of(database) != between


@pytest.mark.parametrize("what", [granted, dataset_access])
def test_what_ends_or_opens_by_time_makes_it_another(database, what):
    now = datetime.now(UTC)
    later = now + timedelta(seconds=1.5)
    row = {"dataset_id": "local-x", "audience": "everyone", "level": 1, "seq": 1, "species": "mouse", "ends": later}
    row = row if what is granted else {"dataset_id": "local-x", "tier": "embargoed", "opens": later}
    with UnitOfWork(database, LOCAL_OWNER) as work:
        note(work)
        work.session.execute(insert(what).values(**row))
    before = state_of(database)
    time.sleep(max(0.0, (later - datetime.now(UTC)).total_seconds()) + 0.05)
    after = state_of(database)
    assert after != before
    with UnitOfWork(database, LOCAL_OWNER) as work:
        note(work)
        column = "ends" if what is granted else "opens"
        work.session.execute(update(what).values(**{column: None}))
    assert state_of(database) not in (before, after)
