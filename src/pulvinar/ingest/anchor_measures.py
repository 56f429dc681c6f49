"""What there is to measure of an asset of each kind in the space of an atlas: its box, its regions, its places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pulvinar.atlases.annotation import Annotation
from pulvinar.atlases.installed import OpenAtlas
from pulvinar.atlases.transforms import apply, steps_of
from pulvinar.ingest.anchor_shares import (
    Shares,
    box_of_volume,
    count_places,
    neurite_lengths,
    turned_box,
    volume_shares,
)
from pulvinar.model.anchor import PlaceRole, Role, typed_count
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.space import Affine, Points, Space
from pulvinar.model.transform import IDENTITY, AffineTransform, Transform, world_to_space
from pulvinar.model.volume import Triple, volume_from_json
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

_TYPES = ("celltype", "type", "maintype", "maintypesymbol", "class", "subclass", "cluster", "subtype", "subtypesymbol")
"""Columns that say of which type a cell is, folded; the first that there is counts."""
_MOST_TYPES = 256
_ROWS = 1 << 18
_PROBES = 9
"""Along each side of a box, so many places say where it comes to lie by a transform that bends."""
_SOMA = 1
"""The code of a soma in SWC."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Lies:
    """Where an asset lies in a space: its box, what it has in the regions of each role, and its places."""

    box_um: tuple[Floats, Floats] | None = None
    shares: Mapping[str, Shares] = field(default_factory=dict)
    places: Mapping[PlaceRole, Floats] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """An asset and the atlas in which it is looked for; `route` leads there from the space that the asset is in, None
    where that is the atlas's own."""

    opened: OpenAtlas
    store: Store
    asset: Asset
    route: Transform | None = None

    @property
    def space(self) -> Space:
        """That which the asset's coordinates are in."""
        return self.route.source if self.route else self.opened.atlas.space

    @property
    def annotation(self) -> Annotation | None:
        """The regions of the atlas as voxels, None where it has none, or no names of them."""
        named = self.opened.atlas.has(PartKind.ANNOTATION) and self.opened.atlas.has(PartKind.TERMINOLOGY)
        return self.opened.annotation if named else None

    @cached_property
    def to_space(self) -> Affine:
        """From the places that are stored to the space: where an orientation was given they lie in the world frame."""
        turned = self.asset.details.get("source", {}).get("options", {}).get("orientation")
        return world_to_space(self.space) if turned else IDENTITY

    def places(self, zyx_um: Floats) -> Floats:
        """Stored places (n, 3) in the space of the atlas; one that is no number stays so."""
        matrix = np.array(self.to_space)
        return self.brought(np.ascontiguousarray(zyx_um @ matrix[:3, :3].T + matrix[:3, 3]))

    def brought(self, zyx_um: Floats) -> Floats:
        """Places (n, 3) of the asset's space in that of the atlas."""
        if self.route is None:
            return zyx_um
        known = np.isfinite(zyx_um).all(axis=1)
        found = np.full(zyx_um.shape, np.nan)
        found[known] = apply(self.route, Points(self.route.source, zyx_um[known])).zyx_um
        return found

    def box(self, corners: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """A box of the asset's space in that of the atlas: around where some of its places come to lie."""
        if self.route is None:
            return corners
        sides = (np.linspace(first, last, _PROBES) for first, last in zip(*corners, strict=True))
        places = self.brought(np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3))
        return places.min(axis=0), places.max(axis=0)

    def table(self, path: str) -> pq.ParquetFile:
        """A table of the asset."""
        return open_table(self.store, f"{self.asset.prefix}/{path}")

    def columns(self, path: str, *names: str) -> Iterator[pa.RecordBatch]:
        """Some columns of a stored table, so many rows at a time."""
        return self.table(path).iter_batches(_ROWS, columns=list(names))

    def stored_places(self, path: str) -> Floats:
        """The places that a stored table has, in the space; rows that have none are left out."""
        parts = [
            np.stack([batch[f"{axis}_um"].to_numpy(zero_copy_only=False) for axis in "zyx"], axis=1)
            for batch in self.columns(path, "z_um", "y_um", "x_um")
        ]
        return self.places(np.concatenate([np.zeros((0, 3)), *parts]))


def _skeleton(place: Place) -> Lies:
    zyx_um = place.stored_places("skeleton.parquet")
    parts = list(place.columns("skeleton.parquet", "parent", "type_code"))
    parent, kind = (np.concatenate([batch[name].to_numpy() for batch in parts]) for name in ("parent", "type_code"))
    soma, end = somata(parent, kind), ends(parent)
    places = {PlaceRole.NODE: zyx_um, PlaceRole.SOMA: zyx_um[soma], PlaceRole.END: zyx_um[end]}
    shares: dict[str, Shares] = {}
    if place.annotation is not None:
        shares[Role.SOMA] = count_places(place.annotation, zyx_um[soma])
        shares[Role.END] = count_places(place.annotation, zyx_um[end])
        shares[Role.LENGTH] = neurite_lengths(place.annotation, zyx_um, parent)
    return Lies(_around(zyx_um), shares, places)


def somata(parent: npt.NDArray[Any], kind: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The rows of a neuron's somata: of nodes of type 1 those on which no other of them hangs, else its one root."""
    above = np.where(parent >= 0, kind[parent], 0)
    found = np.flatnonzero((kind == _SOMA) & (above != _SOMA))
    roots = np.flatnonzero(parent < 0)
    return found if len(found) or len(roots) != 1 else roots


def ends(parent: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The rows of nodes that nothing hangs on and that hang on something."""
    has_child = np.zeros(len(parent), bool)
    has_child[parent[parent >= 0]] = True
    return np.flatnonzero(~has_child & (parent >= 0))


def _points(place: Place) -> Lies:
    columns = place.asset.details.get("columns", ())
    zyx_um = place.stored_places("points.parquet")
    kept = np.asarray(np.isfinite(zyx_um).all(axis=1))
    shares: dict[str, Shares] = {}
    if place.annotation is not None:
        regions = _regions(place.annotation, zyx_um, kept)
        shares[Role.COUNT] = Shares()
        shares[Role.COUNT].add(regions[kept])
        column = _type_column(place, columns)
        if column:
            shares |= _typed(place, column, regions, kept)
            return Lies(_around(zyx_um[kept]), shares, {PlaceRole.CELL: zyx_um[kept]}, {"type_column": column})
    return Lies(_around(zyx_um[kept]), shares, {PlaceRole.CELL: zyx_um[kept]})


def _regions(annotation: Annotation, zyx_um: Floats, kept: Mask) -> npt.NDArray[np.int64]:
    found = np.zeros(len(zyx_um), np.int64)
    found[kept] = annotation.regions_at(Points(annotation.space, zyx_um[kept]))
    return found


def _type_column(place: Place, columns: Sequence[str]) -> str:
    folded = {"".join(filter(str.isalnum, name.casefold())): name for name in reversed(columns)}
    return next((folded[name] for name in _TYPES if name in folded), "")


def _typed(place: Place, column: str, regions: npt.NDArray[np.int64], kept: Mask) -> dict[str, Shares]:
    """The points of each type by region, of the most frequent types."""
    counts: Counter[tuple[str, int]] = Counter()
    at = 0
    for batch in place.columns("points.parquet", column):
        kinds, here = batch[column], slice(at, at + len(batch))
        for kind, region, counted in zip(kinds.to_pylist(), regions[here].tolist(), kept[here].tolist(), strict=True):
            if counted and kind is not None:
                counts[str(kind), region] += 1
        at += len(batch)
    totals: Counter[str] = Counter()
    for (kind, _), count in counts.items():
        totals[kind] += count
    found = {typed_count(kind): Shares() for kind, _ in totals.most_common(_MOST_TYPES)}
    for (kind, region), count in counts.items():
        if typed_count(kind) in found:
            found[typed_count(kind)].add(np.array([region]), np.array([float(count)]))
    return found


def _series(place: Place) -> Lies:
    names = place.table("series.parquet").schema_arrow.names
    if "z_um" not in names:
        return Lies()
    zyx_um = place.stored_places("series.parquet")
    zyx_um = zyx_um[np.isfinite(zyx_um).all(axis=1)]
    shares = {Role.COUNT.value: count_places(place.annotation, zyx_um)} if place.annotation is not None else {}
    return Lies(_around(zyx_um), shares, {PlaceRole.CELL: zyx_um})


def _volume(place: Place) -> Lies:
    volume = volume_from_json(place.asset.details["volume"])
    to_space = voxel_to_space(volume.affine_um, volume.voxel_size_um, place.space)
    shares = {}
    steps = steps_of(place.route) if place.route else ()
    straight = [step for step in steps if isinstance(step, AffineTransform)]
    bent = len(straight) < len(steps)
    for step in () if bent else straight:
        to_space = np.array(step.matrix_um) @ to_space
    # the shares of a volume are counted along straight rows of voxels
    if place.annotation is not None and not bent:
        shares[Role.SHARE.value] = volume_shares(place.annotation, volume, to_space)
    box = box_of_volume(volume, to_space)
    return Lies(place.box(box) if bent else box, shares)


def voxel_to_space(affine_um: Affine | None, voxel_size_um: Triple, space: Space) -> Floats:
    """From the voxels of a volume whose coordinates are in `space` to that space, (4, 4).

    A file that says no place of its first voxel is taken to begin, with that voxel's corner, at the space's origin; one
    that says no orientation either has the space's axes.
    """
    matrix = np.diag([*voxel_size_um, 1.0])
    if affine_um is not None:
        matrix = np.array(world_to_space(space)) @ np.array(affine_um)
    if affine_um is None or not any(row[3] for row in affine_um[:3]):
        matrix[:3, 3] += matrix[:3, :3] @ np.full(3, 0.5)
    return np.asarray(matrix, np.float64)


def _bounds(place: Place) -> Lies:
    bounds = place.asset.details.get("bounds_um")
    return Lies(place.box(turned_box(bounds, place.to_space)) if bounds else None)


MEASURES: Mapping[AssetKind, Callable[[Place], Lies]] = {
    AssetKind.SKELETON: _skeleton,
    AssetKind.POINTS: _points,
    AssetKind.TIME_SERIES: _series,
    AssetKind.VOLUME: _volume,
    AssetKind.MESH: _bounds,
    AssetKind.TRACTS: _bounds,
}


def _around(zyx_um: Floats) -> tuple[Floats, Floats] | None:
    """The box around places; a little beyond the last of them, for a box doesn't hold its end."""
    if not len(zyx_um):
        return None
    return zyx_um.min(axis=0), np.nextafter(zyx_um.max(axis=0), np.inf)
