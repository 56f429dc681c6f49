"""Questions about places and regions, asked of an annotation.

The labels of level 0 lie in one file of memory-mapped numbers, made once from the stored chunks: a question about ten
million points touches the pages that they lie in, and copies nothing. Questions about a region go through the index of
where its voxels are, and read its chunks alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.label_index import LABEL_INDEX, LabelIndex, index_from_bytes
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.atlas import Atlas, AtlasPart
from pulvinar.model.ontology import Ontology
from pulvinar.model.space import Points, Space, Window
from pulvinar.model.volume import Triple
from pulvinar.storage.store import Store
from pulvinar.storage.volumes import StoredVolume, open_volume

if TYPE_CHECKING:
    from pulvinar.atlases.surface import Surface

_BATCH = 1 << 20
"""So many points are looked at together: what a question takes besides its answer is bounded by it."""


@dataclass(frozen=True, eq=False)
class RegionMask:
    """Where a region is: `voxels` bool (z, y, x) over the box of it, which begins at voxel `start` (z, y, x) of
    `level`."""

    voxels: npt.NDArray[np.bool_]
    start: tuple[int, int, int]
    level: int


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each point the nearest region: `region` int64 (n,), `distance_um` float64 (n,), 0 inside of it."""

    region: npt.NDArray[np.int64]
    distance_um: npt.NDArray[np.float64]


class Annotation:
    """The label volume of an atlas. Regions are told by the identifiers of its ontology; 0 is outside."""

    def __init__(
        self, atlas: Atlas, part: AtlasPart, ontology: Ontology, volume: StoredVolume, index: LabelIndex
    ) -> None:
        if part.voxel_to_space_um is None:
            raise Invalid(
                f"the annotation of atlas {atlas.name} says not where its voxels lie", hint="install it again"
            )
        self._atlas = atlas
        self.space: Space = atlas.space
        self.ontology = ontology
        self.volume = volume
        self.index = index
        self.voxel_to_space_um = np.array(part.voxel_to_space_um, np.float64)
        self._space_to_voxel = np.linalg.inv(self.voxel_to_space_um).astype(np.float64)
        self._grid_file: Path | None = None
        self._places: dict[int, Triple | None] = {}
        # the digest names the bytes: two processes that make the file at once make the same one
        self._digest = part.digest

    def keep_grid_in(self, folder: Path) -> Annotation:
        """Make the grid of labels in `folder`, and use it there when it is made already."""
        self._grid_file = folder / f"{self._digest}.labels"
        return self

    @cached_property
    def _values(self) -> npt.NDArray[np.int64]:
        """What a number of the grid means: the labels in rising order after 0."""
        return np.concatenate([np.zeros(1, np.int64), self.index.labels])

    @cached_property
    def _grid(self) -> npt.NDArray[np.uint16]:
        """Level 0, axes (z, y, x), each voxel the place of its label in `_values`."""
        shape = self.volume.volume.levels[0].shape[2:]
        if self._grid_file is None:
            grid = np.zeros(shape, np.uint16)
            self._fill(grid)
            return grid
        if not self._grid_file.exists():
            self._make(self._grid_file, shape)
        return np.asarray(np.memmap(self._grid_file, np.uint16, "r", shape=shape))

    def _make(self, path: Path, shape: tuple[int, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            file.truncate(2 * prod(shape))
        grid = np.memmap(unfinished, np.uint16, "r+", shape=shape)
        self._fill(grid)
        grid.flush()
        unfinished.replace(path)

    def _fill(self, grid: npt.NDArray[np.uint16]) -> None:
        chunk = self.volume.volume.levels[0].chunk_shape[2:]
        for corner in np.unique(self.index.chunk, axis=0):
            window = _window(corner * chunk, (corner + 1) * chunk, grid.shape)
            grid[window.slices[2:]] = np.searchsorted(self._values, self.volume.read(0, window)[0, 0])

    def regions_at(self, points: Points) -> npt.NDArray[np.int64]:
        """The region of each point, int64 (n,); 0 outside of every region.

        Raises `SpaceMismatch` for points of another space, `Invalid` for one that is no number.
        """
        from pulvinar.atlases.lookup_kernels import look_up

        self._check(points)
        out = np.empty(len(points.zyx_um), np.int64)
        if look_up(points.zyx_um, self._space_to_voxel, self._grid, self._values, out):
            raise Invalid("a point is no number", hint="leave NaN and infinity out")
        return out

    def nearest_region(self, points: Points) -> Nearest:
        """The nearest region of each point and how far it is: 0 inside of one. Raises as `regions_at` does."""
        region = self.regions_at(points)
        distance = np.zeros(len(region))
        outside = np.flatnonzero(region == 0)
        for part in np.array_split(outside, max(1, -(-len(outside) // _BATCH))):
            if len(part):
                region[part], distance[part] = self.surface.nearest(points.zyx_um[part])
        return Nearest(region, distance)

    @cached_property
    def surface(self) -> Surface:
        """The outermost voxels of everything that has a label."""
        from pulvinar.atlases.surface import Surface

        return Surface.of(self._grid, self._values, self.voxel_to_space_um)

    def mirror(self, points: Points) -> Points:
        """As `Atlas.mirror`."""
        return self._atlas.mirror(points)

    def labels_of(self, region_id: int) -> npt.NDArray[np.int64]:
        """The labels that have voxels among a region and all below it, rising. Raises `NotFound`."""
        below = np.array([region.id for region in self.ontology.descendants(region_id, itself=True)], np.int64)
        return np.intersect1d(below, self.index.labels)

    def voxel_count(self, region_id: int) -> int:
        """How many voxels of level 0 a region and all below it have. Raises `NotFound`."""
        return int(self.index.count[self.index.rows(self.labels_of(region_id))].sum())

    def volume_of(self, region_id: int) -> float:
        """The volume of a region and all below it, in cubic millimetres. Raises `NotFound`."""
        return self.voxel_count(region_id) * float(abs(np.linalg.det(self.voxel_to_space_um[:3, :3]))) / 1e9

    def center_of(self, region_id: int) -> Triple | None:
        """The mean place (z, y, x) of a region and all below it, micrometres; None when it has no voxel. Of a region
        with two sides it lies between them: `place_of` lies inside. Raises `NotFound`."""
        rows = self.index.rows(self.labels_of(region_id))
        if not len(rows):
            return None
        mean = np.average(self.index.center[rows], axis=0, weights=self.index.count[rows])
        z, y, x = self.voxel_to_space_um[:3, :3] @ mean + self.voxel_to_space_um[:3, 3]
        return float(z), float(y), float(x)

    def place_of(self, region_id: int) -> Triple | None:
        """A place (z, y, x) inside a region or one below it, micrometres: of the chunk with most of its voxels the one
        deepest in the region. None when it has no voxel. Of a region with two sides it lies in one, where the mean
        would lie between them. Raises `NotFound`."""
        if region_id not in self._places:
            self._places[region_id] = self._deepest(self.labels_of(region_id))
        return self._places[region_id]

    def _deepest(self, labels: npt.NDArray[np.int64]) -> Triple | None:
        from scipy.ndimage import distance_transform_edt

        index = self.index
        rows = index.rows(labels)
        if not len(rows):
            return None
        _, of_row = np.unique(index.chunk[rows], axis=0, return_inverse=True)
        held = np.bincount(of_row.ravel(), weights=index.count[rows])
        best = rows[of_row.ravel() == np.argmax(held)]
        start, stop = index.start[best].min(axis=0), index.stop[best].max(axis=0)
        window = _window(start, stop, self.volume.level(0).shape[2:])
        # nothing is known of what lies beyond the chunk: its border counts as the region's
        inside = np.pad(np.isin(self.volume.read(0, window)[0, 0], labels), 1)
        depth = distance_transform_edt(inside, sampling=np.linalg.norm(self.voxel_to_space_um[:3, :3], axis=0))
        deepest = np.argwhere(depth >= depth.max() * (1 - 1e-6)) - 1
        middle = np.average(index.center[best], axis=0, weights=index.count[best]) - start
        chosen = deepest[np.argmin(((deepest - middle) ** 2).sum(axis=1))] + start
        z, y, x = self.voxel_to_space_um[:3, :3] @ chosen + self.voxel_to_space_um[:3, 3]
        return float(z), float(y), float(x)

    def box_of(self, region_id: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
        """The first voxel and the one after the last (z, y, x) of level 0 of a region and all below it; None when it
        has none. Raises `NotFound`."""
        rows = self.index.rows(self.labels_of(region_id))
        if not len(rows):
            return None
        return self.index.start[rows].min(axis=0).astype(np.int64), self.index.stop[rows].max(axis=0).astype(np.int64)

    def mask_blocks(self, region_id: int, level: int = 0) -> Iterator[RegionMask]:
        """A region and all below it, chunk by chunk of `level`: only chunks in which it has voxels, memory one of them.
        Raises `NotFound` for an unknown region or level."""
        labels = self.labels_of(region_id)
        for window in self._chunks_of(labels, level):
            voxels = np.isin(self.volume.read(level, window)[0, 0], labels)
            if voxels.any():
                yield RegionMask(voxels, (window.start[2], window.start[3], window.start[4]), level)

    def mask_of(self, region_id: int, level: int = 0) -> RegionMask | None:
        """A region and all below it over its own box; None when it has no voxel at `level`. Raises `NotFound`."""
        blocks = list(self.mask_blocks(region_id, level))
        if not blocks:
            return None
        starts = np.array([block.start for block in blocks])
        low = starts.min(axis=0)
        high = np.max([np.add(block.start, block.voxels.shape) for block in blocks], axis=0)
        whole = np.zeros(tuple(high - low), np.bool_)
        for block, start in zip(blocks, starts - low, strict=True):
            whole[tuple(slice(a, a + n) for a, n in zip(start, block.voxels.shape, strict=True))] = block.voxels
        used = [np.flatnonzero(whole.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        trimmed = whole[tuple(slice(at[0], at[-1] + 1) for at in used)]
        z, y, x = (int(low[axis] + at[0]) for axis, at in enumerate(used))
        return RegionMask(trimmed, (z, y, x), level)

    def _chunks_of(self, labels: npt.NDArray[np.int64], level: int) -> Iterator[Window]:
        """The chunks of `level` in which some of `labels` can have voxels."""
        shape = self.volume.level(level).shape[2:]
        finest, wanted = self.volume.volume.levels[0], self.volume.volume.levels[level]
        rows = self.index.rows(labels)
        factor = np.divide(wanted.voxel_size_um, finest.voxel_size_um)
        size = np.array(wanted.chunk_shape[2:])
        low = (self.index.start[rows] / factor // size).astype(np.int64)
        high = (np.maximum(np.ceil(self.index.stop[rows] / factor) - 1, 0) // size).astype(np.int64)
        spans = (range(a[0], b[0] + 1) for a, b in zip(low, high, strict=True))
        chunks = {
            (z, y, x)
            for zs, a, b in zip(spans, low, high, strict=True)
            for z in zs
            for y in range(a[1], b[1] + 1)
            for x in range(a[2], b[2] + 1)
        }
        for chunk in sorted(chunks):
            start = np.array(chunk) * size
            if (start < shape).all():
                yield _window(start, start + size, shape)

    def _check(self, points: Points) -> None:
        if points.space.name != self.space.name:
            raise SpaceMismatch(
                f"the points are in {points.space.name}, the atlas is in {self.space.name}",
                hint="transform_points brings them there",
            )


def _window(start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Window:
    z0, y0, x0 = (int(a) for a in start)
    z1, y1, x1 = (int(min(b, n)) for b, n in zip(stop, shape, strict=True))
    return Window((0, 0, z0, y0, x0), (1, 1, z1, y1, x1))


def open_annotation(store: Store, atlas: Atlas, part: AtlasPart, ontology: Ontology, cache: Path) -> Annotation:
    """The annotation that `part` of `atlas` names, with its grid in the folder `cache`."""
    prefix = f"assets/{part.asset_id}"
    index = index_from_bytes(store.read(f"{prefix}/{LABEL_INDEX}"))
    return Annotation(atlas, part, ontology, open_volume(store, prefix), index).keep_grid_in(cache)
