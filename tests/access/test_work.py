import pytest
from sqlalchemy import select

from pulvinar.access.tables import event
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Forbidden
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.storage.database import Database


def count_events(database: Database) -> int:
    with database.session() as session:
        return len(session.execute(select(event)).all())


def test_a_change_without_a_right_asked_is_not_committed(database: Database):
    with pytest.raises(RuntimeError, match="right"), UnitOfWork(database, LOCAL_OWNER) as work:
        work.record_event("forgot", "x")
    assert count_events(database) == 0


def test_a_change_without_an_event_is_not_committed(database: Database):
    with pytest.raises(RuntimeError, match="event"), UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.WRITE)
    assert count_events(database) == 0


def test_an_error_undoes_the_event_too(database: Database):
    with pytest.raises(KeyError), UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask(Right.WRITE)
        work.record_event("tried", "x")
        raise KeyError
    assert count_events(database) == 0


def test_a_stranger_may_not_write_on_the_node(database: Database):
    with pytest.raises(Forbidden), UnitOfWork(database, ANONYMOUS) as work:
        work.ask(Right.WRITE)


def test_one_acts_on_ones_own_account_and_a_visitor_or_a_reading_token_on_none(database: Database):
    ada = Actor("ada", "Ada")
    with UnitOfWork(database, ada) as work:
        work.ask_own("ada")
        work.record_event("described", "ada")
    for actor, account_id in (
        (ada, "eve"),
        (Actor("ada", "Ada", ceiling=Right.SHARE), "ada"),
        (ANONYMOUS, "anonymous"),
    ):
        with pytest.raises(Forbidden), UnitOfWork(database, actor) as work:
            work.ask_own(account_id)
    with pytest.raises(Forbidden), UnitOfWork(database, ada) as work:
        work.ask_own_or_node("eve")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        work.ask_own_or_node("eve")
        work.record_event("described", "eve")
    assert count_events(database) == 2
