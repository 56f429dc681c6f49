"""Whom a request concerns: the people who may do something to a dataset, or in an organisation."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.access.accounts import account_from_row
from pulvinar.access.tables import account, granted, organisation, organisation_member
from pulvinar.access.visibility import audience_of, lasts, organisation_audience
from pulvinar.model.access import Right
from pulvinar.model.account import Account, AccountKind, AccountState

_ACTOR, _ORGANISATION = audience_of(""), organisation_audience("")


def who_may_on(session: Session, dataset_id: str, right: Right) -> tuple[Account, ...]:
    """The people who have `right` on a dataset by name or by an organisation; the node's owners where nobody has."""
    given = granted.c.dataset_id == dataset_id, granted.c.level >= right, lasts()
    rows = session.scalars(select(granted.c.audience).where(*given))
    found: set[str] = set()
    for audience in rows:
        if audience.startswith(_ACTOR):
            found.add(audience.removeprefix(_ACTOR))
        elif audience.startswith(_ORGANISATION):
            found |= _members_with(session, audience.removeprefix(_ORGANISATION), right)
    return _people(session, found)


def who_may_in(session: Session, organisation_id: str, right: Right) -> tuple[Account, ...]:
    """The people with at least the role `right` in an organisation; the node's owners where there is none."""
    return _people(session, _members_with(session, organisation_id, right))


def _members_with(session: Session, organisation_id: str, right: Right) -> set[str]:
    above = select(organisation.c.id, organisation.c.parent).where(organisation.c.id == organisation_id)
    line = above.cte("line", recursive=True)
    line = line.union(select(organisation.c.id, organisation.c.parent).where(organisation.c.id == line.c.parent))
    members = select(organisation_member.c.actor_id).where(
        organisation_member.c.organisation_id.in_(select(line.c.id)), organisation_member.c.role >= right
    )
    return set(session.scalars(members))


def _people(session: Session, ids: set[str]) -> tuple[Account, ...]:
    can = account.c.kind == AccountKind.PERSON.value, account.c.state == AccountState.ACTIVE.value
    who = account.c.id.in_(sorted(ids)) if ids else account.c.is_owner
    rows = session.execute(select(account).where(*can, who).order_by(account.c.login)).all()
    if ids and not rows:
        return _people(session, set())
    return tuple(map(account_from_row, rows))


def accounts_named(session: Session, ids: Iterable[str]) -> dict[str, Account]:
    """Accounts by their identifiers; those that are gone are left out. Whoever asks may know who it is."""
    rows = session.execute(select(account).where(account.c.id.in_(sorted(set(ids)))))
    return {one.id: one for one in map(account_from_row, rows)}
