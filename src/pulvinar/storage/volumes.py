"""Stored volumes, read back block by block through tensorstore."""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
import tensorstore

from pulvinar.errors import NotFound
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5, Volume, volume_from_json
from pulvinar.storage.shards import ROOT
from pulvinar.storage.sources import Voxels
from pulvinar.storage.store import Store
from pulvinar.storage.stored_arrays import reading, shared_context
from pulvinar.storage.zarr_metadata import array_document, unsharded_documents, volume_documents

__all__ = ["LevelSource", "ReadableVolume", "StoredVolume", "open_volume", "unsharded_documents", "volume_documents"]

_CACHE_BYTES = 128 * 2**20


class ReadableVolume(Protocol):
    """A volume that can be read block by block, wherever its bytes are."""

    volume: Volume

    def read(self, level: int, window: Window) -> Voxels:
        """The voxels of `window` of `level`, an array of `window.shape` (t, c, z, y, x) in native byte order."""


class StoredVolume:
    """A volume in a store. Reading is lazy: nothing is opened before the first block is asked for.

    Volumes of one `cache_bytes` share a cache of decoded chunks and shard indexes of that size.
    """

    def __init__(self, store: Store, prefix: str, volume: Volume, *, cache_bytes: int = _CACHE_BYTES) -> None:
        self.volume = volume
        self._cache_bytes = cache_bytes
        self._store = store
        self._prefix = prefix
        self._levels: dict[int, Any] = {}

    def read(self, level: int, window: Window) -> Voxels:
        """The voxels of `window` of `level`, an array of `window.shape` (t, c, z, y, x) in native byte order.

        Raises `NotFound` when there is no such level or the window leaves it, `Corrupt` when stored bytes are
        damaged, `Unavailable` when the store doesn't answer.
        """
        shape = self._shape(level)
        if any(b > n for b, n in zip(window.stop, shape, strict=True)):
            raise NotFound(f"the window up to {window.stop} leaves level {level}, whose shape is {shape}")
        with reading(f"level {level} of {self._prefix}"):
            return np.asarray(self.level(level)[window.slices].read().result())

    def level(self, number: int) -> Any:
        """Level `number` as a `tensorstore.TensorStore` of axes (t, c, z, y, x), for reading."""
        if number not in self._levels:
            self._shape(number)
            self._levels[number] = self._open(number)
        return self._levels[number]

    def _shape(self, number: int) -> tuple[int, ...]:
        if not 0 <= number < len(self.volume.levels):
            raise NotFound(f"there is no level {number}", hint=f"levels are 0 to {len(self.volume.levels) - 1}")
        return self.volume.levels[number].shape

    def _open(self, number: int) -> Any:
        # the layout is known: opening reads nothing, so it works before the documents are written too
        metadata = array_document(self.volume, self.volume.levels[number])
        spec = {
            "driver": "zarr3",
            "kvstore": self._store.kvstore(f"{self._prefix}/{ROOT}/{number}"),
            "metadata": metadata,
            "recheck_cached_data": False,
            "recheck_cached_metadata": False,
        }
        context = shared_context(self._cache_bytes)
        return tensorstore.open(spec, context=context, assume_metadata=True, read=True, write=False).result()


class LevelSource:
    """One level of a volume as the source of another (`VoxelSource`), its numbers as `dtype` where that is given."""

    def __init__(self, volume: ReadableVolume, level: int, dtype: np.dtype[Any] | None = None) -> None:
        self._volume, self._level = volume, level
        self._held = volume.volume.levels[level]
        self.dtype = dtype or np.dtype(volume.volume.dtype)

    @property
    def shape(self) -> Shape5:
        """The level's."""
        return self._held.shape

    @property
    def block_shape(self) -> Shape5:
        """A chunk."""
        return self._held.chunk_shape

    def read(self, window: Window) -> Voxels:
        """As `ReadableVolume.read` says."""
        return self._volume.read(self._level, window).astype(self.dtype, copy=False)

    def release(self, voxels: Voxels) -> None:
        """Nothing: what was read is the caller's."""


def open_volume(store: Store, prefix: str, volume: Volume | None = None) -> StoredVolume:
    """The volume whose asset lies under `prefix`. Without `volume` its documents are read from the store, which raises
    `NotFound` when there are none."""
    if volume is None:
        group = json.loads(store.read(f"{prefix}/{ROOT}/zarr.json"))
        volume = volume_from_json(group["attributes"]["pulvinar"])
    return StoredVolume(store, prefix, volume)
