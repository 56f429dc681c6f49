"""Re-reading what is stored, to find what has rotted, was cut short or has gone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pulvinar.access.audit import note_incident
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.catalogue.tombstones import erased_leaves
from pulvinar.catalogue.versions import list_versions
from pulvinar.errors import Corrupt, Forbidden, NotFound, Unavailable
from pulvinar.ingest.progress import Progress, Silent
from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset, AssetKind, Location, StoredObject, Version, asset_digest, fits_digest
from pulvinar.model.volume import Volume, volume_from_json
from pulvinar.storage.codecs import CRC_BYTES, crc32c
from pulvinar.storage.database import Database
from pulvinar.storage.external import ExternalSources
from pulvinar.storage.external_state import STATE_PATH, changes, state_from_text
from pulvinar.storage.shards import chunks_per_shard, index_size, parse_index
from pulvinar.storage.store import Store

_PIECE_BYTES = 16 << 20
_NAMED = 5
FOUND_DAMAGE = "found-damage"
"""What is written down of a verification that found damage."""
_SHARD = re.compile(r"image\.ome\.zarr/(\d+)/c/[\d/]+")


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it was stored: the object's key in the store (or what the catalogue holds), and how."""

    key: str
    what: str


@dataclass(frozen=True)
class Verification:
    """What a verification has read, and every damage it has found."""

    objects: int
    size_bytes: int
    damages: tuple[Damage, ...]


def verify(
    database: Database,
    store: Store,
    actor: Actor,
    dataset_id: str,
    progress: Progress | None = None,
    *,
    sources: ExternalSources | None = None,
) -> Verification:
    """Re-read every object of every version of a dataset: size, SHA-256, and each chunk's CRC32C in shards.

    The digests of assets and versions are worked out anew as well. Of an asset in another place, its source is compared
    with the state in which it was seen: metadata by SHA-256, all else by size and tag, where that can be asked. That
    damage was found is written into the log.
    Raises `NotFound` when the actor sees no such dataset, `Unavailable` when the store doesn't answer; damage is no
    error but the answer.
    """
    versions = list_versions(database, actor, dataset_id)
    assets = {asset.id: asset for version in versions for asset in version.assets}
    objects = {key: objects_of(database, actor, key) for key in assets}
    total = sum(item.size_bytes for items in objects.values() for item in items)
    damages = [*_catalogue_damage(versions, assets, objects, erased_leaves(database, dataset_id))]
    work = [(assets[key], item) for key, items in objects.items() for item in items]
    done = 0
    with (
        (progress or Silent()).task("verifying", total, "bytes") as task,
        ThreadPoolExecutor(2) as pool,
    ):
        for (_, item), found in zip(work, pool.map(lambda pair: check_object(store, *pair), work), strict=True):
            damages += found
            done += item.size_bytes
            task.update(done)
    for asset in assets.values():
        if asset.location is not None:
            damages += _source_damage(store, asset, asset.location, sources or ExternalSources())
    if damages:
        named = [f"{one.key}: {one.what}" for one in damages[:_NAMED]]
        note_incident(database, FOUND_DAMAGE, dataset_id, {"damages": len(damages), "first": named})
    return Verification(len(work), total, tuple(damages))


def _source_damage(store: Store, asset: Asset, place: Location, sources: ExternalSources) -> Iterator[Damage]:
    """What is not as it was seen, in the place where the bytes of `asset` are."""
    try:
        state = state_from_text(store.read(f"{asset.prefix}/{STATE_PATH}"))
    except (NotFound, Corrupt):
        # the object is among those named as damaged
        return
    try:
        for path, what in changes(sources.open(place.url), state):
            yield Damage(f"{place.url}/{path}", what)
    except (NotFound, Forbidden, Unavailable) as error:
        yield Damage(place.url, f"can't be verified: {error.message}")


def check_object(store: Store, asset: Asset, item: StoredObject) -> list[Damage]:
    """Every damage of one stored object."""
    key = f"{asset.prefix}/{item.path}"
    try:
        size = store.size(key)
    except NotFound:
        return [Damage(key, "is missing")]
    if size != item.size_bytes:
        return [Damage(key, f"has {size} bytes, {item.size_bytes} were stored")]
    digest = hashlib.sha256()
    for start in range(0, size, _PIECE_BYTES):
        digest.update(store.read(key, start, min(_PIECE_BYTES, size - start)))
    found = [] if digest.hexdigest() == item.sha256 else [Damage(key, "does not have the SHA-256 that was stored")]
    shard = _SHARD.fullmatch(item.path)
    if shard is not None and asset.kind is AssetKind.VOLUME:
        volume = volume_from_json(asset.details["volume"])
        found += [Damage(key, what) for what in _shard_damage(store, key, size, volume, int(shard[1]))]
    return found


def _shard_damage(store: Store, key: str, size: int, volume: Volume, level: int) -> Iterator[str]:
    """What is wrong inside a shard: its index, or single chunks by their place in it."""
    grid = chunks_per_shard(volume.levels[level])
    footer = index_size(grid)
    try:
        index = parse_index(store.read(key, max(size - footer, 0), footer), grid)
    except Corrupt as error:
        yield error.message
        return
    for place, (offset, length) in enumerate(index.entries.tolist()):
        if offset == length == 2**64 - 1:
            continue
        if offset + length > size - footer or length < CRC_BYTES:
            yield f"chunk {place} lies outside the shard"
            continue
        chunk = store.read(key, offset, length)
        if crc32c(chunk[:-CRC_BYTES]) != chunk[-CRC_BYTES:]:
            yield f"chunk {place} (bytes {offset} to {offset + length}) does not fit its CRC32C"


def _catalogue_damage(
    versions: Sequence[Version],
    assets: dict[str, Asset],
    objects: dict[str, tuple[StoredObject, ...]],
    erased: dict[str, dict[str, str]],
) -> Iterator[Damage]:
    for key, asset in assets.items():
        if asset_digest(objects[key]) != asset.digest:
            yield Damage(asset.id, "the catalogue's list of objects does not fit the asset's digest")
    for version in versions:
        if not fits_digest(version, erased.get(version.id)):
            yield Damage(version.id, "the catalogue's record and assets do not fit the version's digest")
