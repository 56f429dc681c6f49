"""Regions of an atlas in figures: their volume, how bright an image is in them, how many cells lie in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.installed import OpenAtlas
from pulvinar.catalogue.measuring import Chunk, Floats, Ints, Measured
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.atlas import Atlas, PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.ontology import Region
from pulvinar.model.space import Affine, Points
from pulvinar.model.transform import world_to_space
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

MOST_REGIONS = 500
_ROWS = 1 << 18
_AT_ONCE = 1 << 20
"""So many voxels are asked for their region at once."""


@dataclass(frozen=True)
class Signal:
    """One channel of an image in a region: `sd` is that of the population; None where no voxel lies in it."""

    channel: str
    voxels: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class RegionRow:
    """One region: `voxels` and `volume_mm3` of the annotation's level 0, `signal` of each channel of an image,
    `cells` that lie in it; None and empty where nothing was given."""

    region: Region
    voxels: int
    volume_mm3: float
    signal: tuple[Signal, ...]
    cells: int | None
    cells_per_mm3: float | None


@dataclass(frozen=True)
class RegionStatistics:
    """`level` is that of the image, None without one."""

    level: int | None
    with_children: bool
    rows: tuple[RegionRow, ...]


def region_statistics(
    atlas: OpenAtlas,
    regions: Sequence[Region],
    *,
    with_children: bool = True,
    image: Measured | None = None,
    level: int | None = None,
    time: int = 0,
    cells_um: Floats | None = None,
) -> RegionStatistics:
    """Each of `regions` in figures, with all that is below it or by its own label alone.

    Volumes are exact. Of an image in the atlas's space the voxels whose centres lie in a region are taken, at `level`,
    or the finest within the budget: at level 0 every one. `cells_um` (n, 3) are places (z, y, x) of the atlas's space.
    Raises `SpaceMismatch` for an image of another space, `TooLarge` for more than one answer may read.
    """
    if not 0 < len(regions) <= MOST_REGIONS:
        raise Invalid(f"{len(regions)} regions are asked for", hint=f"1 to {MOST_REGIONS} at once")
    annotation = atlas.annotation
    own = {region.id: _labels_of(annotation, region, with_children=with_children) for region in regions}
    labels = np.unique(np.concatenate(list(own.values())))
    chosen, sums = None, None
    if image is not None:
        chosen, sums = _measure(atlas, image, labels, level, image.check_time(time))
    cells = None if cells_um is None else _count(annotation, labels, cells_um)
    names = [channel.name for channel in image.volume.channels] if image else []
    rows = tuple(_row(annotation, one, labels, own[one.id], sums, cells, names) for one in regions)
    return RegionStatistics(chosen, with_children, rows)


def cells_in_space(store: Store, asset: Asset, atlas: Atlas) -> Floats:
    """The places (n, 3) of a set of points that lies in the atlas's space. Raises `Invalid` and `SpaceMismatch`."""
    if asset.kind is not AssetKind.POINTS:
        raise Invalid(f"{asset.name} is a {asset.kind}, not points", hint="cells are points")
    _check_space(asset, atlas)
    columns = [f"{axis}_um" for axis in "zyx"]
    batches = open_table(store, f"{asset.prefix}/points.parquet").iter_batches(_ROWS, columns=columns)
    parts = [np.stack([batch[name].to_numpy(zero_copy_only=False) for name in columns], axis=1) for batch in batches]
    places = np.concatenate([np.zeros((0, 3)), *parts])
    if asset.details.get("source", {}).get("options", {}).get("orientation"):
        # where an orientation was given the places lie in the world
        matrix = np.array(world_to_space(atlas.space))
        places = places @ matrix[:3, :3].T + matrix[:3, 3]
    return np.asarray(places[np.isfinite(places).all(axis=1)], np.float64)


def _check_space(asset: Asset, atlas: Atlas) -> None:
    lies = str(asset.details.get("space", {}).get("name", ""))
    if lies != atlas.space.name:
        raise SpaceMismatch(
            f"{asset.name} lies in {lies or 'a space that nobody named'}, the atlas in {atlas.space.name}",
            hint="align it to the atlas: what comes of that lies in the atlas's space",
        )


def _labels_of(annotation: Annotation, region: Region, *, with_children: bool) -> Ints:
    if with_children:
        return annotation.labels_of(region.id)
    return np.intersect1d(np.array([region.id], np.int64), annotation.index.labels)


@dataclass
class _Sums:
    """Of each label: voxels (n,), and of each channel the sums of values above `pivot` and of their squares (c, n).

    What is finite in one channel may not be in another, so `count` is (c, n) too.
    """

    count: Ints
    total: Floats
    squares: Floats
    pivot: Floats

    def signal(self, which: npt.NDArray[np.intp], names: Sequence[str]) -> tuple[Signal, ...]:
        found = []
        for channel, name in enumerate(names):
            count = int(self.count[channel, which].sum())
            if not count:
                found.append(Signal(name, 0, None, None))
                continue
            mean = float(self.total[channel, which].sum()) / count
            spread = max(0.0, float(self.squares[channel, which].sum()) / count - mean**2)
            found.append(Signal(name, count, mean + float(self.pivot[channel]), spread**0.5))
        return tuple(found)


def _row(
    annotation: Annotation,
    region: Region,
    labels: Ints,
    own: Ints,
    sums: _Sums | None,
    cells: Ints | None,
    names: Sequence[str],
) -> RegionRow:
    which = np.searchsorted(labels, own)
    voxels = int(annotation.index.count[annotation.index.rows(own)].sum())
    volume = voxels * float(abs(np.linalg.det(annotation.voxel_to_space_um[:3, :3]))) / 1e9
    count = None if cells is None else int(cells[which].sum())
    density = None if count is None or not volume else count / volume
    signal = sums.signal(which, names) if sums else ()
    return RegionRow(region, voxels, volume, signal, count, density)


def _count(annotation: Annotation, labels: Ints, cells_um: Floats) -> Ints:
    found = annotation.regions_at(Points(annotation.space, cells_um))
    return _counts(labels, found, np.ones(len(found))).astype(np.int64)


def _counts(labels: Ints, found: Ints, weights: Floats) -> Floats:
    """The sum of `weights` for each of `labels`; what has another label is left out."""
    if not len(labels):
        return np.zeros(0)
    at = np.minimum(np.searchsorted(labels, found), len(labels) - 1)
    return np.asarray(np.bincount(at, np.where(labels[at] == found, weights, 0.0), len(labels)), np.float64)


def _measure(atlas: OpenAtlas, image: Measured, labels: Ints, level: int | None, time: int) -> tuple[int, _Sums]:
    if image.volume.kind is VolumeKind.LABELS:
        raise Invalid(f"{image.asset.name} holds labels, which have no mean", hint="take an image")
    placed = _image_to_space(atlas, image)
    annotation = atlas.annotation
    maps = [placed @ _level_index(image, number) for number in range(len(image.volume.levels))]
    chosen = image.choose_level(level, lambda one: len(_chunks_with(annotation, image, labels, one, maps[one])))
    channels = image.volume.shape[1]
    nothing = np.zeros((channels, len(labels)))
    sums = _Sums(nothing.astype(np.int64), nothing.copy(), nothing.copy(), np.zeros(channels))
    for number, chunk in enumerate(_chunks_with(annotation, image, labels, chosen, maps[chosen])):
        start, stop = image.chunk_box(chosen, chunk)
        voxels = image.read(chosen, image.window(chosen, time, start.tolist(), stop.tolist()))
        flat = voxels.reshape(channels, -1)
        if not number:
            # a mean that is large beside the spread would cost the squares their digits
            sums.pivot[:] = [_finite_mean(one) for one in flat]
        _add(annotation, sums, labels, flat, maps[chosen], (start, voxels.shape[1:]))
    return chosen, sums


def _finite_mean(values: npt.NDArray[np.generic]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if len(finite) else 0.0


def _add(
    annotation: Annotation,
    sums: _Sums,
    labels: Ints,
    flat: npt.NDArray[np.generic],
    to_space: Floats,
    box: tuple[Ints, tuple[int, ...]],
) -> None:
    start, shape = box
    for first in range(0, flat.shape[1], _AT_ONCE):
        numbers = np.arange(first, min(first + _AT_ONCE, flat.shape[1]))
        index = np.stack(np.unravel_index(numbers, shape), axis=1) + start
        places = index @ to_space[:3, :3].T + to_space[:3, 3]
        found = annotation.regions_at(Points(annotation.space, np.ascontiguousarray(places)))
        for channel, values in enumerate(flat[:, first : first + _AT_ONCE].astype(np.float64)):
            finite = np.isfinite(values)
            above = np.where(finite, values - sums.pivot[channel], 0.0)
            sums.count[channel] += np.rint(_counts(labels, found, finite.astype(float))).astype(np.int64)
            sums.total[channel] += _counts(labels, found, above)
            sums.squares[channel] += _counts(labels, found, above**2)


def _level_index(image: Measured, level: int) -> Floats:
    """From a voxel's index at `level` to the index at level 0, 4 x 4."""
    return np.asarray(np.linalg.inv(image.to_world(0)) @ image.to_world(level))


def _image_to_space(atlas: OpenAtlas, image: Measured) -> Floats:
    """From a voxel's index of the image's level 0 to the atlas's space, 4 x 4."""
    for part in atlas.atlas.parts:
        if part.asset_id == image.asset.id and part.kind is PartKind.TEMPLATE and part.voxel_to_space_um:
            return np.array(part.voxel_to_space_um)
    _check_space(image.asset, atlas.atlas)
    to_space: Affine = world_to_space(atlas.atlas.space)
    return np.asarray(np.array(to_space) @ image.to_world(0))


def _chunks_with(annotation: Annotation, image: Measured, labels: Ints, level: int, to_space: Floats) -> list[Chunk]:
    """The chunks of the image at `level` that can hold voxels of the labels."""
    rows = annotation.index.rows(labels)
    to_index = np.linalg.inv(to_space) @ annotation.voxel_to_space_um
    low, high = annotation.index.start[rows] - 0.5, annotation.index.stop[rows] - 0.5
    corners = np.stack([np.where(side, high, low) for side in product((False, True), repeat=3)], axis=1)
    index = corners @ to_index[:3, :3].T + to_index[:3, 3]
    shape = np.array(image.volume.levels[level].shape[2:])
    first = np.clip(np.floor(index.min(axis=1) + 0.5), 0, shape).astype(np.int64)
    last = np.clip(np.ceil(index.max(axis=1) + 0.5), 0, shape).astype(np.int64)
    found: set[Chunk] = set()
    for a, b in zip(first, last, strict=True):
        if (b > a).all():
            found.update(image.chunks_over(level, a, b))
    return sorted(found)
