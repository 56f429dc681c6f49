from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.catalogue.archive import BRAIN, Archive, add_atlas

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, get_dataset, open_draft, publish
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, Dataset, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Record, Species
from pulvinar.storage.database import Database

RECORD = Record(title="A brain", species=Species.MOUSE, licence="CC-BY-4.0")
OBJECTS = (StoredObject("image.ome.zarr/0/c/0", 10, "a" * 64), StoredObject("image.ome.zarr/zarr.json", 5, "b" * 64))


def new_asset(name: str = "brain", objects: tuple[StoredObject, ...] = OBJECTS) -> Asset:
    size = sum(item.size_bytes for item in objects)
    asset_id = new_id()
    prefix = f"assets/{asset_id}"
    return Asset(asset_id, name, AssetKind.VOLUME, prefix, size, len(objects), asset_digest(objects), {"volume": {}})


@pytest.fixture
def add(database: Database) -> Callable[..., Dataset]:
    """Makes a dataset with one asset; published unless told otherwise."""

    def make(title: str = "A brain", *, published: bool = True, asset: str = "brain", **fields: object) -> Dataset:
        record = replace(RECORD, title=title, **fields)  # type: ignore[arg-type]
        with UnitOfWork(database, LOCAL_OWNER) as work:
            made = create_dataset(work, record)
            draft = open_draft(work, made.id)
            add_asset(work, draft.id, new_asset(asset), OBJECTS)
            if published:
                publish(work, draft.id)
        return get_dataset(database, LOCAL_OWNER, made.id)

    return make


@pytest.fixture
def archive(database: Database) -> Archive:
    """Puts assets into an empty database, and searches."""
    return Archive(database)


@pytest.fixture
def atlas(database: Database) -> Ontology:
    """The regions of an atlas that is installed."""
    add_atlas(database)
    return BRAIN
