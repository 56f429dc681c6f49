import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.ingest.sources import through_memory

from pulvinar.errors import Invalid
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.geometry_wire import geometry_from_wire, geometry_to_wire
from pulvinar.ingest.pictures import matrix_picture
from pulvinar.ingest.reader import ConnectivityData, TimeSeriesData

SOME = np.random.default_rng(4)


def names(*values: str):
    return np.array(values, dtype=object)


def some_signals(frames: int = 30) -> TimeSeriesData:
    values = SOME.normal(size=(frames, 3))
    values[4, 1] = np.nan
    columns = {"name": names("V1", "V2", "MT"), "cells": np.array([4, 5, 6])}
    places = np.array([[1.0, 2.0, 3.0], [np.nan] * 3, [7.0, 8.0, 9.0]])
    return TimeSeriesData(values, np.arange(frames) * 0.72, places, columns, "dF/F")


def table(data: bytes):
    return pq.read_table(io.BytesIO(data))


def test_signals_read_back_with_their_times_names_and_places():
    data = some_signals()
    made = geometry_files(data, "rest")
    values = table(made.files["values.parquet"])
    assert values.column_names == ["time_s", "0", "1", "2"]
    assert np.array_equal(values["time_s"].to_numpy(), data.times_s)
    found = np.stack([values[str(n)].to_numpy() for n in range(3)], axis=1)
    assert np.array_equal(found, data.values, equal_nan=True)
    series = table(made.files["series.parquet"])
    assert series["name"].to_pylist() == ["V1", "V2", "MT"]
    assert series["cells"].to_pylist() == [4, 5, 6]
    assert series["x_um"].to_pylist()[0::2] == [3.0, 9.0]
    assert made.details["series"] == 3
    assert made.details["step_s"] == pytest.approx(0.72)
    assert made.details["missing"] == 1
    assert made.details["unit"] == "dF/F"


def test_signals_without_times_have_no_time_column():
    data = some_signals()
    untimed = TimeSeriesData(data.values, np.empty(0), np.empty((0, 3)), {"name": data.columns["name"]})
    made = geometry_files(untimed, "rest")
    assert table(made.files["values.parquet"]).column_names == ["0", "1", "2"]
    assert made.details["step_s"] is None


def test_a_matrix_reads_back_with_the_names_of_both_sides():
    values = SOME.integers(0, 100_000, (2, 3)).astype(float)
    made = geometry_files(ConnectivityData(values, names("a", "b"), names("c", "d", "e"), "streamlines"), "dti")
    matrix = table(made.files["matrix.parquet"])
    assert matrix["source"].to_pylist() == ["a", "b"]
    assert table(made.files["targets.parquet"])["name"].to_pylist() == ["c", "d", "e"]
    assert np.array_equal(np.stack([matrix[str(n)].to_numpy() for n in range(3)], axis=1), values)
    assert made.details["symmetric"] is False


def test_a_matrix_that_equals_its_transpose_is_called_symmetric():
    values = np.corrcoef(SOME.normal(size=(4, 50)))
    sides = names("a", "b", "c", "d")
    assert geometry_files(ConnectivityData((values + values.T) / 2, sides, sides), "fc").details["symmetric"] is True
    other = names("a", "b", "c", "e")
    assert geometry_files(ConnectivityData(values, sides, other), "fc").details["symmetric"] is False


@pytest.mark.parametrize("shape", [(0, 3), (5, 0)])
def test_nothing_at_all_is_refused(shape):
    columns = {"name": np.array(["x"] * shape[1], dtype=object)}
    with pytest.raises(Invalid, match="signals"):
        geometry_files(TimeSeriesData(np.zeros(shape), np.empty(0), np.empty((0, 3)), columns), "rest")


def test_both_cross_to_the_platform_as_they_are():
    signals = some_signals()
    again = geometry_from_wire(*through_memory(*geometry_to_wire(signals)))
    assert isinstance(again, TimeSeriesData)
    assert np.array_equal(again.values, signals.values, equal_nan=True)
    assert again.columns["name"].tolist() == ["V1", "V2", "MT"]
    assert again.unit == "dF/F"
    turned = replace(signals, values=np.asfortranarray(signals.values))
    again = geometry_from_wire(*through_memory(*geometry_to_wire(turned)))
    assert isinstance(again, TimeSeriesData)
    assert np.array_equal(again.values, signals.values, equal_nan=True)
    matrix = ConnectivityData(np.eye(2), names("a", "b"), names("a", "b"), "correlation")
    back = geometry_from_wire(*through_memory(*geometry_to_wire(matrix)))
    assert isinstance(back, ConnectivityData)
    assert back.measure == "correlation"
    assert np.array_equal(back.values, np.eye(2))


@pytest.mark.parametrize("shape", [(1, 1), (3, 1000), (2000, 2), (700, 900)])
@pytest.mark.parametrize("square", [True, False])
def test_a_picture_of_any_matrix_is_a_square_of_the_cards_size(shape, square):
    values = SOME.normal(size=shape)
    values[0, 0] = np.nan
    picture = Image.open(io.BytesIO(matrix_picture(values, square=square)))
    assert picture.size == (360, 360)
