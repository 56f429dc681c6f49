"""A version as JSON values: everything in it, by which its digest can be checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from pulvinar.access.work import check_right
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.catalogue.tables import tombstone, version
from pulvinar.catalogue.versions import read_versions, versions_seen
from pulvinar.errors import NotFound
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, StoredObject
from pulvinar.storage.database import Database


def manifest(database: Database, actor: Actor, version_id: str) -> dict[str, Any]:
    """Everything in a version as JSON values: record, assets, and path, size and SHA-256 of every object.

    The record is the stored one, under the schema of its day.
    `model.dataset.asset_digest` and `version_digest` of what it holds give the digests that it states; where something
    was erased by law, `erased` has its leaf, and `manifest_digest` of all leaves gives it.
    """
    with database.session() as session:
        found = read_versions(
            session, session.execute(versions_seen(actor).where(version.c.id == version_id)).all(), actor
        )
        if found:
            check_right(session, actor, Right.READ, found[0].dataset_id)
        lost = select(tombstone.c.of, tombstone.c.leaf).where(tombstone.c.version_id == version_id)
        erased = [{"of": row.of, "leaf": row.leaf} for row in session.execute(lost.order_by(tombstone.c.of))]
    if not found:
        raise NotFound(f"there is no version {version_id}")
    stated = found[0]
    return {
        "dataset": stated.dataset_id,
        "version": stated.id,
        "number": stated.number,
        "state": stated.state.value,
        "digest": stated.digest,
        "record": stated.document,
        "assets": [_manifest_of(one, objects_of(database, actor, one.id)) for one in stated.assets],
        **({"erased": erased} if erased else {}),
    }


def _manifest_of(one: Asset, objects: Iterable[StoredObject]) -> dict[str, Any]:
    listed = [{"path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256} for item in objects]
    told: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "kind": one.kind.value,
        "digest": one.digest,
        "objects": listed,
    }
    if one.location is not None:
        place = one.location
        told["location"] = {"ownership": place.ownership.value, "url": place.shown_url, "owner": place.owner}
    return told
