import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import StatementError

import pulvinar.access.tables
import pulvinar.atlases.tables
import pulvinar.catalogue.tables
import pulvinar.ingest.tables
import pulvinar.operations.tables
from pulvinar.errors import Unavailable
from pulvinar.platform import migrate
from pulvinar.storage.database import Database, UtcDateTime, metadata

own = MetaData()
moments = Table("moments", own, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@pytest.fixture
def bare(database_url: str):
    made = Database(database_url)
    own.create_all(made.engine)
    yield made
    made.close()


def test_moments_come_back_in_utc_whatever_their_zone(bare: Database):
    at = datetime(2026, 5, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with bare.writing() as session:
        session.execute(insert(moments).values(id=1, at=at))
    with bare.session() as session:
        back = session.scalars(select(moments.c.at)).one()
    assert back == at
    assert back.tzinfo == UTC


def test_a_moment_without_a_zone_is_refused(bare: Database):
    with pytest.raises(Exception, match="time zone"), bare.writing() as session:
        session.execute(insert(moments).values(id=1, at=datetime(2026, 5, 1)))


def test_an_error_undoes_all_of_a_transaction(bare: Database):
    with pytest.raises(KeyError), bare.writing() as session:
        session.execute(insert(moments).values(id=1))
        raise KeyError
    with bare.session() as session:
        assert session.execute(select(moments)).all() == []


def test_reading_changes_nothing(bare: Database):
    with bare.session() as session:
        session.execute(insert(moments).values(id=1))
    with bare.session() as session:
        assert session.execute(select(moments)).all() == []


def test_eight_writers_that_read_first_never_fail(bare: Database):
    failures = []

    def write(number: int) -> None:
        try:
            for step in range(10):
                with bare.writing() as session:
                    session.execute(select(moments)).all()
                    session.execute(insert(moments).values(id=number * 100 + step))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with bare.session() as session:
        assert len(session.execute(select(moments)).all()) == 80


def test_sqlite_is_durable(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with database.session() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA synchronous")) == 2
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    database.close()


def test_a_database_that_does_not_answer_is_unavailable_and_its_password_is_not_shown():
    database = Database("postgresql+psycopg://u:secret@127.0.0.1:9/x")
    with pytest.raises(Unavailable) as caught, database.session() as session:
        session.execute(text("SELECT 1"))
    assert "secret" not in str(caught.value)


def test_the_migrations_lead_to_the_tables_of_the_code(database: Database):
    from pulvinar.migrations.scope import is_ours

    with database.engine.connect() as connection:
        options = {"include_name": lambda name, kind, parents: is_ours(name, kind)}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(database: Database):
    migrate(database)
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM alembic_version")) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_never_stored(database: Database, value):
    with pytest.raises((StatementError, ValueError), match="JSON"), database.writing() as session:
        session.execute(
            insert(pulvinar.catalogue.tables.subject).values(name="a", species="mouse", details={"age": value})
        )
