"""Halving a volume: means for intensities, the most frequent value for labels.

Arrays have five axes (t, c, z, y, x) and lie in C order; only z, y and x are halved, each by a factor of 1 or 2. At
the far edge, where a pair of voxels is cut, only voxels that exist count.

- Integers: the mean, rounded half up (towards plus infinity), exact for 64 bits.
- Floats: the mean, in double precision, of the voxels that are not NaN; NaN where none is left.
- Labels: the most frequent value. Among equally frequent ones the smallest that is not 0 wins, so that structures
  don't lose to background. Values are compared as unsigned bits.
"""

from __future__ import annotations

import numpy as np

from pulvinar.model.volume import Shape5, VolumeKind
from pulvinar.storage.pyramid_plan import Factors
from pulvinar.storage.sources import Voxels


def downsample(array: Voxels, factors: Factors, kind: VolumeKind) -> Voxels:
    """`array` (t, c, z, y, x) halved along the axes (z, y, x) whose factor is 2; the same dtype."""
    t, c, *spatial = array.shape
    z, y, x = (-(-n // f) for n, f in zip(spatial, factors, strict=True))
    out = np.empty((t, c, z, y, x), array.dtype)
    whole = (t, c, int(array.shape[2]), int(array.shape[3]), int(array.shape[4]))
    downsample_into(np.ascontiguousarray(array), (0, 0, 0, 0, 0), whole, out, (0, 0, 0, 0, 0), factors, kind)
    return out


def downsample_into(
    source: Voxels, start: Shape5, shape: Shape5, out: Voxels, place: Shape5, factors: Factors, kind: VolumeKind
) -> None:
    """Halve the box of `source` at `start`, of `shape`, into `out` at `place`. Both arrays in C order."""
    # not above: the compiler takes a while to import, and most commands halve nothing
    from pulvinar.storage import halving_kernels as kernels

    if kind is VolumeKind.LABELS:
        kernels.mode(bits(source), start, shape, bits(out), place, factors)
    elif source.dtype.kind == "f":
        kernels.mean_float(source, start, shape, out, place, factors)
    elif source.dtype.itemsize == 8:
        kernels.mean_wide(source, start, shape, out, place, factors)
    else:
        total = np.empty(shape[4], np.int32 if source.dtype.itemsize < 4 else np.int64)
        kernels.mean(source, start, shape, out, place, factors, total)


def bits(array: Voxels) -> Voxels:
    """The same memory as unsigned integers."""
    return array.view(f"u{array.dtype.itemsize}")
