"""Sources that decode more at once than can be held: each slab is unpacked once to scratch, and read from there."""

from __future__ import annotations

import mmap
import os
import tempfile
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np

from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5
from pulvinar.storage.pyramid_plan import cells, clip, tiles
from pulvinar.storage.sources import Voxels, VoxelSource


class SlabSource:
    """`source`, unpacked slab by slab. Windows must lie in one slab each, and come slab after slab."""

    def __init__(self, source: VoxelSource, within: Window, slab_shape: Shape5, scratch: Path) -> None:
        self._source = source
        self._within = within
        self._slab_shape = slab_shape
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
        # set aside now: a mapped page that finds the disk full ends the process
        os.posix_fallocate(self._file.fileno(), 0, prod(slab_shape) * source.dtype.itemsize)
        self._map = mmap.mmap(self._file.fileno(), 0)
        self._slab: Window | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()
        self._file.close()

    @property
    def shape(self) -> Shape5:
        """The source's."""
        return self._source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The source's."""
        return self._source.dtype

    @property
    def block_shape(self) -> Shape5:
        """A single voxel: any window costs the same."""
        return (1, 1, 1, 1, 1)

    def read(self, window: Window) -> Voxels:
        """A copy of `window`."""
        cell = tuple(axis.start for axis in cells(window, self._slab_shape))
        slab = clip(cell, self._slab_shape, self._within)  # type: ignore[arg-type]
        if slab != self._slab:
            self._unpack(slab)
        voxels = self._voxels(slab)[_inside(window, slab)].copy()
        self._let_go()
        return voxels

    def release(self, voxels: Voxels) -> None:
        """Nothing: it was a copy."""

    def _unpack(self, slab: Window) -> None:
        self._slab = None
        for part in tiles(slab, self._source.block_shape):
            voxels = self._source.read(part)
            self._voxels(slab)[_inside(part, slab)] = voxels
            self._source.release(voxels)
            self._let_go()
        self._slab = slab

    def _voxels(self, slab: Window) -> Voxels:
        flat = np.frombuffer(self._map, self.dtype, prod(slab.shape))
        return flat.reshape(slab.shape)

    def _let_go(self) -> None:
        # mapped pages count as this process's memory until it says that it doesn't need them; the file keeps them
        self._map.madvise(mmap.MADV_DONTNEED)


def _inside(window: Window, slab: Window) -> tuple[slice, ...]:
    bounds = zip(window.start, window.stop, slab.start, strict=True)
    return tuple(slice(a - origin, b - origin) for a, b, origin in bounds)
