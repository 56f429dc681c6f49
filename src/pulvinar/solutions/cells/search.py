"""Finding the cells of something large, block by block.

`cells_of_block` is the seam for an engine: a pure function of a block's voxels. A cell belongs to the one block that
has its peak inside, and nothing that the search's halo doesn't reach has a part in it, so that any cutting gives the
same cells; `merged` makes one table of all blocks' cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.solutions.cells.blocks import Block, Voxel, plan_blocks
from pulvinar.solutions.cells.candidates import Triple
from pulvinar.solutions.cells.cell_table import Cells, joined, paired_channels

Read = Callable[[Block], npt.NDArray[np.generic]]
"""Reads what a block asks for: channels and voxels, axes (c, z, y, x)."""


class Search(Protocol):
    """A way to find cells: `VolumeSearch` or `SectionSearch`."""

    @property
    def diameter_um(self) -> Triple:
        """The size of a cell's picture (z, y, x)."""

    def grain(self, voxel_size_um: Triple) -> Voxel:
        """Blocks are read from multiples of so many voxels on (z, y, x)."""

    def halo(self, voxel_size_um: Triple) -> Voxel:
        """So many voxels around a block have a part in its cells (z, y, x)."""

    def block_bytes(self, read_shape: Voxel, voxel_size_um: Triple, itemsize: int) -> int:
        """What looking at a block of which `read_shape` voxels are read takes at most."""

    def cells_of(self, voxels: npt.NDArray[np.generic], block: Block, voxel_size_um: Triple) -> Cells:
        """The cells inside of `block`; see `cells_of_block`."""


def cells_of_block(voxels: npt.NDArray[np.generic], block: Block, voxel_size_um: Triple, search: Search) -> Cells:
    """The cells inside of `block`, of which `voxels` (c, z, y, x) holds what it asks for; places are in micrometres
    from the centre of the volume's first voxel. Raises `Invalid` for voxels that are not the block's."""
    return search.cells_of(voxels, block, voxel_size_um)


def merged(parts: Iterable[Cells], search: Search) -> Cells:
    """The cells of all blocks as one table, with those seen in two channels made one."""
    return paired_channels(joined(list(parts)), min(search.diameter_um) / 2)


def find_cells(
    read: Read,
    shape: Voxel,
    voxel_size_um: Triple,
    search: Search,
    inside: Voxel = (64, 512, 512),
    threads: int = 1,
) -> Cells:
    """The cells of a volume, or of a stack of sections, of `shape` voxels (z, y, x), in blocks of `inside` voxels.

    `read` gives a block's voxels. Memory is that of `threads` blocks, whatever the volume's size.
    """
    blocks = plan_blocks(shape, inside, search.halo(voxel_size_um), search.grain(voxel_size_um))

    def look(block: Block) -> Cells:
        return cells_of_block(read(block), block, voxel_size_um, search)

    if threads == 1:
        return merged(map(look, blocks), search)
    with ThreadPoolExecutor(threads, "cells") as pool:
        return merged(pool.map(look, blocks), search)
