"""Fields of vectors: in memory, or stored in chunks of which only those are read that points touch.

A stored field is an OME-Zarr image of one level and three channels, float32: the components (z, y, x) in micrometres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Conflict, Corrupt, Invalid
from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Affine, Space, Window
from pulvinar.model.transform import (
    DisplacementTransform,
    FieldGrid,
    Outside,
    VectorField,
    affine_rows,
    inverse_rows,
    space_to_world,
)
from pulvinar.model.volume import Channel, Shape5, Volume, VolumeKind
from pulvinar.storage.pyramid import NoLedger, plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.shards import ROOT
from pulvinar.storage.sources import Voxels
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import StoredVolume, open_volume

Triple = tuple[int, int, int]
_PART = 32
_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class ArrayField:
    """A field in memory: `vectors` float32 (component, z, y, x), components (z, y, x) in micrometres."""

    grid: FieldGrid
    vectors: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.vectors.shape != (3, *self.grid.shape) or self.vectors.dtype != np.float32:
            found = f"{self.vectors.dtype} {self.vectors.shape}"
            raise Invalid(f"vectors are {found}", hint=f"expected float32 (3, *{self.grid.shape})")
        check_vectors(self.vectors, "the field")

    @property
    def block_shape(self) -> Triple:
        """Parts that fit a processor's cache: places that lie together are looked up together."""
        z, y, x = (min(n, _PART) for n in self.grid.shape)
        return z, y, x

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.float32]:
        """A view, as `VectorField.read` says."""
        return self.vectors[(slice(None), *_slices(start, stop))]


@dataclass(frozen=True, eq=False)
class StoredField:
    """The field that lies under `prefix` of a store. Nothing is read before the first point asks; decoded chunks are
    kept in a cache of a fixed size, which all stored fields share."""

    store: Store
    prefix: str
    grid: FieldGrid

    @cached_property
    def _volume(self) -> StoredVolume:
        volume = open_volume(self.store, self.prefix).volume
        if volume.shape != (1, 3, *self.grid.shape) or volume.dtype != "float32":
            raise Corrupt(
                f"what lies under {self.prefix} is {volume.dtype} {volume.shape}, no field of {self.grid.shape}",
                hint="run `pulvinar verify` on the dataset",
            )
        return StoredVolume(self.store, self.prefix, volume, cache_bytes=_CACHE_BYTES)

    @property
    def block_shape(self) -> Triple:
        """Its chunks' shape."""
        z, y, x = self._volume.volume.levels[0].chunk_shape[2:]
        return z, y, x

    def read(self, start: Triple, stop: Triple) -> npt.NDArray[np.float32]:
        """As `VectorField.read` says; raises what `StoredVolume.read` does."""
        return np.asarray(self._volume.read(0, Window((0, 0, *start), (1, 3, *stop)))[0])


def store_field(
    field: VectorField, space: Space, store: Store, prefix: str, scratch: Path
) -> tuple[StoredField, tuple[StoredObject, ...]]:
    """Write `field`, whose points are of `space`, below `prefix`, block by block; the stored field and every object of
    it, by path relative to `prefix`. Raises `Invalid` when a vector is no number, `Conflict` where a volume lies."""
    if next(store.list(f"{prefix}/{ROOT}"), None):
        raise Conflict(f"a volume lies under {prefix}", hint="a stored field never changes: give another prefix")
    grid = field.grid
    size = np.linalg.norm(np.array(grid.voxel_to_space_um)[:3, :3], axis=0)
    levels = plan_levels((1, 3, *grid.shape), tuple(size.tolist()), "float32", VolumeKind.IMAGE)[:1]
    channels = tuple(Channel(f"displacement along {axis}") for axis in "zyx")
    volume = Volume(VolumeKind.IMAGE, "float32", levels, channels, _world_affine(grid, space))
    source = _FieldSource(field)
    plan = plan_pyramid(volume, source.block_shape)
    objects = write_pyramid(source, plan, store, prefix, ledger=NoLedger(), scratch=scratch)
    return StoredField(store, prefix, grid), objects


def displace(transform: DisplacementTransform, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where `transform` brings finite points (n, 3); what it takes besides is a few numbers a point and one block."""
    out = mapped(transform.base_um, zyx_um)
    add_vectors(transform.field, zyx_um, out)
    return out


def mapped(affine: Affine, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The places (n, 3) under `affine`."""
    from pulvinar.atlases.field_kernels import map_into

    out = np.empty(zyx_um.shape, np.float64)
    map_into(zyx_um, np.array(affine), out)
    return out


def add_vectors(field: VectorField, zyx_um: npt.NDArray[np.float64], out: npt.NDArray[np.float64]) -> None:
    """Add to `out` (n, 3) what `field` says of the places (n, 3), trilinear between its voxels; each block that some
    point touches is read once."""
    from pulvinar.atlases.field_kernels import add_between, blocks_of

    to_voxel = np.array(inverse_rows(field.grid.voxel_to_space_um))[:3]
    shape, size = np.array(field.grid.shape), np.array(field.block_shape)
    counts = -(-shape // size)
    beyond = prod(counts.tolist())
    # sorting numbers of 16 bits takes time as the points, not as the points and their logarithm
    block = np.empty(len(zyx_um), np.uint16 if beyond < 2**16 else np.int64)
    blocks_of(zyx_um, to_voxel, shape, size, field.grid.outside is Outside.IDENTITY, block)
    order = np.argsort(block, kind="stable")
    ends = np.cumsum(np.bincount(block, minlength=beyond))
    for number in np.flatnonzero(np.diff(ends[:beyond], prepend=0)).tolist():
        first, end = ends[number - 1] if number else 0, ends[number]
        start = np.array(np.unravel_index(number, counts)) * size
        # one voxel of the next block: a place between two blocks lies between voxels of both
        vectors = field.read(_triple(start), _triple(np.minimum(start + size + 1, shape)))
        add_between(zyx_um, order[first:end], to_voxel, shape, vectors, start, out)


def check_vectors(vectors: npt.NDArray[np.float32], what: str) -> None:
    """Raise `Invalid` when a vector is no number."""
    if not np.isfinite(vectors).all():
        raise Invalid(f"{what} has a vector that is no number", hint="repair the file: NaN and infinity lead nowhere")


class _FieldSource:
    """A field as level 0 of a volume, axes (t, c, z, y, x)."""

    dtype = np.dtype(np.float32)

    def __init__(self, field: VectorField) -> None:
        self._field = field
        self.shape: Shape5 = (1, 3, *field.grid.shape)
        self.block_shape: Shape5 = (1, 3, *field.block_shape)

    def read(self, window: Window) -> Voxels:
        _, c0, z0, y0, x0 = window.start
        _, c1, z1, y1, x1 = window.stop
        vectors = self._field.read((z0, y0, x0), (z1, y1, x1))[c0:c1]
        check_vectors(vectors, "the field")
        return vectors[None]

    def release(self, voxels: Voxels) -> None:
        pass


def _world_affine(grid: FieldGrid, space: Space) -> Affine | None:
    if not space.orientation:
        return None
    return affine_rows(np.array(space_to_world(space)) @ np.array(grid.voxel_to_space_um))


def _slices(start: Triple, stop: Triple) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(start, stop, strict=True))


def _triple(values: npt.NDArray[Any]) -> Triple:
    z, y, x = (int(value) for value in values)
    return z, y, x
