"""Publishing: a draft becomes a version that never changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pulvinar.access.dataset_access import access_of
from pulvinar.access.outbox import post
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.derivations import check_tier, derived_among
from pulvinar.catalogue.drafts import draft_to_change
from pulvinar.catalogue.quarantine import check_may_leave
from pulvinar.catalogue.search import reindex
from pulvinar.catalogue.sharing import apply_tier
from pulvinar.catalogue.tables import version, version_asset
from pulvinar.errors import Invalid
from pulvinar.model.access import Right
from pulvinar.model.dataset import Version, VersionState

PUBLISHED = "published"
"""The message that is posted when a version is."""


def publish(work: UnitOfWork, version_id: str) -> Version:
    """Freeze a draft: from now on it never changes, its digest can be cited, and those see it whom the dataset's tier
    names.

    Raises `Conflict` when it is published already, was made from what fewer may see or has a person's data in
    quarantine, `Invalid` when it has no asset,
    `Forbidden` for who may not share it.
    """
    draft = draft_to_change(work, version_id)
    if not draft.assets:
        raise Invalid(f"version {draft.number} of dataset {draft.dataset_id} is empty", hint="ingest something first")
    work.ask(Right.SHARE, draft.dataset_id)
    check_may_leave(work.session, draft.dataset_id, version_id)
    check_tier(work.session, draft.dataset_id, access_of(work.session, draft.dataset_id))
    published = replace(draft, state=VersionState.PUBLISHED, published=datetime.now(UTC))
    values = {"state": published.state.value, "published": published.published}
    work.session.execute(update(version).where(version.c.id == version_id).values(**values))
    apply_tier(work.session, draft.dataset_id)
    reindex(work.session, draft.dataset_id)
    work.record_event("publish", version_id, {"digest": draft.digest, "number": draft.number})
    post(work.session, PUBLISHED, version_id, _announced(work.session, published))
    return published


def _announced(session: Session, published: Version) -> dict[str, Any]:
    """What rules decide by: the record in short, and the assets that no version before has published."""
    before = (
        select(version_asset.c.asset_id)
        .join(version, version.c.id == version_asset.c.version_id)
        .where(version.c.dataset_id == published.dataset_id, version.c.id != published.id)
        .where(version.c.state == VersionState.PUBLISHED.value)
    )
    known = frozenset(session.scalars(before))
    derived = derived_among(session, [one.id for one in published.assets])
    return {
        "dataset": published.dataset_id,
        "number": published.number,
        "species": published.record.species.value,
        "modality": published.record.acquisition.modality,
        "assets": [
            {"id": one.id, "name": one.name, "kind": one.kind.value, "derived": one.id in derived}
            for one in published.assets
            if one.id not in known
        ],
    }
