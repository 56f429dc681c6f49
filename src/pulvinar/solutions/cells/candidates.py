"""Where a cell could be: bright blobs of about the right size, found by differences of Gaussians at two scales.

All lengths are taken in diameters of the cells that are sought, axis by axis, so that voxels and cells may be longer
along one axis. What stands out is told by how much a place exceeds the spread of its own surroundings: a threshold
follows the brain from its bright to its dark parts, and needs no look at the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.solutions.cells import kernels

Triple = tuple[float, float, float]
Voxel = tuple[int, int, int]

_FINEST = 4
"""A diameter is seen by so many working voxels at least, where the volume has them."""
_SCALES = (0.7, 1.12)
"""Diameters that are looked for, in diameters sought: cells vary."""
_BLOB = 1 / (2 * sqrt(3))
"""The deviation of the Gaussian whose Laplacian answers most to a ball of diameter 1 (Lindeberg 1998)."""
_RATIO = 1.6
"""Between two Gaussians whose difference stands for a Laplacian (Marr and Hildreth 1980)."""
_GRAIN = 4
"""Surroundings are summed up over so many working voxels an axis."""
_AROUND = (0.4, 0.25, 0.05)
"""How surroundings of 0, 1 and 2 grains away count."""
_DARK = 2.5
"""From the mean of the negative part to the standard deviation, of what is normally distributed. Bright cells do
not enter it."""
_ROOM = 1 << 16
_NEAR = 0.3
"""Two candidates of the two scales closer than so many diameters are one."""


@dataclass(frozen=True)
class Grid:
    """How voxels of `voxel_size_um` are seen when cells of `diameter_um` are sought, both (z, y, x). A diameter is that
    of the picture of a cell: with the blur of the optics, often longer along z."""

    voxel_size_um: Triple
    diameter_um: Triple

    def __post_init__(self) -> None:
        if min(*self.voxel_size_um, *self.diameter_um) <= 0:
            raise Invalid(f"voxels of {self.voxel_size_um} um, cells of {self.diameter_um} um", hint="all must be > 0")

    @cached_property
    def factors(self) -> Voxel:
        """So many voxels an axis (z, y, x) make one working voxel."""
        z, y, x = (
            max(1, int(d / (_FINEST * v) + 1e-6)) for d, v in zip(self.diameter_um, self.voxel_size_um, strict=True)
        )
        return z, y, x

    @cached_property
    def grain(self) -> Voxel:
        """Blocks must begin at multiples of so many voxels (z, y, x)."""
        z, y, x = (_GRAIN * f for f in self.factors)
        return z, y, x

    @cached_property
    def steps(self) -> npt.NDArray[np.float64]:
        """Working voxels' size in diameters (z, y, x)."""
        return np.multiply(self.voxel_size_um, self.factors) / self.diameter_um

    @cached_property
    def blurs(self) -> list[list[npt.NDArray[np.float32]]]:
        """For each Gaussian the kernels (z, y, x) that make it of the one before."""
        scales = [_SCALES[0] * _BLOB / sqrt(_RATIO), *(scale * _BLOB * sqrt(_RATIO) for scale in _SCALES)]
        added = [sqrt(b * b - a * a) for a, b in zip([0.0, *scales], scales, strict=False)]
        return [[_taps(sigma / step) for step in self.steps] for sigma in added]

    @cached_property
    def reach(self) -> Voxel:
        """From so many voxels away (z, y, x) a voxel has a part in what is found at a place."""
        blurred = [sum(len(taps[axis]) - 1 for taps in self.blurs) for axis in range(3)]
        z, y, x = ((n + 1 + (len(_AROUND)) * _GRAIN) * f for n, f in zip(blurred, self.factors, strict=True))
        return z, y, x


@dataclass(frozen=True, eq=False)
class Candidates:
    """What could be cells: `peak` int64 (n, 3) the working voxel (z, y, x) of each; `offset` float64 (n, 3) from there
    to the middle, in working voxels; `snr` and `noise` float32 (n,)."""

    peak: npt.NDArray[np.int64]
    offset: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]

    def __getitem__(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Candidates:
        return Candidates(self.peak[which], self.offset[which], self.snr[which], self.noise[which])


def reduced(voxels: npt.NDArray[np.generic], grid: Grid) -> npt.NDArray[np.float32]:
    """`voxels` (z, y, x) as working voxels: means over boxes of `grid.factors`, float32."""
    out = np.empty([-(-n // f) for n, f in zip(voxels.shape, grid.factors, strict=True)], np.float32)
    kernels.reduce(voxels, grid.factors, out)
    return out


def find_candidates(image: npt.NDArray[np.float32], grid: Grid, least_snr: float) -> Candidates:
    """The candidates of working voxels `image` (z, y, x) that exceed `least_snr`, in rising order of place."""
    smooth = image
    found = []
    for scale, taps in enumerate(grid.blurs):
        finer, smooth = smooth, np.empty_like(image)
        kernels.blur(finer, *taps, smooth)
        if scale:
            found.append(_peaks(finer, smooth, least_snr))
    whole = Candidates(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    kept = whole[strongest(whole.peak * grid.steps, whole.snr, _NEAR, rounds=1)]
    return kept[np.lexsort(kept.peak.T[::-1])]


def _peaks(
    fine: npt.NDArray[np.float32], coarse: npt.NDArray[np.float32], least_snr: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    band = np.empty_like(fine)
    dark = np.empty([-(-n // _GRAIN) for n in fine.shape], np.float32)
    kernels.difference(fine, coarse, band, dark, _GRAIN)
    noise = np.empty_like(dark)
    kernels.blur(dark, *[np.array(_AROUND, np.float32)] * 3, noise)
    noise *= np.float32(_DARK)
    room = _ROOM
    while True:
        peak, value = np.empty((room, 3), np.int64), np.empty((room, 2), np.float32)
        count = kernels.peaks(band, noise, _GRAIN, np.float32(least_snr), peak, value)
        if count <= room:
            break
        room = count
    peak, value = peak[:count], value[:count]
    snr = value[:, 0] / np.maximum(value[:, 1], np.finfo(np.float32).tiny)
    return peak, _offsets(band, peak), np.minimum(snr, np.float32(1e6)), value[:, 1].copy()


def _offsets(band: npt.NDArray[np.float32], peak: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """From each peak to the top of the parabola through it and its two neighbours, axis by axis, at most half a
    voxel."""
    out = np.zeros(peak.shape)
    top = band[tuple(peak.T)].astype(np.float64)
    for axis, size in enumerate(band.shape):
        before, after = (
            band[tuple(np.clip(peak[:, i] + (step if i == axis else 0), 0, n - 1) for i, n in enumerate(band.shape))]
            for step in (-1, 1)
        )
        bend = 2 * top - before - after
        inner = (peak[:, axis] > 0) & (peak[:, axis] < size - 1) & (bend > 0)
        out[inner, axis] = ((after - before)[inner] / (2 * bend[inner])).clip(-0.5, 0.5)
    return out


def strongest(
    places: npt.NDArray[np.float64], strength: npt.NDArray[np.floating], within: float, rounds: int
) -> npt.NDArray[np.intp]:
    """Those of `places` (n, 3) that no stronger one is `within` of, and again among the ones left, `rounds` times.

    Who stays is settled by what is at most 2 * rounds * within away: a block with that halo and the whole agree. Of two
    equally strong ones the first in order of place stays.
    """
    from scipy.spatial import cKDTree

    if len(places) < 2:
        return np.arange(len(places))
    order = np.lexsort((*places.T[::-1], -strength))
    rank = np.empty(len(places), np.intp)
    rank[order] = np.arange(len(places))
    pairs = cKDTree(places).query_pairs(within, output_type="ndarray")
    better = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    worse = pairs.sum(axis=1) - better
    kept, left = np.zeros(len(places), np.bool_), np.ones(len(places), np.bool_)
    for _ in range(rounds):
        both = left[better] & left[worse]
        best = left.copy()
        best[worse[both]] = False
        kept |= best
        left &= ~best
        left[worse[best[better]]] = False
    return np.flatnonzero(kept)


def _taps(sigma: float) -> npt.NDArray[np.float32]:
    """A Gaussian of `sigma` voxels from its middle outwards, cut at 2.5 sigma; its sum over both sides is 1."""
    taps = np.exp(-0.5 * (np.arange(ceil(2.5 * sigma) + 1 if sigma > 0.2 else 1) / sigma) ** 2)
    return np.asarray(taps / (2 * taps.sum() - taps[0]), np.float32)
