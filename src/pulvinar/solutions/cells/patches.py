"""What the classifier looks at: the surroundings of a candidate, on a grid of fifths of a diameter."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from pulvinar.solutions.cells import kernels
from pulvinar.solutions.cells.candidates import Candidates, Grid

SHAPE = (9, 13, 13)
"""A patch's samples (z, y, x)."""
STEP = 0.2
"""Between two samples, in diameters."""
_SOFT = 4.0
"""Values are in deviations of the surroundings up to about here, and their logarithm beyond."""


def cut_patches(
    image: npt.NDArray[np.float32],
    background: npt.NDArray[np.float32] | None,
    candidates: Candidates,
    grid: Grid,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The classifier's input, float32 (n, 2, z, y, x), and each cell's diameter in diameters sought, float32 (n,).

    Of working voxels `image` (z, y, x) and, where there is one, of the channel `background` that shows tissue without
    cells; else that half of the input is 0.
    """
    places = candidates.peak + candidates.offset
    out = np.zeros((len(places), 2, *SHAPE), np.float32)
    seen = out[:, 0]
    _sample(image, places, grid, seen)
    sizes = _sizes(seen)
    seen -= _middles(seen)
    _soften(seen, candidates.noise)
    if background is not None:
        other = out[:, 1]
        _sample(background, places, grid, other)
        other -= _middles(other)
        _soften(other, candidates.noise)
    return out, sizes


def _sample(
    image: npt.NDArray[np.float32], places: npt.NDArray[np.float64], grid: Grid, out: npt.NDArray[np.float32]
) -> None:
    kernels.sample(image, places, STEP / grid.steps, out)


def _soften(patches: npt.NDArray[np.float32], noise: npt.NDArray[np.float32]) -> None:
    patches /= np.maximum(noise, np.finfo(np.float32).tiny)[:, None, None, None] * np.float32(_SOFT)
    np.arcsinh(patches, out=patches)


def _sizes(patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The diameter, in diameters sought, of a ball of as many samples as lie above half height, within one diameter."""
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in SHAPE)
    near = (z[:, None, None] ** 2 + y[:, None] ** 2 + x**2) * STEP**2 <= 0.8**2
    values = patches[:, near]
    middle = tuple(slice(n // 2 - 1, n // 2 + 2) for n in SHAPE)
    top = patches[(slice(None), *middle)].mean(axis=(1, 2, 3))
    low = _middles(patches)[:, 0, 0, 0]
    count = (values > ((top + low) / 2)[:, None]).sum(axis=1)
    return np.asarray(np.cbrt(count * STEP**3 * 6 / np.pi), np.float32)


def _middles(patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The median of each patch, to be broadcast against them."""
    flat = patches.reshape(len(patches), prod(SHAPE))
    return np.asarray(np.median(flat, axis=1)[:, None, None, None], np.float32)
