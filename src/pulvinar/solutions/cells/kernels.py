"""The loops of the cell finder, compiled and free of Python's lock.

Each voxel of a result is summed in one fixed order from its own neighbourhood, so that a block with a halo and the
whole volume give the same numbers to the bit.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


def _compiled(function: Any) -> Any:
    return numba.njit(function, nogil=True, cache=True, error_model="numpy")


@_compiled
def reduce(voxels: Any, factors: Any, out: Any) -> None:
    """Means over boxes of `factors` (z, y, x) voxels; the last box of an axis may be cut. `out` float32."""
    fz, fy, fx = factors
    depth, height, width = voxels.shape
    sums = np.empty(width, np.float32)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            sums[:] = 0
            z_stop, y_stop = min((z + 1) * fz, depth), min((y + 1) * fy, height)
            for a in range(z * fz, z_stop):
                for b in range(y * fy, y_stop):
                    row = voxels[a, b]
                    for c in range(width):
                        sums[c] += np.float32(row[c])
            lines = (z_stop - z * fz) * (y_stop - y * fy)
            target = out[z, y]
            for x in range(out.shape[2]):
                stop = min((x + 1) * fx, width)
                total = np.float32(0)
                for c in range(x * fx, stop):
                    total += sums[c]
                target[x] = total / np.float32(lines * (stop - x * fx))


@_compiled
def blur(image: Any, taps_z: Any, taps_y: Any, taps_x: Any, out: Any) -> None:
    """Convolve with one symmetric kernel an axis, `taps` from its middle outwards; edges are mirrored. `out` float32
    of the same shape (z, y, x)."""
    depth, height, width = image.shape
    rz, ry, rx = len(taps_z) - 1, len(taps_y) - 1, len(taps_x) - 1
    plane = np.empty((height, width), np.float32)
    line = np.empty(width + 2 * rx, np.float32)
    for z in range(depth):
        middle = image[z]
        first = taps_z[0]
        for y in range(height):
            source, target = middle[y], plane[y]
            for x in range(width):
                target[x] = first * source[x]
        for k in range(1, rz + 1):
            before, after, tap = image[_mirror(z - k, depth)], image[_mirror(z + k, depth)], taps_z[k]
            for y in range(height):
                left, right, target = before[y], after[y], plane[y]
                for x in range(width):
                    target[x] += tap * (left[x] + right[x])
        for y in range(height):
            inner = line[rx : rx + width]
            source, first = plane[y], taps_y[0]
            for x in range(width):
                inner[x] = first * source[x]
            for k in range(1, ry + 1):
                left, right, tap = plane[_mirror(y - k, height)], plane[_mirror(y + k, height)], taps_y[k]
                for x in range(width):
                    inner[x] += tap * (left[x] + right[x])
            for k in range(1, rx + 1):
                line[rx - k] = inner[_mirror(-k, width)]
                line[rx + width - 1 + k] = inner[_mirror(width - 1 + k, width)]
            target, first = out[z, y], taps_x[0]
            for x in range(width):
                target[x] = first * inner[x]
            for k in range(1, rx + 1):
                left, right, tap = line[rx - k : rx - k + width], line[rx + k : rx + k + width], taps_x[k]
                for x in range(width):
                    target[x] += tap * (left[x] + right[x])


@_compiled
def _mirror(index: Any, size: Any) -> Any:
    """The index inside of 0 .. size that one outside is mirrored to, the edge itself doubled."""
    while index < 0 or index >= size:
        index = -index - 1 if index < 0 else 2 * size - 1 - index
    return index
