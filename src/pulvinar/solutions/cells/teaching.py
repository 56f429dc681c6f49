"""What the classifier is taught by: candidates whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pulvinar.solutions.cells.candidates import Grid, find_candidates, reduced
from pulvinar.solutions.cells.patches import SHAPE, cut_patches
from pulvinar.solutions.cells.simulated import TRAINING, Scene, make_scene

_SURE, _DOUBTFUL = 0.4, 0.6
"""A candidate up to so many diameters from a cell's middle is that cell; up to so many it is nothing to learn from."""


@dataclass(frozen=True, eq=False)
class Examples:
    """`patches` float16 (n, 2, z, y, x), whether each is a `cell` float32 (n,), and how much it counts, `weight`
    float32 (n,)."""

    patches: npt.NDArray[np.float16]
    cell: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.cell)


def together(parts: Iterable[Examples]) -> Examples:
    """All of them."""
    kept = [part for part in parts if len(part)]
    if not kept:
        nothing = np.empty(0, np.float32)
        return Examples(np.empty((0, 2, *SHAPE), np.float16), nothing, nothing)
    return Examples(*(np.concatenate([getattr(part, name) for part in kept]) for name in ("patches", "cell", "weight")))


def made_examples(
    seeds: Iterable[int], textures: Sequence[npt.NDArray[np.generic]] = (), most: int = 400, least_snr: float = 4.0
) -> Examples:
    """Examples of the training scenes of `seeds`; two of three have a background cut from one of `textures` (z, y, x).
    Of a scene's false candidates so many are drawn that all are about `most`."""
    parts = []
    for seed in seeds:
        texture = textures[seed % len(textures)] if textures and seed % 3 else None
        part = examples_of_scene(make_scene(seed, TRAINING, texture=texture), least_snr)
        share = most / max(most, len(part))
        kept = np.flatnonzero((part.cell > 0) | (np.random.default_rng(seed).random(len(part)) < share))
        parts.append(Examples(part.patches[kept], part.cell[kept], part.weight[kept]))
    return together(parts)


def examples_of_scene(scene: Scene, least_snr: float) -> Examples:
    """The candidates of a made volume: the nearest one to each cell is the cell, the others far from all are not."""
    grid = Grid(scene.voxel_size_um, scene.diameter_um)
    image, background = reduced(scene.signal, grid), reduced(scene.background, grid)
    found = find_candidates(image, grid, least_snr)
    if not len(found.snr):
        return together(())
    patches, _ = cut_patches(image, background, found, grid)
    places = ((found.peak + found.offset + 0.5) * grid.factors - 0.5) * scene.voxel_size_um / scene.diameter_um
    truth = cKDTree(scene.cells_um / scene.diameter_um)
    far, _ = truth.query(places)
    nearest = cKDTree(places).query(truth.data)[1]
    cell = far <= _SURE
    cell[nearest[far[nearest] <= _DOUBTFUL]] = True
    weight = (cell | (far > _DOUBTFUL)).astype(np.float32)
    return Examples(patches.astype(np.float16), cell.astype(np.float32), weight)
