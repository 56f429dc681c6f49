"""What NWB keeps of each cell that no column holds: the pixels of regions of interest, and the shapes of spikes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge
from pulvinar.ingest.reader import Options, TimeSeriesData
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers
from pulvinar.ingest.readers.hdf5_files import dataset
from pulvinar.ingest.readers.hdf5_values import number_said, numbers_of, path_of, records_of, text_said
from pulvinar.ingest.readers.nwb_places import MOST_MASK_BYTES, row_ranges
from pulvinar.ingest.readers.table_columns import Column

_MOST_PIXELS = 1 << 26
_MOST_SHAPES = 1 << 24
_SHAPES = ("waveform_mean", "waveform_sd")


def has_masks(table: Any, name: str) -> bool:
    """Whether the pixels of a table's regions of interest can be read."""
    data = dataset(table, "image_mask", name)
    if data is not None:
        packed = data.size * data.dtype.itemsize
        return data.ndim in (3, 4) and data.dtype.kind in "iufb" and packed <= MOST_MASK_BYTES
    return _listed(table, name) is not None


def read_masks(table: Any, name: str) -> dict[str, Column]:
    """A row for each pixel of each region of interest: the region's id, the pixel as the mask counts it, its weight.

    Raises `TooLarge` for more than 67 million.
    """
    ids = numbers_of(dataset(table, "id", name), name).astype(np.int64)
    parts, count = [], 0
    for row, (pixels, weights) in enumerate(_masks(table, name)):
        count += len(weights)
        if count > _MOST_PIXELS:
            raise TooLarge(f"{name}: the masks of {path_of(table)} have more than {_MOST_PIXELS} pixels")
        parts.append((np.full(len(weights), ids[row] if row < len(ids) else row), pixels, weights))
    regions, places, values = zip(*parts, strict=True)
    pixels = np.concatenate(places)
    letters = {letter: np.ascontiguousarray(pixels[:, axis]) for axis, letter in enumerate("xyz"[: pixels.shape[1]])}
    return {"roi": np.concatenate(regions), **letters, "weight": np.concatenate(values)}


def _masks(table: Any, name: str) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """The pixels (n, 2 or 3) of each region and their weights, those of weight 0 left out."""
    data = dataset(table, "image_mask", name)
    if data is None:
        yield from _listed_masks(table, name)
        return
    with closing(Hdf5Numbers(data, name)) as masks:
        for row in range(data.shape[0]):
            mask = masks.read((slice(row, row + 1), *(slice(0, size) for size in data.shape[1:])))[0]
            inside = np.nonzero(np.nan_to_num(mask))
            yield np.stack(inside, axis=1).astype(np.int64), mask[inside].astype(np.float64)


def _listed(table: Any, name: str) -> tuple[Any, Any] | None:
    """A list of pixels and where each region's end in it; None where there is none that is read."""
    for key in ("pixel_mask", "voxel_mask"):
        data, ends = dataset(table, key, name), dataset(table, f"{key}_index", name)
        fields = (data.dtype.names or ()) if data is not None and ends is not None else ()
        if {"x", "y", "weight"} <= set(fields) and not data.id.get_create_plist().get_nfilters():
            return data, ends
    return None


def _listed_masks(table: Any, name: str) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    listed = _listed(table, name)
    records = None if listed is None else records_of(listed[0], name)
    if listed is None or records is None:
        return
    letters = [letter for letter in "xyz" if letter in listed[0].dtype.names]
    what = f"{name}: the masks of {path_of(table)}"
    for first, last in zip(*row_ranges(numbers_of(listed[1], name), len(records), what), strict=True):
        mine = records[first:last]
        yield np.stack([mine[letter].astype(np.int64) for letter in letters], axis=1), mine["weight"].astype(np.float64)


def shapes_of(table: Any, name: str) -> list[str]:
    """The columns of a table of units that hold the shape of its spikes."""
    found = [(key, dataset(table, key, name)) for key in _SHAPES]
    return [
        key
        for key, data in found
        if data is not None and data.ndim in (2, 3) and data.dtype.kind in "iuf" and 0 < data.size <= _MOST_SHAPES
    ]


def read_shapes(table: Any, key: str, name: str, options: Options) -> TimeSeriesData:
    """The shape of each unit's spikes, a series for each unit, and for each of several electrodes.

    Time is in seconds where the file says the rate of its samples, or the options say their step.
    """
    data = dataset(table, key, name)
    ids = numbers_of(dataset(table, "id", name), name).astype(np.int64)
    values = numbers_of(data, name).astype(np.float64)
    units, samples = values.shape[:2]
    electrodes = values.shape[2] if values.ndim == 3 else 1
    rate = number_said(data, "sampling_rate", 0.0)
    step_s = 1 / rate if rate > 0 else options.time_step_s
    times = np.arange(samples, dtype=np.float64) * step_s if step_s else np.empty(0)
    series = values.reshape(units, samples, electrodes).transpose(1, 0, 2).reshape(samples, units * electrodes)
    unit = np.repeat(ids[:units], electrodes)
    columns: dict[str, Column] = {"unit": unit}
    names = [str(one) for one in unit.tolist()]
    if electrodes > 1:
        columns["electrode"] = np.tile(np.arange(electrodes, dtype=np.int64), units)
        names = [f"{one} at {place}" for one, place in zip(names, columns["electrode"].tolist(), strict=True)]
    said = {"name": np.array(names, dtype=object), **columns}
    return TimeSeriesData(np.ascontiguousarray(series), times, np.empty((0, 3)), said, text_said(data, "unit"))
