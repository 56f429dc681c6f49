"""How far off an alignment is to be expected, place by place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.solutions.align.brain_image import Gray, Mask, WorkLevel
from pulvinar.solutions.align.quality import local_correlation

_SIZE = 5
_PER_VOXEL_FURTHER = 0.15
"""So many voxels are added for each voxel that a place lies from where anything could be compared."""
_FLOOR = 0.3
"""No place is known better than to this part of a voxel."""
_LEAST = 0.02
"""A squared correlation below this tells nothing of where things are."""


def uncertainty_um(template: WorkLevel, seen: Gray, compared: Mask) -> npt.NDArray[np.float32]:
    """The expected distance, in micrometres, between where a point of the template is brought and where it belongs;
    float32 (z, y, x) on the template's grid. `seen` is the brain as seen there.

    Where two images agree up to a noise, a place can be told as well as the noise is small beside the slopes: the bound
    of Cramer and Rao for a shift, over a cube of 5 voxels. Elsewhere it grows with the distance from there.
    """
    squared = np.clip(local_correlation(template.voxels, seen, _SIZE), 0, 1)
    image = template.voxels
    varies = ndimage.uniform_filter(image**2, _SIZE) - ndimage.uniform_filter(image, _SIZE) ** 2
    slopes = sum(ndimage.uniform_filter(np.gradient(image, axis=axis) ** 2, _SIZE) for axis in range(3)) / 3
    tells = compared & (squared > _LEAST) & (slopes > 1e-6)
    if not tells.any():
        return np.full(image.shape, np.inf, np.float32)
    ratio = (1 - squared) / np.maximum(squared, _LEAST) * varies / np.maximum(slopes, 1e-6)
    # a cube of 125 voxels that are alike in neighbours has the information of some 8
    voxels = np.maximum(np.sqrt(3 * np.maximum(ratio, 0) / 8), _FLOOR)
    weight = ndimage.gaussian_filter(tells.astype(np.float32), 2)
    mean = ndimage.gaussian_filter(np.where(tells, np.minimum(voxels, 20), 0), 2) / np.maximum(weight, 1e-6)
    far, nearest = ndimage.distance_transform_edt(~tells, return_indices=True)
    return np.asarray((mean[tuple(nearest)] + _PER_VOXEL_FURTHER * far) * template.voxel_um, np.float32)
