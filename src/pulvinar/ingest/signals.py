"""Signals over time and connectivity as stored objects: tables that any program reads, and a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import GeometryFiles, parquet, place_columns
from pulvinar.ingest.pictures import matrix_picture
from pulvinar.ingest.reader import ConnectivityData, TimeSeriesData


def time_series_files(data: TimeSeriesData) -> GeometryFiles:
    """What is stored of signals; raises `Invalid` when there is none.

    `values.parquet` has one row a frame: `time_s` where it is known, and a column a series, named by its number from 0
    on. `series.parquet` has one row a series: its name, its place where one is known, and the columns of the file.
    """
    frames, series = data.values.shape
    if not data.values.size:
        raise Invalid(f"the signals have {frames} frames of {series} series", hint="leave the file out")
    timed = {"time_s": data.times_s} if len(data.times_s) else {}
    values = {str(number): np.ascontiguousarray(data.values[:, number]) for number in range(series)}
    placed = place_columns(data.zyx_um) if len(data.zyx_um) else {}
    own = {name: column for name, column in data.columns.items() if name not in placed}
    files = {
        "values.parquet": parquet({**timed, **values}),
        "series.parquet": parquet({"name": own.pop("name"), **placed, **own}),
        "quality/thumbnail.webp": matrix_picture(_standardised(data.values).T, square=False),
    }
    steps = np.diff(data.times_s)
    details = {
        "count": frames,
        "series": series,
        "unit": data.unit,
        "step_s": float(np.median(steps)) if len(steps) else None,
        "duration_s": float(data.times_s[-1] - data.times_s[0]) if len(data.times_s) else None,
        "missing": int(np.count_nonzero(~np.isfinite(data.values))),
        "columns": list(data.columns),
    }
    return GeometryFiles(files, details)


def connectivity_files(data: ConnectivityData) -> GeometryFiles:
    """What is stored of a matrix; raises `Invalid` when it is empty.

    `matrix.parquet` has one row a source: its name in `source`, and a column a target, named by its number from 0 on;
    `targets.parquet` has their names.
    """
    sources, targets = data.values.shape
    if not data.values.size:
        raise Invalid(f"the matrix has {sources} rows and {targets} columns", hint="leave the file out")
    columns = {str(number): np.ascontiguousarray(data.values[:, number]) for number in range(targets)}
    files = {
        "matrix.parquet": parquet({"source": data.sources, **columns}),
        "targets.parquet": parquet({"name": data.targets}),
        "quality/thumbnail.webp": matrix_picture(spread(data.values), square=True),
    }
    square = sources == targets and data.sources.tolist() == data.targets.tolist()
    details = {
        "count": sources,
        "targets": targets,
        "measure": data.measure,
        "symmetric": bool(square and np.array_equal(data.values, data.values.T, equal_nan=True)),
        "missing": int(np.count_nonzero(~np.isfinite(data.values))),
    }
    return GeometryFiles(files, details)


def _standardised(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
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
