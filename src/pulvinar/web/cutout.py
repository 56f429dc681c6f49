"""A box cut out of a volume: checked against a budget before a voxel is read, then read slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, floor, prod

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.space import Affine, Window
from pulvinar.model.volume import Channel, Level, Triple, Volume

Read = Callable[[Window], npt.NDArray[np.generic]]
"""Gives the voxels of a window of one level, axes (t, c, z, y, x)."""

ZYX = tuple[int, int, int]


@dataclass(frozen=True)
class Wish:
    """What somebody wants: the voxels of one level from `start` up to and without `stop` (z, y, x).

    `channel` and `time` are positions, None for all of them.
    """

    level: int
    start: ZYX
    stop: ZYX
    channel: int | None = None
    time: int | None = None


@dataclass(frozen=True)
class Cutout:
    """A wish that can be granted: `window` of level `number` of `volume`, axes (t, c, z, y, x)."""

    volume: Volume
    number: int
    window: Window

    @property
    def level(self) -> Level:
        """The level that it is cut from."""
        return self.volume.levels[self.number]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The volume's own type: nothing is rescaled."""
        return np.dtype(self.volume.dtype)

    @property
    def size_bytes(self) -> int:
        """How much it is without compression."""
        return prod(self.window.shape) * self.dtype.itemsize

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are in it."""
        return self.volume.channels[self.window.start[1] : self.window.stop[1]]

    @property
    def origin_um(self) -> Triple:
        """The centre of its first voxel, from the centre of level 0's first voxel, (z, y, x), micrometres."""
        steps = zip(self.level.translation_um, self.level.voxel_size_um, self.window.start[2:], strict=True)
        z, y, x = (shift + size * first for shift, size, first in steps)
        return z, y, x

    @property
    def affine_um(self) -> Affine | None:
        """Maps its own voxel index (z, y, x, 1) to the volume's world frame, as `Volume.affine_um` does for level 0."""
        if self.volume.affine_um is None:
            return None
        whole = np.array(self.volume.voxel_size_um)
        into_level_0 = np.diag([*(np.array(self.level.voxel_size_um) / whole), 1.0])
        into_level_0[:3, 3] = np.array(self.origin_um) / whole
        affine = np.array(self.volume.affine_um) @ into_level_0
        return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in affine)

    @property
    def own_frame_um(self) -> Affine:
        """Maps its own voxel index to micrometres from the centre of level 0's first voxel, along the array's axes."""
        z, y, x = self.level.voxel_size_um
        at_z, at_y, at_x = self.origin_um
        return ((z, 0.0, 0.0, at_z), (0.0, y, 0.0, at_y), (0.0, 0.0, x, at_x), (0.0, 0.0, 0.0, 1.0))

    def as_volume(self) -> Volume:
        """It as a volume of one level, with chunks and without shards; its translation says where it was cut."""
        chunk = self.level.chunk_shape
        t, c, z, y, x = (min(a, b) for a, b in zip(self.window.shape, chunk, strict=True))
        level = Level(
            shape=self.window.shape,
            voxel_size_um=self.level.voxel_size_um,
            translation_um=self.origin_um,
            chunk_shape=(t, c, z, y, x),
            shard_shape=(t, c, z, y, x),
        )
        return replace(self.volume, levels=(level,), channels=self.channels, affine_um=self.affine_um)

    def slabs(self, time: int, channel: slice) -> Iterator[Window]:
        """Its windows of one time point and some channels, in z, each cut where the stored chunks are."""
        _, _, first, y, x = self.window.start
        _, _, end, y_end, x_end = self.window.stop
        depth = self.level.chunk_shape[2]
        while first < end:
            last = min(end, (first // depth + 1) * depth)
            yield Window((time, channel.start, first, y, x), (time + 1, channel.stop, last, y_end, x_end))
            first = last


def plan_cutout(volume: Volume, wish: Wish, budget_bytes: int) -> Cutout:
    """`wish` as something that can be read. Raises `Invalid` when it lies outside of the volume, and `TooLarge`, with
    a coarser level that would fit, when it is more than `budget_bytes` without compression."""
    if not 0 <= wish.level < len(volume.levels):
        raise Invalid(f"there is no level {wish.level}", hint=f"levels 0 to {len(volume.levels) - 1}")
    shape = volume.levels[wish.level].shape
    if any(not 0 <= a < b <= size for a, b, size in zip(wish.start, wish.stop, shape[2:], strict=True)):
        raise Invalid(
            f"the box from {wish.start} to {wish.stop} is empty or outside of level {wish.level}",
            hint=f"voxels (z, y, x) from (0, 0, 0) up to {shape[2:]}",
        )
    times, channels = _span(wish.time, shape[0], "time point"), _span(wish.channel, shape[1], "channel")
    window = Window((times.start, channels.start, *wish.start), (times.stop, channels.stop, *wish.stop))
    cutout = Cutout(volume, wish.level, window)
    if cutout.size_bytes > budget_bytes:
        raise TooLarge(
            f"the cut-out is {_mb(cutout.size_bytes)}, more than the {_mb(budget_bytes)} that are allowed",
            hint=_coarser(cutout, budget_bytes),
        )
    return cutout


def _span(chosen: int | None, size: int, what: str) -> slice:
    if chosen is None:
        return slice(0, size)
    if not 0 <= chosen < size:
        raise Invalid(f"there is no {what} {chosen}", hint=f"{what}s 0 to {size - 1}")
    return slice(chosen, chosen + 1)


def _coarser(cutout: Cutout, budget_bytes: int) -> str:
    """The finest level whose voxels of the same box fit into the budget, in words."""
    volume, window = cutout.volume, cutout.window
    for number in range(cutout.number + 1, len(volume.levels)):
        level = volume.levels[number]
        factors = [b / a for a, b in zip(cutout.level.voxel_size_um, level.voxel_size_um, strict=True)]
        start = [floor(a / factor) for a, factor in zip(window.start[2:], factors, strict=True)]
        edges = zip(window.stop[2:], factors, level.shape[2:], strict=True)
        stop = [min(size, ceil(b / factor)) for b, factor, size in edges]
        sides = [b - a for a, b in zip(start, stop, strict=True)]
        size_bytes = prod(window.shape[:2]) * prod(sides) * cutout.dtype.itemsize
        if min(sides) > 0 and size_bytes <= budget_bytes:
            box = f"level={number}&start={_commas(start)}&stop={_commas(stop)}"
            return f"the same box at level {number} is {_mb(size_bytes)}: {box}"
    return "ask for a smaller box, one channel or one time point"


def _commas(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
