"""What the voxels of a box are: how many, their mean, spread, median and histogram; of labels, how many of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pulvinar.catalogue.measuring import Floats, Ints, Measured
from pulvinar.errors import Invalid
from pulvinar.model.volume import Volume, VolumeKind

MOST_BINS = 256
_COUNTED_BITS = 16
"""Whole numbers of so many bits are counted one by one; the values of others are kept, within the budget."""


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """The finite values of one channel: None where there are none. `sd` is that of the population (n, not n - 1).

    `counts` int64 (bins,) are the voxels between two neighbours of `edges` float64 (bins + 1,), the last one included.
    """

    name: str
    count: int
    not_finite: int
    mean: float | None
    sd: float | None
    minimum: float | None
    median: float | None
    maximum: float | None
    edges: Floats
    counts: Ints


@dataclass(frozen=True)
class LabelCount:
    """How many voxels of a box have one label."""

    label: int
    voxels: int
    volume_mm3: float


@dataclass(frozen=True)
class BoxStatistics:
    """The voxels of `level` whose centres lie in a box: `channels` of an image, or the `labels` of what has labels."""

    level: int
    voxels: int
    volume_mm3: float
    channels: tuple[ChannelStatistics, ...]
    labels: tuple[LabelCount, ...]


@dataclass(frozen=True)
class LevelInBox:
    """The voxels (z, y, x) of a level that reach into a box: from `start` up to and without `stop`, of every channel
    and time point `size_bytes` without compression."""

    level: int
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    size_bytes: int


def levels_in_box(measured: Measured, low_um: Floats, high_um: Floats) -> list[LevelInBox]:
    """What a cut-out of the box would be at each level, the finest first. Raises `Invalid` for a box outside."""
    found = []
    for number, level in enumerate(measured.volume.levels):
        start, stop = _reach(measured, number, low_um, high_um)
        if (stop > start).all():
            size = int(np.prod(stop - start)) * level.shape[0] * level.shape[1]
            a, b = start.tolist(), stop.tolist()
            bytes_ = size * np.dtype(measured.volume.dtype).itemsize
            found.append(LevelInBox(number, (a[0], a[1], a[2]), (b[0], b[1], b[2]), bytes_))
    if not found:
        raise _outside(measured, low_um, high_um)
    return found


def box_statistics(
    measured: Measured,
    low_um: Floats,
    high_um: Floats,
    *,
    level: int | None = None,
    time: int = 0,
    bins: int = 64,
) -> BoxStatistics:
    """The voxels of `level` whose centres lie from `low_um` up to and without `high_um`, (z, y, x) of the world.

    Nothing is drawn at random or thinned out: at level 0 the figures are exact, at another those of its voxels. Without
    a level, the finest within the budget. Raises `Invalid` for a box without voxels, `TooLarge` for one beyond it.
    """
    if not 1 <= bins <= MOST_BINS:
        raise Invalid(f"a histogram of {bins} bins", hint=f"1 to {MOST_BINS}")
    measured.check_time(time)
    chosen = measured.choose_level(level, lambda one: _chunks_in(measured, one, low_um, high_um))
    tally = _Tally(measured.volume)
    for voxels in _blocks(measured, chosen, time, low_um, high_um):
        tally.add(voxels)
    if not tally.voxels:
        raise _outside(measured, low_um, high_um)
    voxel_mm3 = abs(float(np.linalg.det(measured.to_world(chosen)[:3, :3]))) / 1e9
    labels = tuple(LabelCount(label, count, count * voxel_mm3) for label, count in tally.labels())
    return BoxStatistics(chosen, tally.voxels, tally.voxels * voxel_mm3, tally.channels(bins), labels)


def _outside(measured: Measured, low_um: Floats, high_um: Floats) -> Invalid:
    box = f"{np.round(low_um, 3).tolist()} to {np.round(high_um, 3).tolist()}"
    return Invalid(
        f"no voxel of {measured.asset.name} has its centre in the box {box}",
        hint="micrometres of the world, (z, y, x), the lower corner first; a larger box, or a finer level",
    )


def _reach(measured: Measured, level: int, low_um: Floats, high_um: Floats) -> tuple[Ints, Ints]:
    """The voxels, from the first to the one after the last, that a box touches; empty outside."""
    inverse = np.linalg.inv(measured.to_world(level))
    corners = np.array(list(product(*zip(low_um, high_um, strict=True))), np.float64)
    if not np.isfinite(corners).all() or (high_um <= low_um).any():
        raise _outside(measured, low_um, high_um)
    index = corners @ inverse[:3, :3].T + inverse[:3, 3]
    shape = np.array(measured.volume.levels[level].shape[2:])
    start = np.clip(np.floor(index.min(axis=0) + 0.5), 0, shape).astype(np.int64)
    stop = np.clip(np.ceil(index.max(axis=0) + 0.5), 0, shape).astype(np.int64)
    return start, stop


def _chunks_in(measured: Measured, level: int, low_um: Floats, high_um: Floats) -> int:
    start, stop = _reach(measured, level, low_um, high_um)
    if (stop <= start).any():
        return 0
    sides = np.array(measured.volume.levels[level].chunk_shape[2:])
    return int(np.prod((stop - 1) // sides - start // sides + 1))


def _blocks(
    measured: Measured, level: int, time: int, low_um: Floats, high_um: Floats
) -> Iterator[npt.NDArray[np.generic]]:
    """The voxels in the box (channels, n), chunk by chunk."""
    start, stop = _reach(measured, level, low_um, high_um)
    if (stop <= start).any():
        return
    world = measured.to_world(level)
    for chunk in measured.chunks_over(level, start, stop):
        first, last = measured.chunk_box(level, chunk)
        a, b = np.maximum(first, start), np.minimum(last, stop)
        voxels = measured.read(level, measured.window(level, time, a.tolist(), b.tolist()))
        inside = np.ones(voxels.shape[1:], np.bool_)
        for axis in range(3):
            center = _along(world[axis], a, b)
            inside &= (center >= low_um[axis]) & (center < high_um[axis])
        yield voxels[:, inside]


def _along(row: Floats, start: Ints, stop: Ints) -> Floats:
    """One coordinate of voxels' centres, of a shape that those of (z, y, x) broadcast with."""
    center = np.full((1, 1, 1), row[3])
    for axis in np.flatnonzero(row[:3]):
        shape = [1, 1, 1]
        shape[axis] = -1
        center = center + (row[axis] * np.arange(start[axis], stop[axis])).reshape(shape)
    return np.asarray(center)


class _Tally:
    """Adds up what block after block holds."""

    def __init__(self, volume: Volume) -> None:
        self.voxels = 0
        self._volume = volume
        self._dtype = np.dtype(volume.dtype)
        self._labelled = volume.kind is VolumeKind.LABELS
        self._counted = self._dtype.kind in "iu" and self._dtype.itemsize * 8 <= _COUNTED_BITS
        self._low = int(np.iinfo(self._dtype).min) if self._counted else 0
        span = 1 << (8 * self._dtype.itemsize) if self._counted else 0
        self._counts = np.zeros((volume.shape[1], span), np.int64)
        self._kept: list[npt.NDArray[np.generic]] = []
        self._labels: dict[int, int] = {}

    def add(self, voxels: npt.NDArray[np.generic]) -> None:
        self.voxels += voxels.shape[1]
        if self._labelled:
            for label, count in zip(*(part.tolist() for part in np.unique(voxels[0], return_counts=True)), strict=True):
                self._labels[label] = self._labels.get(label, 0) + count
        elif self._counted:
            for channel, values in enumerate(voxels):
                self._counts[channel] += np.bincount(
                    values.astype(np.int64) - self._low, minlength=len(self._counts[0])
                )
        else:
            self._kept.append(voxels)

    def labels(self) -> list[tuple[int, int]]:
        """Labels with their voxels, the largest first."""
        return sorted(self._labels.items(), key=lambda item: (-item[1], item[0]))

    def channels(self, bins: int) -> tuple[ChannelStatistics, ...]:
        if self._labelled:
            return ()
        kept = np.concatenate(self._kept, axis=1) if self._kept else None
        found = []
        for number, channel in enumerate(self._volume.channels):
            if kept is None:
                there = np.flatnonzero(self._counts[number])
                values, counts = there.astype(np.float64) + self._low, self._counts[number][there]
            else:
                finite = kept[number][np.isfinite(kept[number])]
                values, counts = np.unique(finite.astype(np.float64), return_counts=True)
            found.append(_statistics(channel.name, values, counts, self.voxels, bins, whole=self._dtype.kind in "iu"))
        return tuple(found)


def _statistics(name: str, values: Floats, counts: Ints, voxels: int, bins: int, *, whole: bool) -> ChannelStatistics:
    """Of rising `values`, each of which is there as often as `counts` says."""
    count = int(counts.sum())
    if not count:
        empty = np.zeros(0, np.float64), np.zeros(0, np.int64)
        return ChannelStatistics(name, 0, voxels, None, None, None, None, None, *empty)
    mean = float(np.average(values, weights=counts))
    sd = float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    below = np.cumsum(counts)
    middle = [values[np.searchsorted(below, rank, "right")] for rank in ((count - 1) // 2, count // 2)]
    low, high = float(values[0]), float(values[-1])
    edges = _edges(low, high, bins, whole=whole)
    drawn, _ = np.histogram(values, edges, weights=counts)
    in_bins = np.rint(drawn).astype(np.int64)
    return ChannelStatistics(name, count, voxels - count, mean, sd, low, float(np.mean(middle)), high, edges, in_bins)


def _edges(low: float, high: float, bins: int, *, whole: bool) -> Floats:
    """Bins of one width from the lowest value to the highest; a bin a number where there are few whole numbers."""
    if whole and high - low < bins:
        return np.arange(low, high + 2) - 0.5
    return np.linspace(low, high, bins + 1) if high > low else np.array([low - 0.5, low + 0.5])
