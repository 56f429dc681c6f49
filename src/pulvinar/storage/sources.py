"""What a pyramid is made from: anything that can give back a block of voxels."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5

Voxels = npt.NDArray[Any]


class VoxelSource(Protocol):
    """Level 0 of a volume, read block by block. Axes (t, c, z, y, x).

    `block_shape` is what the source decodes at once: (1, 1, 1, rows, columns) for strips of a TIFF, the chunk of a
    chunked array. A window aligned to it costs nothing twice.
    """

    @property
    def shape(self) -> Shape5:
        """Voxels an axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that `read` gives, in native byte order."""

    @property
    def block_shape(self) -> Shape5:
        """What is decoded at once."""

    def read(self, window: Window) -> Voxels:
        """The voxels of `window`, an array of `window.shape`. It may be a view of memory that is reused: it is
        valid until the next call of `release`."""

    def release(self, voxels: Voxels) -> None:
        """Give back what `read` returned; it must not be touched any more."""


class ArraySource:
    """An array in memory as a source; its axes are (t, c, z, y, x)."""

    def __init__(self, array: Voxels, block_shape: Shape5 | None = None) -> None:
        self._array = array
        self._block_shape = block_shape

    @property
    def shape(self) -> Shape5:
        """Voxels an axis."""
        t, c, z, y, x = self._array.shape
        return t, c, z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's."""
        return self._array.dtype

    @property
    def block_shape(self) -> Shape5:
        """As given, or the whole array."""
        return self._block_shape or self.shape

    def read(self, window: Window) -> Voxels:
        """A view."""
        return self._array[window.slices]

    def release(self, voxels: Voxels) -> None:
        """Nothing: it was a view."""
