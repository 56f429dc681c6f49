"""Who accepted which agreement: accepted in person, countersigned where that is asked for, kept as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select, true, update
from sqlalchemy.orm import Session

from pulvinar.access.accounts import read_account
from pulvinar.access.agreement_tables import acceptance, agreement
from pulvinar.access.agreements import get_agreement, gives, read_agreement
from pulvinar.access.visibility import audiences, visible
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.account import AccountKind
from pulvinar.model.agreement import Acceptance, Agreement
from pulvinar.model.identity import new_id

_RENEWED_BEFORE = timedelta(days=30)
"""So long before an acceptance ends it can be given once more."""


def accept(
    work: UnitOfWork, agreement_id: str, digest: str, said: Mapping[str, str], *, address: str = "", node: str = "local"
) -> Acceptance:
    """Accept what an agreement says now, in person. `digest` is that of the terms that were read.

    It counts at once, or once it is countersigned. Raises `NotFound`, `Conflict` where the agreement says something
    else by now or what it says is accepted already, `Invalid` for fields that are missing or wrong.
    """
    work.ask_own(work.actor.id)
    account = read_account(work.session, work.actor.id)
    if account.kind is not AccountKind.PERSON:
        raise Forbidden("a service accepts nothing", hint="a person does")
    of = get_agreement(work.session, work.actor, agreement_id)
    if digest != of.terms.digest:
        raise Conflict("the agreement says something else by now", hint="read it again")
    now = datetime.now(UTC)
    known = acceptances_by(work.session, account.id, of.id)
    if any(one.number == of.number and not one.is_over(now + _RENEWED_BEFORE) for one in known):
        raise Conflict("this is accepted already", hint="there is nothing to do")
    values = of.terms.checked(said)
    made = Acceptance(
        new_id(node), of.id, of.number, digest, account.id, account.profile.name, address[:64], now, values
    )
    work.session.execute(insert(acceptance).values(**vars(made)))
    work.record_event("accept-agreement", of.id, {"acceptance": made.id, "number": of.number, "digest": digest})
    return made if of.terms.countersigned else _start(work, made, of, now)


def countersign(work: UnitOfWork, acceptance_id: str) -> Acceptance:
    """Sign what somebody has accepted, from when on it counts. By one of the agreement's givers who may share.

    Raises `NotFound`, `Forbidden`, `Conflict` for one that counts already, has ended, or is of an earlier version.
    """
    found, of = _given(work, acceptance_id)
    if found.counts_from is not None or found.is_over(datetime.now(UTC)) or found.number != of.number:
        raise Conflict(
            "this can't be countersigned any more", hint="it counts already, has ended, or has to be renewed"
        )
    work.record_event("countersign-agreement", of.id, {"acceptance": found.id, "account": found.account_id})
    by = update(acceptance).where(acceptance.c.id == found.id).values(countersigned_by=work.actor.id)
    work.session.execute(by)
    return _start(work, found, of, datetime.now(UTC))


def end_acceptance(work: UnitOfWork, acceptance_id: str, reason: str) -> Acceptance:
    """End what somebody has accepted: what it opens is closed to them. It stays as evidence.

    Raises `Invalid` without a reason, else as `countersign`.
    """
    found, of = _given(work, acceptance_id)
    if not reason.strip():
        raise Invalid("a reason is missing", hint="it is kept with what was done")
    if not found.is_over(now := datetime.now(UTC)):
        work.session.execute(update(acceptance).where(acceptance.c.id == found.id).values(ends=now))
    told = {"acceptance": found.id, "account": found.account_id, "reason": reason.strip()[:1000]}
    work.record_event("end-acceptance", of.id, told)
    return read_acceptance(work.session, found.id)


def acceptances_by(session: Session, account_id: str, agreement_id: str | None = None) -> tuple[Acceptance, ...]:
    """What an account has accepted (of one agreement), newest first. Whoever asks may know it."""
    wanted = select(acceptance).where(acceptance.c.account_id == account_id).order_by(acceptance.c.accepted.desc())
    if agreement_id is not None:
        wanted = wanted.where(acceptance.c.agreement_id == agreement_id)
    return tuple(map(_acceptance, session.execute(wanted)))


def acceptances_of(session: Session, actor: Actor, of: Agreement) -> tuple[Acceptance, ...]:
    """Who accepted an agreement, newest first, for its givers who may share. Raises `Forbidden`."""
    if not gives(session, actor, Right.SHARE, of):
        raise Forbidden(f"{actor.name} may not know who accepted agreement {of.id}")
    wanted = select(acceptance).where(acceptance.c.agreement_id == of.id).order_by(acceptance.c.accepted.desc())
    return tuple(map(_acceptance, session.execute(wanted.limit(500))))


def acceptances_to_sign(session: Session, actor: Actor) -> tuple[Acceptance, ...]:
    """What waits to be countersigned by `actor`, the oldest first."""
    giver = true() if actor.is_owner else agreement.c.giver.in_(audiences(actor, Right.SHARE))
    of_dataset = and_(agreement.c.dataset_id.is_not(None), visible(actor, agreement.c.dataset_id, Right.SHARE))
    waits = acceptance.c.counts_from.is_(None), acceptance.c.ends.is_(None), acceptance.c.number == agreement.c.number
    wanted = (
        select(acceptance)
        .join(agreement, agreement.c.id == acceptance.c.agreement_id)
        .where(*waits, acceptance.c.account_id != actor.id, or_(giver, of_dataset))
        .order_by(acceptance.c.accepted)
    )
    return tuple(map(_acceptance, session.execute(wanted.limit(200))))


def read_acceptance(session: Session, acceptance_id: str) -> Acceptance:
    """One acceptance. Raises `NotFound`. Whoever asks may know it."""
    row = session.execute(select(acceptance).where(acceptance.c.id == acceptance_id)).first()
    if row is None:
        raise NotFound(f"there is no acceptance {acceptance_id}")
    return _acceptance(row)


def _given(work: UnitOfWork, acceptance_id: str) -> tuple[Acceptance, Agreement]:
    """An acceptance and its agreement, for those who give that and may share."""
    found = read_acceptance(work.session, acceptance_id)
    of = read_agreement(work.session, found.agreement_id)
    if not gives(work.session, work.actor, Right.SHARE, of):
        raise NotFound(f"there is no acceptance {acceptance_id}")
    work.ask_giver(Right.SHARE, of.organisation_id, of.dataset_id)
    return found, of


def _start(work: UnitOfWork, made: Acceptance, of: Agreement, now: datetime) -> Acceptance:
    """Have an acceptance count from now on, for as long as its terms say, and end the earlier ones."""
    ends = now + timedelta(days=of.terms.lasts_days) if of.terms.lasts_days else None
    mine = acceptance.c.agreement_id == of.id, acceptance.c.account_id == made.account_id
    open_yet = acceptance.c.id != made.id, (acceptance.c.ends.is_(None)) | (acceptance.c.ends > now)
    work.session.execute(update(acceptance).where(*mine, *open_yet).values(ends=now))
    started = update(acceptance).where(acceptance.c.id == made.id).values(counts_from=now, ends=ends)
    work.session.execute(started)
    return read_acceptance(work.session, made.id)


def _acceptance(row: Row[Any]) -> Acceptance:
    return Acceptance(**row._mapping)
