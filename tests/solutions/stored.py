"""Volumes in a catalogue, for tests of what is made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, open_draft, publish
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import Channel, Volume, VolumeKind, volume_to_json
from pulvinar.storage.database import Database
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import Store

SIZE_UM = (2.0, 1.0, 1.0)
RECORD = Record("A brain", Species.MOUSE, "CC-BY-4.0")


class _Forgetful:
    def finished(self) -> Mapping[str, StoredObject]:
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None: ...


def stored_volume(
    store: Store,
    scratch: Path,
    voxels: np.ndarray,
    name: str = "brain",
    size_um: tuple[float, float, float] = SIZE_UM,
) -> tuple[Asset, list]:
    """A volume of axes (t, c, z, y, x) in the store; of integers of 32 bits or more, labels."""
    kind = VolumeKind.LABELS if voxels.dtype.itemsize >= 4 and voxels.dtype.kind in "iu" else VolumeKind.IMAGE
    levels = plan_levels(voxels.shape, size_um, voxels.dtype, kind)
    channels = tuple(Channel(f"channel {number}") for number in range(voxels.shape[1]))
    volume = Volume(kind, voxels.dtype.name, levels, channels)
    asset_id = new_id()
    source = ArraySource(voxels)
    scratch.mkdir(parents=True, exist_ok=True)
    plan = plan_pyramid(volume, source.block_shape)
    objects = write_pyramid(source, plan, store, f"assets/{asset_id}", ledger=_Forgetful(), scratch=scratch)
    size = sum(one.size_bytes for one in objects)
    details = {"volume": volume_to_json(volume), "findings": []}
    made = Asset(
        asset_id, name, AssetKind.VOLUME, f"assets/{asset_id}", size, len(objects), asset_digest(objects), details
    )
    return made, list(objects)


def catalogued(
    database: Database, *stored: tuple[Asset, list], published: bool = True, record: Record = RECORD, **said: object
) -> str:
    """A dataset that holds them; its identifier."""
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, replace(record, **said))
        draft = open_draft(work, made.id)
        for asset, objects in stored:
            add_asset(work, draft.id, asset, objects)
        if published:
            publish(work, draft.id)
    return made.id
