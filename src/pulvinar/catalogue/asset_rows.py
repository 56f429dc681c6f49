"""Assets as the rows of their tables tell them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from pulvinar.catalogue.listed import listed, told
from pulvinar.catalogue.tables import location
from pulvinar.model.dataset import Asset, AssetKind, Location, Ownership

location_columns = location.c.url, location.c.ownership, location.c.owner, location.c.seen
"""What a row has of where an asset lies, beside what its own table says."""


def asset_from_row(row: Row[Any], place: Location | None) -> Asset:
    """The asset of a row of its table, with where its other bytes are."""
    return Asset(
        id=row.id,
        name=row.name,
        kind=AssetKind(row.kind),
        prefix=row.prefix,
        size_bytes=row.size_bytes,
        object_count=row.object_count,
        digest=row.digest,
        details=row.details,
        location=place,
    )


def location_from_row(row: Row[Any]) -> Location | None:
    """Where the bytes of an asset lie that others keep, by the row of it and of its place if it has one."""
    return Location(Ownership(row.ownership), row.url, row.owner, row.seen) if row.url is not None else None


def locations_of(session: Session, asset_ids: Collection[str]) -> dict[str, Location]:
    """Where those of the assets lie that others keep."""
    wanted = select(location).where(listed(session, location.c.asset_id, "ids")).order_by(location.c.url)
    rows = session.execute(wanted, {"ids": told(asset_ids)}).all() if asset_ids else ()
    return {row.asset_id: Location(Ownership(row.ownership), row.url, row.owner, row.seen) for row in rows}
