"""Requests to read a dataset: asked, decided by those who may share it, withdrawn. Nobody else learns of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, insert, literal, select, update
from sqlalchemy.orm import Session

from pulvinar.access.agreement_tables import access_request
from pulvinar.access.deciders import who_may_on
from pulvinar.access.visibility import REGISTERED, audience_of, grants_to, may, visible
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import share
from pulvinar.catalogue.tables import dataset
from pulvinar.errors import Conflict, Invalid, NotAuthenticated, NotFound, TooOften
from pulvinar.model.access import Actor, Right
from pulvinar.model.access_request import AccessRequest, RequestState
from pulvinar.model.account import Account
from pulvinar.model.identity import check_id, new_id
from pulvinar.storage.database import Database

MOST_OPEN = 20
"""So many requests of one person may wait at once."""
LONGEST_TEXT = 4000
_MOST_LISTED = 200


@dataclass(frozen=True)
class Told:
    """A request as somebody may know of it: `title` is that of a dataset that they see, "" of one that they don't."""

    request: AccessRequest
    title: str


def ask_for(
    work: UnitOfWork, dataset_id: str, purpose: str, stated: Mapping[str, str] | None = None, *, node: str = "local"
) -> AccessRequest:
    """Ask to read a dataset, with what for.

    Whether there is such a dataset is told only to who sees it: a request for one that isn't there is kept, too, and
    nobody answers it. Raises `NotAuthenticated` for who has no account, `Conflict` for who may read it or has asked
    already, `Invalid` without a purpose, `TooOften` where too many requests wait.
    """
    _check_account(work)
    purpose = purpose.strip()
    if not 1 <= len(purpose) <= LONGEST_TEXT:
        raise Invalid("the purpose is missing, or too long", hint=f"say what for, in up to {LONGEST_TEXT} characters")
    if may(work.session, work.actor, Right.READ, check_id(dataset_id)):
        raise Conflict("you may read this dataset already", hint="there is nothing to ask for")
    if any(one.awaits_agreement for one in grants_to(work.session, work.actor, dataset_id)):
        raise Conflict("you may read this dataset once you have accepted its agreement", hint="nobody has to grant it")
    _check_open(work, dataset_id)
    made = AccessRequest(new_id(node), dataset_id, work.actor.id, purpose, datetime.now(UTC), dict(stated or {}))
    work.session.execute(insert(access_request).values(**vars(made)))
    work.record_event("ask-for-access", made.id, {"dataset": dataset_id})
    return made


def withdraw(work: UnitOfWork, request_id: str) -> AccessRequest:
    """Take back one's own request, which nobody has decided. Raises `NotFound`, `Conflict`."""
    _check_account(work)
    found = _read(work.session, request_id)
    if found.account_id != work.actor.id:
        raise NotFound(f"there is no request {request_id}")
    return _decide(work, found, RequestState.WITHDRAWN, "withdraw-request")


def grant(work: UnitOfWork, request_id: str, *, ends: datetime | None = None, message: str = "") -> AccessRequest:
    """Let who asked read the dataset until `ends`; where an agreement binds it, once they have accepted that.

    Raises `NotFound`, `Conflict` for a request that was decided, `Invalid` for an end that is past.
    """
    found = _asked_of(work, request_id)
    _check_undecided(found)
    share(work, found.dataset_id, audience_of(found.account_id), Right.READ, ends=ends)
    return _decide(work, found, RequestState.GRANTED, "grant-request", message=message, ends=ends)


def refuse(work: UnitOfWork, request_id: str, *, message: str = "") -> AccessRequest:
    """Refuse a request. Raises `NotFound`, `Conflict` for one that was decided."""
    found = _asked_of(work, request_id)
    return _decide(work, found, RequestState.REFUSED, "refuse-request", message=message)


def deciders_of(session: Session, asked: AccessRequest) -> tuple[Account, ...]:
    """The people whom a request concerns: nobody, for a dataset that isn't there."""
    if session.scalar(select(dataset.c.id).where(dataset.c.id == asked.dataset_id)) is None:
        return ()
    return who_may_on(session, asked.dataset_id, Right.SHARE)


def own_requests(database: Database, actor: Actor) -> tuple[Told, ...]:
    """What `actor` has asked for, newest first."""
    title = select(dataset.c.record).where(dataset.c.id == access_request.c.dataset_id, visible(actor, dataset.c.id))
    wanted = select(access_request, title.scalar_subquery().label("record"))
    mine = wanted.where(access_request.c.account_id == actor.id).order_by(access_request.c.made.desc())
    return _told(database, mine.limit(_MOST_LISTED))


def requests_to_decide(database: Database, actor: Actor, *, decided: bool = False) -> tuple[Told, ...]:
    """The requests for datasets that `actor` may share, newest first: those that wait, or those that were decided."""
    state = access_request.c.state
    which = state.in_(("granted", "refused")) if decided else state == RequestState.OPEN.value
    wanted = (
        select(access_request, dataset.c.record)
        .join(dataset, dataset.c.id == access_request.c.dataset_id)
        .where(which, access_request.c.account_id != actor.id, visible(actor, dataset.c.id, Right.SHARE))
        .order_by(access_request.c.made.desc())
    )
    return _told(database, wanted.limit(_MOST_LISTED))


def count_to_decide(database: Database, actor: Actor) -> int:
    """How many requests wait for `actor`."""
    wanted = (
        select(func.count())
        .select_from(access_request.join(dataset, dataset.c.id == access_request.c.dataset_id))
        .where(access_request.c.state == RequestState.OPEN.value, access_request.c.account_id != actor.id)
    )
    with database.session() as session:
        return session.scalar(wanted.where(visible(actor, dataset.c.id, Right.SHARE))) or 0


def get_request(database: Database, actor: Actor, request_id: str) -> AccessRequest:
    """One request, for who made it and for those who may decide it. Raises `NotFound`."""
    with database.session() as session:
        found = _read(session, request_id)
        if found.account_id != actor.id and not may(session, actor, Right.SHARE, found.dataset_id):
            raise NotFound(f"there is no request {request_id}")
        return found


def newest_request(database: Database, actor: Actor, dataset_id: str) -> AccessRequest | None:
    """What `actor` asked for last of a dataset."""
    mine = access_request.c.account_id == actor.id, access_request.c.dataset_id == dataset_id
    wanted = select(access_request, literal(None).label("record")).where(*mine)
    with database.session() as session:
        row = session.execute(wanted.order_by(access_request.c.made.desc()).limit(1)).first()
    return _request(row) if row else None


def _check_account(work: UnitOfWork) -> None:
    if not any(one.audience == REGISTERED for one in work.actor.memberships):
        raise NotAuthenticated("only who has an account asks for access", hint="sign in first")
    work.ask_own(work.actor.id)


def _check_open(work: UnitOfWork, dataset_id: str) -> None:
    mine = access_request.c.account_id == work.actor.id, access_request.c.state == RequestState.OPEN.value
    waiting = list(work.session.scalars(select(access_request.c.dataset_id).where(*mine)))
    if dataset_id in waiting:
        raise Conflict("you have asked already", hint="your inbox says what became of it")
    if len(waiting) >= MOST_OPEN:
        raise TooOften(f"{MOST_OPEN} of your requests wait", hint="withdraw one, or wait for an answer")


def _asked_of(work: UnitOfWork, request_id: str) -> AccessRequest:
    """A request, for who may decide it; nobody decides the own one."""
    found = _read(work.session, request_id)
    is_own = found.account_id == work.actor.id
    if is_own or not may(work.session, work.actor, Right.SHARE, found.dataset_id):
        raise NotFound(f"there is no request {request_id}")
    work.ask(Right.SHARE, found.dataset_id)
    return found


def _check_undecided(found: AccessRequest) -> None:
    if not found.is_open:
        raise Conflict(f"the request was {found.state.value} already")


def _decide(
    work: UnitOfWork,
    found: AccessRequest,
    state: RequestState,
    verb: str,
    *,
    message: str = "",
    ends: datetime | None = None,
) -> AccessRequest:
    if len(message) > LONGEST_TEXT:
        raise Invalid("the message is too long", hint=f"up to {LONGEST_TEXT} characters")
    values: dict[str, Any] = {"state": state.value, "decided": datetime.now(UTC), "decided_by": work.actor.id}
    values |= {"message": message.strip(), "ends": ends}
    # two people may decide in the same moment: the first does
    still_open = access_request.c.id == found.id, access_request.c.state == RequestState.OPEN.value
    changed = work.session.execute(update(access_request).where(*still_open).values(**values))
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise Conflict(f"the request was {_read(work.session, found.id).state.value} already")
    told = {"dataset": found.dataset_id, "account": found.account_id, "ends": ends.isoformat() if ends else None}
    work.record_event(verb, found.id, told)
    return _read(work.session, found.id)


def _read(session: Session, request_id: str) -> AccessRequest:
    row = session.execute(select(access_request).where(access_request.c.id == request_id)).first()
    if row is None:
        raise NotFound(f"there is no request {request_id}")
    return _request(row)


def _told(database: Database, wanted: Any) -> tuple[Told, ...]:
    with database.session() as session:
        rows = session.execute(wanted).all()
    return tuple(Told(_request(row), str(row.record["title"]) if row.record else "") for row in rows)


def _request(row: Row[Any]) -> AccessRequest:
    return AccessRequest(
        row.id,
        row.dataset_id,
        row.account_id,
        row.purpose,
        row.made,
        row.stated,
        RequestState(row.state),
        row.decided,
        row.decided_by,
        row.message,
        row.ends,
    )
