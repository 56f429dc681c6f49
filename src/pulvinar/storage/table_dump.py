"""All tables of a database as lines of JSON, the same from SQLite and PostgreSQL, and back into either.

What is written is what is stored: JSON columns as the very text, moments in UTC, bytes in base64. Tables that only help
to search words differ between the two and can be made anew; they are left out, as is the number of the migration.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    column,
    func,
    insert,
    inspect,
    select,
    table,
    type_coerce,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import NullType, TypeEngine

from pulvinar.errors import Corrupt
from pulvinar.storage.database import Database, UtcDateTime

_REVISION = "alembic_version"
# in no migration: it is there while a restoration goes on
_unfinished = Table("restoration_unfinished", MetaData(), Column("since", UtcDateTime))
_BATCH = 1000
_KINDS = {DateTime: "moment", JSON: "json", LargeBinary: "bytes"}


def revision_of(connection: Connection) -> str:
    """The number of the newest migration that the tables have seen; empty where there are none."""
    if not inspect(connection).has_table(_REVISION):
        return ""
    return str(connection.scalar(select(column("version_num")).select_from(table(_REVISION))) or "")


def stored_tables(connection: Connection) -> list[Table]:
    """The tables that hold what can't be made anew, each after those that it refers to."""
    found = MetaData()
    with warnings.catch_warnings():
        # of an index or a type that belongs to the search of words, nothing needs to be known
        warnings.simplefilter("ignore", SAWarning)
        found.reflect(connection)
    return [one for one in found.sorted_tables if one.name != _REVISION and "_words" not in one.name]


def dump_tables(connection: Connection) -> Iterator[str]:
    """Every row as a line: for each table its name and columns, then its rows, in the order of their keys.

    All of one moment, when the connection's transaction sees one (SQLite's does, PostgreSQL's from REPEATABLE READ on).
    """
    is_sqlite = connection.dialect.name == "sqlite"
    for one in stored_tables(connection):
        columns = [(each.name, _kind(each.type)) for each in one.columns]
        yield _line({"table": one.name, "columns": columns})
        kinds = [kind for _, kind in columns]
        asked = select(*(_read(each, is_sqlite) for each in one.columns)).order_by(*one.primary_key.columns)
        rows = connection.execution_options(yield_per=_BATCH).execute(asked)
        for row in _parents_first(one, rows):
            yield _line([_said(value, kind) for value, kind in zip(row, kinds, strict=True)])


def load_tables(connection: Connection, lines: Iterable[str]) -> dict[str, int]:
    """Put the rows of a dump into the tables, which are there, have its columns and are empty; how many went in each.

    Raises `Corrupt` for lines that no dump has.
    """
    counts: dict[str, int] = {}
    into, kinds, waiting = "", dict[str, str](), list[dict[str, Any]]()
    for line in lines:
        try:
            said = json.loads(line)
            if isinstance(said, dict):
                _put(connection, into, kinds, waiting)
                into, kinds = said["table"], dict(said["columns"])
                counts[into] = 0
                continue
            waiting.append({name: _meant(value, kind) for (name, kind), value in zip(kinds.items(), said, strict=True)})
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"the dump holds a line that is none: {line[:100]!r}") from error
        counts[into] += 1
        if len(waiting) == _BATCH:
            _put(connection, into, kinds, waiting)
    _put(connection, into, kinds, waiting)
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection)
    return counts


def holds_rows(database: Database) -> bool:
    """Whether any table that can't be made anew has a row."""
    with database.session() as session:
        connection = session.connection()
        return any(connection.execute(select(one).limit(1)).first() for one in stored_tables(connection))


def mark_unfinished(connection: Connection) -> None:
    """Note, in the transaction that loads rows, that more has to be done before anybody may use them."""
    _unfinished.create(connection)


def mark_finished(connection: Connection) -> None:
    """Note that it is done."""
    _unfinished.drop(connection)


def is_unfinished(database: Database) -> bool:
    """Whether rows were brought back, and not all has been done since that must be."""
    with database.session() as session:
        return inspect(session.connection()).has_table(_unfinished.name)


def drop_all_tables(connection: Connection) -> None:
    """Remove every table, whatever it holds."""
    found = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        found.reflect(connection)
    # a virtual table of SQLite, which takes along those that it keeps its own rows in, comes before them by name
    words = sorted((one for one in found.sorted_tables if "_words" in one.name), key=lambda one: one.name)
    for one in [*words, *(each for each in reversed(found.sorted_tables) if each not in words)]:
        if inspect(connection).has_table(one.name):
            one.drop(connection)


def _parents_first(of: Table, rows: Iterable[Any]) -> Iterator[Any]:
    """`rows` so that each comes after the row of the same table that it refers to; where none does, as they come."""
    names = [each.name for each in of.columns]
    own = [key for key in of.foreign_keys if key.column.table is of]
    if not own:
        yield from rows
        return
    pairs = [(names.index(key.parent.name), names.index(key.column.name)) for key in own]
    waiting, placed = list(rows), set[tuple[int, Any]]()
    while waiting:
        free = [row for row in waiting if all(row[a] is None or (b, row[a]) in placed for a, b in pairs)]
        # rows that refer to each other in a circle have no order
        free = free or waiting
        yield from free
        placed.update((b, row[b]) for row in free for _, b in pairs)
        gone = set(map(id, free))
        waiting = [row for row in waiting if id(row) not in gone]


def _put(connection: Connection, into: str, kinds: dict[str, str], waiting: list[dict[str, Any]]) -> None:
    if not waiting:
        return
    # JSON without a type: the text goes in as it is
    types: dict[str, TypeEngine[Any]] = {"moment": UtcDateTime(), "bytes": LargeBinary()}
    columns = [column(name, types.get(kind, NullType())) for name, kind in kinds.items()]
    connection.execute(insert(table(into, *columns)), waiting)
    waiting.clear()


def _go_on_counting(connection: Connection) -> None:
    """Have sequences go on behind what was put in."""
    for one in stored_tables(connection):
        for key in one.primary_key.columns:
            counter = connection.scalar(select(func.pg_get_serial_sequence(one.name, key.name)))
            highest = connection.scalar(select(func.max(key))) if counter else None
            if highest is not None:
                connection.execute(select(func.setval(counter, highest)))


def _kind(of: Any) -> str:
    return next((kind for parent, kind in _KINDS.items() if isinstance(of, parent)), "plain")


def _read(each: Any, is_sqlite: bool) -> Any:
    kind = _kind(each.type)
    if kind == "moment":
        return type_coerce(each, UtcDateTime)
    if kind == "json":
        # PostgreSQL's driver would parse it, SQLite's gives the text
        return type_coerce(each, Text) if is_sqlite else cast(each, Text)
    return each


def _said(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return value.isoformat()
    return base64.b64encode(value).decode() if kind == "bytes" else value


def _meant(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return datetime.fromisoformat(value)
    return base64.b64decode(value, validate=True) if kind == "bytes" else value


def _line(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"
