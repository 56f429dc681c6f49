"""Whom a dataset is for: its tier, when an embargo on it ends, and the organisation that it belongs to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from pulvinar.access.tables import dataset_access, organisation
from pulvinar.access.visibility import EVERYONE, REGISTERED, visible
from pulvinar.model.access import Access, Actor, Right, Tier

_SHOWN = {
    Tier.PUBLIC: {EVERYONE: Right.READ},
    Tier.REGISTERED: {EVERYONE: Right.SEE, REGISTERED: Right.READ},
    Tier.CONTROLLED: {EVERYONE: Right.SEE},
    Tier.EMBARGOED: {},
    Tier.PRIVATE: {},
}


def shown_by(tier: Tier) -> dict[str, Right]:
    """What those who are not named may do to a published dataset of a tier."""
    return dict(_SHOWN[tier])


def access_of(session: Session, dataset_id: str) -> Access:
    """Whom a dataset is for. Private to the rooms above, which ask whether that may be known."""
    row = session.execute(select(dataset_access).where(dataset_access.c.dataset_id == dataset_id)).first()
    return Access(Tier(row.tier), row.opens, row.home, row.made_by) if row else Access()


def controlled_among(session: Session, dataset_ids: Collection[str]) -> frozenset[str]:
    """Those of the datasets whose reading is granted to persons, and counted."""
    ids = sorted(dataset_ids)
    found: set[str] = set()
    for first in range(0, len(ids), 500):
        wanted = select(dataset_access.c.dataset_id).where(dataset_access.c.dataset_id.in_(ids[first : first + 500]))
        found.update(session.scalars(wanted.where(dataset_access.c.tier == Tier.CONTROLLED.value)))
    return frozenset(found)


def set_access(session: Session, dataset_id: str, access: Access) -> None:
    """Write down whom a dataset is for. Private to the rooms above, which show and hide it accordingly."""
    session.execute(delete(dataset_access).where(dataset_access.c.dataset_id == dataset_id))
    values = {"tier": access.tier.value, "opens": access.opens, "home": access.home, "made_by": access.made_by}
    session.execute(insert(dataset_access).values(dataset_id=dataset_id, **values))


def strictest(session: Session, dataset_ids: Collection[str]) -> Access:
    """The tier of what is made from datasets, with the last day on which an embargo on one of them ends; their home,
    where it is the same."""
    found = [access_of(session, one) for one in dataset_ids]
    tier = max((one.tier for one in found), key=lambda one: one.strictness, default=Tier.PUBLIC)
    opens = [one.opens for one in found if one.tier is Tier.EMBARGOED and one.opens is not None]
    homes = {one.home for one in found}
    return Access(tier, max(opens, default=None) if tier is Tier.EMBARGOED else None, *homes if len(homes) == 1 else ())


def opening_now(session: Session, limit: int = 100) -> tuple[str, ...]:
    """The datasets whose embargo is over, and which still are under it."""
    due = select(dataset_access.c.dataset_id).where(
        dataset_access.c.opens <= datetime.now(UTC), dataset_access.c.tier == Tier.EMBARGOED.value
    )
    return tuple(session.scalars(due.limit(limit)))


def at_home(session: Session, actor: Actor, organisation_id: str, limit: int) -> tuple[str, ...]:
    """The newest datasets that belong to an organisation or to one right below it, of those that `actor` may see."""
    below = select(organisation.c.id).where(organisation.c.parent == organisation_id)
    of_it = or_(dataset_access.c.home == organisation_id, dataset_access.c.home.in_(below))
    wanted = select(dataset_access.c.dataset_id).where(of_it, visible(actor, dataset_access.c.dataset_id))
    return tuple(session.scalars(wanted.order_by(dataset_access.c.dataset_id.desc()).limit(limit)))
