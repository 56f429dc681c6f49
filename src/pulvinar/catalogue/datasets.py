"""Datasets: make one, list them, find one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from pulvinar.access.visibility import audience_of, newest_visible, show, visible
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import search
from pulvinar.catalogue.sharing import settle
from pulvinar.catalogue.subjects import link_subject
from pulvinar.catalogue.tables import dataset
from pulvinar.catalogue.versions import latest_versions
from pulvinar.catalogue.withdrawals import withdrawn_among
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Access, Actor, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.identity import check_id, new_id
from pulvinar.model.record import Record, Species, record_from_json, record_to_json, without_names
from pulvinar.storage.database import Database

T = TypeVar("T")
_LIMIT = 200


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list; `next_cursor` asks for what follows, and is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def create_dataset(work: UnitOfWork, record: Record, *, node: str = "local", access: Access | None = None) -> Dataset:
    """A new dataset without a version; nobody sees it before `work` is committed.

    Whoever makes it administers it, and so do by their roles the members of its home. Raises `Forbidden`, and
    `NotFound` for a home that the actor is not in.
    """
    access = replace(access or Access(), made_by=work.actor.id)
    if access.home is None:
        work.ask(Right.WRITE)
    else:
        work.ask_in(Right.WRITE, access.home)
    made = Dataset(new_id(node), record, datetime.now(UTC))
    values = {"id": made.id, "species": record.species.value, "created": made.created}
    work.session.execute(insert(dataset).values(**values, record=record_to_json(record)))
    settle(work.session, made.id, access)
    if not work.actor.is_owner:
        show(work.session, made.id, audience_of(work.actor.id), Right.ADMINISTER)
    search.reindex(work.session, made.id)
    if record.subject:
        link_subject(work.session, made.id, record.subject)
    # no words of the record: they may name a person, and the log outlives an erasure
    work.record_event("create", made.id, {"species": record.species.value})
    return made


def list_datasets(
    database: Database,
    actor: Actor,
    *,
    cursor: str | None = None,
    limit: int = 24,
    species: Species | str | None = None,
    query: str = "",
) -> Page[Dataset]:
    """What `actor` may see, newest first, each with its newest version.

    `query` is text in either language, see `search`; `cursor` comes from the page before. Raises `Invalid` for a
    cursor that no page gave, an unknown species or a limit outside 1 to 200.
    """
    if not 1 <= limit <= _LIMIT:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_LIMIT}")
    wanted = _species(species)
    with database.session() as session:
        below = _number(session, actor, cursor) if cursor else None
        found = None
        if query.strip():
            found = search.find(session, actor, query, species=wanted, below=below, limit=limit + 1)
        if found is None:
            found = list(session.scalars(newest_visible(actor, species=wanted, below=below, limit=limit + 1)))
        items = _read(session, actor, dataset.c.seq.in_(found[:limit]))
    return Page(tuple(items), items[-1].id if items and len(found) > limit else None)


def get_dataset(database: Database, actor: Actor, dataset_id: str) -> Dataset:
    """One dataset with its newest version. Raises `NotFound` when there is none that `actor` may see."""
    with database.session() as session:
        found = _read(session, actor, dataset.c.id == dataset_id)
    if not found:
        raise NotFound(f"there is no dataset {dataset_id}")
    return found[0]


def datasets_among(database: Database, actor: Actor, dataset_ids: Collection[str]) -> tuple[Dataset, ...]:
    """Those of some datasets that `actor` may see, newest first."""
    with database.session() as session:
        return tuple(_read(session, actor, dataset.c.id.in_(dataset_ids))) if dataset_ids else ()


def _read(session: Session, actor: Actor, which: ColumnElement[bool]) -> list[Dataset]:
    """Those of the datasets that `actor` may see, newest first, each with its newest version."""
    wanted = select(dataset).where(which, visible(actor, dataset.c.id)).order_by(dataset.c.seq.desc())
    rows = session.execute(wanted).all()
    latest = latest_versions(session, actor, [row.id for row in rows])
    withdrawn = withdrawn_among(session, [row.id for row in rows if row.id not in latest])
    return [
        Dataset(
            row.id,
            latest[row.id].record if row.id in latest else _told(actor, record_from_json(row.record)),
            row.created,
            latest.get(row.id),
            row.id in withdrawn,
        )
        for row in rows
    ]


def _told(actor: Actor, record: Record) -> Record:
    return without_names(record) if actor.is_blind else record


def _species(name: Species | str | None) -> Species | None:
    try:
        return Species(name) if name else None
    except ValueError as error:
        known = ", ".join(Species)
        raise Invalid(f"{name!r} is not a species of this platform", hint=f"known: {known}") from error


def _number(session: Session, actor: Actor, cursor: str) -> int:
    """The number of the dataset that ended the page before: the cursor is its identifier, and so tells nothing of how
    many there are that nobody showed."""
    try:
        known = select(dataset.c.seq).where(dataset.c.id == check_id(cursor), visible(actor, dataset.c.id))
        number: int = session.scalars(known).one()
    except (Invalid, NoResultFound) as error:
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before") from error
    return number
