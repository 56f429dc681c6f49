"""How many cells lie in each region of an atlas, on each side of the brain, and how densely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pulvinar.atlases.annotation import Annotation
from pulvinar.errors import Invalid
from pulvinar.model.ontology import Ontology
from pulvinar.model.space import Points, Window

SIDES = ("left", "right")


@dataclass(frozen=True, eq=False)
class RegionSizes:
    """How large each label of an annotation is on each side: `label` int64 (n,) rising, `volume_mm3` float64 (n, 2),
    columns left and right."""

    label: npt.NDArray[np.int64]
    volume_mm3: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """Cells by region and side, one row a region of the ontology that has a volume, from the root down.

    `region` int64 (n,); `count` int64 (n, 2) and `volume_mm3` float64 (n, 2), columns left and right, of the region and
    all below it; `outside` is how many cells lie in no region.
    """

    ontology: Ontology
    region: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    volume_mm3: npt.NDArray[np.float64]
    outside: int

    @property
    def density(self) -> npt.NDArray[np.float64]:
        """Cells a cubic millimetre (n, 2); NaN where a side has no volume."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.volume_mm3 > 0, self.count / self.volume_mm3, np.nan)

    def to_table(self) -> pa.Table:
        """One row a region and side, and one for both sides: region, acronym, name, name_zh, side, count, volume_mm3,
        density (cells a cubic millimetre)."""
        rows = []
        for at, number in enumerate(self.region):
            region = self.ontology.region(int(number))
            said = {"region": region.id, "acronym": region.acronym, "name": region.name, "name_zh": region.name_zh}
            sided = [*zip(SIDES, self.count[at], self.volume_mm3[at], strict=True)]
            for side, count, volume in (*sided, ("both", self.count[at].sum(), self.volume_mm3[at].sum())):
                density = float(count / volume) if volume else None
                rows.append(
                    {**said, "side": side, "count": int(count), "volume_mm3": float(volume), "density": density}
                )
        return pa.Table.from_pylist(rows)


def region_sizes(annotation: Annotation) -> RegionSizes:
    """Measure the labels of an annotation on each side, chunk by chunk; made once and kept by the caller.

    Raises `Invalid` for an atlas whose middle nobody knows.
    """
    labels = annotation.index.labels
    counts = np.zeros((len(labels), 2), np.int64)
    level = annotation.volume.volume.levels[0]
    shape, step = level.shape[2:], level.chunk_shape[2:]
    for corner in np.unique(annotation.index.chunk, axis=0):
        start = tuple(int(c * n) for c, n in zip(corner, step, strict=True))
        stop = tuple(min(a + n, size) for a, n, size in zip(start, step, shape, strict=True))
        voxels = annotation.volume.read(0, Window((0, 0, *start), (1, 1, *stop)))[0, 0]  # type: ignore[arg-type]
        at = np.nonzero(voxels)
        places = np.stack(at, axis=1) + start
        matrix = annotation.voxel_to_space_um
        right = _right_of_middle(Points(annotation.space, places @ matrix[:3, :3].T + matrix[:3, 3]), annotation)
        rows = np.searchsorted(labels, voxels[at])
        counts += np.bincount(2 * rows + right, minlength=2 * len(labels)).reshape(-1, 2)
    voxel_mm3 = abs(float(np.linalg.det(annotation.voxel_to_space_um[:3, :3]))) / 1e9
    return RegionSizes(labels, counts.astype(np.float64) * voxel_mm3)


def count_cells(points: Points, annotation: Annotation, sizes: RegionSizes | None = None) -> RegionCounts:
    """Count cells at `points`, which lie in the atlas's space, by region and side.

    `sizes` is what `region_sizes` measured, measured anew when it is None. Raises `SpaceMismatch` for points of another
    space, `Invalid` for one that is no number or an atlas whose middle nobody knows.
    """
    sizes = sizes or region_sizes(annotation)
    found = annotation.regions_at(points)
    right = _right_of_middle(points, annotation)
    known = found != 0
    rows = np.searchsorted(sizes.label, found[known])
    own = np.bincount(2 * rows + right[known], minlength=2 * len(sizes.label)).reshape(-1, 2)
    ontology = annotation.ontology
    place = {region.id: at for at, region in enumerate(ontology.regions)}
    count, volume = np.zeros((len(place), 2), np.int64), np.zeros((len(place), 2))
    for label, cells, size in zip(sizes.label, own, sizes.volume_mm3, strict=True):
        at: int | None = int(label)
        while at is not None:
            count[place[at]] += cells
            volume[place[at]] += size
            at = ontology.region(at).parent
    there = volume.any(axis=1)
    region = np.array([one.id for one in ontology.regions], np.int64)
    return RegionCounts(ontology, region[there], count[there], volume[there], int((~known).sum()))


def _right_of_middle(points: Points, annotation: Annotation) -> npt.NDArray[np.int64]:
    """1 for each point on the right side of the brain, 0 on the left (n,); a point in the middle counts as right."""
    axis = next((i for i, letter in enumerate(points.space.orientation) if letter in "LR"), None)
    if axis is None:
        raise Invalid(f"nobody has said where left is in {points.space.name}", hint="use an atlas that says it")
    here, mirrored = points.zyx_um[:, axis], annotation.mirror(points).zyx_um[:, axis]
    rising = here >= mirrored if points.space.orientation[axis] == "R" else here <= mirrored
    return rising.astype(np.int64)
