"""Cutting a volume into blocks that are looked at one by one, each with a halo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from types import EllipsisType

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Block:
    """A piece of work in a volume of `shape` voxels: what is `inside`, `start` up to and without `stop`, and what must
    be read for it, `read_start` up to and without `read_stop`; all (z, y, x)."""

    shape: Voxel
    start: Voxel
    stop: Voxel
    read_start: Voxel
    read_stop: Voxel

    @property
    def slices(self) -> tuple[EllipsisType | slice, ...]:
        """What must be read, for indexing an array of axes (..., z, y, x)."""
        return (..., *(slice(a, b) for a, b in zip(self.read_start, self.read_stop, strict=True)))

    @property
    def read_shape(self) -> Voxel:
        """The shape of what must be read."""
        z, y, x = (b - a for a, b in zip(self.read_start, self.read_stop, strict=True))
        return z, y, x


def whole_block(shape: Voxel) -> Block:
    """The one block that is the whole volume."""
    return Block(shape, (0, 0, 0), shape, (0, 0, 0), shape)


def plan_blocks(shape: Voxel, inside: Voxel, halo: Voxel, grain: Voxel) -> Iterator[Block]:
    """Blocks of `inside` voxels that cover a volume of `shape`, each read with at least `halo` voxels around it where
    the volume has them, from a multiple of `grain` on. Raises `Invalid` for blocks without voxels."""
    if min(*shape, *inside, *grain) < 1 or min(halo) < 0:
        raise Invalid(f"blocks of {inside} with a halo of {halo} in {shape} voxels", hint="at least one voxel an axis")
    for start in product(*(range(0, n, step) for n, step in zip(shape, inside, strict=True))):
        stop = tuple(min(a + n, size) for a, n, size in zip(start, inside, shape, strict=True))
        yield block_of(shape, _voxel(start), _voxel(stop), halo, grain)


def block_of(shape: Voxel, start: Voxel, stop: Voxel, halo: Voxel, grain: Voxel) -> Block:
    """The block from `start` up to `stop` of a volume of `shape`, read as `plan_blocks` says."""
    first = tuple(max(0, a - h) // g * g for a, h, g in zip(start, halo, grain, strict=True))
    last = tuple(min(size, -(-(b + h) // g) * g) for b, h, g, size in zip(stop, halo, grain, shape, strict=True))
    return Block(shape, start, stop, _voxel(first), _voxel(last))


def check_block(voxels: npt.NDArray[np.generic], block: Block, grain: Voxel, channels: tuple[int, ...]) -> None:
    """Raises `Invalid` unless `voxels` (c, z, y, x) are what `block` asks for, with `channels` among them."""
    if voxels.ndim != 4 or voxels.shape[1:] != block.read_shape:
        raise Invalid(f"the block has {block.read_shape} voxels, not {voxels.shape}", hint="axes are c, z, y, x")
    if any(start % n for start, n in zip(block.read_start, grain, strict=True)):
        raise Invalid(f"the block begins at {block.read_start}", hint=f"plan_blocks with the grain {grain}")
    if not channels or min(channels) < 0 or max(channels) >= min(len(voxels), 8):
        raise Invalid(f"channels {channels} of {len(voxels)} can't be looked at", hint="channels count from 0 to 7")


def _voxel(corner: tuple[int, ...]) -> Voxel:
    z, y, x = corner
    return z, y, x
