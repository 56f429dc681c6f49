"""What happened: the log of events, searched and written out. Only owners of the node read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select, tuple_

from pulvinar.access.tables import event
from pulvinar.errors import Forbidden, Invalid
from pulvinar.model.access import Actor, Event, Right
from pulvinar.storage.database import Database

_BATCH = 1000
_PLATFORM = "platform"
MAIL_FAILED = "mail-failed"
"""What is written down of mail that could not be sent."""


@dataclass(frozen=True)
class Wanted:
    """Which events: what is empty matches all. `since` counts, `until` no longer; `reason` is a part of one."""

    actor_id: str = ""
    verb: str = ""
    subject_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class EventPage:
    """Some events, newest first; `next_cursor` asks for those before, and is None at the end."""

    items: tuple[Event, ...]
    next_cursor: str | None = None


def search_events(
    database: Database, actor: Actor, wanted: Wanted | None = None, *, cursor: str | None = None, limit: int = 50
) -> EventPage:
    """The newest events that match. Raises `Forbidden` for who isn't an owner, `Invalid` for no cursor of ours."""
    check_reads_log(actor)
    if not 1 <= limit <= 1000:
        raise Invalid(f"{limit} events can't be asked for", hint="1 to 1000")
    asked = _matching(wanted or Wanted()).order_by(event.c.at.desc(), event.c.seq.desc())
    if cursor:
        asked = asked.where(tuple_(event.c.at, event.c.seq) < tuple_(*_place(cursor)))
    with database.session() as session:
        rows = session.execute(asked.limit(limit + 1)).all()
    more = f"{_stamp(rows[limit - 1].at)}.{rows[limit - 1].seq}" if len(rows) > limit else None
    return EventPage(tuple(map(_event, rows[:limit])), more)


def export_events(database: Database, actor: Actor, wanted: Wanted | None = None) -> Iterator[Event]:
    """Every event that matches, oldest number first, read in batches: memory doesn't grow with the log.

    Raises `Forbidden` for who isn't an owner.
    """
    check_reads_log(actor)
    return _walk(database, _matching(wanted or Wanted()).order_by(event.c.seq))


def events_about(database: Database, account_id: str) -> Iterator[Event]:
    """What an account has done, and what was done to it, oldest first, in batches. Whoever asks may know it."""
    mine = or_(event.c.actor_id == account_id, event.c.subject_id == account_id)
    return _walk(database, select(event).where(mine).order_by(event.c.seq))


def event_json(one: Event) -> str:
    """An event as one line of JSON."""
    said = {
        "seq": one.seq,
        "at": one.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": one.actor_id,
        "verb": one.verb,
        "subject": one.subject_id,
        "details": one.details,
        "seal": one.seal,
    }
    return json.dumps(said, ensure_ascii=False)


def _walk(database: Database, asked: Select[Any]) -> Iterator[Event]:
    after = -1
    while True:
        # no transaction stays open while somebody takes what was read
        with database.session() as session:
            rows = session.execute(asked.where(event.c.seq > after).limit(_BATCH)).all()
        yield from map(_event, rows)
        if len(rows) < _BATCH:
            return
        after = rows[-1].seq


def check_reads_log(actor: Actor) -> None:
    """Raise `Forbidden` for who isn't an owner of the node, or comes by a token that may not do all that an owner may:
    the log tells of everybody."""
    if not actor.is_owner or actor.ceiling < Right.ADMINISTER:
        raise Forbidden("only owners of this node read its log", hint="with a token that may administer")


def _matching(wanted: Wanted) -> Select[Any]:
    # no database keeps this character in a text, and one of them doesn't even compare with it
    if any("\0" in one for one in (wanted.actor_id, wanted.verb, wanted.subject_id, wanted.reason)):
        raise Invalid("what is searched for holds a NUL character")
    conditions = [
        *(
            column == value
            for column, value in (
                (event.c.actor_id, wanted.actor_id),
                (event.c.verb, wanted.verb),
                (event.c.subject_id, wanted.subject_id),
            )
            if value
        ),
        *([event.c.at >= wanted.since] if wanted.since else []),
        *([event.c.at < wanted.until] if wanted.until else []),
        *([event.c.details["reason"].as_string().icontains(wanted.reason, autoescape=True)] if wanted.reason else []),
    ]
    return select(event).where(*conditions)


def _event(row: Row[Any]) -> Event:
    return Event(row.actor_id, row.verb, row.subject_id, row.at, row.details, row.seq, row.seal)


def _stamp(at: datetime) -> int:
    """Microseconds since 1970."""
    whole = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


def _place(cursor: str) -> tuple[datetime, int]:
    stamp, _, seq = cursor.partition(".")
    if not (stamp.isascii() and stamp.isdigit() and seq.isascii() and seq.isdigit() and len(cursor) < 40):
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before")
    whole, rest = divmod(int(stamp), 1_000_000)
    try:
        return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest), int(seq)
    except (OverflowError, ValueError) as error:
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before") from error


def note_incident(database: Database, verb: str, subject_id: str, details: dict[str, Any]) -> None:
    """Write down that something went wrong by itself, without anybody who did it."""
    values = {"actor_id": _PLATFORM, "verb": verb, "subject_id": subject_id, "at": datetime.now(UTC)}
    with database.writing() as session:
        session.execute(insert(event).values(**values, details=details))
