"""The tables and matrices of an asset, for pages: chosen columns of its Parquet objects or of its array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, TooLarge
from pulvinar.ingest.matrices import LARGEST_TABLE_VALUES
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.storage.matrices import StoredMatrix
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

MOST_CELLS = LARGEST_TABLE_VALUES
"""The largest matrix of which every cell is shown: 2,048 by 2,048. What is stored as a table has no means to show."""


def read_columns(
    store: Store, asset: Asset, path: str, names: Sequence[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The columns `names` (every one without) of the table `path` of `asset`, by name. Raises `NotFound`."""
    table = open_table(store, f"{asset.prefix}/{path}").read(columns=list(names) if names else None)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def shows_every_cell(asset: Asset) -> bool:
    """Whether a connectivity matrix is small enough to be shown whole; of others there are means.

    Raises `Invalid` for an asset of another kind.
    """
    if asset.kind is not AssetKind.CONNECTIVITY:
        raise Invalid(f"asset {asset.id} is a {asset.kind.value}, not a connectivity matrix")
    cells: int = asset.details["count"] * asset.details["targets"]
    return cells <= MOST_CELLS


def read_matrix(store: Store, asset: Asset) -> tuple[list[str], list[str], npt.NDArray[np.float64]]:
    """The names of rows and columns of a connectivity matrix, and its values (sources, targets), NaN where not known.

    Raises `Invalid` for an asset of another kind, `TooLarge` for more than is shown at once.
    """
    whole = shows_every_cell(asset)
    rows, columns = asset.details["count"], asset.details["targets"]
    if not whole:
        kept = "array, values" if is_array(asset) else "matrix.parquet"
        raise TooLarge(f"{asset.name} has {rows} x {columns} values", hint=f"read its {kept}, instead")
    if is_array(asset):
        sources, targets = (column_of(store, asset, f"{side}.parquet", "name") for side in ("sources", "targets"))
        stored = _array(store, asset, "path")
        return sources, targets, stored.read(slice(0, rows), slice(0, columns)).astype(np.float64)
    matrix = read_columns(store, asset, "matrix.parquet")
    sources = [str(name) for name in matrix.pop("source")]
    targets = column_of(store, asset, "targets.parquet", "name")
    return sources, targets, np.stack([matrix[str(at)] for at in range(columns)], axis=1).astype(np.float64)


def series_names(store: Store, asset: Asset) -> list[str]:
    """What the signals of a time series are called. Raises `Invalid` for an asset of another kind."""
    if asset.kind is not AssetKind.TIME_SERIES:
        raise Invalid(f"asset {asset.id} is a {asset.kind.value}, not signals over time")
    return column_of(store, asset, "series.parquet", "name")


def read_signals(
    store: Store, asset: Asset, series: Sequence[int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The times (frames,), in seconds or frames, and the values (frames, len(series)) of some of the signals.

    Of long ones, the lowest and the highest value of each of many spans of time, at the time when the span begins.
    """
    timed = asset.details.get("duration_s") is not None
    if is_array(asset):
        return _read_array(store, asset, series, timed=timed)
    found = read_columns(store, asset, "values.parquet", [*(["time_s"] if timed else []), *map(str, series)])
    values = np.stack([found[str(at)] for at in series], axis=1).astype(np.float64)
    times = found["time_s"].astype(np.float64) if timed else np.arange(len(values), dtype=np.float64)
    return times, values


def shows_every_value(asset: Asset) -> bool:
    """Whether signals are few enough to be drawn from their own values; of others there are spans of time."""
    return "overview" not in asset.details.get("array", {})


def is_array(asset: Asset) -> bool:
    """Whether the values of signals or of a matrix are an array, and not a table."""
    return "array" in asset.details


def read_overview(store: Store, asset: Asset) -> npt.NDArray[np.float64]:
    """Means of squares of the cells of a matrix that is an array (rows, columns)."""
    overview = _array(store, asset, "overview")
    rows, columns = overview.shape
    return overview.read(slice(0, rows), slice(0, columns)).astype(np.float64)


def column_of(store: Store, asset: Asset, path: str, name: str) -> list[str]:
    """A column of text of the table `path`."""
    return [str(one) for one in read_columns(store, asset, path, [name])[name]]


def _array(store: Store, asset: Asset, which: str) -> StoredMatrix:
    return StoredMatrix(store, f"{asset.prefix}/{asset.details['array'][which]}")


def _read_array(
    store: Store, asset: Asset, series: Sequence[int], *, timed: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    frames = asset.details["count"]
    whole = shows_every_value(asset)
    array = _array(store, asset, "path" if whole else "overview")
    rows = array.shape[0]
    # a row of an overview is the lowest or the highest value of a span: two of them begin together
    spans = frames if whole else rows // 2
    begins = -(-np.arange(spans, dtype=np.int64) * frames // spans)
    times = begins.astype(np.float64)
    if timed:
        times = read_columns(store, asset, "times.parquet", ["time_s"])["time_s"].astype(np.float64)[begins]
    return np.repeat(times, rows // spans), array.columns(np.array(series, np.int64)).astype(np.float64)
