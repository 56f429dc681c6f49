"""The stored objects of assets, for those who may read them, and for those who keep the store: whoever may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pulvinar.catalogue.nameless import ORIGINALS
from pulvinar.catalogue.tables import asset, asset_object, version_asset
from pulvinar.catalogue.versions import versions_seen
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import StoredObject
from pulvinar.storage.database import Database


def objects_of(database: Database, actor: Actor, asset_id: str) -> tuple[StoredObject, ...]:
    """Every object of an asset that `actor` may read, sorted by path; nothing for another one."""
    wanted = objects_seen(actor, asset_id, Right.READ).order_by(asset_object.c.path)
    with database.session() as session:
        return tuple(StoredObject(row.path, row.size_bytes, row.sha256) for row in session.execute(wanted).all())


def find_object(
    database: Database, actor: Actor, asset_id: str, path: str, right: Right = Right.READ
) -> StoredObject | None:
    """One object of an asset on which `actor` has `right`, or None."""
    with database.session() as session:
        row = session.execute(objects_seen(actor, asset_id, right).where(asset_object.c.path == path)).first()
    return StoredObject(row.path, row.size_bytes, row.sha256) if row else None


def objects_seen(actor: Actor, asset_id: str, right: Right) -> Select[Any]:
    """The rows of the objects of an asset on which `actor` has `right`."""
    seen = versions_seen(actor, right).subquery("seen")
    holders = (
        select(version_asset.c.version_id)
        .join(seen, seen.c.id == version_asset.c.version_id)
        .where(version_asset.c.asset_id == asset_id)
    )
    objects = select(asset_object).where(asset_object.c.asset_id == asset_id, holders.exists())
    return objects.where(~asset_object.c.path.startswith(ORIGINALS)) if actor.is_blind else objects


def known_asset_ids(database: Database) -> frozenset[str]:
    """The asset of every version, for whoever clears the store: it hides nothing because it shows nothing."""
    with database.session() as session:
        return frozenset(session.scalars(select(version_asset.c.asset_id).distinct()))


def every_object(session: Session) -> Iterator[tuple[str, StoredObject]]:
    """Every object of every asset, by its key in the store, in the order of keys; read as it is asked for."""
    wanted = (
        select(asset.c.prefix, asset_object.c.path, asset_object.c.size_bytes, asset_object.c.sha256)
        .join(asset, asset.c.id == asset_object.c.asset_id)
        .order_by(asset_object.c.asset_id, asset_object.c.path)
    )
    for row in session.execute(wanted, execution_options={"yield_per": 1000}):
        yield f"{row.prefix}/{row.path}", StoredObject(row.path, row.size_bytes, row.sha256)
