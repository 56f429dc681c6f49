"""Who may do what to a document: as to a dataset, and never without seeing what it lies on."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, delete, false, insert, literal, select, true
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, REGISTERED, audience_of, audiences, visible
from pulvinar.access.work import UnitOfWork
from pulvinar.documents.tables import document, document_grant
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Grant, Right
from pulvinar.storage.database import Database


def document_visible(actor: Actor, row: FromClause, right: Right = Right.SEE) -> ColumnElement[bool]:
    """The condition that `actor` has `right` on the document of a row, and may view the dataset that it lies on."""
    if right > actor.ceiling:
        return false()
    if actor.is_owner:
        return true()
    given = select(literal(1)).where(
        document_grant.c.document_id == row.c.id,
        document_grant.c.audience.in_(audiences(actor, right)),
        document_grant.c.level >= right,
    )
    return and_(given.correlate(row).exists(), visible(actor, row.c.dataset_id, Right.VIEW))


def check_document(session: Session, actor: Actor, right: Right, document_id: str) -> None:
    """Raise `NotFound` where `actor` can't see a document, `Forbidden` where the actor has not `right` on it."""
    if _may(session, actor, right, document_id):
        return
    if right is Right.SEE or not _may(session, actor, Right.SEE, document_id):
        raise NotFound(f"there is no document {document_id}")
    raise Forbidden(f"{actor.name} may not {right.name.lower()} document {document_id}")


def right_to(session: Session, actor: Actor, document_id: str) -> Right:
    """The most that `actor` may do to a document. Raises `NotFound`."""
    for right in reversed(Right):
        if _may(session, actor, right, document_id):
            return right
    raise NotFound(f"there is no document {document_id}")


def _may(session: Session, actor: Actor, right: Right, document_id: str) -> bool:
    known = select(literal(1)).where(document.c.id == document_id, document_visible(actor, document, right))
    return session.scalar(known) is not None


def share_document(work: UnitOfWork, document_id: str, audience: str, right: Right) -> None:
    """Give an audience (an actor, an organisation, everyone, who is signed in) `right` on a document.

    Raises `NotFound`, `Forbidden`, also for less instead of more than the own right, and `Invalid` for a right to
    change of those who aren't named.
    """
    _ask_to_share(work, document_id, max(right, _given_to(work.session, document_id, audience)))
    if audience in (EVERYONE, REGISTERED) and right > Right.READ:
        raise Invalid(
            f"{audience} can't be given the right to {right.name.lower()}", hint="name persons or organisations"
        )
    give(work.session, document_id, audience, right, work.actor.id)
    work.record_event("share-document", document_id, {"audience": audience, "right": right.name.lower()})


def unshare_document(work: UnitOfWork, document_id: str, audience: str) -> None:
    """Take from an audience what it was given. Raises `NotFound`, `Forbidden` for more than the own right, `Invalid`
    for who made it."""
    _ask_to_share(work, document_id, _given_to(work.session, document_id, audience))
    if (
        work.session.scalar(select(document.c.made_by).where(document.c.id == document_id))
        == audience.partition(":")[2]
    ):
        raise Invalid("who made a document keeps it", hint="delete it, if nobody needs it any longer")
    gone = document_grant.c.document_id == document_id, document_grant.c.audience == audience
    work.session.execute(delete(document_grant).where(*gone))
    work.record_event("unshare-document", document_id, {"audience": audience})


def _given_to(session: Session, document_id: str, audience: str) -> Right:
    mine = document_grant.c.document_id == document_id, document_grant.c.audience == audience
    return Right(session.scalar(select(document_grant.c.level).where(*mine)) or Right.SEE)


def _ask_to_share(work: UnitOfWork, document_id: str, right: Right) -> None:
    wanted = max(Right.SHARE, right)
    work.ask_by(lambda session, actor: check_document(session, actor, wanted, document_id))


def give(session: Session, document_id: str, audience: str, right: Right, given_by: str) -> None:
    """Write down what an audience may. Private to the room, which asks whether it is allowed."""
    gone = document_grant.c.document_id == document_id, document_grant.c.audience == audience
    session.execute(delete(document_grant).where(*gone))
    row = {"document_id": document_id, "audience": audience, "level": int(right), "given_by": given_by}
    session.execute(insert(document_grant).values(row))


def who_may_document(database: Database, actor: Actor, document_id: str) -> tuple[Grant, ...]:
    """Who was given what on a document, the highest right first. For those who may share it."""
    with database.session() as session:
        check_document(session, actor, Right.SHARE, document_id)
        rows = session.execute(select(document_grant).where(document_grant.c.document_id == document_id))
        found = [Grant(row.audience, Right(row.level), row.given_by) for row in rows]
    return tuple(sorted(found, key=lambda one: (-one.right, one.audience)))


def named_audiences(actor: Actor) -> tuple[str, ...]:
    """The audiences of `actor` that are people and not all."""
    return tuple(one for one in audiences(actor) if one not in (EVERYONE, REGISTERED)) or (audience_of(actor.id),)
