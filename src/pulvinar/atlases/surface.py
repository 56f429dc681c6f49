"""How far places outside of the brain are from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree


@dataclass(frozen=True, eq=False)
class Surface:
    """The labelled voxels that touch an unlabelled one: the nearest labelled voxel of a place outside is among them.

    `region` int64 (m,), of each of the tree's points.
    """

    region: npt.NDArray[np.int64]
    tree: KDTree
    voxel_radius_um: float

    @classmethod
    def of(
        cls, grid: npt.NDArray[np.uint16], values: npt.NDArray[np.int64], voxel_to_space_um: npt.NDArray[np.float64]
    ) -> Surface:
        """That of a grid (z, y, x) whose numbers stand for `values`, plane by plane."""
        places = np.concatenate([_outer(grid, z) for z in range(len(grid))])
        region = values[grid[tuple(places.T)]]
        zyx_um = places @ voxel_to_space_um[:3, :3].T + voxel_to_space_um[:3, 3]
        edge = float(np.linalg.norm(voxel_to_space_um[:3, :3], axis=0).min())
        return cls(region, KDTree(zyx_um, balanced_tree=False, compact_nodes=False), edge / 2)

    def nearest(self, zyx_um: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The region nearest to each of the places (n, 3), and how far its voxel is: int64 (n,), float64 (n,). The
        distance is to the ball within the voxel, so at most half a voxel's diagonal less half its edge too long."""
        distance, at = self.tree.query(zyx_um, workers=-1)
        return self.region[at], np.maximum(distance - self.voxel_radius_um, 0.0)


def _outer(grid: npt.NDArray[np.uint16], z: int) -> npt.NDArray[np.int64]:
    """The voxels (z, y, x) of plane `z` that are labelled and have one of their six neighbours without a label."""
    plane = grid[z] != 0
    if not plane.any():
        return np.zeros((0, 3), np.int64)
    empty = np.zeros_like(plane)
    inner = plane.copy()
    inner &= (grid[z - 1] != 0) if z else empty
    inner &= (grid[z + 1] != 0) if z + 1 < len(grid) else empty
    for axis in (0, 1):
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        inner[tuple(behind)] &= plane[tuple(ahead)]
        inner[tuple(ahead)] &= plane[tuple(behind)]
        edge = [slice(None)] * 2
        for at in (0, -1):
            edge[axis] = at  # type: ignore[call-overload]
            inner[tuple(edge)] = False
    y, x = np.nonzero(plane & ~inner)
    return np.stack([np.full(len(y), z), y, x], axis=1)
