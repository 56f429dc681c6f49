"""How densely cells lie, as a volume that can be looked at."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Points
from pulvinar.solutions.cells.candidates import Triple

_MOST_VOXELS = 1 << 29
_CUT = 3.0


def heat_map(
    points: Points,
    shape: tuple[int, int, int],
    voxel_to_space_um: npt.NDArray[np.float64],
    radius_um: float,
) -> npt.NDArray[np.float32]:
    """Cells a cubic millimetre, float32 (z, y, x), on a grid of `shape` whose voxels `voxel_to_space_um` (4, 4) takes
    to the points' space; each cell is spread as a Gaussian of deviation `radius_um`.

    Where the volume ends nothing is known, so what would be spread beyond it counts for what is within: the density at
    the rim is not too low. Cells outside of the grid are left out. Raises `Invalid` for a radius of 0 or a grid without
    volume, `TooLarge` above half a thousand million voxels.
    """
    if prod(shape) > _MOST_VOXELS:
        raise TooLarge(f"a heat map of {shape} voxels", hint="take coarser voxels: cells are spread anyway")
    size = voxel_sizes_um(voxel_to_space_um)
    volume_mm3 = abs(float(np.linalg.det(voxel_to_space_um[:3, :3]))) / 1e9
    if radius_um <= 0 or volume_mm3 == 0:
        raise Invalid(f"a radius of {radius_um} um, voxels of {size} um", hint="both must be more than 0")
    back = np.linalg.inv(voxel_to_space_um)
    index = np.floor(points.zyx_um @ back[:3, :3].T + back[:3, 3] + 0.5).astype(np.int64)
    inside = index[((index >= 0) & (index < shape)).all(axis=1)]
    counts = np.bincount(np.ravel_multi_index(tuple(inside.T), shape), minlength=prod(shape))
    spread = counts.reshape(shape).astype(np.float32)
    for axis, step in enumerate(size):
        sigma = radius_um / step
        ndimage.gaussian_filter1d(spread, sigma, axis, output=spread, mode="constant", truncate=_CUT)
        covered = ndimage.gaussian_filter1d(np.ones(shape[axis]), sigma, mode="constant", truncate=_CUT)
        spread /= covered.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    spread /= np.float32(volume_mm3)
    return spread


def voxel_sizes_um(voxel_to_space_um: npt.NDArray[np.float64]) -> Triple:
    """The size of a voxel along its own axes (z, y, x)."""
    z, y, x = (float(length) for length in np.linalg.norm(voxel_to_space_um[:3, :3], axis=0))
    return z, y, x
