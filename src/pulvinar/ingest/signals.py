"""Signals over time and connectivity as stored objects: tables that any program reads, and a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import GeometryFiles, parquet, place_columns
from pulvinar.ingest.matrices import whole
from pulvinar.ingest.pictures import matrix_picture
from pulvinar.ingest.reader import ConnectivityData, TimeSeriesData


def time_series_files(data: TimeSeriesData) -> GeometryFiles:
    """What is stored of signals; raises `Invalid` when there is none.

    `values.parquet` has one row a frame: `time_s` where it is known, and a column a series, named by its number from 0
    on. `series.parquet` has one row a series: its name, its place where one is known, and the columns of the file.
    """
    all_values = whole(data.values)
    frames, series = all_values.shape
    if not all_values.size:
        raise Invalid(f"the signals have {frames} frames of {series} series", hint="leave the file out")
    timed = {"time_s": data.times_s} if len(data.times_s) else {}
    values = {str(number): np.ascontiguousarray(all_values[:, number]) for number in range(series)}
    files = {
        "values.parquet": parquet({**timed, **values}),
        "series.parquet": series_table(data),
        "quality/thumbnail.webp": matrix_picture(standardised(all_values).T, square=False),
    }
    return GeometryFiles(files, time_series_details(data, int(np.count_nonzero(~np.isfinite(all_values)))))


def series_table(data: TimeSeriesData) -> bytes:
    """What is known of each series, as Parquet."""
    placed = place_columns(data.zyx_um) if len(data.zyx_um) else {}
    own = {name: column for name, column in data.columns.items() if name not in placed}
    return parquet({"name": own.pop("name"), **placed, **own})


def time_series_details(data: TimeSeriesData, missing: int) -> dict[str, Any]:
    """What the catalogue holds of signals, of which so many values are not finite."""
    frames, series = data.values.shape
    steps = np.diff(data.times_s)
    return {
        "count": frames,
        "series": series,
        "unit": data.unit,
        "step_s": float(np.median(steps)) if len(steps) else None,
        "duration_s": float(data.times_s[-1] - data.times_s[0]) if len(data.times_s) else None,
        "missing": missing,
        "columns": list(data.columns),
    }


def connectivity_files(data: ConnectivityData) -> GeometryFiles:
    """What is stored of a matrix; raises `Invalid` when it is empty.

    `matrix.parquet` has one row a source: its name in `source`, and a column a target, named by its number from 0 on;
    `targets.parquet` has their names.
    """
    values = whole(data.values)
    sources, targets = values.shape
    if not values.size:
        raise Invalid(f"the matrix has {sources} rows and {targets} columns", hint="leave the file out")
    columns = {str(number): np.ascontiguousarray(values[:, number]) for number in range(targets)}
    files = {
        "matrix.parquet": parquet({"source": data.sources, **columns}),
        "targets.parquet": parquet({"name": data.targets}),
        "quality/thumbnail.webp": matrix_picture(spread(values), square=True),
    }
    symmetric = is_square(data) and np.array_equal(values, values.T, equal_nan=True)
    missing = int(np.count_nonzero(~np.isfinite(values)))
    return GeometryFiles(files, connectivity_details(data, missing, symmetric=bool(symmetric)))


def is_square(data: ConnectivityData) -> bool:
    """Whether rows and columns are the same things in the same order."""
    return len(data.sources) == len(data.targets) and data.sources.tolist() == data.targets.tolist()


def connectivity_details(data: ConnectivityData, missing: int, *, symmetric: bool) -> dict[str, Any]:
    """What the catalogue holds of a matrix, of which so many values are not finite."""
    sources, targets = data.values.shape
    return {
        "count": sources,
        "targets": targets,
        "measure": data.measure,
        "symmetric": symmetric,
        "missing": missing,
    }


def standardised(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Each series around 0, in its own deviations: faint ones are seen beside strong ones."""
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    known = np.isfinite(finite)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, finite, 0).sum(axis=0) / count
    deviation = np.sqrt(np.where(known, finite - mean, 0).__pow__(2).sum(axis=0) / count)
    spread: npt.NDArray[np.float64] = (finite - mean) / np.where(deviation > 0, deviation, 1)
    return np.clip(spread, -3, 3)


def spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Counts of streamlines go over many powers of ten: without negative values, their logarithm is shown."""
    finite = np.where(np.isfinite(values), values, np.nan)
    positive = finite[finite > 0]
    if not positive.size or np.nanmin(finite) < 0 or positive.max() < 100 * np.median(positive):
        return finite
    floor = np.log10(positive.min())
    with np.errstate(divide="ignore"):
        return np.where(finite > 0, np.log10(finite) - floor, np.where(np.isnan(finite), np.nan, 0.0))
