"""Voxels that lie in a file at steps of so many bytes along each axis, read by window."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.raw_volume import put
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES, Shape5

_LARGEST_READ = 64 << 20


@dataclass(frozen=True)
class StridedLayout:
    """Voxel (t, c, z, y, x) lies at byte `channels[c]` and the `steps` of t, z, y and x, each so many times.

    `dtype` is a numpy name with byte order; steps are not negative.
    """

    shape: Shape5
    dtype: str
    channels: tuple[int, ...]
    steps: Mapping[str, int]

    @property
    def end(self) -> int:
        """The byte behind the last voxel."""
        sizes = dict(zip(AXES, self.shape, strict=True))
        last = sum((sizes[axis] - 1) * step for axis, step in self.steps.items())
        return max(self.channels) + last + np.dtype(self.dtype).itemsize


class StridedVolume:
    """An `OpenVolume` over one file; raises `UnreadableFile` where the file ends too early."""

    def __init__(self, path: Path, layout: StridedLayout, dtype: str, name: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._layout, self._name = layout, name
        self._stored, self._dtype = np.dtype(layout.dtype), np.dtype(dtype)
        # the axes of the smallest steps are read at once
        used = [axis for axis in "tzyx" if layout.shape[AXES.index(axis)] > 1] or ["x"]
        self._inner = sorted(sorted(used, key=lambda axis: layout.steps[axis])[:2], key=AXES.index)
        self._outer = [axis for axis in "tzyx" if axis not in self._inner]

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        starts, counts = dict(zip(AXES, window.start, strict=True)), dict(zip(AXES, window.shape, strict=True))
        steps = self._layout.steps
        order = [AXES.index(axis) for axis in ("c", *self._outer, *self._inner)]
        goal = out.transpose(order)
        first = sum(starts[axis] * steps[axis] for axis in "tzyx")
        for place in product(*(range(counts[axis]) for axis in ("c", *self._outer))):
            at = self._layout.channels[starts["c"] + place[0]] + first
            at += sum(number * steps[axis] for number, axis in zip(place[1:], self._outer, strict=True))
            self._read(at, [counts[axis] for axis in self._inner], goal[place])

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _read(self, position: int, counts: list[int], goal: npt.NDArray[Any]) -> None:
        """Fill `goal`, whose axes are the inner ones, from `position` on."""
        steps = [self._layout.steps[axis] for axis in self._inner]
        span = sum((n - 1) * step for n, step in zip(counts, steps, strict=True)) + self._stored.itemsize
        if span > _LARGEST_READ and len(counts) == 2 and counts[0] > 1:
            for number in range(counts[0]):
                self._read(position + number * steps[0], [1, counts[1]], goal[number : number + 1])
            return
        data = np.empty(span, np.uint8)
        view, done = memoryview(data.data), 0
        while done < span:
            got = os.preadv(self._file, [view[done:]], position + done)
            if not got:
                raise UnreadableFile(f"{self._name} is truncated: it ends at byte {position + done}")
            done += got
        values = np.lib.stride_tricks.as_strided(data[: self._stored.itemsize].view(self._stored), counts, steps)
        put(values, goal, self._name)
