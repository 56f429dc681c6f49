"""The tables of an asset, for pages: chosen columns of its Parquet objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, TooLarge
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.storage.object_file import open_table
from pulvinar.storage.store import Store

MOST_CELLS = 4_000_000
"""The largest matrix that is shown: 2,000 by 2,000."""


def read_columns(
    store: Store, asset: Asset, path: str, names: Sequence[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The columns `names` (every one without) of the table `path` of `asset`, by name. Raises `NotFound`."""
    table = open_table(store, f"{asset.prefix}/{path}").read(columns=list(names) if names else None)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def read_matrix(store: Store, asset: Asset) -> tuple[list[str], list[str], npt.NDArray[np.float64]]:
    """The names of rows and columns of a connectivity matrix, and its values (sources, targets), NaN where not known.

    Raises `Invalid` for an asset of another kind, `TooLarge` for more than is shown at once.
    """
    if asset.kind is not AssetKind.CONNECTIVITY:
        raise Invalid(f"asset {asset.id} is a {asset.kind.value}, not a connectivity matrix")
    rows, columns = asset.details["count"], asset.details["targets"]
    if rows * columns > MOST_CELLS:
        raise TooLarge(f"{asset.name} has {rows} x {columns} values", hint="read its matrix.parquet instead")
    matrix = read_columns(store, asset, "matrix.parquet")
    sources = [str(name) for name in matrix.pop("source")]
    targets = [str(name) for name in read_columns(store, asset, "targets.parquet")["name"]]
    return sources, targets, np.stack([matrix[str(at)] for at in range(columns)], axis=1).astype(np.float64)


def series_names(store: Store, asset: Asset) -> list[str]:
    """What the signals of a time series are called. Raises `Invalid` for an asset of another kind."""
    if asset.kind is not AssetKind.TIME_SERIES:
        raise Invalid(f"asset {asset.id} is a {asset.kind.value}, not signals over time")
    return [str(name) for name in read_columns(store, asset, "series.parquet", ["name"])["name"]]


def read_signals(
    store: Store, asset: Asset, series: Sequence[int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The times (frames,), in seconds or frames, and the values (frames, len(series)) of some of the signals."""
    timed = asset.details.get("duration_s") is not None
    found = read_columns(store, asset, "values.parquet", [*(["time_s"] if timed else []), *map(str, series)])
    values = np.stack([found[str(at)] for at in series], axis=1).astype(np.float64)
    times = found["time_s"].astype(np.float64) if timed else np.arange(len(values), dtype=np.float64)
    return times, values
