"""A volume of any size seen from another space, block by block: what is held is one block, and what of the volume it
needs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pulvinar.atlases.displacement import mapped
from pulvinar.atlases.transforms import apply
from pulvinar.errors import SpaceMismatch, TooLarge
from pulvinar.model.space import Affine, Points, Space, Window
from pulvinar.model.transform import FieldGrid, Transform, inverse_rows
from pulvinar.model.volume import Shape5, VolumeKind
from pulvinar.storage.sources import Voxels, VoxelSource

_SIDE = 64
BUDGET_BYTES = 256 * 2**20

Corner = npt.NDArray[np.int64]


class Warped:
    """`source`, at the voxel centres of `grid`, as level 0 of a volume: it can be read, or written as a pyramid.

    `transform` brings points of the grid's space to the source's, in which `voxel_to_space_um` says where its voxels
    lie. Images are interpolated along straight lines, labels are those of the nearest voxel; outside is 0. A block that
    needs more of the source than `budget_bytes` is halved until it doesn't. Raises `SpaceMismatch` when the transform
    isn't from `space`.
    """

    def __init__(
        self,
        source: VoxelSource,
        voxel_to_space_um: Affine,
        transform: Transform,
        grid: FieldGrid,
        space: Space,
        kind: VolumeKind = VolumeKind.IMAGE,
        *,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        if transform.source != space:
            raise SpaceMismatch(
                f"the grid is in {space.name}, the transform is from {transform.source.name}",
                hint="images go against the points: take the transform from where the image is to be seen",
            )
        self._source, self._transform, self._grid, self._space = source, transform, grid, space
        self._to_voxel = inverse_rows(voxel_to_space_um)
        self._kind, self._budget_bytes = kind, budget_bytes
        self.shape: Shape5 = (*source.shape[:2], *grid.shape)
        self.dtype = source.dtype
        self.block_shape: Shape5 = (1, 1, *(min(n, _SIDE) for n in grid.shape))  # type: ignore[assignment]
        self.largest_bytes = 0
        """The most bytes of the source that were held at once."""

    def read(self, window: Window) -> Voxels:
        """As `VoxelSource.read` says."""
        out = np.zeros(window.shape, self.dtype)
        first, last = np.array(window.start[2:]), np.array(window.stop[2:])
        for start, stop in _parts(first, last):
            self._fill(window, start, stop, out)
        return out

    def release(self, voxels: Voxels) -> None:
        """Nothing: what was read is the caller's."""

    def _fill(self, window: Window, start: Corner, stop: Corner, out: Voxels) -> None:
        places = self._places(start, stop)
        size = np.array(self._source.shape[2:])
        inside = ((places >= -0.5) & (places < size[:, None] - 0.5)).all(axis=0)
        if not inside.any():
            return
        # a voxel more on each side: a place between two voxels needs both
        low = np.clip(np.floor(places[:, inside].min(axis=1)).astype(int), 0, size - 1)
        high = np.clip(np.floor(places[:, inside].max(axis=1)).astype(int) + 2, low + 1, size)
        needed = prod((high - low).tolist()) * self.dtype.itemsize
        if needed > self._budget_bytes:
            if (stop - start).max() == 1:
                raise TooLarge(f"one voxel needs {needed} bytes of the source", hint="give a larger budget")
            for half in _halves(start, stop):
                self._fill(window, *half, out)
            return
        self.largest_bytes = max(self.largest_bytes, needed)
        into = tuple(slice(a, b) for a, b in zip(start - window.start[2:], stop - window.start[2:], strict=True))
        for t in range(window.start[0], window.stop[0]):
            for c in range(window.start[1], window.stop[1]):
                part = self._source.read(Window((t, c, *low.tolist()), (t + 1, c + 1, *high.tolist())))
                seen = self._between(part[0, 0], places[:, inside] - low[:, None])
                out[t - window.start[0], c - window.start[1]][into][inside.reshape(stop - start)] = seen
                self._source.release(part)

    def _places(self, start: Corner, stop: Corner) -> npt.NDArray[np.float64]:
        """Indices of the source, (3, n)."""
        axes = [np.arange(a, b, dtype=np.float64) for a, b in zip(start, stop, strict=True)]
        index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        here = Points(self._space, mapped(self._grid.voxel_to_space_um, index))
        return np.ascontiguousarray(mapped(self._to_voxel, apply(self._transform, here).zyx_um).T)

    def _between(self, part: Voxels, places: npt.NDArray[np.float64]) -> Voxels:
        if self._kind is VolumeKind.LABELS:
            nearest = np.clip(np.floor(places + 0.5).astype(int), 0, np.array(part.shape)[:, None] - 1)
            return np.asarray(part[tuple(nearest)])
        exact = np.float64 if self.dtype.itemsize > 2 else np.float32
        values = ndimage.map_coordinates(part.astype(exact), places, order=1, mode="nearest")
        return np.asarray(np.rint(values) if self.dtype.kind in "iu" else values).astype(self.dtype)


def warped_array(
    voxels: npt.NDArray[Any],
    voxel_to_space_um: Affine,
    transform: Transform,
    grid: FieldGrid,
    kind: VolumeKind = VolumeKind.IMAGE,
) -> npt.NDArray[Any]:
    """`voxels` (z, y, x) at the voxel centres of `grid`, which lies in the transform's source; all of it in memory."""
    from pulvinar.storage.sources import ArraySource

    source = ArraySource(voxels[None, None])
    warped = Warped(source, voxel_to_space_um, transform, grid, transform.source, kind, budget_bytes=2**40)
    return np.asarray(warped.read(Window.whole(warped.shape))[0, 0])


def _parts(first: Corner, last: Corner) -> Iterator[tuple[Corner, Corner]]:
    for index in np.ndindex(*(-(-(last - first) // _SIDE)).tolist()):
        start = first + np.array(index) * _SIDE
        yield start, np.minimum(start + _SIDE, last)


def _halves(start: Corner, stop: Corner) -> Iterator[tuple[Corner, Corner]]:
    axis = int(np.argmax(stop - start))
    middle = int(start[axis] + stop[axis]) // 2
    before, after = stop.copy(), start.copy()
    before[axis] = after[axis] = middle
    yield start, before
    yield after, stop
