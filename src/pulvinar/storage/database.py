"""The SQL engine: SQLite or PostgreSQL by address, one code for both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, MetaData, create_engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from pulvinar.errors import Invalid, Unavailable
from pulvinar.storage.space import no_room

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The tables of every room register here."""


# what SQLite says on a full disk depends on which of its files met it first
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)

_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000")
_SQLITE_CACHE_KIB = 32_768
"""Of each connection. SQLite's own 2 MB don't hold the upper pages of the index of a million assets."""

# NaN and Infinity are no JSON: PostgreSQL refuses them, and SQLite would give them to every reader of the row
_to_json = partial(json.dumps, allow_nan=False)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite gives back naive values, which this one marks."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a time zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC; what SQLite gives back is marked so."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One database; `session` reads, `writing` writes in one transaction that is durable when it ends."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """For reading; nothing is committed. Raises `Unavailable` when the database doesn't answer."""
        with _answering(self.engine), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One write transaction: committed and durable at the end, rolled back when an error leaves it."""
        with self.session() as session:
            # BEGIN IMMEDIATE: a writer waits for its turn at the start, rather than failing halfway.
            session.connection(execution_options={"pulvinar_write": True})
            yield session
            session.commit()

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def is_sqlite(session: Session) -> bool:
    """Whether it speaks to a SQLite file."""
    return session.get_bind().dialect.name == "sqlite"


def _sqlite(url: str) -> Engine:
    connecting = {"isolation_level": None, "check_same_thread": False}
    engine = create_engine(url, json_serializer=_to_json, hide_parameters=True, connect_args=connecting)

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (*_SQLITE_PRAGMAS, f"cache_size=-{_SQLITE_CACHE_KIB}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    # isolation_level None leaves BEGIN to us: the driver alone would begin late, and only for some statements
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("pulvinar_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    engine = create_engine(url, json_serializer=_to_json, hide_parameters=True, pool_pre_ping=True, pool_size=8)

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        # every statement of ours ends in milliseconds: to compile one takes longer than to run it
        cursor = connection.cursor()
        cursor.execute("SET jit = off")
        cursor.close()
        connection.commit()

    return engine


@contextmanager
def _answering(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if engine.url.database and getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_FULL:
            raise no_room(Path(engine.url.database).absolute().parent, error.orig) from error
        shown: Any = engine.url.render_as_string(hide_password=True)
        raise Unavailable(f"the database {shown} does not answer: {error.orig}") from error
    except DataError as error:
        # a NUL, a text beyond the width of its column: what was said, and not what it was said to
        raise Invalid("a value that was given can't be kept", hint="it holds a NUL, or is too long") from error
