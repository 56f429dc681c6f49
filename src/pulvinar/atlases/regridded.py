"""A stored volume, read on the grid of another: its axes turned, or between its voxels where the grids differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.model.space import Space, Window, opposite
from pulvinar.storage.volumes import ReadableVolume

Matrix = npt.NDArray[np.float64]
Index = tuple[int, int, int]
_EXACT = 1e-4
"""Grids whose voxel centres lie closer than this part of a voxel are the same."""


class Regridded:
    """Level 0 of `volume` at the voxel centres of a grid; axes (z, y, x) of the grid.

    `grid_to_voxel` maps the grid's index (z, y, x, 1) to that of the volume. Where one goes onto the other, voxels are
    taken as they are; else values are interpolated along straight lines, as images may be. Outside is 0.
    """

    def __init__(self, volume: ReadableVolume, grid_to_voxel: Matrix, shape: Index) -> None:
        self._volume = volume
        self._map = grid_to_voxel
        self.shape = shape
        self.dtype = np.dtype(volume.volume.dtype)
        steps = np.rint(grid_to_voxel)
        turn = steps[:3, :3]
        is_turn = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
        # a scale that is a little off adds up over the whole grid
        far = np.abs((grid_to_voxel - steps)[:3] @ np.array([*shape, 1.0])).max()
        self.exact = bool(is_turn and far < _EXACT)

    def read(self, start: Index, stop: Index) -> npt.NDArray[Any]:
        """The voxels from `start` up to, without, `stop`."""
        return self._turned(start, stop) if self.exact else self._between(start, stop)

    def _turned(self, start: Index, stop: Index) -> npt.NDArray[Any]:
        steps = np.rint(self._map).astype(int)
        corners = np.stack([steps[:3, :3] @ start, steps[:3, :3] @ (np.array(stop) - 1)]) + steps[:3, 3]
        low, high = corners.min(axis=0), corners.max(axis=0) + 1
        voxels = self._window(low, high)
        axes = np.abs(steps[:3, :3]).argmax(axis=0)
        falling = steps[axes, range(3)] < 0
        turned: npt.NDArray[Any] = voxels.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in falling)]
        return turned

    def _between(self, start: Index, stop: Index) -> npt.NDArray[Any]:
        from scipy.ndimage import affine_transform

        linear, offset = self._map[:3, :3], self._map[:3, 3]
        corners = np.array(np.meshgrid(*zip(start, np.array(stop) - 1, strict=True))).reshape(3, -1)
        places = linear @ corners + offset[:, None]
        low, high = np.floor(places.min(axis=1)).astype(int), np.ceil(places.max(axis=1)).astype(int) + 2
        voxels = self._window(low, high)
        shape = tuple(np.subtract(stop, start))
        first = linear @ np.array(start) + offset - low
        values = affine_transform(voxels.astype(np.float64), linear, first, output_shape=shape, order=1)
        if self.dtype.kind in "iu":
            values = np.rint(values)
        return np.asarray(values.astype(self.dtype))

    def _window(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The voxels of the volume from `low` up to `high`, 0 where it has none."""
        out = np.zeros(tuple(high - low), self.dtype)
        _, _, *shape = self._volume.volume.shape
        first, last = np.maximum(low, 0), np.minimum(high, shape)
        if (first < last).all():
            z, y, x = (int(at) for at in first)
            far_z, far_y, far_x = (int(at) for at in last)
            found = self._volume.read(0, Window((0, 0, z, y, x), (1, 1, far_z, far_y, far_x)))[0, 0]
            out[tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))] = found
        return out


def turn_of(space: Space, voxel_to_space_um: Matrix, shape: Index, rising: str) -> tuple[Matrix, Index]:
    """How a grid turns so that its axes rise to the sides `rising` (letters as in `Space`): the map of the turned
    grid's index to that of the grid, and the turned shape.

    Raises `Invalid` when its axes don't run along those of the space, or the space says no orientation.
    """
    if not space.orientation:
        raise Invalid(f"nobody has said the orientation of {space.name}", hint="install an atlas that says it")
    linear = voxel_to_space_um[:3, :3]
    if np.count_nonzero(np.abs(linear) > _EXACT * np.abs(linear).max()) != 3:
        raise Invalid(f"the voxels lie oblique to the axes of {space.name}", hint="their axes must run along its axes")
    along = np.abs(linear).argmax(axis=0)
    letters = [
        space.orientation[at] if linear[at, axis] > 0 else opposite(space.orientation[at])
        for axis, at in enumerate(along)
    ]
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    turned_shape = []
    for axis, letter in enumerate(rising):
        stored = next(i for i, one in enumerate(letters) if one in (letter, opposite(letter)))
        falls = letters[stored] != letter
        turn[stored, axis] = -1 if falls else 1
        turn[stored, 3] = shape[stored] - 1 if falls else 0
        turned_shape.append(shape[stored])
    z, y, x = turned_shape
    return turn, (z, y, x)
