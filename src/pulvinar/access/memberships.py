"""The audiences that a person belongs to: whoever has signed in, and the members of each organisation."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from pulvinar.access.tables import account, organisation, organisation_member
from pulvinar.access.visibility import REGISTERED, organisation_audience
from pulvinar.model.access import ANONYMOUS, Actor, Membership, Right
from pulvinar.model.account import AccountState


def memberships_of(session: Session, actor_id: str) -> tuple[Membership, ...]:
    """What a person or a service with an account belongs to.

    A role in an organisation holds in all those below it; of several the highest counts.
    """
    roles = roles_of(session, actor_id)
    return (
        Membership(REGISTERED, Right.READ),
        *(Membership(organisation_audience(one), role) for one, role in sorted(roles.items())),
    )


def roles_of(session: Session, actor_id: str) -> dict[str, Right]:
    """The highest role that an actor has in each organisation, its own or that of one above it."""
    own = select(organisation_member.c.organisation_id.label("id"), organisation_member.c.role)
    below = own.where(organisation_member.c.actor_id == actor_id).cte("below", recursive=True)
    child = aliased(organisation)
    # UNION ends where organisations lie in each other in a ring
    below = below.union(select(child.c.id, below.c.role).where(child.c.parent == below.c.id))
    roles: dict[str, Right] = {}
    for row in session.execute(select(below.c.id, below.c.role)):
        roles[row.id] = max(Right(row.role), roles.get(row.id, Right.SEE))
    return roles


def renewed(session: Session, actor: Actor) -> Actor:
    """An actor who was written down earlier, with what the actor is and belongs to now.

    Whose account was disabled since is a visitor. One without an account is the owner of the machine, or a visitor.
    """
    row = session.execute(select(account.c.state, account.c.is_owner).where(account.c.id == actor.id)).first()
    if row is None:
        return actor if actor.is_owner or actor.id == ANONYMOUS.id else _member(session, actor)
    if row.state != AccountState.ACTIVE.value:
        return replace(actor, is_owner=False, memberships=())
    return _member(session, replace(actor, is_owner=row.is_owner))


def _member(session: Session, actor: Actor) -> Actor:
    return replace(actor, memberships=memberships_of(session, actor.id))
