"""Assets of versions: by their name, by the digest of a version that holds them, or by their identifier alone."""

from __future__ import annotations

from dataclasses import dataclass

from pulvinar.access.dataset_access import access_of
from pulvinar.access.visibility import highest_right
from pulvinar.catalogue.asset_rows import asset_from_row, locations_of
from pulvinar.catalogue.nameless import nameless
from pulvinar.catalogue.tables import asset, version, version_asset
from pulvinar.catalogue.versions import read_versions, versions_seen
from pulvinar.errors import Conflict, Forbidden, NotFound
from pulvinar.model.access import Actor, Right, Tier
from pulvinar.model.dataset import Asset, Version
from pulvinar.storage.database import Database


def find_asset(of: Version, name: str) -> Asset:
    """The asset of a version by its name or identifier. Raises `NotFound`, and `Conflict` for a name of several."""
    found = [one for one in of.assets if name in (one.id, one.name)]
    if not found:
        raise NotFound(
            f"version {of.number} of dataset {of.dataset_id} has no asset {name!r}",
            hint=f"it has {', '.join(one.name for one in of.assets) or 'none'}",
        )
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} assets are named {name!r}", hint=f"name one by its id: {', '.join(one.id for one in found)}"
        )
    return found[0]


@dataclass(frozen=True)
class Resolved:
    """An asset of a version, and how much the actor who asked may do to their dataset."""

    asset: Asset
    dataset_id: str
    right: Right
    tier: Tier


def resolve(database: Database, actor: Actor, digest: str, asset_id: str, right: Right = Right.READ) -> Resolved:
    """The asset of the version with that digest, for who has `right` on it.

    Raises `NotFound`; a draft's digest is gone once it has changed. `Forbidden` for who sees it and may do less.
    """
    held = (
        versions_seen(actor)
        .add_columns(asset)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .join(asset, asset.c.id == version_asset.c.asset_id)
        .where(version.c.digest == digest, asset.c.id == asset_id)
    )
    with database.session() as session:
        rows = session.execute(held.with_only_columns(asset, version.c.dataset_id)).all()
        rights = {row.dataset_id: highest_right(session, actor, row.dataset_id) for row in rows}
        best = max(rows, key=lambda row: rights[row.dataset_id] or 0, default=None)
        if best is None or not (own := rights[best.dataset_id]):
            raise NotFound(f"there is no asset {asset_id} in a version {digest}")
        if own < right:
            raise Forbidden(
                f"{actor.name} may not {right.name.lower()} asset {asset_id}",
                hint=f"the page of dataset {best.dataset_id} says how to ask for it",
            )
        found = asset_from_row(best, locations_of(session, [asset_id]).get(asset_id))
        return Resolved(found, best.dataset_id, own, access_of(session, best.dataset_id).tier)


def resolve_asset(database: Database, actor: Actor, digest: str, asset_id: str, right: Right = Right.READ) -> Asset:
    """As `resolve`, the asset alone, as it is told to `actor`."""
    found = resolve(database, actor, digest, asset_id, right).asset
    return nameless(found) if actor.is_blind else found


def find_home(database: Database, actor: Actor, asset_id: str, right: Right = Right.READ) -> tuple[Version, Asset]:
    """An asset by its identifier alone, and the newest version that holds it and of which `actor` may have `right`.
    Raises `NotFound`."""
    wanted = (
        versions_seen(actor, right)
        .join(version_asset, version_asset.c.version_id == version.c.id)
        .where(version_asset.c.asset_id == asset_id)
        .order_by(version.c.number.desc())
        .limit(1)
    )
    with database.session() as session:
        found = read_versions(session, session.execute(wanted).all(), actor)
    if not found:
        raise NotFound(f"there is no asset {asset_id}")
    return found[0], find_asset(found[0], asset_id)
