"""The values of an image along a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from pulvinar.catalogue.measuring import Floats, Ints, Measured
from pulvinar.errors import Invalid
from pulvinar.model.volume import VolumeKind

MOST_CORNERS = 200
_MOST_SAMPLES = 1_000_000
_NOT_PARALLEL = 0.9


@dataclass(frozen=True, eq=False)
class LineProfile:
    """The values of an image along a line, at voxels of `level`.

    `distance_um` float64 (n,) from the first corner along the line; `zyx_um` float64 (n, 3), the places in the world;
    `values` float64 (channels, n), NaN outside of the image; `width_um`, over which each value is a mean.
    """

    level: int
    width_um: float
    distance_um: Floats
    zyx_um: Floats
    channels: tuple[str, ...]
    values: Floats


def line_profile(
    measured: Measured, corners_um: Floats, *, width_um: float = 0.0, level: int | None = None, time: int = 0
) -> LineProfile:
    """The values along the line through `corners_um` (m, 3), places (z, y, x) of the world, a voxel or less apart.

    Each is the trilinear interpolation of the voxels of `level`; with a width the mean of those in a disc of that
    diameter across the line, on a square lattice of the same step. Without a level, the finest within the budget.
    Raises `Invalid` for what is no line and for labels, `TooLarge` for more than one answer may read.
    """
    _check(measured, corners_um, width_um)
    measured.check_time(time)
    chosen = measured.choose_level(level, lambda one: _chunks_touched(measured, one, corners_um, width_um))
    distance, centers, lattice = _stations(measured, chosen, corners_um, width_um)
    samples = (centers[:, None] + lattice).reshape(-1, 3)
    values = _interpolate(measured, chosen, time, _indices(measured, chosen, samples))
    known = np.isfinite(values).reshape(len(values), len(centers), -1)
    total = np.where(known, values.reshape(known.shape), 0.0).sum(axis=2)
    count = known.sum(axis=2)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    names = tuple(channel.name for channel in measured.volume.channels)
    return LineProfile(chosen, width_um, distance, centers, names, means)


def _check(measured: Measured, corners_um: Floats, width_um: float) -> None:
    if measured.volume.kind is VolumeKind.LABELS:
        raise Invalid(f"{measured.asset.name} holds labels, which have no profile", hint="take an image")
    if corners_um.ndim != 2 or corners_um.shape[1:] != (3,) or not 2 <= len(corners_um) <= MOST_CORNERS:
        raise Invalid(f"a line of shape {corners_um.shape}", hint=f"2 to {MOST_CORNERS} places (z, y, x)")
    if not np.isfinite(corners_um).all() or not 0 <= width_um < np.inf:
        raise Invalid("a corner or the width is no number", hint="micrometres; the width 0 or more")
    if not np.linalg.norm(np.diff(corners_um, axis=0), axis=1).sum() > 0:
        raise Invalid("the line has no length", hint="two different places")


def _stations(measured: Measured, level: int, corners_um: Floats, width_um: float) -> tuple[Floats, Floats, Floats]:
    """How far along the places are (n,), the places (n, 3), and from each of them those around it (n, k, 3)."""
    sides = np.linalg.norm(np.diff(corners_um, axis=0), axis=1)
    kept = np.concatenate([[True], sides > 0])
    corners, sides = corners_um[kept], sides[sides > 0]
    along = np.concatenate([[0.0], np.cumsum(sides)])
    voxel = min(measured.volume.levels[level].voxel_size_um)
    count = int(min(np.ceil(along[-1] / voxel), _MOST_SAMPLES)) + 1
    distance = np.linspace(0.0, along[-1], count)
    centers = np.stack([np.interp(distance, along, corners[:, axis]) for axis in range(3)], axis=1)
    segment = np.clip(np.searchsorted(along, distance, "left") - 1, 0, len(sides) - 1)
    direction = np.diff(corners, axis=0) / sides[:, None]
    return distance, centers, _disc(direction, voxel, width_um)[segment]


def _disc(direction: Floats, step_um: float, width_um: float) -> Floats:
    """For each direction (n, 3) the places of a lattice across it within half the width, (n, k, 3); the centre too."""
    reach = int(min(width_um / 2 / step_um, _MOST_SAMPLES**0.5 / 2))
    steps = np.arange(-reach, reach + 1) * step_um
    first, second = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
    within = first**2 + second**2 <= (width_um / 2) ** 2
    # the axis that the direction follows least gives a plane to begin with
    axis = np.where(np.abs(direction[:, [0]]) < _NOT_PARALLEL, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    one = np.cross(direction, axis)
    one /= np.linalg.norm(one, axis=1)[:, None]
    other = np.cross(direction, one)
    found: Floats = first[within][:, None] * one[:, None] + second[within][:, None] * other[:, None]
    return found


def _indices(measured: Measured, level: int, zyx_um: Floats) -> Floats:
    inverse = np.linalg.inv(measured.to_world(level))
    return np.asarray(zyx_um @ inverse[:3, :3].T + inverse[:3, 3])


def _chunks_touched(measured: Measured, level: int, corners_um: Floats, width_um: float) -> int:
    """How many chunks a profile at `level` reads, or more than any budget where it has too many samples."""
    _, centers, lattice = _stations(measured, level, corners_um, width_um)
    if lattice.shape[0] * lattice.shape[1] > _MOST_SAMPLES:
        return 1 << 40
    index = _indices(measured, level, (centers[:, None] + lattice).reshape(-1, 3))
    held = measured.volume.levels[level]
    inside = _inside(index, held.shape[2:])
    return len(np.unique(_chunk_of(index[inside], held.shape[2:], held.chunk_shape[2:]), axis=0))


def _inside(index: Floats, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(((index >= -0.5) & (index <= np.array(shape) - 0.5)).all(axis=1))


def _chunk_of(index: Floats, shape: tuple[int, ...], chunk: tuple[int, ...]) -> Ints:
    return np.asarray(np.clip(np.floor(index), 0, np.array(shape) - 1) // chunk, np.int64)


def _interpolate(measured: Measured, level: int, time: int, index: Floats) -> Floats:
    """The values (channels, n) at places (n, 3) between voxels, chunk by chunk; NaN outside."""
    held = measured.volume.levels[level]
    shape = np.array(held.shape[2:])
    values = np.full((held.shape[1], len(index)), np.nan)
    inside = np.flatnonzero(_inside(index, held.shape[2:]))
    chunks, which = np.unique(
        _chunk_of(index[inside], held.shape[2:], held.chunk_shape[2:]), axis=0, return_inverse=True
    )
    for number in range(len(chunks)):
        rows = inside[which.ravel() == number]
        places = np.clip(index[rows], 0, shape - 1)
        low = np.floor(places.min(axis=0)).astype(int)
        high = np.minimum(np.floor(places.max(axis=0)).astype(int) + 2, shape)
        voxels = measured.read(level, measured.window(level, time, low.tolist(), high.tolist()))
        for channel, plane in enumerate(voxels):
            values[channel, rows] = map_coordinates(plane.astype(np.float64), (places - low).T, order=1, mode="nearest")
    return values
