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


@_compiled
def difference(fine: Any, coarse: Any, out: Any, dark: Any, grain: Any) -> None:
    """`fine - coarse` into `out`, all (z, y, x); and into `dark` the mean of its negative part over boxes of `grain`
    voxels a side, the last box of an axis may be cut."""
    depth, height, width = fine.shape
    sums = np.empty(width, np.float32)
    for z in range(dark.shape[0]):
        for y in range(dark.shape[1]):
            sums[:] = 0
            z_stop, y_stop = min((z + 1) * grain, depth), min((y + 1) * grain, height)
            for a in range(z * grain, z_stop):
                for b in range(y * grain, y_stop):
                    left, right, target = fine[a, b], coarse[a, b], out[a, b]
                    for c in range(width):
                        value = left[c] - right[c]
                        target[c] = value
                        sums[c] += max(-value, np.float32(0))
            lines = (z_stop - z * grain) * (y_stop - y * grain)
            for x in range(dark.shape[2]):
                stop = min((x + 1) * grain, width)
                total = np.float32(0)
                for c in range(x * grain, stop):
                    total += sums[c]
                dark[z, y, x] = total / np.float32(lines * (stop - x * grain))


@_compiled
def peaks(image: Any, noise: Any, grain: Any, least: Any, found: Any, values: Any) -> Any:
    """Voxels of `image` (z, y, x) above `least` times `noise` (one value a box of `grain` voxels) that exceed their 26
    neighbours (of two equal ones the first is taken).

    Fills `found` (n, 3) and `values` (n, 2), the voxel's value and its noise; returns how many there are, which can be
    more than there is room for.
    """
    depth, height, width = image.shape
    count = 0
    for z in range(depth):
        for y in range(height):
            row, level = image[z, y], noise[z // grain, y // grain]
            for x in range(width):
                value = row[x]
                if value <= 0 or value <= least * level[x // grain]:
                    continue
                if (x > 0 and row[x - 1] >= value) or (x + 1 < width and row[x + 1] > value):
                    continue
                if _exceeds(image, z, y, x, value):
                    if count < len(found):
                        found[count, 0], found[count, 1], found[count, 2] = z, y, x
                        values[count, 0], values[count, 1] = value, level[x // grain]
                    count += 1
    return count


@_compiled
def _exceeds(image: Any, z: Any, y: Any, x: Any, value: Any) -> Any:
    depth, height, width = image.shape
    for a in range(max(z - 1, 0), min(z + 2, depth)):
        for b in range(max(y - 1, 0), min(y + 2, height)):
            for c in range(max(x - 1, 0), min(x + 2, width)):
                before = (a, b, c) < (z, y, x)
                other = image[a, b, c]
                if other > value or (before and other == value):
                    return False
    return True


@_compiled
def sample(image: Any, middles: Any, steps: Any, out: Any) -> None:
    """Fill `out` (n, z, y, x) with values of `image` (z, y, x), by linear interpolation, on a grid around each of the
    `middles` (n, 3) with `steps` (z, y, x) voxels between; outside of the image the nearest voxel is taken."""
    depth, height, width = image.shape
    count, high, tall, wide = out.shape
    for i in range(count):
        for a in range(high):
            z = min(max(middles[i, 0] + (a - (high - 1) / 2) * steps[0], 0.0), depth - 1.0)
            z0 = min(int(z), max(depth - 2, 0))
            z1, fz = min(z0 + 1, depth - 1), np.float32(z - z0)
            for b in range(tall):
                y = min(max(middles[i, 1] + (b - (tall - 1) / 2) * steps[1], 0.0), height - 1.0)
                y0 = min(int(y), max(height - 2, 0))
                y1, fy = min(y0 + 1, height - 1), np.float32(y - y0)
                for c in range(wide):
                    x = min(max(middles[i, 2] + (c - (wide - 1) / 2) * steps[2], 0.0), width - 1.0)
                    x0 = min(int(x), max(width - 2, 0))
                    x1, fx = min(x0 + 1, width - 1), np.float32(x - x0)
                    near = _between(image[z0, y0, x0], image[z0, y0, x1], image[z0, y1, x0], image[z0, y1, x1], fy, fx)
                    far = _between(image[z1, y0, x0], image[z1, y0, x1], image[z1, y1, x0], image[z1, y1, x1], fy, fx)
                    out[i, a, b, c] = near + fz * (far - near)


@_compiled
def _between(a: Any, b: Any, c: Any, d: Any, fy: Any, fx: Any) -> Any:
    top, bottom = a + fx * (b - a), c + fx * (d - c)
    return top + fy * (bottom - top)
