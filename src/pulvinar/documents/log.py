"""The log of a document: operations are added at its end, and taken back by others that are added.

Nothing in it is ever changed, and what it comes to stands beside it, so that a document opens as fast however long its
history is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.work import UnitOfWork
from pulvinar.documents.documents import read_document
from pulvinar.documents.rights import check_document
from pulvinar.documents.tables import document, document_change, document_mark, document_operation
from pulvinar.errors import Conflict, Invalid, NotFound, TooLarge
from pulvinar.model.access import Actor, Right
from pulvinar.model.document import Change, Operation, taken_back
from pulvinar.model.mark import Mark, check_mark_id, mark_from_json, mark_to_json
from pulvinar.storage.database import Database

MOST_CHANGES = 10_000
"""Of one operation: more are brought in by several."""
MOST_MARKS = 1_000_000
_ROWS = 500


def append(
    work: UnitOfWork,
    document_id: str,
    marks: Mapping[str, Mark | None],
    *,
    expected: int | None = None,
    key: str | None = None,
) -> Operation:
    """Set marks to what they are from now on, None to remove one, as one operation.

    `expected` is the number of the newest operation that the actor knows; `key` what the actor calls this one: sent
    again, it is answered by what was done the first time. Raises `NotFound`, `Forbidden`, `Invalid` for nothing or too
    much at once, and `Conflict` where another operation came first, saying whose.
    """
    work.ask_by(lambda session, actor: check_document(session, actor, Right.WRITE, document_id))
    if not 1 <= len(marks) <= MOST_CHANGES:
        raise Invalid(f"an operation of {len(marks)} changes", hint=f"1 to {MOST_CHANGES}: bring in more by several")
    for mark_id in marks:
        check_mark_id(mark_id)
    number = _take_number(work.session, document_id)
    done = _known(work, document_id, key)
    if done is not None:
        _give_number_back(work.session, document_id)
        work.record_event("mark-again", document_id, {"number": done.number})
        return done
    if expected is not None and expected != number - 1:
        raise _came_between(work.session, document_id, expected, number - 1)
    before = _marks_named(work.session, document_id, marks)
    changes = [Change(one, before.get(one), after) for one, after in marks.items() if before.get(one) != after]
    if any(one.before and one.after and one.before.kind != one.after.kind for one in changes):
        raise Invalid("a mark stays of the kind that it is", hint="remove it, and add another")
    return _write(work, document_id, Operation(number, work.actor.id, datetime.now(UTC), tuple(changes)), key)


def undo(work: UnitOfWork, document_id: str) -> Operation:
    """Take back the actor's own newest operation that still counts. Raises `Conflict` where there is none."""
    return _reverse(work, document_id, redoing=False)


def redo(work: UnitOfWork, document_id: str) -> Operation:
    """Take back the actor's own newest undo, if the actor has done nothing else since. Raises `Conflict`."""
    return _reverse(work, document_id, redoing=True)


def _reverse(work: UnitOfWork, document_id: str, *, redoing: bool) -> Operation:
    work.ask_by(lambda session, actor: check_document(session, actor, Right.WRITE, document_id))
    number = _take_number(work.session, document_id)
    wanted = next_to_redo if redoing else next_to_undo
    target = wanted(work.session, document_id, work.actor.id)
    if target is None:
        what = "redo" if redoing else "undo"
        raise Conflict(f"there is nothing of yours to {what} in document {document_id}")
    past = _operations(work.session, document_id, document_operation.c.number == target)[0]
    now = _marks_named(work.session, document_id, (one.mark_id for one in past.changes))
    changes = []
    for one in past.changes:
        back = taken_back(one, now.get(one.mark_id))
        if back != now.get(one.mark_id):
            changes.append(Change(one.mark_id, now.get(one.mark_id), back))
    reversed_one = document_operation.c.document_id == document_id, document_operation.c.number == target
    work.session.execute(update(document_operation).where(*reversed_one).values(reversed_by=number))
    done = Operation(number, work.actor.id, datetime.now(UTC), tuple(changes), target, is_undo=not redoing)
    return _write(work, document_id, done)


def next_to_undo(session: Session, document_id: str, actor_id: str) -> int | None:
    """The number of the operation that the actor's undo would take back: the newest own one that counts, and is no
    undo itself (an undone undo, a redo, is what it redid)."""
    number: int | None = session.scalar(_own_that_count(document_id, actor_id, undos=False))
    return number


def next_to_redo(session: Session, document_id: str, actor_id: str) -> int | None:
    """The number of the undo that the actor's redo would take back; None once the actor did something new."""
    number: int | None = session.scalar(_own_that_count(document_id, actor_id, undos=True))
    fresh = select(func.max(document_operation.c.number)).where(
        document_operation.c.document_id == document_id,
        document_operation.c.actor_id == actor_id,
        document_operation.c.reverses.is_(None),
    )
    return number if number is not None and number > (session.scalar(fresh) or 0) else None


def _own_that_count(document_id: str, actor_id: str, *, undos: bool) -> Select[Any]:
    of = document_operation
    return (
        select(of.c.number)
        .where(of.c.document_id == document_id, of.c.actor_id == actor_id, of.c.reversed_by.is_(None))
        .where(of.c.is_undo.is_(undos))
        .order_by(of.c.number.desc())
        .limit(1)
    )


def read_marks(
    database: Database, actor: Actor, document_id: str, *, after: str = "", limit: int = MOST_CHANGES
) -> tuple[int, list[tuple[str, str, Mark]]]:
    """The number of the newest operation, and the marks after one in order of their names: each its name, who made it
    and what it is. An operation that came while they were read is after that number, and sets what it sets once more.

    Raises `NotFound`.
    """
    with database.session() as session:
        number = read_document(session, actor, document_id).number
        named = document_mark.c.document_id == document_id, document_mark.c.mark_id > after
        rows = session.execute(select(document_mark).where(*named).order_by(document_mark.c.mark_id).limit(limit))
        return number, [(row.mark_id, row.made_by, mark_from_json(row.mark)) for row in rows]


def read_operations(
    database: Database, actor: Actor, document_id: str, *, after: int = 0, limit: int = 200
) -> tuple[Operation, ...]:
    """The operations that came after a number, in order. Raises `NotFound`."""
    with database.session() as session:
        read_document(session, actor, document_id)
        numbers = select(document_operation.c.number).where(
            document_operation.c.document_id == document_id, document_operation.c.number > after
        )
        found = session.scalars(numbers.order_by(document_operation.c.number).limit(limit)).all()
        if not found:
            return ()
        return _operations(session, document_id, document_operation.c.number.between(found[0], found[-1]))


def _take_number(session: Session, document_id: str) -> int:
    """The number of an operation that is added; until it is committed nobody else gets one of this document."""
    now = datetime.now(UTC)
    taking = update(document).where(document.c.id == document_id).values(number=document.c.number + 1, changed=now)
    number: int | None = session.scalar(taking.returning(document.c.number))
    if number is None:
        raise NotFound(f"there is no document {document_id}")
    return number


def _give_number_back(session: Session, document_id: str) -> None:
    session.execute(update(document).where(document.c.id == document_id).values(number=document.c.number - 1))


def _known(work: UnitOfWork, document_id: str, key: str | None) -> Operation | None:
    if key is None:
        return None
    check_mark_id(key)
    same = document_operation.c.actor_id == work.actor.id, document_operation.c.key == key
    found = _operations(work.session, document_id, and_(*same))
    return found[0] if found else None


def _came_between(session: Session, document_id: str, expected: int, number: int) -> Conflict:
    between = session.execute(
        select(document_operation.c.number, document_operation.c.actor_id)
        .where(document_operation.c.document_id == document_id, document_operation.c.number > expected)
        .order_by(document_operation.c.number)
        .limit(20)
    ).all()
    told = ", ".join(f"{row.number} by {row.actor_id}" for row in between) or "none"
    return Conflict(
        f"document {document_id} is at operation {number}, not {expected}; since then came: {told}",
        hint=f"read the operations after {min(expected, number)}, then send yours again with the newest number",
    )


def _marks_named(session: Session, document_id: str, names: Iterable[str]) -> dict[str, Mark]:
    found: dict[str, Mark] = {}
    for some in _pieces(names):
        named = document_mark.c.document_id == document_id, document_mark.c.mark_id.in_(some)
        rows = session.execute(select(document_mark.c.mark_id, document_mark.c.mark).where(*named))
        found |= {row.mark_id: mark_from_json(row.mark) for row in rows}
    return found


def _write(work: UnitOfWork, document_id: str, done: Operation, key: str | None = None) -> Operation:
    row = {"document_id": document_id, "number": done.number, "actor_id": done.actor_id, "at": done.at}
    row |= {"key": key, "reverses": done.reverses, "is_undo": done.is_undo}
    work.session.execute(insert(document_operation).values(row))
    if done.changes:
        told = [
            {"document_id": document_id, "number": done.number, "mark_id": one.mark_id}
            | {"before": _json(one.before), "after": _json(one.after)}
            for one in done.changes
        ]
        work.session.execute(insert(document_change), told)
        _settle(work, document_id, done)
    told_of = {"number": done.number, "changes": len(done.changes), "reverses": done.reverses}
    work.record_event("mark", document_id, told_of)
    return done


def _settle(work: UnitOfWork, document_id: str, done: Operation) -> None:
    """Bring what the log comes to up to an operation."""
    changes = done.changes
    makers: dict[str, str] = {}
    for some in _pieces(one.mark_id for one in changes):
        named = document_mark.c.document_id == document_id, document_mark.c.mark_id.in_(some)
        rows = work.session.execute(select(document_mark.c.mark_id, document_mark.c.made_by).where(*named))
        makers |= {row.mark_id: row.made_by for row in rows}
        work.session.execute(delete(document_mark).where(*named))
    rows_now = [
        {"document_id": document_id, "mark_id": one.mark_id, "number": done.number, "mark": mark_to_json(one.after)}
        | {"made_by": makers.get(one.mark_id, work.actor.id)}
        for one in changes
        if one.after is not None
    ]
    if not rows_now:
        return
    work.session.execute(insert(document_mark), rows_now)
    # counting a million takes a while: many small operations are counted now and then
    if any(one.before is None for one in changes) and (len(rows_now) >= _ROWS or done.number % _ROWS == 0):
        count = select(func.count()).where(document_mark.c.document_id == document_id)
        if (work.session.scalar(count) or 0) > MOST_MARKS:
            raise TooLarge(f"document {document_id} would hold more than {MOST_MARKS} marks", hint="begin another")


def _operations(session: Session, document_id: str, which: Any) -> tuple[Operation, ...]:
    """Operations with their changes, in order."""
    of, what = document_operation, document_change
    joined = and_(what.c.document_id == of.c.document_id, what.c.number == of.c.number)
    wanted = (
        select(of, what.c.mark_id, what.c.before, what.c.after)
        .select_from(of.outerjoin(what, joined))
        .where(of.c.document_id == document_id, which)
        .order_by(of.c.number, what.c.mark_id)
    )
    grouped = groupby(session.execute(wanted), key=lambda row: row.number)
    return tuple(_operation(list(rows)) for _, rows in grouped)


def _operation(rows: list[Row[Any]]) -> Operation:
    first = rows[0]
    changes = (Change(row.mark_id, _mark(row.before), _mark(row.after)) for row in rows if row.mark_id is not None)
    return Operation(first.number, first.actor_id, first.at, tuple(changes), first.reverses, first.is_undo)


def _mark(value: Any) -> Mark | None:
    return None if value is None else mark_from_json(value)


def _json(mark: Mark | None) -> dict[str, Any] | None:
    return None if mark is None else mark_to_json(mark)


def _pieces(names: Iterable[str]) -> Iterator[list[str]]:
    """So many at a time as one statement takes."""
    left = iter(names)
    while some := list(islice(left, _ROWS)):
        yield some
