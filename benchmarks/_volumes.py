"""A platform for a benchmark, and volumes in it that were made on the spot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pulvinar import Platform, load_settings, open_platform
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.ingest.pictures import volume_pictures
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, Version, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import Channel, Triple, Volume, VolumeKind, volume_to_json
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.volumes import open_volume


class Forgetful:
    """A shard ledger for a run that is never resumed."""

    def finished(self) -> Mapping[str, StoredObject]:
        """Nothing."""
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None:
        """Forget them."""


def new_platform(home: Path) -> Platform:
    """An empty platform in `home`: SQLite and a folder."""
    return open_platform(load_settings(environment={}, home=home))


def add_volume(
    platform: Platform,
    title: str,
    voxels: np.ndarray,
    voxel_size_um: Triple = (1.0, 1.0, 1.0),
    *,
    pictures: bool = False,
) -> tuple[Version, Asset, Volume]:
    """Store `voxels` (t, c, z, y, x) as an image in a published dataset of its own; `pictures`: of one channel, with
    the pictures that an ingest makes of it."""
    levels = plan_levels(voxels.shape, voxel_size_um, voxels.dtype, VolumeKind.IMAGE)  # type: ignore[arg-type]
    low, high = np.percentile(voxels[..., ::8, ::8, ::8], (1, 99.8))
    channels = tuple(Channel(f"channel {n}", window=(float(low), float(high))) for n in range(voxels.shape[1]))
    volume = Volume(VolumeKind.IMAGE, voxels.dtype.name, levels, channels)
    source = ArraySource(voxels)
    prefix = f"assets/{new_id()}"
    scratch = platform.settings.resolved_scratch()
    scratch.mkdir(parents=True, exist_ok=True)
    plan = plan_pyramid(volume, source.block_shape)
    objects = list(write_pyramid(source, plan, platform.store, prefix, ledger=Forgetful(), scratch=scratch))
    if pictures:
        drawn = volume_pictures(open_volume(platform.store, prefix, volume), volume, [(float(low), float(high))])
        for path, data in drawn.items():
            platform.store.put_bytes(f"{prefix}/{path}", data)
            objects.append(StoredObject(path, len(data), hashlib.sha256(data).hexdigest()))
    version, asset = publish_volume(platform, title, volume, prefix, objects)
    return version, asset, volume


def publish_volume(
    platform: Platform, title: str, volume: Volume, prefix: str, objects: Sequence[StoredObject]
) -> tuple[Version, Asset]:
    """Enter a stored volume into the catalogue, as the one asset of a published dataset."""
    asset = Asset(
        id=prefix.removeprefix("assets/"),
        name=title,
        kind=AssetKind.VOLUME,
        prefix=prefix,
        size_bytes=sum(item.size_bytes for item in objects),
        object_count=len(objects),
        digest=asset_digest(objects),
        details={"volume": volume_to_json(volume)},
    )
    record = Record(title=title, species=Species.MOUSE, licence="CC0-1.0")
    with UnitOfWork(platform.database, platform.actor) as work:
        dataset = create_dataset(work, record, node="local")
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, asset, objects)
        publish(work, draft.id)
    return get_version(platform.database, platform.actor, dataset.id), asset
