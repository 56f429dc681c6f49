import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pulvinar.errors import Invalid
from pulvinar.ingest.annotations import POINTS_A_CELL
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import MeshData, PointsData, SkeletonData, TableData
from pulvinar.ingest.skeletons import CROWD_STEPS, OVERVIEW_STEPS, simplify, without_twigs


def a_skeleton(count: int = 50) -> SkeletonData:
    steps = np.random.default_rng(1).normal(0, 10, (count, 3))
    parent = np.arange(-1, count - 1, dtype=np.int64)
    parent[count // 2] = -1
    return SkeletonData(
        zyx_um=np.cumsum(steps, axis=0),
        radius_um=np.linspace(0.5, 2, count).astype(np.float32),
        parent=parent,
        type_code=np.full(count, 3, np.int16),
        node_id=np.arange(1, count + 1, dtype=np.int64),
    )


def test_a_skeleton_reads_back_from_its_canonical_file():
    data = a_skeleton()
    files = geometry_files(data, "a neuron").files
    table = pq.read_table(io.BytesIO(files["skeleton.parquet"]))
    assert np.array_equal(table["z_um"].to_numpy(), data.zyx_um[:, 0])
    assert np.array_equal(table["parent"].to_numpy(), data.parent)
    assert np.array_equal(table["radius_um"].to_numpy(), data.radius_um)


def test_the_view_of_a_skeleton_is_in_nanometres_x_first():
    data = a_skeleton()
    made = geometry_files(data, "a neuron")
    fragment = made.files["precomputed/1"]
    vertices, edges = np.frombuffer(fragment[:8], "<u4")
    assert (vertices, edges) == (50, 48)
    places = np.frombuffer(fragment[8 : 8 + 600], "<f4").reshape(-1, 3)
    assert np.allclose(places, data.zyx_um[:, ::-1] * 1000, rtol=1e-6)
    pairs = np.frombuffer(fragment[608 : 608 + 48 * 8], "<u4").reshape(-1, 2)
    assert all(data.parent[child] == parent for child, parent in pairs)
    radius = np.frombuffer(fragment[608 + 48 * 8 :][:200], "<f4")
    assert np.allclose(radius, data.radius_um * 1000)
    info = json.loads(made.files["precomputed/info"])
    assert [item["id"] for item in info["vertex_attributes"]] == ["radius", "type"]
    names = json.loads(made.files["precomputed/segments/info"])["inline"]
    assert names["ids"] == ["1"]
    assert names["properties"][0]["values"] == ["a neuron"]
    assert made.details["roots"] == 2
    assert Image.open(io.BytesIO(made.files["quality/thumbnail.webp"])).size == (360, 360)


def a_tree(count: int = 3000) -> SkeletonData:
    """A neuron traced finely: wiggly branches that fork every so often."""
    found = np.random.default_rng(5)
    parent = np.arange(-1, count - 1, dtype=np.int64)
    forks = np.arange(100, count, 100)
    parent[forks] = [found.integers(0, fork) for fork in forks]
    drift = np.repeat(found.normal(0, 1, (count // 100, 3)), 100, axis=0)
    steps = drift + found.normal(0, 0.05, (count, 3))
    places = np.zeros((count, 3))
    for row in range(1, count):
        places[row] = places[parent[row]] + steps[row]
    blank = np.zeros(count)
    return SkeletonData(places, blank.astype(np.float32), parent, blank.astype(np.int16), np.arange(count))


def test_an_overview_keeps_forks_and_ends_and_strays_by_no_more_than_it_says():
    data = a_tree()
    rows, edges = simplify(data.zyx_um, data.parent, 0.5)
    children = np.bincount(data.parent[1:], minlength=len(data.parent))
    assert set(np.flatnonzero(children != 1)) <= set(rows.tolist())
    assert len(rows) < 0.2 * len(data.parent)
    assert len(edges) == len(rows) - 1
    below, above = (data.zyx_um[rows[edges[:, side]]] for side in (0, 1))
    chord = above - below
    for place in data.zyx_um:
        share = np.clip(((place - below) * chord).sum(1) / (chord**2).sum(1), 0, 1)
        assert np.linalg.norm(below + share[:, None] * chord - place, axis=1).min() <= 0.5 + 1e-9


def test_the_overview_lies_beside_the_exact_skeleton_where_it_saves_something():
    data = a_tree()
    made = geometry_files(data, "a neuron")
    overview = made.details["overview"]
    assert overview["tolerance_um"] == pytest.approx(np.ptp(data.zyx_um, axis=0).max() / OVERVIEW_STEPS)
    assert np.frombuffer(made.files["precomputed/2"][:4], "<u4")[0] == overview["count"] < 0.8 * len(data.parent)
    assert np.frombuffer(made.files["precomputed/1"][:4], "<u4")[0] == len(data.parent)
    sparse = geometry_files(a_skeleton(), "a neuron")
    assert "overview" not in sparse.details
    assert "precomputed/2" not in sparse.files


def test_the_form_for_a_crowd_has_no_twigs_and_all_that_reaches_far():
    # along z a trunk of 100 um with a long side branch, a twig, and a twig that goes on from a fork's longer one
    places = np.array([[0, 0, 0], [50, 0, 0], [100, 0, 0], [50, 60, 0], [50, 2, 2], [101, 1, 0], [103, 0, 0]], float)
    parent = np.array([-1, 0, 1, 1, 1, 2, 2])
    rows, edges = simplify(places, parent, 0.1)
    kept, fewer = without_twigs(places, rows, edges, 2.0)
    assert kept.tolist() == [0, 1, 3, 6]
    assert {(int(kept[a]), int(kept[b])) for a, b in fewer} == {(1, 0), (3, 1), (6, 1)}


def test_the_form_for_a_crowd_lies_beside_the_others():
    made = geometry_files(a_tree(), "a neuron")
    crowd, overview = made.details["crowd"], made.details["overview"]
    assert crowd["tolerance_um"] == pytest.approx(overview["tolerance_um"] * OVERVIEW_STEPS / CROWD_STEPS)
    assert np.frombuffer(made.files["precomputed/3"][:4], "<u4")[0] == crowd["count"] < overview["count"]


def test_one_node_and_nodes_on_one_place_make_an_overview():
    assert simplify(np.zeros((1, 3)), np.array([-1]), 1.0)[0].tolist() == [0]
    rows, edges = simplify(np.zeros((5, 3)), np.arange(-1, 4), 0.0)
    assert rows.tolist() == [0, 4]
    assert edges.tolist() == [[1, 0]]


def test_a_place_that_is_no_number_is_refused():
    data = a_skeleton()
    data.zyx_um[3, 1] = np.nan
    with pytest.raises(Invalid, match="a neuron"):
        geometry_files(data, "a neuron")


def test_a_mesh_reads_back_from_both_its_files():
    data = MeshData(np.array([[0, 0, 0], [0, 0, 5], [0, 7, 0], [9, 0, 0.0]]), np.array([[0, 1, 2], [0, 2, 3]], "u4"))
    files = geometry_files(data, "a surface").files
    manifest = json.loads(files["precomputed/1:0"])
    fragment = files["precomputed/" + manifest["fragments"][0]]
    assert np.frombuffer(fragment[:4], "<u4")[0] == 4
    assert np.allclose(np.frombuffer(fragment[4:52], "<f4").reshape(-1, 3), data.zyx_um[:, ::-1] * 1000)
    assert np.array_equal(np.frombuffer(fragment[52:], "<u4").reshape(-1, 3), data.faces)
    header, _, body = files["mesh.ply"].partition(b"end_header\n")
    assert b"element vertex 4" in header
    assert np.array_equal(np.frombuffer(body[:96], "<f8").reshape(-1, 3), data.zyx_um[:, ::-1])


def read_annotations(files: dict[str, bytes]) -> dict[int, tuple[float, ...]]:
    """Every annotation of every level by its id, read as a viewer does."""
    info = json.loads(files["precomputed/info"])
    width = 12 + sum({"float32": 4, "int32": 4, "uint16": 2, "uint8": 1}[item["type"]] for item in info["properties"])
    width += -width % 4
    found: dict[int, tuple[float, ...]] = {}
    for level in info["spatial"]:
        for path, data in files.items():
            if path.startswith(f"precomputed/{level['key']}/"):
                cell = np.array([int(part) for part in path.rpartition("/")[2].split("_")])
                count = int(np.frombuffer(data[:8], "<u8")[0])
                assert count <= level["limit"]
                ids = np.frombuffer(data[8 + count * width :], "<u8")
                low = np.array(info["lower_bound"]) + cell * level["chunk_size"]
                for row, key in enumerate(ids.tolist()):
                    place = np.frombuffer(data[8 + row * width :][:12], "<f4")
                    slack = 1e-3 + np.abs(place) * 1e-6
                    assert np.all(place >= low - slack)
                    assert np.all(place <= low + level["chunk_size"] + slack)
                    assert key not in found
                    found[key] = tuple(place.tolist())
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.floats(0, 5000), st.integers(0, 2**31))
def test_every_point_is_in_the_view_once_and_where_it_was(count, spread, seed):
    places = np.random.default_rng(seed).uniform(-spread, spread, (count, 3)) + 100
    files = dict(geometry_files(PointsData(places, {}), "cells").files)
    found = read_annotations(files)
    assert sorted(found) == list(range(count))
    assert np.allclose([found[key] for key in range(count)], places[:, ::-1], atol=1e-2)


def test_many_points_go_into_finer_levels():
    count = 3 * POINTS_A_CELL
    places = np.random.default_rng(0).uniform(0, 1000, (count, 3))
    files = dict(
        geometry_files(PointsData(places, {"kind": np.array(["a", "b", "c"] * POINTS_A_CELL, object)}), "x").files
    )
    assert len(json.loads(files["precomputed/info"])["spatial"]) > 1
    assert len(read_annotations(files)) == count


def test_one_annotation_is_found_by_its_id():
    places = np.arange(30.0).reshape(10, 3)
    columns = {"Area": np.arange(10), "Score": np.linspace(0, 1, 10), "Type": np.array(["x", "y"] * 5, object)}
    files = geometry_files(PointsData(places, columns), "cells").files
    info = json.loads(files["precomputed/info"])
    assert info["by_id"]["sharding"]["hash"] == "identity"
    shard = files["precomputed/by_id/0.shard"]
    start, stop = np.frombuffer(shard[:16], "<u8")
    ids, offsets, sizes = np.frombuffer(shard[16 + int(start) : 16 + int(stop)], "<u8").reshape(3, -1)
    assert np.cumsum(ids).tolist() == list(range(10))
    # an entry's offset is told from the end of the one before it
    begin = int(offsets[:8].sum() + sizes[:7].sum())
    record = shard[16 + begin :][: int(sizes[7])]
    assert np.frombuffer(record[:12], "<f4").tolist() == places[7][::-1].tolist()
    kinds = [item["type"] for item in info["properties"]]
    assert kinds == ["int32", "float32", "uint8"]
    assert np.frombuffer(record[12:16], "<i4")[0] == 7
    assert info["properties"][2]["enum_labels"][record[20]] == "y"


def test_rows_without_a_place_stay_in_the_table_only():
    places = np.array([[0, 0, 0], [np.nan, 1, 1], [2, 2, 2.0]])
    made = geometry_files(PointsData(places, {"name": np.array(["a", "", "c"], object)}), "cells")
    assert made.details["rows_without_place"] == 1
    table = pq.read_table(io.BytesIO(made.files["points.parquet"]))
    assert table.num_rows == 3
    assert table["name"].to_pylist() == ["a", None, "c"]


def test_a_table_keeps_its_columns():
    made = geometry_files(TableData({"n": np.arange(3), "t": np.array(["a", "b", "c"], object)}), "table")
    table = pq.read_table(io.BytesIO(made.files["table.parquet"]))
    assert table.to_pydict() == {"n": [0, 1, 2], "t": ["a", "b", "c"]}
    assert made.details["count"] == 3
