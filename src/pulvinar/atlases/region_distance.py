"""How far places are from a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from pulvinar.atlases.annotation import Annotation, RegionMask

_MOST_VOXELS = 2_000_000


@dataclass(frozen=True, eq=False)
class RegionDistance:
    """A region and all below it as voxels of one level, and a tree of those at its surface.

    `voxel_to_space_um` (4, 4) leads from the indices of the mask's own voxels to (z, y, x) in micrometres.
    """

    mask: RegionMask
    voxel_to_space_um: npt.NDArray[np.float64]
    tree: KDTree

    @property
    def reach_um(self) -> float:
        """Half a voxel's diagonal: so far around the middle of each of its voxels the region reaches."""
        return float(np.linalg.norm(self.voxel_to_space_um[:3, :3].sum(axis=1))) / 2

    def distance_um(self, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far each of the places (n, 3) is from the region, float64 (n,): 0 inside of it.

        At most a voxel's diagonal less its shortest edge, and half of that outside of corners, is too little.
        """
        inverse = np.linalg.inv(self.voxel_to_space_um)
        index = np.rint(zyx_um @ inverse[:3, :3].T + inverse[:3, 3])
        within = ((index >= 0) & (index < self.mask.voxels.shape)).all(axis=1)
        inside = np.zeros(len(zyx_um), bool)
        inside[within] = self.mask.voxels[tuple(index[within].astype(np.intp).T)]
        distance = np.zeros(len(zyx_um))
        distance[~inside] = np.maximum(self.tree.query(zyx_um[~inside])[0] - self.reach_um, 0)
        return distance

    def box_gap_um(self, low_um: npt.NDArray[np.float64], high_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far boxes from `low_um` up to `high_um` (n, 3) are from the region at most, float64 (n,): by the voxel of
        its surface that is nearest to the middle of the box."""
        near = self.tree.data[self.tree.query((low_um + high_um) / 2)[1]]
        gap = np.linalg.norm(np.maximum(np.maximum(low_um - near, near - high_um), 0), axis=1)
        return np.asarray(np.maximum(gap - self.reach_um, 0))


def region_distance(annotation: Annotation, region_id: int) -> RegionDistance | None:
    """Of a region and all below it, at the finest level at which it has at most two million voxels; None for one that
    has none. Raises `NotFound` for an unknown region."""
    finest, *_ = levels = annotation.volume.volume.levels
    for number, level in enumerate(levels):
        factor = np.divide(level.voxel_size_um, finest.voxel_size_um)
        if annotation.voxel_count(region_id) > _MOST_VOXELS * factor.prod() and number + 1 < len(levels):
            continue
        mask = annotation.mask_of(region_id, number)
        if mask is None:
            return None
        # the middle of voxel i of a coarser level lies in the middle of the voxels that it is made of
        to_finest = np.eye(4)
        to_finest[:3, :3] = np.diag(factor)
        to_finest[:3, 3] = np.array(mask.start) * factor + (factor - 1) / 2
        affine = annotation.voxel_to_space_um @ to_finest
        at = np.argwhere(mask.voxels & ~binary_erosion(mask.voxels))
        return RegionDistance(mask, affine, KDTree(at @ affine[:3, :3].T + affine[:3, 3], balanced_tree=False))
    return None
