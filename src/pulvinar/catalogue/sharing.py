"""Who else may see a dataset."""

from __future__ import annotations

from pulvinar.access.visibility import audience_of, hide, show
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.search import reindex
from pulvinar.model.access import Right


def share(work: UnitOfWork, dataset_id: str, actor_id: str, right: Right = Right.READ) -> None:
    """Give one actor `right` on a dataset, instead of the one they had. Raises `NotFound` or `Forbidden`."""
    work.ask(Right.SHARE, dataset_id)
    show(work.session, dataset_id, audience_of(actor_id), right)
    reindex(work.session, dataset_id)
    work.record_event("share", dataset_id, {"actor": actor_id, "right": right.name.lower()})


def unshare(work: UnitOfWork, dataset_id: str, actor_id: str) -> None:
    """Take from one actor what they were given on a dataset; what is published stays so."""
    work.ask(Right.SHARE, dataset_id)
    hide(work.session, dataset_id, audience_of(actor_id))
    reindex(work.session, dataset_id)
    work.record_event("unshare", dataset_id, {"actor": actor_id})
