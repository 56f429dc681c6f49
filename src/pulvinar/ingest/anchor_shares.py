"""How much of an asset lies in each region of an annotation, counted a part of it at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pulvinar.atlases.annotation import Annotation
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.space import Affine, Points
from pulvinar.model.volume import Volume

_BATCH = 1 << 19
"""So many places are looked up together."""
_MOST_PIECES = 1000

Floats = npt.NDArray[np.float64]


@dataclass
class Shares:
    """Values added up by region; `outside` is what lies in none."""

    by_region: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    outside: float = 0.0

    def add(self, regions: npt.NDArray[np.int64], weights: Floats | None = None) -> None:
        """Add a value a place, 1 where none is given."""
        if not len(regions):
            return
        # neighbours mostly lie in one region: to sort the runs takes a fraction of what sorting all places would
        begins = np.flatnonzero(np.concatenate([[True], regions[1:] != regions[:-1]]))
        held = np.diff(begins, append=len(regions)) if weights is None else np.add.reduceat(weights, begins)
        found, inverse = np.unique(regions[begins], return_inverse=True)
        totals = np.bincount(inverse, weights=held, minlength=len(found))
        for region, total in zip(found.tolist(), totals.tolist(), strict=True):
            if region:
                self.by_region[region] += float(total)
            else:
                self.outside += float(total)

    def over(self, whole: float) -> Shares:
        """The same as parts of `whole`."""
        return Shares({region: value / whole for region, value in self.by_region.items()}, self.outside / whole)


def count_places(annotation: Annotation, zyx_um: Floats) -> Shares:
    """How many of the places (n, 3) lie in each region."""
    found = Shares()
    for part in _parts(len(zyx_um)):
        found.add(annotation.regions_at(Points(annotation.space, zyx_um[part])))
    return found


def neurite_lengths(annotation: Annotation, zyx_um: Floats, parent: npt.NDArray[np.int64]) -> Shares:
    """The length of neurite in each region, in micrometres.

    What joins two nodes (n, 3) is cut into pieces no longer than a voxel, and each lies where its middle does.
    """
    found = Shares()
    step = float(np.linalg.norm(annotation.voxel_to_space_um[:3, :3], axis=0).min())
    child = np.flatnonzero(parent >= 0)
    starts, ways = zyx_um[parent[child]], zyx_um[child] - zyx_um[parent[child]]
    length = np.linalg.norm(ways, axis=1)
    pieces = np.clip(np.ceil(length / step), 1, _MOST_PIECES).astype(np.int64)
    ends = np.cumsum(pieces)
    for part in _parts(int(pieces.sum())):
        number = np.arange(part.start, part.stop)
        edge = np.searchsorted(ends, number, "right")
        share = (number - (ends - pieces)[edge] + 0.5) / pieces[edge]
        middle = starts[edge] + share[:, None] * ways[edge]
        found.add(annotation.regions_at(Points(annotation.space, middle)), length[edge] / pieces[edge])
    return found


def volume_shares(annotation: Annotation, volume: Volume, voxel_to_space_um: Floats) -> Shares:
    """The part of a volume's voxels that lies in each region: by the places of the voxels, no matter what is in them.

    `voxel_to_space_um` is of level 0; looked at is the level whose voxels are most like the annotation's, a slab of it
    at a time.
    """
    number = nearest_level(volume, float(np.linalg.norm(annotation.voxel_to_space_um[:3, :3], axis=0).mean()))
    to_space = voxel_to_space_um @ _level_to_first(volume, number)
    shape = volume.levels[number].shape[2:]
    found = Shares()
    for zyx_um in _voxel_places(shape, to_space):
        found.add(annotation.regions_at(Points(annotation.space, zyx_um)))
    return found.over(float(np.prod(shape, dtype=np.float64)))


def nearest_level(volume: Volume, size_um: float) -> int:
    """The level whose voxels are, by ratio, most nearly `size_um` long."""
    sizes = [np.log(np.mean(level.voxel_size_um) / size_um) for level in volume.levels]
    return int(np.argmin(np.abs(sizes)))


def _level_to_first(volume: Volume, number: int) -> Floats:
    """From voxels of a level to those of level 0."""
    level, matrix = volume.levels[number], np.eye(4)
    matrix[:3, :3] = np.diag(np.array(level.voxel_size_um) / volume.voxel_size_um)
    matrix[:3, 3] = np.array(level.translation_um) / volume.voxel_size_um
    return matrix


def _voxel_places(shape: Sequence[int], to_space: Floats) -> Iterator[Floats]:
    """The centres of all voxels, some rows at a time."""
    depth, height, width = shape
    along = np.arange(width)[:, None] * to_space[:3, 2]
    for part in _parts(depth * height, max(1, _BATCH // width)):
        zy = np.stack(np.divmod(np.arange(part.start, part.stop), height), axis=1)
        starts = zy @ to_space[:3, :2].T + to_space[:3, 3]
        yield (starts[:, None] + along).reshape(-1, 3)


def _parts(count: int, size: int = _BATCH) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def box_of_volume(volume: Volume, voxel_to_space_um: Floats) -> tuple[Floats, Floats]:
    """The first and the last corner (z, y, x) of the box around a volume, to the outer faces of its voxels."""
    sides = np.array(volume.shape[2:], np.float64)
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 3, indexing="ij")).reshape(3, -1).T * sides - 0.5
    places = corners @ voxel_to_space_um[:3, :3].T + voxel_to_space_um[:3, 3]
    return places.min(axis=0), places.max(axis=0)


def turned_box(box: Sequence[Sequence[float]], to_space: Affine) -> tuple[Floats, Floats]:
    """A box (first, last corner) after a map that turns axes into axes."""
    corners = np.array(box) @ np.array(to_space)[:3, :3].T + np.array(to_space)[:3, 3]
    return corners.min(axis=0), corners.max(axis=0)


def positions_of(ontology: Ontology, shares: Mapping[str, Mapping[int, float]]) -> dict[int, int]:
    """The number of each region of `shares` in the order of the tree."""
    return {one: ontology.position(one) for values in shares.values() for one in values}


def known_shares(ontology: Ontology, shares: Shares) -> dict[int, float]:
    """What lies in regions that the tree knows, in its order: an annotation may have labels that it doesn't."""
    known: list[Region] = [ontology.region(one) for one in shares.by_region if one in ontology]
    known.sort(key=lambda region: ontology.position(region.id))
    return {region.id: shares.by_region[region.id] for region in known}
