import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.ingest.sources import through_memory

from pulvinar.errors import Invalid
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.geometry_wire import geometry_from_wire, geometry_to_wire
from pulvinar.ingest.reader import TractsData
from pulvinar.ingest.tracts import MOST_SHOWN


def tracts(counts, seed=0) -> TractsData:
    generator = np.random.default_rng(seed)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    places = np.cumsum(generator.normal(0, 100, (int(first[-1]), 3)), axis=0)
    return TractsData(places, first, {"weight": np.arange(len(counts), dtype=np.float64)})


def shown(files):
    fragment = files["precomputed/1"]
    nodes, edges = np.frombuffer(fragment[:8], "<u4")
    places = np.frombuffer(fragment[8 : 8 + 12 * nodes], "<f4").reshape(-1, 3)
    return places, np.frombuffer(fragment[8 + 12 * nodes :], "<u4").reshape(edges, 2)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=12).filter(any))
@settings(max_examples=60, deadline=None)
def test_every_line_reads_back_whatever_its_length(counts):
    data = tracts(counts)
    made = geometry_files(data, "bundle")
    table = pq.read_table(io.BytesIO(made.files["tracts.parquet"]))
    assert table.num_rows == len(counts)
    for line, (begin, end) in enumerate(zip(data.first[:-1], data.first[1:], strict=True)):
        for axis, column in enumerate(("z_um", "y_um", "x_um")):
            assert table[column][line].as_py() == data.zyx_um[begin:end, axis].tolist()
    lengths = [np.linalg.norm(np.diff(part, axis=0), axis=1).sum() for part in np.split(data.zyx_um, data.first[1:-1])]
    assert made.details["length_um"] == pytest.approx(sum(lengths))
    assert made.details["lines"] == len(counts)


def test_the_view_joins_points_of_a_line_and_never_two_lines():
    data = tracts([30, 0, 1, 40, 25], seed=3)
    places, edges = shown(geometry_files(data, "bundle").files)
    nanometres = (data.zyx_um[:, ::-1] * 1000).astype("<f4")
    row_of = {tuple(place): row for row, place in enumerate(nanometres)}
    line_of = np.repeat(np.arange(5), np.diff(data.first))
    assert len(edges)
    for a, b in edges:
        assert line_of[row_of[tuple(places[a])]] == line_of[row_of[tuple(places[b])]]


def test_of_many_lines_the_view_has_some_and_the_table_all():
    data = tracts(np.full(MOST_SHOWN + 500, 3))
    made = geometry_files(data, "bundle")
    assert made.details["lines_shown"] == MOST_SHOWN
    assert pq.read_table(io.BytesIO(made.files["tracts.parquet"])).num_rows == MOST_SHOWN + 500
    assert Image.open(io.BytesIO(made.files["quality/thumbnail.webp"])).size == (360, 360)


def test_they_cross_to_the_platform_as_they_are():
    data = tracts([3, 4])
    again = geometry_from_wire(*through_memory(*geometry_to_wire(data)))
    assert isinstance(again, TractsData)
    assert np.array_equal(again.zyx_um, data.zyx_um)
    assert np.array_equal(again.first, data.first)


def test_a_point_that_is_nowhere_is_refused():
    data = tracts([3, 4])
    data.zyx_um[2, 1] = np.nan
    with pytest.raises(Invalid, match="not a finite number"):
        geometry_files(data, "bundle")
