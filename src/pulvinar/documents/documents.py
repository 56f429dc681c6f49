"""Documents: make one, list them, find one, give it another title, delete it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from pulvinar.access.visibility import audience_of, is_signed_in
from pulvinar.access.work import UnitOfWork, check_right
from pulvinar.atlases.installed import find_atlas
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.datasets import Page, get_dataset
from pulvinar.documents.rights import check_document, document_visible, give, named_audiences
from pulvinar.documents.tables import document, document_grant
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.document import Document
from pulvinar.model.identity import new_id
from pulvinar.model.text import storable
from pulvinar.storage.database import Database

LONGEST_TITLE = 200
_LIMIT = 200


def create_document(
    database: Database,
    actor: Actor,
    title: str,
    *,
    dataset_id: str = "",
    atlas: str = "",
    asset_id: str = "",
    node: str = "local",
) -> Document:
    """A new document without a mark, private to who makes it: on a dataset, or in the space of an atlas.

    `asset_id` names the cells of that dataset that its verdicts are about. Raises `Forbidden` for who isn't signed in,
    `NotFound` for what the actor may not view, `Invalid` for both a dataset and an atlas, or neither.
    """
    if bool(dataset_id) == bool(atlas):
        raise Invalid("marks lie on one dataset, or in the space of one atlas", hint="name either of them")
    # looked up before the change begins: nothing of the two is changed by it
    if atlas:
        found = find_atlas(database, actor, atlas)
        dataset_id, atlas = found.dataset_id, found.atlas.name
    else:
        get_dataset(database, actor, dataset_id)
    if asset_id and find_home(database, actor, asset_id, Right.VIEW)[0].dataset_id != dataset_id:
        raise NotFound(f"dataset {dataset_id} has no asset {asset_id}")
    now = datetime.now(UTC)
    made = Document(new_id(node), checked_title(title), dataset_id, atlas, asset_id, 0, actor.id, now, now)
    with UnitOfWork(database, actor) as work:
        work.ask_by(lambda session, who: _check_may_make(session, who, dataset_id))
        work.session.execute(insert(document).values(vars(made)))
        give(work.session, made.id, audience_of(actor.id), Right.ADMINISTER, actor.id)
        work.record_event("create-document", made.id, {"dataset": dataset_id, "atlas": atlas})
    return made


def _check_may_make(session: Session, actor: Actor, dataset_id: str) -> None:
    check_right(session, actor, Right.VIEW, dataset_id)
    if not is_signed_in(actor) or actor.ceiling < Right.WRITE:
        raise Forbidden(f"{actor.name} may keep nothing here", hint="sign in first")


def checked_title(title: str) -> str:
    """`title` as it is kept. Raises `Invalid` for none, or for one that is too long."""
    kept: str = storable(" ".join(title.split()))
    if not 1 <= len(kept) <= LONGEST_TITLE:
        raise Invalid(f"the title has {len(kept)} letters", hint=f"1 to {LONGEST_TITLE}")
    return kept


def get_document(database: Database, actor: Actor, document_id: str) -> Document:
    """One document. Raises `NotFound` when there is none that `actor` may see."""
    with database.session() as session:
        return read_document(session, actor, document_id)


def read_document(session: Session, actor: Actor, document_id: str) -> Document:
    """As `get_document`, of a session that is open."""
    row = session.execute(
        select(document).where(document.c.id == document_id, document_visible(actor, document))
    ).first()
    if row is None:
        raise NotFound(f"there is no document {document_id}")
    return _document(row)


def list_documents(
    database: Database,
    actor: Actor,
    *,
    dataset_id: str = "",
    atlas: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Document]:
    """The documents on a dataset or in an atlas's space that `actor` may see, the one changed last first; without
    either, those that the actor made or that were shared with the actor by name.

    Raises `Invalid` for a cursor that no page gave, or a limit outside 1 to 200.
    """
    if not 1 <= limit <= _LIMIT:
        raise Invalid(f"limit is {limit}", hint=f"use 1 to {_LIMIT}")
    wanted = select(document).where(document_visible(actor, document))
    if atlas:
        wanted = wanted.where(document.c.atlas == atlas)
    elif dataset_id:
        wanted = wanted.where(document.c.dataset_id == dataset_id)
    else:
        mine = select(document_grant.c.document_id).where(document_grant.c.audience.in_(named_audiences(actor)))
        wanted = wanted.where(document.c.id.in_(mine))
    with database.session() as session:
        if cursor:
            last = _last(session, actor, cursor)
            wanted = wanted.where(tuple_(document.c.changed, document.c.id) < (last.changed, last.id))
        ordered = wanted.order_by(document.c.changed.desc(), document.c.id.desc()).limit(limit + 1)
        rows = session.execute(ordered).all()
    items = tuple(_document(row) for row in rows[:limit])
    return Page(items, items[-1].id if len(rows) > limit else None)


def _last(session: Session, actor: Actor, cursor: str) -> Document:
    try:
        return read_document(session, actor, cursor)
    except NotFound as error:
        raise Invalid(f"{cursor!r} is not a cursor", hint="use next_cursor of the page before") from error


def rename_document(work: UnitOfWork, document_id: str, title: str) -> None:
    """Give a document another title."""
    work.ask_by(lambda session, actor: check_document(session, actor, Right.WRITE, document_id))
    kept = checked_title(title)
    work.session.execute(update(document).where(document.c.id == document_id).values(title=kept))
    work.record_event("rename-document", document_id, {"title": kept})


def delete_document(work: UnitOfWork, document_id: str) -> None:
    """Delete a document with all that was ever in it."""
    work.ask_by(lambda session, actor: check_document(session, actor, Right.ADMINISTER, document_id))
    work.session.execute(delete(document).where(document.c.id == document_id))
    work.record_event("delete-document", document_id)


def _document(row: Row[Any]) -> Document:
    return Document(**row._mapping)
