"""What has happened, for those who are to act on it: written in the transaction in which it happened.

Rooms on one line don't call each other; they post here, and the runner of jobs reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.tables import outbox


@dataclass(frozen=True)
class Message:
    """Something has happened to `subject_id`; `kind` is a verb, `details` what a reader needs to decide by."""

    number: int
    kind: str
    subject_id: str
    details: Mapping[str, Any]


def post(session: Session, kind: str, subject_id: str, details: Mapping[str, Any]) -> None:
    """Post a message in the running transaction: it is read only if that is committed."""
    values = {"kind": kind, "subject_id": subject_id, "details": dict(details), "posted": datetime.now(UTC)}
    session.execute(insert(outbox).values(**values))


def unread(session: Session, limit: int = 100) -> tuple[Message, ...]:
    """The oldest messages that nobody has taken."""
    wanted = select(outbox).where(outbox.c.taken.is_(None)).order_by(outbox.c.seq).limit(limit)
    return tuple(Message(row.seq, row.kind, row.subject_id, row.details) for row in session.execute(wanted))


def mark_read(session: Session, number: int) -> bool:
    """Take a message in the running transaction, which does what follows from it; False when another has taken it."""
    taken = session.execute(
        update(outbox).where(outbox.c.seq == number, outbox.c.taken.is_(None)).values(taken=datetime.now(UTC))
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def forget_messages(session: Session, subject_ids: Collection[str]) -> None:
    """Remove all messages about things, in the running transaction: their details name what is erased by law."""
    session.execute(delete(outbox).where(outbox.c.subject_id.in_(list(subject_ids))))
