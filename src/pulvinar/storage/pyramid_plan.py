"""How a volume is cut: its levels, and the blocks in which they are made.

A block owns every shard that it writes, in a few levels at once, so any worker can make any block. Blocks of stage 0
read the source; blocks of a later stage read the coarsest level that the stage before has stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod, sqrt
from typing import Any

import numpy as np

from pulvinar.model.space import Window
from pulvinar.model.volume import Level, Shape5, Triple, Volume, VolumeKind
from pulvinar.storage.codecs import checked_dtype

Factors = tuple[int, int, int]
"""By how much each of the axes (z, y, x) is divided: 1 or 2."""

CHUNK = 64
SHARD = 512
_LEVELS_A_STAGE = 3
# what is read at once: near the target where the source leaves the choice, so that it still lies in the processor's
# cache when it is worked on; more for the sake of whole rows; up to the limit where its blocks are large
_READ_BYTES = 8 * 2**20
_WHOLE_ROWS_BYTES = 14 * 2**20
_READ_LIMIT_BYTES = 96 * 2**20
# grids up to so many cells come again and again: a piece's chunks, a chunk's parts
_SMALL_GRID = 4096
# what is read back of a finished level comes chunk by chunk: nothing is gained by more at once
_READ_BACK_BYTES = 2 * 2**20


@dataclass(frozen=True)
class Block:
    """One independent piece of work: from `window` of level `base`, every shard of `levels` above and in it.

    It is read in pieces of `read_shape`; where the source decodes more than that at once, `slab_shape` is what is
    unpacked to scratch first. `base` is 0 and in `levels` in stage 0; it is the level below `levels` later.
    """

    stage: int
    base: int
    levels: range
    window: Window
    read_shape: Shape5
    slab_shape: Shape5

    @property
    def slabbed(self) -> bool:
        """Whether the source's own blocks are too large to be held."""
        return self.slab_shape != self.read_shape


@dataclass(frozen=True)
class PyramidPlan:
    """All blocks of a volume, stage by stage; those of one stage don't depend on each other."""

    volume: Volume
    blocks: tuple[Block, ...]


def plan_levels(
    shape: Shape5, voxel_size_um: Triple, dtype: str | np.dtype[Any], kind: VolumeKind
) -> tuple[Level, ...]:
    """The levels of a volume of `shape` (t, c, z, y, x): towards equal voxel sides first, then halving all axes, until
    every spatial axis has at most 64 voxels. Raises `Invalid` for a type that volumes can't have."""
    checked_dtype(dtype)
    del kind  # both kinds are cut alike
    levels = [_level(shape, voxel_size_um, (0.0, 0.0, 0.0))]
    while max(levels[-1].shape[2:]) > CHUNK:
        finer = levels[-1]
        factors = _next_factors(finer)
        t, c, z, y, x = (-(-n // f) for n, f in zip(finer.shape, (1, 1, *factors), strict=True))
        sizes = tuple(v * f for v, f in zip(finer.voxel_size_um, factors, strict=True))
        # the centre of the first two voxels is half a voxel further than that of the first
        shifts = zip(finer.translation_um, finer.voxel_size_um, factors, strict=True)
        moved = tuple(at + (f - 1) / 2 * v for at, v, f in shifts)
        levels.append(_level((t, c, z, y, x), sizes, moved))  # type: ignore[arg-type]
    return tuple(levels)


def factors_between(finer: Level, coarser: Level) -> Factors:
    """How many voxels of `finer` make one of the next level `coarser`, along z, y, x."""
    z, y, x = (round(b / a) for a, b in zip(finer.voxel_size_um, coarser.voxel_size_um, strict=True))
    return z, y, x


def plan_pyramid(volume: Volume, source_block_shape: Shape5, levels_a_stage: int = _LEVELS_A_STAGE) -> PyramidPlan:
    """Cut `volume` into blocks that suit a source which decodes `source_block_shape` at once.

    Fewer `levels_a_stage` make smaller blocks, for more workers, and more that is read back.
    """
    blocks: list[Block] = []
    stage, base, first = 0, 0, 0
    while first < len(volume.levels):
        decoded = source_block_shape if stage == 0 else volume.levels[base].chunk_shape
        last = min(first + levels_a_stage, len(volume.levels)) - 1
        made = _plan_stage(volume, stage, base, range(first, last + 1), decoded)
        blocks += made
        base = made[0].levels[-1]
        stage, first = stage + 1, base + 1
    return PyramidPlan(volume, tuple(blocks))


def quanta(block: Block) -> Iterator[Window]:
    """The pieces in which `block` is read, in an order that keeps few parents waiting."""
    for slab in tiles(block.window, block.slab_shape):
        yield from tiles(slab, block.read_shape)


def tiles(window: Window, shape: Shape5) -> Iterator[Window]:
    """`window` cut into boxes of `shape`, counted from the volume's origin, in Morton order."""
    for cell in morton(cells(window, shape)):
        yield clip(cell, shape, window)


def cells(window: Window, shape: Shape5) -> list[range]:
    """Which cells of a grid of `shape` the `window` touches, an axis each."""
    return [range(a // n, -(-b // n)) for a, b, n in zip(window.start, window.stop, shape, strict=True)]


def clip(cell: Shape5, shape: Shape5, window: Window) -> Window:
    """The part of a grid's `cell` that lies in `window`."""
    # axis by axis: it is asked for every chunk, and a generator takes three times as long
    (t, c, z, y, x), (dt, dc, dz, dy, dx) = cell, shape
    at, ac, az, ay, ax = window.start
    bt, bc, bz, by, bx = window.stop
    start = (max(at, t * dt), max(ac, c * dc), max(az, z * dz), max(ay, y * dy), max(ax, x * dx))
    t, c, z, y, x = t + 1, c + 1, z + 1, y + 1, x + 1
    return Window(start, (min(bt, t * dt), min(bc, c * dc), min(bz, z * dz), min(by, y * dy), min(bx, x * dx)))


def morton(axes: list[range]) -> Iterable[Shape5]:
    """Every cell of a grid (t, c, z, y, x): time and channel outermost, then z, y, x interleaved bit by bit."""
    t, c, z, y, x = axes
    shape = (len(z), len(y), len(x))
    order = _small_order(shape) if prod(shape) <= _SMALL_GRID else _order(shape)
    return ((i, j, z[a], y[b], x[d]) for i in t for j in c for a, b, d in order)


def _order(shape: tuple[int, int, int]) -> tuple[tuple[int, int, int], ...]:
    bits = (max(shape) - 1).bit_length()

    def place(cell: tuple[int, ...]) -> int:
        return sum(((n >> bit) & 1) << (3 * bit + 2 - axis) for axis, n in enumerate(cell) for bit in range(bits))

    return tuple(sorted(product(*map(range, shape)), key=place))  # type: ignore[arg-type]


_small_order = lru_cache(256)(_order)


def _level(shape: Shape5, voxel_size_um: Triple, translation_um: Triple) -> Level:
    # time points share a chunk, and a shard, only where the volume is too small to fill one: in powers of two, so
    # that chunks of one level nest in those of the next
    chunk = [min(CHUNK, n) for n in shape[2:]]
    shard = [min(SHARD, -(-n // k) * k) for n, k in zip(shape[2:], chunk, strict=True)]
    times = min(shape[0], _power_of_two(CHUNK**3 // prod(chunk)))
    shard_times = min(-(-shape[0] // times) * times, max(times, _power_of_two(SHARD**3 // prod(shard))))
    return Level(
        shape,
        voxel_size_um,
        translation_um,
        (times, 1, *chunk),  # type: ignore[arg-type]
        (shard_times, 1, *shard),  # type: ignore[arg-type]
    )


def _power_of_two(n: int) -> int:
    return 1 << (max(n, 1).bit_length() - 1)


def _next_factors(level: Level) -> Factors:
    # an axis waits while its voxels are longer than the shortest by more than sqrt(2): halving it would leave the
    # voxel less like a cube than before
    sides = [v for v, n in zip(level.voxel_size_um, level.shape[2:], strict=True) if n > 1]
    limit = min(sides) * sqrt(2)
    z, y, x = (2 if n > 1 and v < limit else 1 for v, n in zip(level.voxel_size_um, level.shape[2:], strict=True))
    return z, y, x


def _plan_stage(volume: Volume, stage: int, base: int, levels: range, decoded: Shape5) -> list[Block]:
    shape, itemsize = volume.levels[base].shape, np.dtype(volume.dtype).itemsize
    most = (_WHOLE_ROWS_BYTES, _READ_BYTES) if stage == 0 else (_READ_BACK_BYTES, _READ_BACK_BYTES)
    read_shape, slab_shape = _read_shapes(volume.levels[base], decoded, itemsize, *most)
    extent = _extent(volume, base, levels, slab_shape)
    if all(e >= n for e, n in zip(extent[2:], shape[2:], strict=True)):
        # one block holds the whole volume: no need to read anything back
        levels = range(levels.start, len(volume.levels))
        extent = _extent(volume, base, levels, slab_shape)
    grid = morton([range(-(-n // e)) for n, e in zip(shape, extent, strict=True)])
    windows = (clip(cell, extent, Window.whole(shape)) for cell in grid)
    return [Block(stage, base, levels, window, read_shape, slab_shape) for window in windows]


def _extent(volume: Volume, base: int, levels: range, slab_shape: Shape5) -> Shape5:
    """The smallest box of level `base` that no shard of `levels` and no slab crosses the border of."""
    extent = [1, 1, 1, 1, 1]
    scale = [1, 1, 1, 1, 1]
    for k in range(base, levels.stop):
        if k > base:
            steps = factors_between(volume.levels[k - 1], volume.levels[k])
            scale = [s * f for s, f in zip(scale, (1, 1, *steps), strict=True)]
        if k in levels:
            extent = [max(e, n * s) for e, n, s in zip(extent, volume.levels[k].shard_shape, scale, strict=True)]
    t, c, z, y, x = (-(-slab // e) * e for slab, e in zip(slab_shape, extent, strict=True))
    return t, c, z, y, x


def _read_shapes(
    level: Level, decoded: Shape5, itemsize: int, rows_bytes: int, most_bytes: int
) -> tuple[Shape5, Shape5]:
    """What to read at once, and what to unpack at once: both whole chunks, or up to the volume's end. `rows_bytes` is
    the most that a chunk's height and depth of longer rows may take, `most_bytes` that anything else is added to."""

    def whole_chunks(axis: int, voxels: int) -> int:
        chunk = level.chunk_shape[axis]
        return min(-(-voxels // chunk) * chunk, level.shape[axis])

    slab = [whole_chunks(axis, n) for axis, n in enumerate(decoded)]
    fits = prod(slab) * itemsize <= _READ_LIMIT_BYTES
    read = list(slab) if fits else [whole_chunks(axis, 1) for axis in range(5)]
    ends = level.shape if fits else slab
    # rows first and whole, as they lie together in nearly every file; channels never
    for axis, most in ((4, rows_bytes), (3, most_bytes), (2, most_bytes), (0, most_bytes)):
        while read[axis] < ends[axis]:
            longer = min(2 * read[axis], ends[axis])
            if prod(read) // read[axis] * longer * itemsize > most:
                break
            read[axis] = longer
    return tuple(read), tuple(read if fits else slab)  # type: ignore[return-value]
