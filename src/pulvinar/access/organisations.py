"""Labs, projects and teams: make one, and say who is in it with which role."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from pulvinar.access.memberships import roles_of
from pulvinar.access.tables import organisation, organisation_member
from pulvinar.access.visibility import organisation_audience
from pulvinar.access.work import UnitOfWork
from pulvinar.errors import Conflict, Invalid, NotFound
from pulvinar.model.access import Actor, Organisation, OrganisationKind, Right
from pulvinar.model.identity import new_id

_LONGEST_NAME = 200


def make_organisation(
    work: UnitOfWork, name: str, kind: OrganisationKind, *, parent: str | None = None, node: str = "local"
) -> Organisation:
    """A new organisation, whose first administrator is who makes it: an owner of the node, or of one in `parent` an
    administrator of that. Raises `Forbidden`, `NotFound`, `Invalid` for a name that is none."""
    if parent is None:
        work.ask(Right.ADMINISTER)
    else:
        work.ask_in(Right.ADMINISTER, parent)
    made = Organisation(new_id(node), _checked_name(name), kind, parent)
    values = {"id": made.id, "name": made.name, "kind": kind.value, "parent": parent}
    work.session.execute(insert(organisation).values(**values, made=datetime.now(UTC)))
    _set_role(work.session, made.id, work.actor.id, Right.ADMINISTER)
    work.record_event("make-organisation", made.id, {"name": made.name, "kind": kind.value, "parent": parent})
    return made


def rename_organisation(work: UnitOfWork, organisation_id: str, name: str) -> None:
    """Give an organisation another name."""
    work.ask_in(Right.ADMINISTER, organisation_id)
    changed = update(organisation).where(organisation.c.id == organisation_id)
    work.session.execute(changed.values(name=_checked_name(name)))
    work.record_event("rename-organisation", organisation_id, {"name": name})


def set_member(work: UnitOfWork, organisation_id: str, actor_id: str, role: Right) -> None:
    """Make somebody a member with `role`, or give a member another one. Raises `Conflict` for the
    last administrator, who stays one."""
    work.ask_in(Right.ADMINISTER, organisation_id)
    if role < Right.ADMINISTER:
        _keep_one_administrator(work.session, organisation_id, actor_id)
    _set_role(work.session, organisation_id, actor_id, role)
    work.record_event("set-member", organisation_id, {"actor": actor_id, "role": role.name.lower()})


def remove_member(work: UnitOfWork, organisation_id: str, actor_id: str) -> None:
    """Take somebody out of an organisation; whoever wants to leave may. The last administrator stays (`Conflict`)."""
    if actor_id == work.actor.id:
        work.ask_own(actor_id)
    work.ask_in(Right.SEE if actor_id == work.actor.id else Right.ADMINISTER, organisation_id)
    _keep_one_administrator(work.session, organisation_id, actor_id)
    mine = organisation_member.c.organisation_id == organisation_id, organisation_member.c.actor_id == actor_id
    work.session.execute(delete(organisation_member).where(*mine))
    work.record_event("remove-member", organisation_id, {"actor": actor_id})


def get_organisation(session: Session, actor: Actor, organisation_id: str) -> Organisation:
    """One that `actor` is in, or any for an owner of the node. Raises `NotFound`."""
    found = public_organisation(session, organisation_id)
    audience = organisation_audience(organisation_id)
    if found is None or not (actor.is_owner or any(one.audience == audience for one in actor.memberships)):
        raise NotFound(f"there is no organisation {organisation_id}")
    return found


def public_organisation(session: Session, organisation_id: str) -> Organisation | None:
    """One by its identifier, without its members. Private to the rooms above, which show it to who sees data of it."""
    row = session.execute(select(organisation).where(organisation.c.id == organisation_id)).first()
    return Organisation(row.id, row.name, OrganisationKind(row.kind), row.parent) if row else None


def list_organisations(session: Session, actor: Actor) -> tuple[tuple[Organisation, Right], ...]:
    """Those that `actor` is in with the role in each, by name; for an owner of the node all of them."""
    rows = session.execute(select(organisation).order_by(organisation.c.name, organisation.c.id)).all()
    roles = {row.id: Right.ADMINISTER for row in rows} if actor.is_owner else roles_of(session, actor.id)
    return tuple(
        (Organisation(row.id, row.name, OrganisationKind(row.kind), row.parent), roles[row.id])
        for row in rows
        if row.id in roles
    )


def members_of(session: Session, organisation_id: str) -> dict[str, Right]:
    """The identifiers of the members of an organisation itself, each with its role. Whoever asks may see it."""
    mine = select(organisation_member).where(organisation_member.c.organisation_id == organisation_id)
    return {row.actor_id: Right(row.role) for row in session.execute(mine.order_by(organisation_member.c.actor_id))}


def _set_role(session: Session, organisation_id: str, actor_id: str, role: Right) -> None:
    mine = organisation_member.c.organisation_id == organisation_id, organisation_member.c.actor_id == actor_id
    session.execute(delete(organisation_member).where(*mine))
    values = {"organisation_id": organisation_id, "actor_id": actor_id, "role": int(role)}
    session.execute(insert(organisation_member).values(**values))


def _keep_one_administrator(session: Session, organisation_id: str, actor_id: str) -> None:
    administrators = [one for one, role in members_of(session, organisation_id).items() if role is Right.ADMINISTER]
    if administrators == [actor_id]:
        raise Conflict(
            f"{actor_id} is the only administrator of organisation {organisation_id}",
            hint="make another member an administrator first",
        )


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Invalid(f"an organisation can't be named {name[:50]!r}", hint=f"use 1 to {_LONGEST_NAME} characters")
    return name
