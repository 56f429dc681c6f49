"""Many places at once through maps and fields, compiled. A call runs in one thread, without the interpreter's lock."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def map_into(zyx: Any, matrix: Any, out: Any) -> None:
    """The places (n, 3) under an affine map, of which `matrix` has three rows or four, into `out` (n, 3)."""
    for i in range(len(zyx)):
        z, y, x = zyx[i, 0], zyx[i, 1], zyx[i, 2]
        for axis in range(3):
            out[i, axis] = matrix[axis, 0] * z + matrix[axis, 1] * y + matrix[axis, 2] * x + matrix[axis, 3]


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def blocks_of(zyx: Any, to_voxel: Any, shape: Any, block_shape: Any, bounded: bool, out: Any) -> None:
    """The number of the block in which the eight voxels around each of the points (n, 3) begin, into `out` (n,).

    Where `bounded`, points further than half a voxel beyond the outermost voxels get the number after the last block.
    """
    counts_y = (shape[1] + block_shape[1] - 1) // block_shape[1]
    counts_x = (shape[2] + block_shape[2] - 1) // block_shape[2]
    beyond = (shape[0] + block_shape[0] - 1) // block_shape[0] * counts_y * counts_x
    for i in range(len(zyx)):
        number = 0
        inside = True
        for axis in range(3):
            at = _voxel(zyx, i, to_voxel, axis)
            inside &= not bounded or -0.5 <= at < shape[axis] - 0.5
            block = _first(at, shape[axis]) // block_shape[axis]
            number = number * (counts_y if axis == 1 else counts_x if axis == 2 else 1) + block
        out[i] = number if inside else beyond


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def add_between(zyx: Any, order: Any, to_voxel: Any, shape: Any, vectors: Any, start: Any, out: Any) -> None:
    """Add to `out` (n, 3) the trilinear mean of `vectors` (component, z, y, x), which begin at voxel `start` of a field
    of `shape`, for the points (n, 3) that `order` numbers; beyond the outermost voxels, that of the nearest."""
    for k in range(len(order)):
        i = order[k]
        z, y, x = _voxel(zyx, i, to_voxel, 0), _voxel(zyx, i, to_voxel, 1), _voxel(zyx, i, to_voxel, 2)
        z0, y0, x0 = _first(z, shape[0]), _first(y, shape[1]), _first(x, shape[2])
        fz, fy, fx = _rest(z, z0), _rest(y, y0), _rest(x, x0)
        z1, y1, x1 = min(z0 + 1, shape[0] - 1), min(y0 + 1, shape[1] - 1), min(x0 + 1, shape[2] - 1)
        z0, y0, x0 = z0 - start[0], y0 - start[1], x0 - start[2]
        z1, y1, x1 = z1 - start[0], y1 - start[1], x1 - start[2]
        for c in range(3):
            v = vectors[c]
            low = (v[z0, y0, x0] * (1 - fx) + v[z0, y0, x1] * fx) * (1 - fy) + (
                v[z0, y1, x0] * (1 - fx) + v[z0, y1, x1] * fx
            ) * fy
            high = (v[z1, y0, x0] * (1 - fx) + v[z1, y0, x1] * fx) * (1 - fy) + (
                v[z1, y1, x0] * (1 - fx) + v[z1, y1, x1] * fx
            ) * fy
            out[i, c] += low * (1 - fz) + high * fz


@njit(inline="always")  # type: ignore[untyped-decorator]
def _voxel(zyx: Any, i: Any, to_voxel: Any, axis: int) -> Any:
    row = to_voxel[axis]
    return row[0] * zyx[i, 0] + row[1] * zyx[i, 1] + row[2] * zyx[i, 2] + row[3]


@njit(inline="always")  # type: ignore[untyped-decorator]
def _first(at: float, size: int) -> int:
    """The lower of the two voxels around place `at`: never the last one, save where there is but one."""
    return int(min(max(np.floor(at), 0), max(size - 2, 0)))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _rest(at: float, first: int) -> float:
    return min(max(at - first, 0.0), 1.0)
