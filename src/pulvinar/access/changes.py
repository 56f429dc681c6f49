"""Whether anything has changed since: one statement that every process can ask, of any database.

Whatever changes writes an event in the same transaction, and what ends by time has its time in a row. Events are
counted as they appear, by the seals and by what no seal holds yet: their numbers appear out of order, see
docs/decisions/0081-events-are-sealed-as-they-appear.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Table, bindparam, func, select

from pulvinar.access.tables import dataset_access, event, event_seal, granted
from pulvinar.storage.database import Database, UtcDateTime


class State(NamedTuple):
    """What the log has come to. Two that are equal: nothing was changed between them, and nothing has ended."""

    seals: int
    unsealed: int
    ended: int
    opened: int


def _count(of: Table, condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(of).where(condition).scalar_subquery()


_NOW = bindparam("now", type_=UtcDateTime())
_ASKED = select(
    select(func.coalesce(func.max(event_seal.c.number), 0)).scalar_subquery(),
    _count(event, event.c.seal.is_(None)),
    _count(granted, granted.c.ends <= _NOW),
    _count(dataset_access, dataset_access.c.opens <= _NOW),
)


def state_of(database: Database) -> State:
    """The state as of now. Raises `Unavailable`."""
    with database.session() as session:
        return State(*session.execute(_ASKED, {"now": datetime.now(UTC)}).one())
