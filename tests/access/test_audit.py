"""The log is searched and written out whole, by owners alone; why something was done is kept with it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import insert

from pulvinar.access.audit import Wanted, event_json, export_events, search_events
from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden, Invalid
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Right
from pulvinar.storage.database import Database

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(database: Database) -> Database:
    """A hundred events, some at the same moment."""
    rows = [
        {
            "actor_id": f"person-{number % 3}",
            "verb": ("share", "publish")[number % 2],
            "subject_id": f"brain-{number % 5}",
            "at": START + timedelta(seconds=number // 2),
            "details": {"reason": "Ethics 50%_off"} if number % 10 == 0 else {"number": number},
        }
        for number in range(100)
    ]
    with database.writing() as session:
        session.execute(insert(event), rows)
    return database


def found(database: Database, wanted: Wanted, limit: int = 1000) -> list[int]:
    return [one.seq for one in search_events(database, LOCAL_OWNER, wanted, limit=limit).items]


def test_every_event_is_found_newest_first_page_by_page(log: Database):
    seen, cursor = [], None
    while True:
        page = search_events(log, LOCAL_OWNER, cursor=cursor, limit=7)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [one.seq for one in seen] == sorted((one.seq for one in seen), reverse=True)
    assert len({one.seq for one in seen}) == 100


def test_by_who_what_on_what_and_when(log: Database):
    assert len(found(log, Wanted(actor_id="person-1"))) == 33
    assert len(found(log, Wanted(verb="share"))) == 50
    assert len(found(log, Wanted(subject_id="brain-2"))) == 20
    assert len(found(log, Wanted(verb="share", subject_id="brain-2", actor_id="person-2"))) == 4
    assert len(found(log, Wanted(since=START + timedelta(seconds=10)))) == 80
    assert len(found(log, Wanted(until=START + timedelta(seconds=10)))) == 20
    assert found(log, Wanted(actor_id="nobody")) == []


def test_by_reason(log: Database):
    assert len(found(log, Wanted(reason="ethics"))) == 10
    assert len(found(log, Wanted(reason="50%_off"))) == 10
    assert found(log, Wanted(reason="50%%off")) == []


def test_a_reason_is_written_down(database: Database):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.ADMINISTER)
        work.record_event("look", "brain", {"kept": 1})
        work.reason = "a complaint of its owner"
        work.record_event("hide", "brain", {"kept": 2})
    with UnitOfWork(database, LOCAL_OWNER, reason="一个原因") as work:
        work.ask(Right.ADMINISTER)
        work.record_event("show", "brain")
    newest, second, first = search_events(database, LOCAL_OWNER).items
    assert (first.reason, first.details) == ("", {"kept": 1})
    assert (second.reason, second.details["kept"]) == ("a complaint of its owner", 2)
    assert found(database, Wanted(reason="原因")) == [newest.seq]


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", ".", "9" * 30 + ".1", "-1.2", "1.2.3", "٣.1"])
def test_what_is_no_cursor_is_refused(log: Database, cursor):
    with pytest.raises(Invalid):
        search_events(log, LOCAL_OWNER, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_size(log: Database, limit):
    with pytest.raises(Invalid):
        search_events(log, LOCAL_OWNER, limit=limit)


def test_only_owners_read_it(log: Database):
    with pytest.raises(Forbidden):
        search_events(log, ANONYMOUS)
    with pytest.raises(Forbidden):
        export_events(log, ANONYMOUS)


def test_it_is_written_out_whole_in_batches(database: Database, monkeypatch):
    monkeypatch.setattr("pulvinar.access.audit._BATCH", 30)
    rows = [
        {"actor_id": "a", "verb": "v", "subject_id": f"脑{n}", "at": START, "details": {"n": n, "line": "x\ny"}}
        for n in range(100)
    ]
    with database.writing() as session:
        session.execute(insert(event), rows)
    asked = []
    sql_event.listen(database.engine, "before_cursor_execute", lambda *parts: asked.append(parts[2]))
    lines = [event_json(one) for one in export_events(database, LOCAL_OWNER)]
    assert len([one for one in asked if one.startswith("SELECT")]) == 4
    assert all("\n" not in line for line in lines)
    assert [json.loads(line)["details"]["n"] for line in lines] == list(range(100))
    assert json.loads(lines[7])["subject"] == "脑7"
    assert len(list(export_events(database, LOCAL_OWNER, Wanted(subject_id="脑3")))) == 1
