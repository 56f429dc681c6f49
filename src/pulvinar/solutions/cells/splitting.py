"""Holding back corrections from a model that is taught by them, so that it can be measured on places it has not
seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pulvinar.errors import Invalid
from pulvinar.solutions.cells.patches import SHAPE, STEP

TILE = 8.0
"""Corrections are drawn by cubes with so many diameters a side: places near each other look alike."""
_SMALLEST = 1.0
_TILES = 6
_SHARE = 1 / 3
_FEWEST = 4
_SEED = 2024


@dataclass(frozen=True, eq=False)
class Split:
    """Which corrections a model is `taught` by and which are `held` back, int (n,), and the tile of every one, int."""

    taught: npt.NDArray[np.intp]
    held: npt.NDArray[np.intp]
    tiles: npt.NDArray[np.intp]


def split(places: npt.NDArray[np.float64]) -> Split:
    """About a third of `places` (n, 3), in diameters (z, y, x), is held back, tile by tile; of the others those are
    taught that share no voxel of their patches with one that is held back.

    Raises `Invalid` where they lie too near each other to be told apart so.
    """
    tile = TILE
    tiles = _tiles(places, tile)
    while tiles.max() + 1 < _TILES and tile > _SMALLEST:
        tile /= 2
        tiles = _tiles(places, tile)
    held = np.zeros(len(places), np.bool_)
    for one in np.random.default_rng(_SEED).permutation(tiles.max() + 1):
        if held.sum() >= _SHARE * len(places):
            break
        held |= tiles == one
    # patches are boxes: in units of their sides, whatever is nearer than 1 along every axis overlaps
    scaled = places / (np.array(SHAPE) * STEP)
    near = cKDTree(scaled[held]).query(scaled, p=np.inf)[0] < 1
    taught = ~held & ~near
    if min(held.sum(), taught.sum()) < _FEWEST:
        raise Invalid(
            "the corrections lie too near each other for some to be held back",
            hint="correct cells in several places of the volume",
        )
    return Split(np.flatnonzero(taught), np.flatnonzero(held), tiles)


def _tiles(places: npt.NDArray[np.float64], side: float) -> npt.NDArray[np.intp]:
    """The number of the cube that each place lies in."""
    cubes = np.floor(places / side).astype(np.int64)
    return np.asarray(np.unique(cubes, axis=0, return_inverse=True)[1].ravel(), np.intp)
