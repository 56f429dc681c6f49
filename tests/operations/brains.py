"""Small datasets with objects of a few bytes, for what is done with everything that is stored."""

import hashlib
from datetime import UTC, datetime

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)


def add_brain(database: Database, store: Store, title: str, objects: dict[str, bytes]) -> dict[str, str]:
    """Publish a dataset with one asset of these objects; their keys in the store."""
    asset_id = new_id()
    keys = {path: f"assets/{asset_id}/{path}" for path in objects}
    for path, data in objects.items():
        store.put_bytes(keys[path], data)
    stored = [StoredObject(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in sorted(objects.items())]
    size = sum(map(len, objects.values()))
    asset = Asset(asset_id, "part", AssetKind.TABLE, f"assets/{asset_id}", size, len(stored), asset_digest(stored), {})
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, Record(title, Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, asset, stored)
        publish(work, draft.id)
    return keys


def contents(store: Store, prefix: str = "") -> dict[str, bytes]:
    """Every object of a store."""
    return {entry.key: store.read(entry.key) for entry in store.list(prefix)}
