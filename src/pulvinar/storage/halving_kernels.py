"""The loops of `downsample`, compiled and free of Python's lock.

Each takes arrays of axes (t, c, z, y, x) in C order; where the box of the finer one begins (`start`) and how large it
is (`shape`); where its halves go in the coarser one (`place`); and by how much z, y and x are divided (`factors`).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


def _compiled(function: Any) -> Any:
    return numba.njit(function, nogil=True, cache=True, error_model="numpy")


# A row is cut out before it is walked along: only then does the compiler know that no index is negative and use vector
# instructions (five to eight times faster).


@_compiled
def _row(source: Any, start: Any, t: Any, c: Any, z: Any, y: Any, width: Any) -> Any:
    return source[start[0] + t, start[1] + c, start[2] + z, start[3] + y, start[4] : start[4] + width]


@_compiled
def mean(source: Any, start: Any, shape: Any, out: Any, place: Any, factors: Any, total: Any) -> None:
    """Means of integers up to 32 bits, rounded half up. `total` is room for a row of sums."""
    fz, fy, fx = factors
    width = shape[4]
    number = total.dtype.type
    columns, pairs = (width + fx - 1) // fx, width // fx
    for t in range(shape[0]):
        for c in range(shape[1]):
            for z in range(0, shape[2], fz):
                for y in range(0, shape[3], fy):
                    depth, height = min(fz, shape[2] - z), min(fy, shape[3] - y)
                    first = _row(source, start, t, c, z, y, width)
                    if depth == 2 and height == 2:
                        second = _row(source, start, t, c, z, y + 1, width)
                        third = _row(source, start, t, c, z + 1, y, width)
                        fourth = _row(source, start, t, c, z + 1, y + 1, width)
                        for x in range(width):
                            total[x] = number(
                                number(number(first[x]) + number(second[x]))
                                + number(number(third[x]) + number(fourth[x]))
                            )
                    elif depth * height == 2:
                        second = _row(source, start, t, c, z + depth - 1, y + height - 1, width)
                        for x in range(width):
                            total[x] = number(first[x]) + number(second[x])
                    else:
                        for x in range(width):
                            total[x] = first[x]
                    target = _row(out, place, t, c, z // fz, y // fy, columns)
                    # as many voxels as there are is 1, 2, 4 or 8: a shift divides, and rounds down for negatives too
                    shift = number((depth >> 1) + (height >> 1))
                    if fx == 1:
                        half = number((1 << shift) >> 1)
                        for x in range(width):
                            target[x] = (total[x] + half) >> shift
                    else:
                        half, both = number(1 << shift), number(shift + 1)
                        for x in range(pairs):
                            pair = number(number(total[2 * x] + total[2 * x + 1]) + half)
                            target[x] = number(pair >> both)
                        if columns > pairs:
                            target[pairs] = (total[2 * pairs] + number((1 << shift) >> 1)) >> shift


@_compiled
def mean_wide(source: Any, start: Any, shape: Any, out: Any, place: Any, factors: Any) -> None:
    """Means of 64-bit integers, rounded half up, exact."""
    # 64-bit integers: whole parts and remainders are added apart, so that no sum overflows
    fz, fy, fx = factors
    number = source.dtype.type
    one = number(1)
    columns = (shape[4] + fx - 1) // fx
    for t in range(shape[0]):
        for c in range(shape[1]):
            for z in range(0, shape[2], fz):
                for y in range(0, shape[3], fy):
                    depth, height = min(fz, shape[2] - z), min(fy, shape[3] - y)
                    target = _row(out, place, t, c, z // fz, y // fy, columns)
                    for x in range(columns):
                        width = min(fx, shape[4] - x * fx)
                        shift = number((depth >> 1) + (height >> 1) + (width >> 1))
                        low = number((one << shift) - one)
                        whole, rest = number(0), number((one << shift) >> one)
                        for dz in range(depth):
                            for dy in range(height):
                                row = _row(source, start, t, c, z + dz, y + dy, shape[4])
                                for dx in range(width):
                                    whole += row[x * fx + dx] >> shift
                                    rest += row[x * fx + dx] & low
                        target[x] = whole + (rest >> shift)


@_compiled
def mean_float(source: Any, start: Any, shape: Any, out: Any, place: Any, factors: Any) -> None:
    """Means of the values that are not NaN."""
    fz, fy, fx = factors
    columns, pairs = (shape[4] + fx - 1) // fx, shape[4] // fx
    # the type in which a row is worked, so that counts have vectors of the same width as sums
    number = np.int64
    total, count = np.empty(columns, np.float64), np.empty(columns, np.int64)
    for t in range(shape[0]):
        for c in range(shape[1]):
            for z in range(0, shape[2], fz):
                for y in range(0, shape[3], fy):
                    total[:] = 0.0
                    count[:] = 0
                    for dz in range(min(fz, shape[2] - z)):
                        for dy in range(min(fy, shape[3] - y)):
                            row = _row(source, start, t, c, z + dz, y + dy, shape[4])
                            if fx == 1:
                                for x in range(columns):
                                    there = row[x] == row[x]
                                    total[x] += row[x] if there else 0.0
                                    count[x] += number(there)
                            else:
                                for x in range(pairs):
                                    there = row[2 * x] == row[2 * x]
                                    total[x] += row[2 * x] if there else 0.0
                                    count[x] += number(there)
                                    there = row[2 * x + 1] == row[2 * x + 1]
                                    total[x] += row[2 * x + 1] if there else 0.0
                                    count[x] += number(there)
                                if columns > pairs:
                                    there = row[2 * pairs] == row[2 * pairs]
                                    total[pairs] += row[2 * pairs] if there else 0.0
                                    count[pairs] += number(there)
                    target = _row(out, place, t, c, z // fz, y // fy, columns)
                    for x in range(columns):
                        target[x] = total[x] / count[x] if count[x] else np.nan


@_compiled
def mode(source: Any, start: Any, shape: Any, out: Any, place: Any, factors: Any) -> None:
    """The most frequent value, of unsigned integers."""
    fz, fy, fx = factors
    columns, pairs = (shape[4] + fx - 1) // fx, shape[4] // fx
    found = np.empty(8, source.dtype)
    mixed = np.empty(columns, source.dtype)
    for t in range(shape[0]):
        for c in range(shape[1]):
            for z in range(0, shape[2], fz):
                for y in range(0, shape[3], fy):
                    depth, height = min(fz, shape[2] - z), min(fy, shape[3] - y)
                    target = _row(out, place, t, c, z // fz, y // fy, columns)
                    first = _row(source, start, t, c, z, y, shape[4])
                    mixed[:] = 0
                    for dz in range(depth):
                        for dy in range(height):
                            row = _row(source, start, t, c, z + dz, y + dy, shape[4])
                            if fx == 1:
                                for x in range(columns):
                                    mixed[x] |= row[x] ^ first[x]
                            else:
                                for x in range(pairs):
                                    mixed[x] |= (row[2 * x] ^ first[2 * x]) | (row[2 * x + 1] ^ first[2 * x])
                                if columns > pairs:
                                    mixed[pairs] |= row[2 * pairs] ^ first[2 * pairs]
                    for x in range(columns):
                        target[x] = first[x * fx]
                        if mixed[x]:
                            n = 0
                            for dz in range(depth):
                                for dy in range(height):
                                    row = _row(source, start, t, c, z + dz, y + dy, shape[4])
                                    for dx in range(min(fx, shape[4] - x * fx)):
                                        found[n] = row[x * fx + dx]
                                        n += 1
                            target[x] = _most_frequent(found, n)


@_compiled
def _most_frequent(found: Any, n: Any) -> Any:
    best, best_count = found[0], 0
    for i in range(n):
        count = 0
        for j in range(n):
            count += found[i] == found[j]
        wins_tie = found[i] != 0 and (best == 0 or found[i] < best)
        if count > best_count or (count == best_count and wins_tie):
            best, best_count = found[i], count
    return best
