"""Collections: datasets that somebody put together, in an order, under a title and with a description.

A collection shows nothing by itself: of its datasets everyone sees those that they may see anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, literal, select, true, update
from sqlalchemy.orm import Session

from pulvinar.access.visibility import EVERYONE, REGISTERED, audience_of, audiences, is_signed_in, visible
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.catalogue.datasets import datasets_among
from pulvinar.catalogue.tables import collection, collection_grant, collection_item, dataset
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.identity import new_id
from pulvinar.model.text import storable
from pulvinar.storage.database import Database

MOST_DATASETS = 500
MOST_LISTED = 200
_LONGEST_TITLE, _LONGEST_DESCRIPTION = 200, 10_000


@dataclass(frozen=True)
class Collection:
    """A collection as an actor sees it: `right` is what the actor may do to it, `count` how many of its datasets the
    actor sees, `is_public` whether everyone sees it. `changed` is when it was described last: that something was put
    into it, which the actor may not see, tells nothing."""

    id: str
    title: str
    description: str
    made_by: str
    changed: datetime
    right: Right
    is_public: bool
    count: int


def make_collection(work: UnitOfWork, title: str, description: str = "", *, node: str = "local") -> str:
    """A new collection, of which nobody knows but who makes it; its identifier. Raises `Forbidden` for who isn't signed
    in, `Invalid` for a title that is none."""
    work.ask_by(_check_may_make)
    now = datetime.now(UTC)
    values = {"id": new_id(node), "title": _title(title), "description": _description(description)}
    work.session.execute(insert(collection).values(**values, made_by=work.actor.id, made=now, changed=now))
    _give(work.session, values["id"], audience_of(work.actor.id), Right.ADMINISTER, work.actor.id)
    work.record_event("make-collection", values["id"], {"title": values["title"]})
    return values["id"]


def describe_collection(work: UnitOfWork, collection_id: str, title: str, description: str) -> None:
    """Give a collection another title and description. Raises `NotFound`, `Forbidden`, `Invalid`."""
    _ask(work, collection_id, Right.WRITE)
    _change(work.session, collection_id, title=_title(title), description=_description(description))
    work.record_event("describe-collection", collection_id, {"title": title})


def add_dataset(work: UnitOfWork, collection_id: str, dataset_id: str) -> None:
    """Put a dataset that the actor sees at the end of a collection; one that is there already stays in its place.

    Raises `NotFound`, `Forbidden`, and `Conflict` for a collection that is full.
    """
    _ask(work, collection_id, Right.WRITE)
    check_right(work.session, work.actor, Right.SEE, dataset_id)
    # an owner may do everything, also to what isn't there
    if work.session.scalar(select(literal(1)).where(dataset.c.id == dataset_id)) is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    known = _items(work.session, collection_id)
    if len(known) >= MOST_DATASETS:
        raise Conflict(f"the collection has {MOST_DATASETS} datasets", hint="make another one")
    if dataset_id not in known:
        last = select(func.coalesce(func.max(collection_item.c.position), 0)).where(_in(collection_id))
        position = (work.session.scalar(last) or 0) + 1
        row = {"collection_id": collection_id, "dataset_id": dataset_id, "position": position}
        work.session.execute(insert(collection_item).values(row))
    work.record_event("add-to-collection", collection_id, {"dataset": dataset_id})


def remove_dataset(work: UnitOfWork, collection_id: str, dataset_id: str) -> None:
    """Take a dataset out of a collection. Raises `NotFound`, `Forbidden`."""
    _ask(work, collection_id, Right.WRITE)
    work.session.execute(delete(collection_item).where(_in(collection_id), collection_item.c.dataset_id == dataset_id))
    work.record_event("take-from-collection", collection_id, {"dataset": dataset_id})


def move_dataset(work: UnitOfWork, collection_id: str, dataset_id: str, *, up: bool) -> None:
    """Move a dataset one place up or down, among those that the actor sees. Raises `NotFound`, `Forbidden`."""
    _ask(work, collection_id, Right.WRITE)
    seen = visible(work.actor, collection_item.c.dataset_id)
    rows = work.session.execute(_ordered().where(_in(collection_id), seen)).all()
    ids = [row.dataset_id for row in rows]
    if dataset_id not in ids:
        raise NotFound(f"the collection has no dataset {dataset_id}")
    at = ids.index(dataset_id)
    other = at - 1 if up else at + 1
    if 0 <= other < len(rows):
        for row, position in ((rows[at], rows[other].position), (rows[other], rows[at].position)):
            mine = _in(collection_id), collection_item.c.dataset_id == row.dataset_id
            work.session.execute(update(collection_item).where(*mine).values(position=position))
    work.record_event("move-in-collection", collection_id, {"dataset": dataset_id, "up": up})


def share_collection(work: UnitOfWork, collection_id: str, audience: str, right: Right) -> None:
    """Give an audience (an actor, an organisation, everyone, who is signed in) `right` on a collection.

    Raises `NotFound`, `Forbidden`, and `Invalid` for a right to change of those who aren't named.
    """
    _ask(work, collection_id, max(Right.SHARE, right))
    if audience in (EVERYONE, REGISTERED) and right > Right.READ:
        raise Invalid(f"{audience} can't be given the right to {right.name.lower()}", hint="name persons")
    _give(work.session, collection_id, audience, right, work.actor.id)
    work.record_event("share-collection", collection_id, {"audience": audience, "right": right.name.lower()})


def unshare_collection(work: UnitOfWork, collection_id: str, audience: str) -> None:
    """Take from an audience what it was given. Raises `NotFound`, `Forbidden`, `Invalid` for who made it."""
    _ask(work, collection_id, Right.SHARE)
    maker = work.session.scalar(select(collection.c.made_by).where(collection.c.id == collection_id))
    if audience == audience_of(maker or ""):
        raise Invalid("who made a collection keeps it", hint="delete it, if nobody needs it any longer")
    _take(work.session, collection_id, audience)
    work.record_event("unshare-collection", collection_id, {"audience": audience})


def delete_collection(work: UnitOfWork, collection_id: str) -> None:
    """Have a collection be no more; its datasets stay. Raises `NotFound`, `Forbidden`."""
    _ask(work, collection_id, Right.ADMINISTER)
    work.session.execute(delete(collection).where(collection.c.id == collection_id))
    work.record_event("delete-collection", collection_id)


def get_collection(database: Database, actor: Actor, collection_id: str) -> tuple[Collection, tuple[Dataset, ...]]:
    """A collection and those of its datasets that `actor` may see, in its order. Raises `NotFound`."""
    found = _read(database, actor, collection.c.id == collection_id)
    if not found:
        raise NotFound(f"there is no collection {collection_id}")
    with database.session() as session:
        ids = [row.dataset_id for row in session.execute(_ordered().where(_in(collection_id)))]
    seen = sorted(datasets_among(database, actor, ids), key=lambda one: ids.index(one.id))
    return found[0], tuple(seen)


def list_collections(
    database: Database, actor: Actor, *, right: Right = Right.SEE, dataset_id: str | None = None
) -> tuple[Collection, ...]:
    """The collections on which `actor` has `right`, at most 200, those changed last first; only those with a dataset
    where one is named."""
    wanted: ColumnElement[bool] = true()
    if dataset_id is not None:
        holds = select(collection_item.c.collection_id).where(collection_item.c.dataset_id == dataset_id)
        wanted = collection.c.id.in_(holds)
    return tuple(one for one in _read(database, actor, wanted) if one.right >= right)


def _read(database: Database, actor: Actor, which: ColumnElement[bool]) -> list[Collection]:
    counted = (
        select(func.count())
        .select_from(collection_item)
        .where(collection_item.c.collection_id == collection.c.id, visible(actor, collection_item.c.dataset_id))
        .scalar_subquery()
    )
    wanted = select(collection, counted.label("datasets")).where(which, _visible(actor))
    newest = wanted.order_by(collection.c.changed.desc(), collection.c.id).limit(MOST_LISTED)
    with database.session() as session:
        rows = session.execute(newest).all()
        given = _grants(session, [row.id for row in rows])
    found = []
    for row in rows:
        its = given.get(row.id, {})
        about = row.id, row.title, row.description, row.made_by, row.changed
        found.append(Collection(*about, _right(actor, its), EVERYONE in its, row.datasets))
    return found


def _grants(session: Session, ids: list[str]) -> dict[str, dict[str, Right]]:
    """What each audience may do, by collection."""
    given: dict[str, dict[str, Right]] = {}
    for row in session.execute(select(collection_grant).where(collection_grant.c.collection_id.in_(ids))):
        given.setdefault(row.collection_id, {})[row.audience] = Right(row.level)
    return given


def _right(actor: Actor, given: dict[str, Right]) -> Right:
    """The most that `actor`, who sees a collection, may do to it."""
    if actor.is_owner:
        return actor.ceiling
    most = {one.audience: one.most for one in actor.memberships} | {audience_of(actor.id): Right.ADMINISTER}
    mine = (min(right, most.get(audience, Right.READ)) for audience, right in given.items() if _is_of(actor, audience))
    return min(actor.ceiling, max(mine, default=Right.SEE))


def _is_of(actor: Actor, audience: str) -> bool:
    return audience in audiences(actor)


def _visible(actor: Actor, right: Right = Right.SEE) -> ColumnElement[bool]:
    if actor.is_owner:
        return literal(right <= actor.ceiling)
    given = select(literal(1)).where(
        collection_grant.c.collection_id == collection.c.id,
        collection_grant.c.audience.in_(audiences(actor, right)),
        collection_grant.c.level >= right,
    )
    return given.exists() & literal(right <= actor.ceiling)


def _ask(work: UnitOfWork, collection_id: str, right: Right) -> None:
    def check(session: Session, actor: Actor) -> None:
        def may(one: Right) -> bool:
            known = select(literal(1)).where(collection.c.id == collection_id, _visible(actor, one))
            return session.scalar(known) is not None

        if may(right):
            return
        if not may(Right.SEE):
            raise NotFound(f"there is no collection {collection_id}")
        raise Forbidden(f"{actor.name} may not {right.name.lower()} collection {collection_id}")

    work.ask_by(check)


def _check_may_make(_: Session, actor: Actor) -> None:
    if not is_signed_in(actor) or actor.ceiling < Right.WRITE:
        raise Forbidden(f"{actor.name} may keep nothing here", hint="sign in first")


def _ordered() -> Select[Any]:
    return select(collection_item).order_by(collection_item.c.position, collection_item.c.dataset_id)


def _items(session: Session, collection_id: str) -> set[str]:
    return set(session.scalars(select(collection_item.c.dataset_id).where(_in(collection_id))))


def _in(collection_id: str) -> ColumnElement[bool]:
    return collection_item.c.collection_id == collection_id


def _change(session: Session, collection_id: str, **values: str) -> None:
    now = datetime.now(UTC)
    session.execute(update(collection).where(collection.c.id == collection_id).values(**values, changed=now))


def _give(session: Session, collection_id: str, audience: str, right: Right, given_by: str) -> None:
    _take(session, collection_id, audience)
    row = {"collection_id": collection_id, "audience": audience, "level": int(right), "given_by": given_by}
    session.execute(insert(collection_grant).values(row))


def _take(session: Session, collection_id: str, audience: str) -> None:
    gone = collection_grant.c.collection_id == collection_id, collection_grant.c.audience == audience
    session.execute(delete(collection_grant).where(*gone))


def _title(said: str) -> str:
    kept: str = storable(" ".join(said.split()))
    if not 1 <= len(kept) <= _LONGEST_TITLE:
        raise Invalid(f"the title has {len(kept)} letters", hint=f"1 to {_LONGEST_TITLE}")
    return kept


def _description(said: str) -> str:
    kept: str = storable(said.strip())
    if len(kept) > _LONGEST_DESCRIPTION:
        raise Invalid(f"the description has {len(kept)} letters", hint=f"at most {_LONGEST_DESCRIPTION}")
    return kept
