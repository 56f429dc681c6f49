"""A connectivity matrix as arcs in an atlas: its strongest connections, from region to region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pulvinar.atlases.installed import OpenAtlas
from pulvinar.ingest.anchor_names import region_named, side_named
from pulvinar.model.dataset import Asset
from pulvinar.model.ontology import Region
from pulvinar.model.space import Points
from pulvinar.model.volume import Triple
from pulvinar.storage.store import Store
from pulvinar.web.atlas_scene import world_of
from pulvinar.web.stored_tables import read_matrix


@dataclass(frozen=True)
class Arc:
    """A connection: `value` is the matrix's; the places are well inside of the regions, (z, y, x) of the world in
    um."""

    source: Region
    target: Region
    value: float
    source_um: Triple
    target_um: Triple


@dataclass(frozen=True)
class Arcs:
    """The strongest connections, these first; `directed` where from and to differ. `named` of the matrix's `parcels`
    are regions of the atlas that have a place; what is between others can't be drawn."""

    arcs: tuple[Arc, ...]
    directed: bool
    named: int
    parcels: int


def arcs_of(store: Store, asset: Asset, atlas: OpenAtlas, limit: int) -> Arcs:
    """The `limit` connections of a matrix with the largest values in size, between different places.

    Raises `Invalid` for what is no matrix, `TooLarge` for one with more cells than are read at once.
    """
    sources, targets, values = read_matrix(store, asset)
    known = {name: _place(atlas, name) for name in {*sources, *targets}}
    directed = not (sources == targets and np.array_equal(values, values.T, equal_nan=True))
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    size[[known[name] is None for name in sources], :] = 0
    size[:, [known[name] is None for name in targets]] = 0
    if not directed:
        size = np.triu(size, 1)
    arcs: list[Arc] = []
    for at in np.argsort(size, axis=None, kind="stable")[::-1]:
        row, column = divmod(int(at), len(targets))
        source, target = known[sources[row]], known[targets[column]]
        if len(arcs) == limit or not size[row, column]:
            break
        if source is not None and target is not None and source[1] != target[1]:
            arcs.append(Arc(source[0], target[0], float(values[row, column]), source[1], target[1]))
    return Arcs(tuple(arcs), directed, sum(one is not None for one in known.values()), len(known))


def _place(atlas: OpenAtlas, name: str) -> tuple[Region, Triple] | None:
    """The region that a parcel's name means, and where it is in the world: on the side that the name says, where the
    atlas has one region for both. None where it has none, or no voxel of it."""
    region = region_named(atlas.ontology, name)
    place = atlas.annotation.place_of(region.id) if region else None
    if region is None or place is None:
        return None
    rows = world_of(atlas.atlas)[:3]
    worlds = [rows @ [*place, 1.0]]
    side = side_named(name)
    if side and atlas.atlas.midline_um is not None and not side_named(region.name):
        (mirrored,) = atlas.atlas.mirror(Points(atlas.atlas.space, np.array([place]))).zyx_um
        worlds.append(rows @ [*mirrored, 1.0])
        worlds.sort(key=lambda one: float(one[2]), reverse=side == "right")
    z, y, x = (float(part) for part in worlds[0])
    return region, (z, y, x)
