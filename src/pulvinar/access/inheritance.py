"""Of which datasets something in a dataset was made: what binds those binds it, too."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pulvinar.access.agreement_tables import dataset_agreement, dataset_source


def sources_of(session: Session, dataset_id: str) -> frozenset[str]:
    """The datasets that something in a dataset was made from, directly or through others."""
    mine = select(dataset_source.c.source_id).where(dataset_source.c.dataset_id == dataset_id)
    return frozenset(session.scalars(mine))


def made_from(session: Session, dataset_id: str) -> frozenset[str]:
    """The datasets in which something was made from a dataset."""
    theirs = select(dataset_source.c.dataset_id).where(dataset_source.c.source_id == dataset_id)
    return frozenset(session.scalars(theirs))


def inherit(session: Session, dataset_id: str, sources: Collection[str]) -> None:
    """Note that something in a dataset was made from `sources`; their agreements bind it from now on, and all that was
    made from it. Private to the rooms above, which call it in the transaction that adds what was made."""
    origins = set(sources).union(*(sources_of(session, one) for one in set(sources)))
    for target in (dataset_id, *sorted(made_from(session, dataset_id))):
        new = origins - sources_of(session, target) - {target}
        if new:
            rows = [{"dataset_id": target, "source_id": one} for one in sorted(new)]
            session.execute(insert(dataset_source), rows)
            _bind(session, target, new)


def _bind(session: Session, dataset_id: str, origins: Iterable[str]) -> None:
    theirs = select(dataset_agreement.c.agreement_id, dataset_agreement.c.origin).where(
        dataset_agreement.c.dataset_id.in_(list(origins)), dataset_agreement.c.origin == dataset_agreement.c.dataset_id
    )
    rows = [{"dataset_id": dataset_id, **one._mapping} for one in session.execute(theirs)]
    if rows:
        session.execute(insert(dataset_agreement), rows)
