"""Reads of controlled data, counted in memory and added up to rows: who read how much of what, by the hour.

To count costs a look into a dictionary. What a process has counted is written every few seconds and when it ends; of a
process that is killed, so much is lost. Once an hour is over, an event says what it came to, so that the seal on the
log covers reads too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pulvinar.access.audit import check_reads_log
from pulvinar.access.tables import access_read, event
from pulvinar.model.access import Actor
from pulvinar.storage.database import Database

_LATE = timedelta(minutes=5)
"""How long after its end an hour is told: what processes have counted in it is written by then."""
_MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Read:
    """What an actor read of an asset in an hour: chunks (or other answers) and bytes."""

    actor_id: str
    asset_id: str
    dataset_id: str
    hour: datetime
    chunks: int
    size_bytes: int


class ReadCounter:
    """Counts reads, from any thread; `flush` adds what was counted to the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._counted: dict[tuple[str, str, str, datetime], list[int]] = {}

    def add(self, actor_id: str, asset_id: str, dataset_id: str, *, chunks: int = 0, size_bytes: int = 0) -> None:
        """Count an answer, or some more bytes of one."""
        key = (actor_id, asset_id, dataset_id, _hour(datetime.now(UTC)))
        with self._lock:
            found = self._counted.get(key)
            if found is None:
                found = self._counted[key] = [0, 0]
            found[0] += chunks
            found[1] += size_bytes

    def flush(self) -> int:
        """Write what was counted, in one transaction; how many rows that is. What can't be written stays counted."""
        with self._lock:
            counted, self._counted = self._counted, {}
        if not counted:
            return 0
        try:
            with self._database.writing() as session:
                _add(session, [Read(*key, *counts) for key, counts in counted.items()])
        except BaseException:
            self._put_back(counted)
            raise
        return len(counted)

    def _put_back(self, counted: dict[tuple[str, str, str, datetime], list[int]]) -> None:
        with self._lock:
            for key, counts in counted.items():
                found = self._counted.setdefault(key, [0, 0])
                found[0] += counts[0]
                found[1] += counts[1]


def tell_reads(database: Database, now: datetime | None = None) -> int:
    """Write an event for what was read in hours that are over; how many. A late count has its hour told once more."""
    before = _hour((now or datetime.now(UTC)) - _LATE)
    due = select(access_read).where(~access_read.c.told, access_read.c.hour < before).limit(_MOST_AT_ONCE)
    with database.session() as session:
        if session.execute(due.limit(1)).first() is None:
            return 0
    with database.writing() as session:
        # of two processes that come at once, one gets each row
        rows = session.execute(due.with_for_update(skip_locked=True)).all()
        for row in rows:
            session.execute(update(access_read).where(*_key(row)).values(told=True))
        if rows:
            session.execute(insert(event), [_told(row) for row in rows])
        return len(rows)


def reads_of(
    database: Database, actor: Actor, *, dataset_id: str = "", actor_id: str = "", limit: int = 500
) -> tuple[Read, ...]:
    """What was read of controlled data, newest first. Raises `Forbidden` for who isn't an owner of the node."""
    check_reads_log(actor)
    asked = select(access_read).order_by(access_read.c.hour.desc(), access_read.c.asset_id, access_read.c.actor_id)
    if dataset_id:
        asked = asked.where(access_read.c.dataset_id == dataset_id)
    if actor_id:
        asked = asked.where(access_read.c.actor_id == actor_id)
    with database.session() as session:
        return tuple(
            Read(row.actor_id, row.asset_id, row.dataset_id, row.hour, row.chunks, row.size_bytes)
            for row in session.execute(asked.limit(limit))
        )


def _add(session: Session, reads: Iterable[Read]) -> None:
    kind = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = kind.insert(access_read)
    columns = access_read.c
    added = new.on_conflict_do_update(
        index_elements=[columns.actor_id, columns.asset_id, columns.hour],
        set_={
            "chunks": columns.chunks + new.excluded.chunks,
            "size_bytes": columns.size_bytes + new.excluded.size_bytes,
            "told": False,
        },
    )
    # in one order everywhere: two processes that write the same rows wait for each other and never in a circle
    ordered = sorted(reads, key=lambda one: (one.actor_id, one.asset_id, one.hour))
    session.execute(added, [{**one.__dict__, "told": False} for one in ordered])


def _key(row: Row[Any]) -> tuple[Any, ...]:
    columns = access_read.c
    return columns.actor_id == row.actor_id, columns.asset_id == row.asset_id, columns.hour == row.hour


def _told(row: Row[Any]) -> dict[str, Any]:
    details = {
        "dataset": row.dataset_id,
        "hour": row.hour.isoformat(timespec="seconds"),
        "chunks": row.chunks,
        "size_bytes": row.size_bytes,
    }
    said = {"actor_id": row.actor_id, "verb": "read-controlled", "subject_id": row.asset_id}
    return {**said, "at": datetime.now(UTC), "details": details}


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
