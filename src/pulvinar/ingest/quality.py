"""Figures of a volume, gathered while it is written: extremes, saturation, empty planes, and the display range."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Corrupt
from pulvinar.ingest.reader import Finding, Severity
from pulvinar.model.space import Window
from pulvinar.model.volume import Shape5, Volume, VolumeKind
from pulvinar.storage.sources import Voxels
from pulvinar.storage.volumes import StoredVolume

PERCENTILES = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.8, 99.9)
SAMPLE_CHUNKS = 96
"""Chunks of level 0, spread evenly over a channel, that percentiles are taken from."""

_FULL_SCALES = frozenset(2**bits - 1 for bits in (8, 10, 12, 14, 16))
"""Where detectors of so many bits stop counting."""
SATURATED_SHARE = 0.001
"""A brighter spot or two may be cut off; beyond this share it is said."""
_SAID = 5
_COUNTS = 3
"""What is counted of a plane: voxels at its highest value, no numbers, infinities."""


@dataclass(frozen=True)
class ChannelFigures:
    """What is known of one channel. `saturated` is the share of voxels at the detector's full scale.

    `minimum` and `maximum` are exact, `percentiles` come from `sampled` voxels of level 0, all of them of finite voxels
    only: None and none where there are none. `empty_planes` counts planes (z, over all time points) that hold one value
    only; `empty_inside` lists those that lie between planes with an image, as (time, z): a dropped plane, not a margin.
    """

    minimum: float | None
    maximum: float | None
    saturated: float
    not_a_number: int
    infinite: int
    percentiles: Mapping[str, float]
    sampled: int
    window: tuple[float, float]
    empty_planes: int
    empty_inside: tuple[tuple[int, int], ...]


class QualityObserver:
    """Watches the windows of level 0 that a pyramid is made from; call it with a window and its voxels.

    What it saw of a window is kept under the window's start, so a window seen twice counts once: after a restart,
    `restore` what `pending` gave before.
    """

    def __init__(self, shape: Shape5, dtype: str) -> None:
        times, channels, depth = shape[:3]
        self._dtype = np.dtype(dtype)
        self._lowest = np.full((times, channels, depth), _top(self._dtype), self._dtype)
        self._highest = np.full((times, channels, depth), _bottom(self._dtype), self._dtype)
        self._at_top: dict[tuple[int, ...], npt.NDArray[np.int64]] = {}
        self._unsaved: dict[str, bytes] = {}

    def __call__(self, window: Window, voxels: Voxels) -> None:
        """Take the figures of `voxels`, which has the shape of `window`, axes (t, c, z, y, x)."""
        low, high, counts = _figures(voxels)
        self._merge(window.start, low, high, counts)
        self._unsaved[",".join(str(number) for number in window.start)] = _pack(low, high, counts)

    def pending(self) -> dict[str, bytes]:
        """What was seen since the last call, by window, to be stored before the window's shards count as done."""
        # windows arrive on the pyramid's own thread: take what is there now, and leave what comes meanwhile
        return {key: self._unsaved.pop(key) for key in list(self._unsaved)}

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Bring back what an earlier run had stored; raises `Corrupt` when it does not fit this volume."""
        for key, packed in stored.items():
            try:
                start = tuple(int(number) for number in key.split(","))
                self._merge(start, *_unpack(packed, self._dtype))
            except (ValueError, KeyError, IndexError, EOFError, OSError, BadZipFile) as error:
                raise Corrupt(f"the stored figures of window {key} are damaged: {error}") from error

    def _merge(self, start: tuple[int, ...], low: Voxels, high: Voxels, counts: npt.NDArray[np.int64]) -> None:
        at = tuple(slice(first, first + size) for first, size in zip(start[:3], low.shape, strict=True))
        np.fmin(self._lowest[at], low, out=self._lowest[at])
        np.fmax(self._highest[at], high, out=self._highest[at])
        self._at_top[start] = np.stack([high.astype(np.float64), *counts.astype(np.float64)])

    def figures(self, channel: int, volume: Volume, stored: StoredVolume) -> ChannelFigures:
        """The figures of one channel of the whole, now written, volume."""
        low, high = self._lowest[:, channel], self._highest[:, channel]
        sample = sample_channel(stored, volume, channel)
        empty = np.asarray((low == high) | (low > high) | ((low != low) & (high != high)))
        minimum, maximum = (float(extreme.reduce(of, axis=None)) for extreme, of in ((np.fmin, low), (np.fmax, high)))
        saturated, missing, infinite = self._counts(channel, maximum)
        voxels = prod(volume.shape) / volume.shape[1]
        quantiles = np.percentile(sample, PERCENTILES).tolist() if sample.size else []
        return ChannelFigures(
            minimum=_finite(minimum),
            maximum=_finite(maximum),
            saturated=saturated / voxels if self._dtype.kind == "u" and maximum in _FULL_SCALES else 0.0,
            not_a_number=missing,
            infinite=infinite,
            # between numbers of the largest size, floats overflow
            percentiles={f"{share:g}": at for share, at in zip(PERCENTILES, quantiles, strict=False) if isfinite(at)},
            sampled=int(sample.size),
            window=display_window(sample, (minimum, maximum)),
            empty_planes=int(empty.sum()),
            empty_inside=_inside(empty)[:20],
        )

    def _counts(self, channel: int, maximum: float) -> tuple[int, int, int]:
        """Voxels at `maximum`, voxels that are not a number, and infinite ones, in `channel`."""
        at_top = missing = infinite = 0
        for start, (high, count, nans, infinities) in self._at_top.items():
            first = start[1]
            if first <= channel < first + high.shape[1]:
                mine = (slice(None), channel - first)
                at_top += int(count[mine][high[mine] == maximum].sum())
                missing += int(nans[mine].sum())
                infinite += int(infinities[mine].sum())
        return at_top, missing, infinite


def sample_channel(stored: StoredVolume, volume: Volume, channel: int) -> npt.NDArray[Any]:
    """Finite voxels of level 0 of one channel: all of a small volume, else `SAMPLE_CHUNKS` chunks spread evenly."""
    level = volume.levels[0]
    # time points that share a chunk are sampled together; others take turns along with the planes
    sizes = (level.chunk_shape[0], 1, *level.chunk_shape[2:])
    grid = [-(-extent // size) for extent, size in zip(level.shape, sizes, strict=True)]
    grid[1] = 1
    total = prod(grid)
    picks = np.unique(np.linspace(0, total - 1, min(total, SAMPLE_CHUNKS)).round().astype(np.int64))
    if total > SAMPLE_CHUNKS:
        # an even stride would meet the same column of chunks again and again: a golden step visits all of them
        picks = np.unique((np.arange(SAMPLE_CHUNKS) * 0.6180339887498949 % 1.0 * total).astype(np.int64))
    parts = []
    for pick in picks:
        cell = np.unravel_index(int(pick), grid)
        start = [int(index) * size for index, size in zip(cell, sizes, strict=True)]
        stop = [min(a + size, extent) for a, size, extent in zip(start, sizes, level.shape, strict=True)]
        start[1], stop[1] = channel, channel + 1
        parts.append(np.asarray(stored.read(0, _window(start, stop))).ravel())
    sample = np.concatenate(parts)
    return sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample


def display_window(sample: npt.NDArray[Any], extremes: tuple[float, float]) -> tuple[float, float]:
    """The range to show black to white, from a `sample` of voxels.

    Background would take most of the percentiles of a brain in a large empty field, so the top is taken among what
    lies above the darkest twentieth of the range that 99.9 % of the voxels fill; where that is nothing, the extremes.
    """
    if not sample.size:
        return _open_range(extremes)
    low, top = (float(value) for value in np.percentile(sample, (0.5, 99.9)))
    foreground = sample[sample > low + 0.05 * (top - low)]
    if foreground.size:
        top = float(np.percentile(foreground, 98.5))
    if not isfinite(low) or not isfinite(top) or top <= low:
        return _open_range(extremes)
    return low, top


def quality_to_json(figures: Sequence[ChannelFigures], kind: VolumeKind) -> dict[str, Any]:
    """The figures of all channels as JSON values, for an asset's details."""
    return {
        "channels": [
            {
                "minimum": item.minimum,
                "maximum": item.maximum,
                "saturated": item.saturated,
                "not_a_number": item.not_a_number,
                "infinite": item.infinite,
                "percentiles": dict(item.percentiles),
                "sampled_voxels": item.sampled,
                "window": list(item.window) if kind is VolumeKind.IMAGE else None,
                "empty_planes": item.empty_planes,
                "empty_planes_inside": [list(plane) for plane in item.empty_inside],
            }
            for item in figures
        ],
        "percentiles_from": f"up to {SAMPLE_CHUNKS} chunks a channel, spread over level 0; the extremes are exact",
    }


def quality_findings(figures: Sequence[ChannelFigures], volume: Volume) -> Iterator[Finding]:
    """What a person should know before relying on an image: dropped planes, cut-off brightness, voxels without a value.

    Labels have none of it: a plane between two regions is rightly empty.
    """
    if volume.kind is VolumeKind.LABELS:
        return
    for item, channel in zip(figures, volume.channels, strict=True):
        of = f" of channel {channel.name}" if len(figures) > 1 else ""
        if item.empty_inside:
            planes = _planes(item.empty_inside, volume)
            text = f"planes without an image between planes with one{of}, perhaps lost while recording: {planes}"
            yield Finding(Severity.DOUBT, text)
        if item.saturated > SATURATED_SHARE:
            text = (
                f"{item.saturated:.2%} of the voxels{of} are as bright as the detector can tell: differences are lost"
            )
            yield Finding(Severity.NOTE, text)
        for count, what in ((item.not_a_number, "not a number"), (item.infinite, "infinite")):
            if count:
                text = f"of the voxels{of}, {count:,} are {what}: the figures leave them out"
                yield Finding(Severity.NOTE, text)


def _planes(places: Sequence[tuple[int, int]], volume: Volume) -> str:
    """The first few of these planes (time, z), named."""
    shown = [f"z {z} at time {time}" if volume.shape[0] > 1 else str(z) for time, z in places[:_SAID]]
    more = f" and {len(places) - _SAID} more" if len(places) > _SAID else ""
    return f"{'' if volume.shape[0] > 1 else 'z '}{', '.join(shown)}{more}"


def _figures(voxels: Voxels) -> tuple[Voxels, Voxels, npt.NDArray[np.int64]]:
    """Of each plane (t, c, z): the lowest and highest finite value, NaN where there is none, and how many voxels are at
    the highest, no number, or infinite."""
    shape = voxels.shape[:3]
    low, high = np.empty(shape, voxels.dtype), np.empty(shape, voxels.dtype)
    counts = np.zeros((_COUNTS, *shape), np.int64)
    floating = voxels.dtype.kind == "f"
    for index in np.ndindex(shape):
        plane = voxels[index]  # one plane fits the processor's cache: the second look at it costs little
        low[index], high[index] = plane.min(), plane.max()
        if floating and not (np.isfinite(low[index]) and np.isfinite(high[index])):
            counts[(1, *index)] = np.count_nonzero(np.isnan(plane))
            counts[(2, *index)] = np.count_nonzero(np.isinf(plane))
            finite = plane[np.isfinite(plane)]
            low[index], high[index] = (finite.min(), finite.max()) if finite.size else (np.nan, np.nan)
        elif not floating and int(high[index]) in _FULL_SCALES:
            counts[(0, *index)] = np.count_nonzero(plane == high[index])
    return low, high, counts


def _pack(low: Voxels, high: Voxels, counts: npt.NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, low=low, high=high, counts=counts)
    return buffer.getvalue()


def _unpack(packed: bytes, dtype: np.dtype[Any]) -> tuple[Voxels, Voxels, npt.NDArray[np.int64]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        low, high, counts = stored["low"].astype(dtype), stored["high"].astype(dtype), stored["counts"]
    # an ingest that was begun before infinities were counted
    return low, high, np.pad(counts, [(0, _COUNTS - len(counts)), (0, 0), (0, 0), (0, 0)])


def _inside(empty: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Empty planes (time, z) that lie between two planes that are not."""
    found = []
    for time, planes in enumerate(empty):
        full = np.flatnonzero(~planes)
        if full.size:
            first, last = int(full[0]), int(full[-1])
            found += [(time, z) for z in range(first, last) if planes[z]]
    return tuple(found)


def _open_range(extremes: tuple[float, float]) -> tuple[float, float]:
    low, high = (value if isfinite(value) else 0.0 for value in extremes)
    return (low, high) if high > low else (low, low + 1.0)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _window(start: Sequence[int], stop: Sequence[int]) -> Window:
    return Window(tuple(start), tuple(stop))  # type: ignore[arg-type]


def _top(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind == "f" else (True if dtype.kind == "b" else np.iinfo(dtype).max)


def _bottom(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind == "f" else (False if dtype.kind == "b" else np.iinfo(dtype).min)
