"""Labels out of probability maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5
from pulvinar.storage.sources import Voxels, VoxelSource

_TOGETHER = 16
"""So many maps are held at once."""


class LikeliestLabels:
    """Of probability maps, axes (t, c, z, y, x) with one structure at each t: 1 + the number of the structure that is
    likeliest in a voxel, the first of equals, and 0 where none reaches `least`. Memory: some maps of one block."""

    def __init__(self, maps: VoxelSource, *, least: float) -> None:
        self._maps = maps
        self._least = least

    @property
    def shape(self) -> Shape5:
        """That of one map."""
        _, _, z, y, x = self._maps.shape
        return 1, 1, z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of labels."""
        return np.dtype(np.uint16)

    @property
    def block_shape(self) -> Shape5:
        """That of the maps, of one map."""
        _, _, z, y, x = self._maps.block_shape
        return 1, 1, z, y, x

    def read(self, window: Window) -> Voxels:
        """The labels of `window`, from every map's window."""
        best = np.zeros(window.shape, self._maps.dtype)
        labels = np.zeros(window.shape, self.dtype)
        count = self._maps.shape[0]
        for first in range(0, count, _TOGETHER):
            last = min(first + _TOGETHER, count)
            maps = self._maps.read(Window((first, *window.start[1:]), (last, *window.stop[1:])))
            for number, one in enumerate(maps, first + 1):
                better = (one > best[0]) & (one >= self._least)
                best[0][better] = one[better]
                labels[0][better] = number
            self._maps.release(maps)
        return labels

    def release(self, voxels: Voxels) -> None:
        """Nothing: the labels were made for the caller."""
