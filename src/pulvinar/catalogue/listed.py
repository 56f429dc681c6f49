"""Lists of numbers and identifiers, each handed to a database, or told by it, as one text.

However long a list is, the statement stays the same: it is compiled, read and planned once for all of them, where one
parameter an item makes another statement of every length. And to hand over hundreds of items one by one takes longer
than to look them up.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import JSON, ColumnElement, Text, any_, bindparam, cast, func, select
from sqlalchemy.orm import Session

from pulvinar.storage.database import is_sqlite

Numbers = npt.NDArray[np.int64]


def told(items: Collection[int] | Collection[str]) -> str:
    """The list as one text."""
    return json.dumps([*items])


def told_as_one(expression: str, *, sqlite: bool) -> str:
    """The aggregate by which a database tells every number of a column as one value, see `numbers_told`."""
    return f"group_concat({expression})" if sqlite else f"string_agg(int8send({expression}), '')"


def numbers_told(told: str | bytes | None) -> Numbers:
    """Numbers that a database gave as one value: SQLite with commas between them, PostgreSQL in eight bytes each."""
    if isinstance(told, bytes):
        return np.frombuffer(told, ">i8").astype(np.int64)
    return np.fromstring(told or "", np.int64, sep=",")


def bytes_told(told: str | bytes | None) -> bytes:
    """Bytes that a database gave as one value: SQLite, whose aggregate knows texts alone, in hexadecimal digits."""
    return told if isinstance(told, bytes) else bytes.fromhex(told or "")


def listed(session: Session, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The condition that `column` holds one of the list that is handed over as the parameter of that name."""
    return (_in_sqlite if is_sqlite(session) else _in_postgresql)(column, name)


# A search asks with the same conditions again and again: to write one takes longer than to ask.
@lru_cache(64)
def _in_sqlite(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))


@lru_cache(64)
def _in_postgresql(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """As an array, which the planner takes for a few items whatever it holds: so it asks an index for each."""
    items = func.json_array_elements_text(cast(bindparam(name, type_=Text), JSON)).column_valued("item")
    return column == any_(func.array(select(cast(items, column.type)).scalar_subquery()))
