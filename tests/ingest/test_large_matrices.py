"""Signals and connectivity of any size: stored as arrays, read back by zarr-python, with little memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from tests.ingest.readers.reading import find_one

from pulvinar.ingest.large_matrices import CELLS, SPANS, is_large, store_large
from pulvinar.ingest.matrices import ArrayMatrix, window_of
from pulvinar.ingest.reader import ConnectivityData, Options, TableKind, TimeSeriesData
from pulvinar.ingest.readers.matrices import MatrixReader

RNG = np.random.default_rng(12)


def names(count):
    return np.array([f"s{number}" for number in range(count)], dtype=object)


def signals(values, times=None):
    shape = values.shape
    known = np.empty(0) if times is None else times
    return TimeSeriesData(values, known, np.empty((0, 3)), {"name": names(shape[1])}, "mV")


def stored(data, folder: Path):
    """What `store_large` has made, its shards as files of `folder`."""
    seen = []

    def put(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    made = store_large(data, put, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == np.prod(data.values.shape)
    for path, content in made.files.items():
        put(path, content)
    return made


@pytest.mark.parametrize("shape", [(200, 30_000), (40_000, 110), (5_000_000, 1), (1, 1025), (3000, 1600)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_signals_of_any_shape_are_read_back_by_zarr_python(tmp_path, shape, dtype):
    values = RNG.normal(size=shape).astype(dtype)
    values[:, -1] = np.nan
    values[0, 0] = np.inf
    data = signals(values, np.arange(shape[0]) * 0.5)
    assert is_large(data)
    made = stored(data, tmp_path)
    array = zarr.open_array(tmp_path / "values", mode="r")
    assert array.metadata.dimension_names == ("time", "series")
    assert np.array_equal(array[:], values, equal_nan=True)
    assert (made.details["count"], made.details["series"]) == shape
    assert made.details["missing"] == np.count_nonzero(~np.isfinite(values))
    assert made.details["array"]["shape"] == list(shape)
    assert pq.read_table(tmp_path / "times.parquet")["time_s"].to_numpy()[-1] == (shape[0] - 1) * 0.5
    assert pq.read_table(tmp_path / "series.parquet")["name"].to_pylist() == names(shape[1]).tolist()


def test_no_spike_is_lost_from_the_overview_of_a_long_recording(tmp_path):
    values = RNG.normal(size=(100_000, 70)).astype("f4")
    values[54_321, 66] = 1000
    values[:, 3] = np.nan
    values[100:400, 5] = np.nan
    stored(signals(values), tmp_path)
    overview = zarr.open_array(tmp_path / "overview", mode="r")[:].reshape(SPANS, 2, 70)
    span = np.arange(len(values)) * SPANS // len(values)
    for number in (0, 1, 5, 6, 1000, SPANS - 1):
        here = np.where(np.isfinite(values[span == number]), values[span == number], np.nan)
        known = np.isfinite(here).any(axis=0)
        assert np.array_equal(overview[number, 0, known], np.nanmin(here[:, known], axis=0))
        assert np.array_equal(overview[number, 1, known], np.nanmax(here[:, known], axis=0))
        assert np.isnan(overview[number][:, ~known]).all()
    assert overview[54_321 * SPANS // len(values), 1, 66] == 1000


def test_a_matrix_is_read_back_with_its_strongest_connections_and_means(tmp_path):
    values = RNG.normal(size=(2000, 2400)).astype("f4")
    values[1999, 7], values[3, 2399] = -50, 40
    values[5, 5] = 1000
    values[8, :4] = np.nan
    made = stored(ConnectivityData(values, names(2000), names(2400), "correlation"), tmp_path)
    assert np.array_equal(zarr.open_array(tmp_path / "values", mode="r")[:], values, equal_nan=True)
    assert made.details["strongest"][:2] == [["s1999", "s7", -50.0], ["s3", "s2399", 40.0]]
    assert len(made.details["strongest"]) == 40
    away = np.where(np.eye(2000, 2400, dtype=bool) | np.isnan(values), 0, np.abs(values))
    assert [abs(one[2]) for one in made.details["strongest"]] == np.sort(away, axis=None)[:-41:-1].tolist()
    assert made.details["range"] == [-50.0, 1000.0]
    assert made.details["missing"] == 4
    assert made.details["symmetric"] is False
    overview = zarr.open_array(tmp_path / "overview", mode="r")
    assert overview.shape == (CELLS, CELLS)
    rows, columns = (np.flatnonzero(np.arange(size) * CELLS // size == 10) for size in values.shape)
    assert overview[10, 10] == pytest.approx(values[np.ix_(rows, columns)].mean(), rel=1e-5)


@pytest.mark.parametrize("change", [None, (10, 2999), (2999, 10), (2700, 2800), (2800, 2700)])
def test_a_matrix_of_several_shards_is_called_symmetric_only_when_it_is(tmp_path, change):
    half = RNG.normal(size=(3000, 3000)).astype("f4")
    values = half + half.T
    if change:
        values[change] += 1
    made = stored(ConnectivityData(values, names(3000), names(3000)), tmp_path)
    assert made.details["symmetric"] is (change is None)


class Endless:
    """A recording that is made as it is read: 512 MB of it."""

    shape = (1 << 21, 64)
    dtype = np.dtype("f4")

    def read_into(self, rows, columns, out):
        out[...] = np.arange(rows.start, rows.stop)[:, None] % 1000 + np.arange(columns.start, columns.stop)

    def close(self):
        """Nothing."""


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow_with_the_recording():
    before, most = resident_bytes(), []
    made = store_large(signals(Endless()), lambda path, content: most.append(resident_bytes()), lambda count: None)
    assert made.details["missing"] == 0
    assert max(most) - before < 300 << 20


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "<i8", "?", "<f2"])
@pytest.mark.parametrize("axes", ["tc", "ct"])
def test_an_npy_of_any_type_and_order_is_read_where_it_lies(tmp_path, order, dtype, axes):
    values = np.asarray(RNG.normal(size=(3000, 1500)) * 100).astype(dtype, order=order)
    np.save(tmp_path / "lfp.npy", values)
    options = Options(table_kind=TableKind.TIME_SERIES, axes=axes)
    asset = find_one(MatrixReader(), tmp_path, options)
    data = MatrixReader().read_geometry(asset, tmp_path, options)
    assert not isinstance(data.values, np.ndarray)
    wanted = values if axes == "tc" else values.T
    assert data.values.shape == wanted.shape
    assert np.array_equal(window_of(data.values, slice(11, 1400), slice(700, 1490)), wanted[11:1400, 700:1490])
    assert np.array_equal(window_of(data.values, slice(0, 5), slice(0, wanted.shape[1])), wanted[:5])
    data.values.close()


def test_an_array_in_memory_is_a_matrix():
    matrix = ArrayMatrix(np.arange(6.0).reshape(2, 3))
    assert window_of(matrix, slice(1, 2), slice(0, 2)).tolist() == [[3.0, 4.0]]
