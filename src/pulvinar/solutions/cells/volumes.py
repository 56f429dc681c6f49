"""Finding cells in volumes: candidates, each judged by a small network that sees its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.solutions.cells.blocks import Block, Voxel, check_block
from pulvinar.solutions.cells.candidates import Candidates, Grid, Triple, find_candidates, reduced, strongest
from pulvinar.solutions.cells.cell_table import Cells, joined
from pulvinar.solutions.cells.classifier import model_at
from pulvinar.solutions.cells.patches import SHAPE, STEP, cut_patches

_APART = 0.6
"""Two cells' middles lie at least so many diameters apart; of two closer ones the more likely stays."""
_ROUNDS = 2
_SETTLED = 2 * _ROUNDS * _APART
"""Who stays is settled by candidates up to so many diameters away."""
_WORKING_COPIES = 8
"""So many float32 copies of the working voxels are held at once, at most."""


@dataclass(frozen=True)
class VolumeSearch:
    """What is sought: cells whose picture is about `diameter_um` (z, y, x) large, blur included, in each channel of
    `signal`.

    `background` is the channel that shows tissue without cells, where there is one. `least_snr` is how far a place must
    stand out to be looked at, `least_score` how sure the classifier must be. `model` is a classifier's ONNX file, the
    shipped one when it is None; with `judged` False there is none, and a cell's score is 1.
    """

    diameter_um: Triple = (16.0, 16.0, 16.0)
    signal: tuple[int, ...] = (0,)
    background: int | None = None
    least_snr: float = 4.0
    least_score: float = 0.3
    model: Path | None = None
    judged: bool = True

    def grid(self, voxel_size_um: Triple) -> Grid:
        """How voxels of this size are seen."""
        return Grid(voxel_size_um, self.diameter_um)

    def grain(self, voxel_size_um: Triple) -> Voxel:
        """Blocks are read from multiples of so many voxels on (z, y, x)."""
        return self.grid(voxel_size_um).grain

    def halo(self, voxel_size_um: Triple) -> Voxel:
        """So many voxels around a block have a part in its cells (z, y, x)."""
        grid = self.grid(voxel_size_um)
        z, y, x = (
            ceil((_SETTLED + 0.3) * diameter / size) + max(reach, ceil(n / 2 * STEP * diameter / size) + factor)
            for diameter, size, reach, n, factor in zip(
                self.diameter_um, voxel_size_um, grid.reach, SHAPE, grid.factors, strict=True
            )
        )
        return z, y, x

    def block_bytes(self, read_shape: Voxel, voxel_size_um: Triple, itemsize: int) -> int:
        """What looking at a block of which `read_shape` voxels are read takes at most."""
        voxels = int(np.prod(read_shape))
        channels = len(self.signal) + (self.background is not None)
        working = voxels // int(np.prod(self.grid(voxel_size_um).factors))
        return channels * voxels * itemsize + _WORKING_COPIES * 4 * working

    def cells_of(self, voxels: npt.NDArray[np.generic], block: Block, voxel_size_um: Triple) -> Cells:
        """The cells inside of `block`; see `search.cells_of_block`."""
        grid = self.grid(voxel_size_um)
        wanted = self.signal if self.background is None else (*self.signal, self.background)
        check_block(voxels, block, grid.grain, wanted)
        background = None if self.background is None else reduced(voxels[self.background], grid)
        model = model_at(self.model, "volume") if self.judged else None
        parts = []
        for channel in self.signal:
            image = reduced(voxels[channel], grid)
            found = find_candidates(image, grid, self.least_snr)
            near = _within(found.peak + _first(block, grid), block, grid, _SETTLED)
            patches, size = cut_patches(image, background, found[near], grid)
            score = np.ones(len(size), np.float32) if model is None else model(patches)
            parts.append(_cells(found[near], size, score, block, grid, self.least_score, channel))
        return joined(parts)


def _cells(
    found: Candidates,
    size: npt.NDArray[np.float32],
    score: npt.NDArray[np.float32],
    block: Block,
    grid: Grid,
    least_score: float,
    channel: int,
) -> Cells:
    likely = score >= least_score
    found, score, size = found[likely], score[likely], size[likely]
    # of equally likely ones the one that stands out more
    kept = strongest(found.peak * grid.steps, score + 1e-6 * np.minimum(found.snr, 1e3), _APART, _ROUNDS)
    first = _first(block, grid)
    kept = kept[_within(found.peak[kept] + first, block, grid, 0)]
    return Cells(
        _middle(found.peak[kept] + first + found.offset[kept], grid) * grid.voxel_size_um,
        (size[kept] * np.cbrt(np.prod(grid.diameter_um))).astype(np.float32),
        score[kept],
        found.snr[kept],
        np.full(len(kept), 1 << channel, np.uint8),
    )


def _first(block: Block, grid: Grid) -> npt.NDArray[np.int64]:
    return np.array(block.read_start, np.int64) // grid.factors


def _middle(working: npt.NDArray[np.floating] | npt.NDArray[np.integer], grid: Grid) -> npt.NDArray[np.float64]:
    """The voxel coordinates of places that are given in working voxels."""
    return np.asarray((working + 0.5) * grid.factors - 0.5, np.float64)


def _within(peak: npt.NDArray[np.int64], block: Block, grid: Grid, diameters: float) -> npt.NDArray[np.bool_]:
    """Which working voxels of the volume have their middle inside of `block` or so many `diameters` around it."""
    more = diameters * np.divide(grid.diameter_um, grid.voxel_size_um)
    middle = _middle(peak, grid)
    # the last working voxel of the volume may be cut, and its middle lie beyond the end
    last = np.where(np.equal(block.stop, block.shape), np.inf, block.stop)
    return np.asarray(((middle >= np.subtract(block.start, more)) & (middle < last + more)).all(axis=1))
