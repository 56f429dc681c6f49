"""What the whole catalogue says is stored, for those who keep it: whoever may see it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from pulvinar.catalogue.tables import asset, asset_object
from pulvinar.model.dataset import StoredObject


def every_object(session: Session) -> Iterator[tuple[str, StoredObject]]:
    """Every object of every asset, by its key in the store, in the order of keys; read as it is asked for."""
    wanted = (
        select(asset.c.prefix, asset_object.c.path, asset_object.c.size_bytes, asset_object.c.sha256)
        .join(asset, asset.c.id == asset_object.c.asset_id)
        .order_by(asset_object.c.asset_id, asset_object.c.path)
    )
    for row in session.execute(wanted, execution_options={"yield_per": 1000}):
        yield f"{row.prefix}/{row.path}", StoredObject(row.path, row.size_bytes, row.sha256)
