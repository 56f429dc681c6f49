"""Tables of an NWB file: electrodes, trials and other intervals, units, and tables of any other purpose.

A column with several values a row can't be a column here: few values become one text, the times of spikes a table of
their own, larger ones are left out and named.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.hdf5_chunks import texts
from pulvinar.ingest.readers.hdf5_files import dataset, member, text
from pulvinar.ingest.readers.hdf5_values import is_group, numbers_of, path_of, records_of, target_of
from pulvinar.ingest.readers.nwb_places import row_ranges
from pulvinar.ingest.readers.parquet import MOST_COLUMNS
from pulvinar.ingest.readers.table_columns import Column, plain_numbers

SPIKES = "spike_times"
MASKS = ("image_mask", "pixel_mask", "voxel_mask")
_MOST_JOINED = 1_000_000
_MOST_WIDE = 16
_MOST_VALUES = 1 << 26


def is_table(place: Any) -> bool:
    """Whether an object is a table: it has rows with an id, and names of columns."""
    return is_group(place) and "colnames" in place.attrs and "id" in place


def row_count(table: Any, name: str) -> int:
    """How many rows a table has."""
    ids = dataset(table, "id", name)
    return 0 if ids is None or ids.ndim != 1 else int(ids.shape[0])


def column_names(table: Any, name: str) -> list[str]:
    """The names of a table's columns in its own order, masks left out."""
    listed = np.ravel(table.attrs["colnames"])
    if len(listed) > MOST_COLUMNS:
        raise UnreadableFile(f"{name}: {path_of(table)} has {len(listed)} columns, {MOST_COLUMNS} are read")
    return [key for key in map(text, listed.tolist()) if key not in MASKS]


def read_table(table: Any, name: str) -> tuple[dict[str, Column], list[str]]:
    """The columns of a table, its rows' `id` first, and the names of those that are left out.

    Raises `UnreadableFile` for a column that is longer or shorter than the table.
    """
    ids = numbers_of(dataset(table, "id", name), name).astype(np.int64)
    columns: dict[str, Column] = {"id": ids}
    left_out = []
    for key in column_names(table, name):
        found = _columns(table, key, len(ids), name)
        if found is None:
            left_out.append(key)
        else:
            columns |= found
    return columns, left_out


def read_spikes(table: Any, name: str) -> dict[str, Column]:
    """A row for each spike: the id of its unit, its time in seconds, and what else is known of each spike."""
    ids = numbers_of(dataset(table, "id", name), name).astype(np.int64)
    first, last = _ranges(table, SPIKES, name)
    if len(first) != len(ids):
        raise UnreadableFile(f"{name}: {path_of(table)} has {len(ids)} units and the spikes of {len(first)}")
    columns: dict[str, Column] = {"unit": np.repeat(ids, last - first)}
    for key in column_names(table, name):
        data = dataset(table, key, name)
        if data is None or data.ndim != 1 or data.dtype.kind not in "iuf" or f"{key}_index" not in table:
            continue
        if all(np.array_equal(a, b) for a, b in zip(_ranges(table, key, name), (first, last), strict=True)):
            values = plain_numbers(numbers_of(data, name), f"{name}: {path_of(data)}")
            columns["time_s" if key == SPIKES else key] = values[: last[-1]] if len(last) else values[:0]
    return columns


def spike_count(table: Any, name: str) -> int:
    """How many spikes a table of units holds, 0 where it is none; more than are read raise `UnreadableFile`."""
    data = dataset(table, SPIKES, name)
    if data is None or data.ndim != 1 or data.dtype.kind not in "iuf" or f"{SPIKES}_index" not in table:
        return 0
    if data.size > _MOST_VALUES:
        raise UnreadableFile(f"{name}: {path_of(data)} has {data.size} spikes, {_MOST_VALUES} are read")
    return int(data.size)


def _columns(table: Any, key: str, rows: int, name: str) -> dict[str, Column] | None:
    """What a column becomes: usually itself; None where it is left out."""
    data = member(table, key, name)
    what = f"{name}: the column {key!r} of {path_of(table)}"
    if data is None or is_group(data):
        return None
    data = dataset(table, key, name)
    if data.ndim == 0:
        raise UnreadableFile(f"{what} is one value", hint="repair the file")
    if f"{key}_index" in table:
        return _ragged(table, key, data, rows, name)
    if data.shape[0] != rows:
        raise UnreadableFile(f"{what} has {data.shape[0]} rows, the table has {rows}", hint="repair the file")
    if data.ndim > 2 or (data.ndim == 2 and data.shape[1] > _MOST_WIDE):
        return None
    values = _values(data, name)
    if values is None or data.ndim == 1:
        return None if values is None else {key: values}
    return {f"{key} {index}": values[:, index] for index in range(data.shape[1])}


def _ragged(table: Any, key: str, data: Any, rows: int, name: str) -> dict[str, Column] | None:
    first, last = _ranges(table, key, name)
    if len(first) != rows:
        raise UnreadableFile(f"{name}: the column {key!r} of {path_of(table)} has {len(first)} rows, not {rows}")
    if key == SPIKES:
        return {"spikes": last - first}
    if data.size > _MOST_JOINED or data.ndim > 2:
        return None
    values = _values(data, name)
    if values is None:
        return None
    said = [", ".join(map(str, item)) if isinstance(item, list) else str(item) for item in values.tolist()]
    joined = ["; ".join(said[a:b]) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    return {key: np.array(joined, dtype=object)}


def _ranges(table: Any, key: str, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the values of each row begin and end; an index may have an index of its own."""
    data, index = dataset(table, key, name), dataset(table, f"{key}_index", name)
    what = f"{name}: the values of {key!r} in {path_of(table)}"
    first, last = row_ranges(numbers_of(index, name), int(data.shape[0]), what)
    outer = dataset(table, f"{key}_index_index", name)
    if outer is None:
        return first, last
    begin, end = row_ranges(numbers_of(outer, name), len(last), what)
    ends = np.concatenate([np.zeros(1, np.int64), last])
    return ends[begin], ends[end]


def _values(data: Any, name: str) -> npt.NDArray[Any] | None:
    """A dataset's values as numbers or text, of its own shape; references as the paths that they lead to, and parts of
    a series as its path with their first and last row. None where it holds anything else."""
    import h5py

    if data.dtype.kind in "iufb":
        values = plain_numbers(numbers_of(data, name), f"{name}: {path_of(data)}")
        return values.astype(np.bool_) if data.dtype.kind == "b" else values
    if data.dtype.kind == "S" or h5py.check_string_dtype(data.dtype) is not None:
        return np.array(texts(data, name), dtype=object).reshape(data.shape)
    if data.ndim != 1 or data.size > _MOST_JOINED:
        return None
    if h5py.check_ref_dtype(data.dtype) is not None:
        found = records_of(data, name)
        return None if found is None else np.array([path_of(target_of(data, item)) for item in found], dtype=object)
    if data.dtype.names == ("idx_start", "count", "timeseries"):
        found = records_of(data, name)
        return None if found is None else np.array([_part_of_series(data, item) for item in found], dtype=object)
    return None


def _part_of_series(data: Any, item: Any) -> str:
    start, count = int(item["idx_start"]), int(item["count"])
    path = path_of(target_of(data, item["timeseries"]))
    return f"{path}[{start}:{start + count}]" if path and start >= 0 else ""
