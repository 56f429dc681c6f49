"""Signals and connectivity that no table holds, as arrays in shards: read once, with a shard in memory at a time.

Beside the values lies an `overview`, from which a page draws what it can't read whole: of signals the lowest and the
highest value of each of some spans of time, of a matrix means of squares of cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.canonical import GeometryFiles, parquet
from pulvinar.ingest.matrices import ArrayMatrix, fits_a_table, lent, window_of
from pulvinar.ingest.pictures import THUMBNAIL_PIXELS, matrix_picture
from pulvinar.ingest.reader import ConnectivityData, GeometryData, Matrix, TimeSeriesData
from pulvinar.ingest.signals import (
    connectivity_details,
    is_square,
    series_table,
    spread,
    standardised,
    time_series_details,
)
from pulvinar.storage.matrices import MatrixLayout, Values

VALUES, OVERVIEW = "values", "overview"
SPANS = 2048
"""Of so many spans of time an overview has the lowest and the highest value."""
CELLS = 960
"""The overview of a matrix has so many rows and columns at most."""
_LONG = 8 * SPANS
_COLUMNS, _SQUARE = 64, 512
_AXES = ("source", "target")
_PICTURED = 2048
_STRONGEST = 40

Put = Callable[[str, bytes], object]
Observe = Callable[[slice, slice, Values], None]


def is_large(data: GeometryData) -> bool:
    """Whether `data` is stored as an array, and not as a table."""
    return isinstance(data, TimeSeriesData | ConnectivityData) and not fits_a_table(data.values.shape)


def layout_of(data: TimeSeriesData | ConnectivityData) -> MatrixLayout:
    """How its values are cut where they are stored as an array."""
    rows, columns = data.values.shape
    axes, wide = (("time", "series"), _COLUMNS) if isinstance(data, TimeSeriesData) else (_AXES, _SQUARE)
    return MatrixLayout.planned((rows, columns), data.values.dtype.name, axes, wide)


def store_large(data: GeometryData, put: Put, done: Callable[[int], None]) -> GeometryFiles:
    """Store the values of signals or of a matrix with `put`, shard by shard; `done` hears how many of them there are.

    `values` is a Zarr array (time, series) or (source, target), the others of its files are given back.
    """
    matrix = ArrayMatrix(data.values) if isinstance(data.values, np.ndarray) else data.values  # type: ignore[union-attr]
    if isinstance(data, TimeSeriesData):
        return _store_signals(data, matrix, put, done)
    assert isinstance(data, ConnectivityData)
    return _store_connectivity(data, matrix, put, done)


def _store_signals(data: TimeSeriesData, matrix: Matrix, put: Put, done: Callable[[int], None]) -> GeometryFiles:
    frames, series = matrix.shape
    layout = layout_of(data)
    seen = _Signals.of(frames, series)
    spans = _Spans(layout, put) if frames > _LONG else None

    def observe(rows: slice, columns: slice, values: Values) -> None:
        seen.add(rows, columns, values)
        if spans is not None:
            spans.add(rows, columns, values)

    _write(matrix, layout, put, observe, done)
    files = {
        "series.parquet": series_table(data),
        **({"times.parquet": parquet({"time_s": data.times_s})} if len(data.times_s) else {}),
        "quality/thumbnail.webp": matrix_picture(standardised(seen.means()).T, square=False),
    }
    details = time_series_details(data, seen.missing)
    return GeometryFiles(files, details | _array_details(layout, spans.layout if spans else None))


def _store_connectivity(data: ConnectivityData, matrix: Matrix, put: Put, done: Callable[[int], None]) -> GeometryFiles:
    layout = layout_of(data)
    seen = _Connections.of(data, matrix)
    _write(matrix, layout, put, seen.add, done)
    means = seen.means()
    overview = MatrixLayout.planned((len(means), means.shape[1]), "float32", _AXES, _SQUARE)
    _write(ArrayMatrix(means.astype(np.float32)), overview, put, _unseen, lambda count: None, OVERVIEW)
    files = {
        "sources.parquet": parquet({"name": data.sources}),
        "targets.parquet": parquet({"name": data.targets}),
        "quality/thumbnail.webp": matrix_picture(spread(means), square=True),
    }
    details = connectivity_details(data, seen.missing, symmetric=seen.symmetric)
    details |= {"range": seen.range, "strongest": seen.strongest()}
    return GeometryFiles(files, details | _array_details(layout, overview))


def _array_details(layout: MatrixLayout, overview: MatrixLayout | None) -> dict[str, Any]:
    array: dict[str, Any] = {"path": VALUES, "shape": list(layout.shape), "dtype": layout.dtype}
    return {"array": array | ({"overview": OVERVIEW} if overview else {})}


def _write(
    matrix: Matrix, layout: MatrixLayout, put: Put, observe: Observe, done: Callable[[int], None], folder: str = VALUES
) -> None:
    put(f"{folder}/zarr.json", layout.document())
    count = 0
    for rows, columns, values in shards_of(matrix, layout):
        path, shard = layout.shard((rows, columns), values)
        put(f"{folder}/{path}", shard)
        observe(rows, columns, values)
        count += values.size
        done(count)


def shards_of(matrix: Matrix, layout: MatrixLayout) -> Iterator[tuple[slice, slice, Values]]:
    """The rows, the columns and the values of each shard; the values are there until the next shard is asked for."""
    for columns, downwards in layout.strips():
        for rows in downwards:
            with lent(matrix, rows, columns) as values:
                yield rows, columns, values


def _unseen(rows: slice, columns: slice, values: Values) -> None:
    """An overview is not looked at again."""


def _bins(part: slice, size: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of `count` bins of an axis of `size` a part of it lies in, and where in the part each of them begins."""
    of = np.arange(part.start, part.stop, dtype=np.int64) * count // size
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    return of[begins], begins


@dataclass(eq=False)
class _Signals:
    """What is seen of signals as they pass: values that are missing, and means for a picture of some of the series."""

    frames: int
    pictured: npt.NDArray[np.int64]
    total: npt.NDArray[np.float64]
    known: npt.NDArray[np.int64]
    missing: int = 0

    @classmethod
    def of(cls, frames: int, series: int) -> _Signals:
        pictured = np.unique(np.linspace(0, series - 1, min(series, _PICTURED)).astype(np.int64))
        shape = (min(frames, THUMBNAIL_PIXELS), len(pictured))
        return cls(frames, pictured, np.zeros(shape), np.zeros(shape, np.int64))

    def add(self, rows: slice, columns: slice, values: Values) -> None:
        self.missing += int(values.size - np.count_nonzero(np.isfinite(values)))
        first, last = np.searchsorted(self.pictured, [columns.start, columns.stop])
        if first == last:
            return
        some = values[:, self.pictured[first:last] - columns.start].astype(np.float64)
        finite = np.isfinite(some)
        at, begins = _bins(rows, self.frames, len(self.total))
        self.total[at, first:last] += np.add.reduceat(np.where(finite, some, 0.0), begins, axis=0)
        self.known[at, first:last] += np.add.reduceat(finite, begins, axis=0, dtype=np.int64)

    def means(self) -> npt.NDArray[np.float64]:
        return np.where(self.known > 0, self.total / np.maximum(self.known, 1), np.nan)


class _Spans:
    """The lowest and the highest value of each series in each span of time, stored strip by strip.

    Row 2 i of the overview has the lowest values of span i, row 2 i + 1 the highest; NaN where none is known.
    """

    def __init__(self, of: MatrixLayout, put: Put) -> None:
        self._frames, series = of.shape
        chunk = (2 * SPANS, min(series, _COLUMNS))
        self.layout = MatrixLayout((2 * SPANS, series), of.dtype, of.axes, chunk, (2 * SPANS, of.shard_shape[1]))
        self._put = put
        self._low = self._high = np.empty((0, 0), of.dtype)
        put(f"{OVERVIEW}/zarr.json", self.layout.document())

    def add(self, rows: slice, columns: slice, values: Values) -> None:
        if rows.start == 0:
            self._low = np.full((SPANS, values.shape[1]), np.inf, values.dtype)
            self._high = -self._low
        at, begins = _bins(rows, self._frames, SPANS)
        known = np.isfinite(values)
        whole = bool(known.all())
        lowest = np.minimum.reduceat(values if whole else np.where(known, values, np.inf), begins, axis=0)
        highest = np.maximum.reduceat(values if whole else np.where(known, values, -np.inf), begins, axis=0)
        self._low[at] = np.minimum(self._low[at], lowest)
        self._high[at] = np.maximum(self._high[at], highest)
        if rows.stop == self._frames:
            both = np.stack([self._low, self._high], axis=1).reshape(2 * SPANS, -1)
            path, shard = self.layout.shard((slice(0, 2 * SPANS), columns), np.where(np.isfinite(both), both, np.nan))
            self._put(f"{OVERVIEW}/{path}", shard)


@dataclass(eq=False)
class _Connections:
    """What is seen of a matrix as it passes: its range, means of squares of cells, and its strongest connections."""

    data: ConnectivityData
    matrix: Matrix
    total: npt.NDArray[np.float64]
    known: npt.NDArray[np.int64]
    symmetric: bool
    missing: int = 0
    lowest: float = np.inf
    highest: float = -np.inf
    found: list[tuple[float, int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, data: ConnectivityData, matrix: Matrix) -> _Connections:
        rows, columns = matrix.shape
        shape = (min(rows, CELLS), min(columns, CELLS))
        return cls(data, matrix, np.zeros(shape), np.zeros(shape, np.int64), is_square(data))

    @property
    def range(self) -> list[float] | None:
        return [self.lowest, self.highest] if self.lowest <= self.highest else None

    def add(self, rows: slice, columns: slice, values: Values) -> None:
        finite = np.isfinite(values)
        self.missing += int(values.size - np.count_nonzero(finite))
        self.lowest = min(self.lowest, float(values.min(initial=np.inf, where=finite)))
        self.highest = max(self.highest, float(values.max(initial=-np.inf, where=finite)))
        self._average(rows, columns, np.where(finite, values, 0.0), finite)
        self._compare(rows, columns, np.where(finite, np.abs(values), -1.0), values)
        # what lies above the diagonal is compared with what lies below it; nothing after the first that differs
        if self.symmetric and rows.start < columns.stop:
            mirrored = window_of(self.matrix, columns, rows).T
            self.symmetric = bool(np.array_equal(values, mirrored, equal_nan=True))

    def _average(self, rows: slice, columns: slice, values: Values, finite: npt.NDArray[np.bool_]) -> None:
        across, starts = _bins(columns, self.matrix.shape[1], self.total.shape[1])
        down, begins = _bins(rows, self.matrix.shape[0], len(self.total))
        at = np.ix_(down, across)
        narrow = np.add.reduceat(values, starts, axis=1, dtype=np.float64)
        counted = np.add.reduceat(finite, starts, axis=1, dtype=np.int64)
        self.total[at] += np.add.reduceat(narrow, begins, axis=0)
        self.known[at] += np.add.reduceat(counted, begins, axis=0)

    def _compare(self, rows: slice, columns: slice, weight: Values, values: Values) -> None:
        """Keep the connections farthest from 0, none of a thing with itself."""
        least = abs(self.found[-1][0]) if len(self.found) == _STRONGEST else 0.0
        same = {name: at for at, name in enumerate(self.data.targets[columns].tolist())}
        for at, name in enumerate(self.data.sources[rows].tolist()):
            if name in same:
                weight[at, same[name]] = -1
        flat = weight.reshape(-1)
        kept = np.flatnonzero(flat > least)
        if len(kept) > _STRONGEST:
            kept = kept[np.argpartition(flat[kept], -_STRONGEST)[-_STRONGEST:]]
        down, across = np.unravel_index(kept, weight.shape)
        strong = values[down, across].tolist()
        more = zip(strong, (down + rows.start).tolist(), (across + columns.start).tolist(), strict=True)
        self.found = sorted([*self.found, *more], key=lambda one: (-abs(one[0]), *one[1:]))[:_STRONGEST]

    def means(self) -> npt.NDArray[np.float64]:
        return np.where(self.known > 0, self.total / np.maximum(self.known, 1), np.nan)

    def strongest(self) -> list[list[Any]]:
        """Source, target and value of each, the strongest first."""
        sources, targets = self.data.sources, self.data.targets
        return [[str(sources[row]), str(targets[column]), value] for value, row, column in self.found]
