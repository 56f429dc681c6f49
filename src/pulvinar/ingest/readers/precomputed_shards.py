"""Which shards a precomputed volume must have, by how its chunks are spread over them.

Source: the format's document "sharded": a chunk's number is the compressed Morton code of its place in the grid; of its
bits the lowest stay within a shard, and those above them number it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

_MOST_PLACES = 10_000_000
_SURE = 32
"""So many groups of chunks a shard, and none of the shards that a hash spreads them over stays empty."""


def expected_shards(grid: Sequence[int], sharding: Mapping[str, Any]) -> list[str] | None:
    """The files' names of the shards of a volume of `grid` chunks (x, y, z), in order; None where nothing tells them:
    a hash spreads few chunks over many shards, or there are too many to look at."""
    preshift, within, bits = (int(sharding.get(f"{part}_bits", 0)) for part in ("preshift", "minishard", "shard"))
    numbers: Sequence[int]
    if sharding.get("hash") != "identity":
        if prod(grid) >> preshift < _SURE << bits:
            return None
        numbers = range(1 << bits)
    else:
        found = _numbers(grid, preshift + within, bits)
        if found is None:
            return None
        numbers = found
    digits = -(-bits // 4)
    return [f"{number:0{digits}x}.shard" for number in numbers]


def _numbers(grid: Sequence[int], below: int, bits: int) -> list[int] | None:
    """The shards of all chunks whose numbers are their codes, `below` of whose bits stay within a shard."""
    order = _code_bits(grid)
    # chunks that differ in none but those bits lie in one shard: the first of them stands for all
    steps = [1 << sum(axis == of for axis, _ in order[:below]) for of in range(3)]
    sides = [np.arange(0, size, step, dtype=np.uint64) for size, step in zip(grid, steps, strict=True)]
    if prod(map(len, sides)) > _MOST_PLACES:
        return None
    shard = np.zeros([len(side) for side in sides], np.uint64)
    for place, (axis, bit) in enumerate(order[below : below + bits]):
        turned = [1, 1, 1]
        turned[axis] = -1
        shard |= (((sides[axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(place)).reshape(turned)
    return [int(number) for number in np.unique(shard)]


def _code_bits(grid: Sequence[int]) -> list[tuple[int, int]]:
    """Which bit of which axis each bit of a chunk's code is, the lowest first."""
    longest = max(grid).bit_length()
    return [(axis, bit) for bit in range(longest) for axis in range(3) if 1 << bit < grid[axis]]
