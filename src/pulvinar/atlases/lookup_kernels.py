"""Looking up many points in a grid at once, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange


def look_up(
    zyx_um: npt.NDArray[np.float64],
    space_to_voxel: npt.NDArray[np.float64],
    grid: npt.NDArray[np.uint16],
    values: npt.NDArray[np.int64],
    out: npt.NDArray[np.int64],
) -> bool:
    """Fill `out` (n,) with `values` of the voxel of `grid` (z, y, x) in which each of the points (n, 3) lies, with
    `values[0]` outside of it; whether some point is no number. A voxel reaches half a voxel around its centre."""
    return bool(_look_up(zyx_um, space_to_voxel, grid, values, out))


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _look_up(zyx: Any, to_voxel: Any, grid: Any, values: Any, out: Any) -> Any:
    depth, height, width = grid.shape
    no_number = 0
    for i in prange(len(zyx)):
        z, y, x = zyx[i, 0], zyx[i, 1], zyx[i, 2]
        a = np.floor(to_voxel[0, 0] * z + to_voxel[0, 1] * y + to_voxel[0, 2] * x + to_voxel[0, 3] + 0.5)
        b = np.floor(to_voxel[1, 0] * z + to_voxel[1, 1] * y + to_voxel[1, 2] * x + to_voxel[1, 3] + 0.5)
        c = np.floor(to_voxel[2, 0] * z + to_voxel[2, 1] * y + to_voxel[2, 2] * x + to_voxel[2, 3] + 0.5)
        if 0 <= a < depth and 0 <= b < height and 0 <= c < width:
            out[i] = values[grid[int(a), int(b), int(c)]]
        else:
            out[i] = values[0]
            # a difference with itself is 0 for every number but NaN and infinity
            if not (z - z == 0 and y - y == 0 and x - x == 0):
                no_number += 1
    return no_number
