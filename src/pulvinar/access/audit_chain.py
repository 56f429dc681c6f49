"""The seal on the log of events: a chain of SHA-256 over all of them, extended at intervals by one process at a time.

An event's `chain` is a digest of what happened and of the chain before it, so that the first event that was changed, or
before which one was taken out, has a name. A seal closes some events, and holds the hash of the seal before it: whoever
keeps that hash elsewhere can tell whether everything up to it is as it was. Events are sealed in the order in which
they became visible, not in that of their numbers: see docs/decisions/0081-events-are-sealed-as-they-appear.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from pulvinar.access.tables import event, event_seal
from pulvinar.storage.database import Database

MOST_AT_ONCE = 1000
"""So many events at most are sealed in one transaction, for which writers of SQLite wait."""
NOTHING = "0" * 64
"""What the first link and the first seal continue."""

# one number for all sealers of a PostgreSQL database; "pulvinar seal", cut to what a lock's name may be
_LOCK = int.from_bytes(hashlib.sha256(b"pulvinar seal").digest()[:8], signed=True)


@dataclass(frozen=True)
class Seal:
    """Some events, closed: how many, the lowest and the highest of their numbers, and the chain at their end."""

    number: int
    first_seq: int
    last_seq: int
    count: int
    chain: str
    previous: str
    at: datetime

    @property
    def hash(self) -> str:
        """SHA-256 over all of it, and so over everything before it."""
        said = [self.previous, self.number, self.first_seq, self.last_seq, self.count, self.chain, _moment(self.at)]
        return hashlib.sha256(_canonical(said)).hexdigest()


@dataclass(frozen=True)
class Fault:
    """The first thing that does not fit: an event by its number, or a seal, and what is wrong with it."""

    seq: int | None
    seal: int
    what: str


@dataclass(frozen=True)
class Chain:
    """What a verification of the log has found: how much is sealed and how much not yet, its last hash, its fault."""

    events: int
    seals: int
    unsealed: int
    last: str
    fault: Fault | None


def seal(database: Database) -> Seal | None:
    """Seal what nobody has sealed, at most `MOST_AT_ONCE` events; None where there is nothing, or another is at it."""
    with database.session() as session:
        # looked at first without the lock that writers of SQLite share
        if not session.execute(_unsealed().limit(1)).first():
            return None
    with database.writing() as session:
        if not database.is_sqlite and not session.scalar(select(func.pg_try_advisory_xact_lock(literal(_LOCK)))):
            return None
        rows = session.execute(_unsealed().limit(MOST_AT_ONCE)).all()
        return _close(session, rows) if rows else None


def seal_all(database: Database) -> int:
    """Seal until nothing is left; how many seals it took."""
    count = 0
    while seal(database) is not None:
        count += 1
    return count


def last_seal(session: Session) -> Seal | None:
    """The newest seal."""
    row = session.execute(select(event_seal).order_by(event_seal.c.number.desc()).limit(1)).first()
    return _seal_of(row) if row is not None else None


def verify_chain(database: Database, expect: str = "") -> Chain:
    """Work the whole chain out anew, and name the first thing that does not fit.

    `expect` is the hash of a seal that was kept elsewhere: it must be in the chain, which a log that was rewritten, or
    cut off before it, does not have. What is sealed meanwhile is left for the next time.
    """
    with database.session() as session:
        end = last_seal(session)
        # seals and events in one statement: two would see what was sealed between them
        newest = select(func.coalesce(func.max(event_seal.c.number), 0)).scalar_subquery()
        lost = session.scalar(select(func.min(event.c.seq)).where(or_(event.c.seal > newest, event.c.seal < 1)))
        unsealed = session.scalar(select(func.count()).select_from(event).where(event.c.seal.is_(None))) or 0
        walk = _Walk(expect)
        for one, rows in _sealed(session, end.number if end else 0):
            fault = walk.check(one, rows)
            if fault is not None:
                return Chain(walk.events, walk.seals, unsealed, walk.last, fault)
    return Chain(walk.events, walk.seals, unsealed, walk.last, walk.at_the_end(lost))


class _Walk:
    """Goes through the chain once, seal by seal."""

    def __init__(self, expect: str) -> None:
        self.events = self.seals = 0
        self.last = self._chain = NOTHING
        self._expect = expect
        self._met = not expect

    def check(self, found: Row[Any], rows: Iterator[Row[Any]]) -> Fault | None:
        """What does not fit in a seal and its events, or None."""
        number = self.seals + 1
        if found.number != number:
            return Fault(None, number, f"seal {number} is missing")
        numbers: list[int] = []
        for row in rows:
            self._chain = link(self._chain, row)
            if self._chain != row.chain:
                return Fault(row.seq, number, f"event {row.seq} was changed, or one before it was taken out or put in")
            numbers.append(row.seq)
        one = _seal_of(found)
        if (len(numbers), self._chain) != (one.count, one.chain):
            where = f"events {one.first_seq} to {one.last_seq}, of which there are {len(numbers)} and were {one.count}"
            return Fault(None, number, f"seal {number} does not fit its events ({where})")
        if one.previous != self.last or one.hash != found.hash:
            return Fault(None, number, f"seal {number} was changed")
        self.events, self.seals, self.last = self.events + len(numbers), number, one.hash
        self._met = self._met or one.hash == self._expect
        return None

    def at_the_end(self, lost: int | None) -> Fault | None:
        """What is wrong though all that is there fits."""
        if lost is not None:
            return Fault(lost, self.seals + 1, f"event {lost} was sealed by a seal that is gone")
        if not self._met:
            return Fault(None, self.seals + 1, f"no seal has the hash {self._expect}: the log was rewritten or cut off")
        return None


def link(chain: str, row: Row[Any]) -> str:
    """The chain after the event of `row`: SHA-256 over the chain before it and the event in one canonical form."""
    said = [chain, row.seq, row.actor_id, row.verb, row.subject_id, _moment(row.at), row.details]
    return hashlib.sha256(_canonical(said)).hexdigest()


def _close(session: Session, rows: Sequence[Row[Any]]) -> Seal:
    before = last_seal(session)
    chain, number = (before.chain, before.number + 1) if before else (NOTHING, 1)
    links = []
    for row in rows:
        chain = link(chain, row)
        links.append({"of": row.seq, "chain": chain, "seal": number})
    closing = update(event).where(event.c.seq == bindparam("of"))
    session.connection().execute(closing, links)
    previous, now = before.hash if before else NOTHING, datetime.now(UTC)
    made = Seal(number, rows[0].seq, rows[-1].seq, len(rows), chain, previous, now)
    # a second sealer that came this far all the same would fail here: numbers are unique
    session.execute(insert(event_seal).values(**made.__dict__, hash=made.hash))
    return made


def _unsealed() -> Any:
    return select(event).where(event.c.seal.is_(None)).order_by(event.c.seq)


def _sealed(session: Session, end: int) -> Iterator[tuple[Row[Any], Iterator[Row[Any]]]]:
    """Each seal up to number `end`, with its events in the order of their numbers."""
    number = -1
    while rows := session.execute(
        select(event_seal)
        .where(event_seal.c.number > number, event_seal.c.number <= end)
        .order_by(event_seal.c.number)
        .limit(100)
    ).all():
        for row in rows:
            held = select(event).where(event.c.seal == row.number).order_by(event.c.seq)
            yield row, iter(session.execute(held))
        number = rows[-1].number


def _seal_of(row: Row[Any]) -> Seal:
    return Seal(row.number, row.first_seq, row.last_seq, row._mapping["count"], row.chain, row.previous, row.at)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _canonical(said: Any) -> bytes:
    """One text of what is said, whatever the database kept it in: keys in order, no blanks, ASCII alone."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
