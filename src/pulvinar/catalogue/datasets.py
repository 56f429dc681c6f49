"""Datasets: make one, list them, find one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import visible_to
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import search
from pulvinar.catalogue.tables import dataset, dataset_subject, subject
from pulvinar.catalogue.versions import latest_versions
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Dataset
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species, Subject, record_from_json, record_to_json
from pulvinar.storage.database import Database

T = TypeVar("T")
_LIMIT = 200


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list; `next_cursor` asks for what follows, and is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def create_dataset(work: UnitOfWork, record: Record, *, node: str = "local") -> Dataset:
    """A new dataset without a version; nobody sees it before `work` is committed."""
    work.ask(Right.WRITE)
    made = Dataset(new_id(node), record, datetime.now(UTC))
    values = {"id": made.id, "species": record.species.value, "is_published": False, "created": made.created}
    added = insert(dataset).values(**values, record=record_to_json(record)).returning(dataset.c.seq)
    seq = work.session.scalars(added).one()
    search.store_words(work.session, seq, search.words_of_dataset(record, ()))
    if record.subject:
        _link_subject(work.session, made.id, record.subject)
    work.record_event("create", made.id, {"title": record.title})
    return made


def _link_subject(session: Session, dataset_id: str, of: Subject) -> None:
    known = select(subject.c.name).where(subject.c.name == of.name, subject.c.species == of.species.value)
    if session.execute(known).first() is None:
        details = {"sex": of.sex, "age": of.age, "strain": of.strain}
        session.execute(insert(subject).values(name=of.name, species=of.species.value, details=details))
    values = {"dataset_id": dataset_id, "subject_name": of.name, "species": of.species.value}
    session.execute(insert(dataset_subject).values(**values))


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
        rows = session.execute(_listing(session, actor, cursor, wanted, query).limit(limit + 1)).all()
        items = _with_latest(session, actor, rows[:limit])
    return Page(tuple(items), _cursor(rows[limit - 1].seq) if len(rows) > limit else None)


def _listing(session: Session, actor: Actor, cursor: str | None, species: Species | None, query: str) -> Select[Any]:
    visible = visible_to(actor).subquery("visible")
    chosen = select(dataset).join(visible, visible.c.id == dataset.c.id)
    match = search.matching(session, query, species) if query.strip() else None
    key: ColumnElement[Any] = dataset.c.seq
    if match is not None:
        chosen = chosen.join(match.source, match.seq == dataset.c.seq).where(match.condition)
        key = match.seq
    elif species:
        chosen = chosen.where(dataset.c.species == species.value)
    if cursor:
        chosen = chosen.where(key < _number(cursor))
    return chosen.order_by(key.desc())


def get_dataset(database: Database, actor: Actor, dataset_id: str) -> Dataset:
    """One dataset with its newest version. Raises `NotFound` when there is none that `actor` may see."""
    visible = visible_to(actor).subquery("visible")
    wanted = select(dataset).join(visible, visible.c.id == dataset.c.id).where(dataset.c.id == dataset_id)
    with database.session() as session:
        found = _with_latest(session, actor, session.execute(wanted).all())
    if not found:
        raise NotFound(f"there is no dataset {dataset_id}")
    return found[0]


def _with_latest(session: Session, actor: Actor, rows: Sequence[Row[Any]]) -> list[Dataset]:
    latest = latest_versions(session, actor, [row.id for row in rows])
    return [
        Dataset(
            row.id,
            latest[row.id].record if row.id in latest else record_from_json(row.record),
            row.created,
            latest.get(row.id),
        )
        for row in rows
    ]


def _species(name: Species | str | None) -> Species | None:
    try:
        return Species(name) if name else None
    except ValueError as error:
        known = ", ".join(Species)
        raise Invalid(f"{name!r} is not a species of this platform", hint=f"known: {known}") from error


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(f"d{seq}".encode()).decode().rstrip("=")


def _number(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        if text[:1] != "d" or len(text) > 19:
            raise ValueError(text)
        return int(text[1:])
    except (ValueError, binascii.Error) as error:
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before") from error
