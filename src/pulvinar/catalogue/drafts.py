"""The drafts that an actor may change: what somebody was about to publish."""

from __future__ import annotations

from sqlalchemy import select

from pulvinar.access.visibility import visible
from pulvinar.catalogue.datasets import datasets_among
from pulvinar.catalogue.tables import version
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Dataset, VersionState
from pulvinar.storage.database import Database


def own_drafts(database: Database, actor: Actor, *, limit: int = 50) -> tuple[Dataset, ...]:
    """The datasets with a draft that `actor` may write to, by name and not because everyone may, the newest first."""
    may = visible(actor, version.c.dataset_id, Right.WRITE, by_name=True)
    drafts = select(version.c.dataset_id).where(version.c.state == VersionState.DRAFT.value, may)
    with database.session() as session:
        ids = list(session.scalars(drafts.order_by(version.c.created.desc(), version.c.id).limit(limit)))
    return datasets_among(database, actor, ids)
