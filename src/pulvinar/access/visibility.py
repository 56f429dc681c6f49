"""What an actor may see, as one SQL statement that every read joins."""

from __future__ import annotations

from sqlalchemy import Select, column, literal, select, table, true, union
from sqlalchemy.orm import Session

from pulvinar.access.tables import granted
from pulvinar.model.access import Actor, Right

# The room above owns this table; here only its key and its state matter.
_dataset = table("dataset", column("id"), column("is_published"))


def visible_to(actor: Actor) -> Select[tuple[str]]:
    """The identifiers of the datasets that `actor` may see, one column `id`.

    The owner sees all; anybody else what is published and what was granted. The two are joined by UNION, never by OR,
    so that each walks its own index.
    """
    if actor.is_owner:
        return select(_dataset.c.id)
    either = union(
        select(_dataset.c.id).where(_dataset.c.is_published == true()),
        select(granted.c.dataset_id.label("id")).where(granted.c.actor_id == actor.id, granted.c.level >= Right.SEE),
    ).subquery("either")
    return select(either.c.id)


def may(session: Session, actor: Actor, right: Right, dataset_id: str) -> bool:
    """Whether `actor` has `right` on a dataset. To see is enough to read what is published."""
    if actor.is_owner:
        return True
    if right <= Right.READ:
        visible = visible_to(actor).subquery()
        return session.execute(select(literal(1)).where(visible.c.id == dataset_id)).first() is not None
    found = select(granted.c.level).where(granted.c.actor_id == actor.id, granted.c.dataset_id == dataset_id)
    level = session.scalar(found)
    return level is not None and level >= right
