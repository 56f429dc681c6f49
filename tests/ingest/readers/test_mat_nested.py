"""MATLAB's structs and cell arrays, written by SciPy and, as MATLAB 7.3 does, by h5py; read by SciPy beside."""

import h5py
import numpy as np
import pytest
import scipy.io
from tests.ingest.readers.reading import said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options, TableKind
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.matrices import MatrixReader

READER = MatrixReader()
RNG = np.random.default_rng(9)
DFF, WEIGHTS, MAPS = RNG.random((6, 40)), RNG.random((5, 5)), [RNG.random((2, 3)), RNG.random((4, 5))]


def cells(*values, shape=None):
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made.reshape(shape or (1, -1))


def contents():
    units = np.array(
        [(7, MAPS[0], "good"), (9, MAPS[1], "坏")], dtype=[("id", object), ("map", object), ("quality", object)]
    )
    session = {
        "rate": 30.5,
        "mouse": "M12 小鼠",
        "time": np.arange(5.0),
        "speed": np.arange(5.0) * 2,
        "trials": np.array([3, 1, 2], "u1"),
        "imaging": {"dff_traces": DFF, "weights": WEIGHTS},
        "stack": np.zeros((2, 3, 4)),
        "spikes": cells(np.array([0.5, 1.5]), np.array([0.25]), np.empty((0, 0))),
        "areas": cells("V1", "MT", "脑岛", shape=(3, 1)),
    }
    return {"session": session, "units": units.reshape(1, -1)}


def write_newest(path, content):
    """As MATLAB 7.3 does: structs are groups, cells and arrays of structs are references, letters are two bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        kept = file.create_group("#refs#")

        def put(group, key, value):
            if isinstance(value, dict):
                made = group.create_group(key)
                made.attrs["MATLAB_class"] = np.bytes_("struct")
                for field, one in value.items():
                    put(made, field, one)
            elif isinstance(value, np.ndarray) and value.dtype.names:
                made = group.create_group(key)
                made.attrs["MATLAB_class"] = np.bytes_("struct")
                for field in value.dtype.names:
                    made.create_dataset(field, data=refer(value[field]))
            elif isinstance(value, np.ndarray) and value.dtype == object:
                group.create_dataset(key, data=refer(value)).attrs["MATLAB_class"] = np.bytes_("cell")
            elif isinstance(value, str):
                letters = np.frombuffer(value.encode("utf-16-le"), "<u2").reshape(-1, 1)
                group.create_dataset(key, data=letters).attrs["MATLAB_class"] = np.bytes_("char")
            else:
                values = np.atleast_2d(value)
                kind = {"f8": "double", "i8": "int64", "u1": "uint8"}[values.dtype.str[1:]]
                stored = group.create_dataset(key, data=np.array(values.shape, "u8") if not values.size else values.T)
                stored.attrs["MATLAB_class"] = np.bytes_(kind)
                if not values.size:
                    stored.attrs["MATLAB_empty"] = np.uint8(1)

        def refer(values):
            made = np.empty(values.T.shape, h5py.ref_dtype)
            for place in np.ndindex(values.T.shape):
                label = f"r{len(kept)}"
                put(kept, label, values.T[place])
                made[place] = kept[label].ref
            return made

        for key, value in content.items():
            put(file, key, value)
    raw = bytearray(path.read_bytes())
    raw[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(raw)


@pytest.fixture(params=["plain", "packed", "7.3"])
def folder(request, tmp_path):
    if request.param == "7.3":
        write_newest(tmp_path / "day.mat", contents())
    else:
        scipy.io.savemat(tmp_path / "day.mat", contents(), do_compression=request.param == "packed")
    return tmp_path


def found(folder, options=None):
    assets = list(READER.find(source_files(folder), options or Options()))
    return {asset.key.removeprefix("day.mat#"): asset for asset in assets}


def read(folder, key):
    return READER.read_geometry(found(folder)[key], folder, Options())


def test_matrices_are_assets_by_their_path(folder):
    assets = found(folder)
    assert {key for key in assets if not key.endswith("#table")} == {
        "session/imaging/dff_traces", "session/imaging/weights", "units(1)/map", "units(2)/map",
    }  # fmt: skip
    assert assets["session/imaging/dff_traces"].name == "day session/imaging/dff_traces"
    signals = read(folder, "session/imaging/dff_traces")
    assert np.array_equal(signals.values, DFF.T)
    assert np.array_equal(read(folder, "session/imaging/weights").values, WEIGHTS)
    for number, values in enumerate(MAPS, 1):
        table = read(folder, f"units({number})/map").columns
        assert np.array_equal(np.stack([*table.values()], axis=1), values)


def test_vectors_structs_and_cells_are_tables(folder):
    assets = found(folder)
    assert {key.removesuffix("#table") for key in assets if key.endswith("#table")} == {
        "session of 5", "session of 3", "units", "session/spikes", "session/areas",
    }  # fmt: skip
    of_five = read(folder, "session of 5#table").columns
    assert {key: column.tolist() for key, column in of_five.items()} == {
        "time": [0, 1, 2, 3, 4], "speed": [0, 2, 4, 6, 8],
    }  # fmt: skip
    assert read(folder, "session of 3#table").columns["trials"].tolist() == [3, 1, 2]
    units = read(folder, "units#table").columns
    assert {key: column.tolist() for key, column in units.items()} == {"id": [7, 9], "quality": ["good", "坏"]}
    spikes = read(folder, "session/spikes#table").columns
    assert spikes["cell"].tolist() == [1, 1, 2]
    assert spikes["value"].tolist() == [0.5, 1.5, 0.25]
    assert read(folder, "session/areas#table").columns["text"].tolist() == ["V1", "MT", "脑岛"]


def test_single_values_are_told_and_the_rest_is_named(folder):
    first = next(iter(found(folder).values()))
    assert first.metadata["header"]["values"] == {"session/rate": 30.5, "session/mouse": "M12 小鼠"}
    assert "what else the file holds is left out: session/stack (2 x 3 x 4, double)" in said(first)


def test_values_are_those_that_scipy_reads(tmp_path):
    scipy.io.savemat(tmp_path / "day.mat", contents(), do_compression=True)
    theirs = scipy.io.loadmat(tmp_path / "day.mat", simplify_cells=True)
    assert np.array_equal(read(tmp_path, "session/imaging/weights").values, theirs["session"]["imaging"]["weights"])
    assert read(tmp_path, "units#table").columns["id"].tolist() == [one["id"] for one in theirs["units"]]


def test_nested_matrices_are_taken_as_a_person_says(folder):
    options = Options(table_kind=TableKind.TIME_SERIES, axes="ct")
    asset = found(folder, options)["session/imaging/weights"]
    assert np.array_equal(READER.read_geometry(asset, folder, options).values, WEIGHTS.T)


def test_references_in_a_ring_are_refused(tmp_path):
    write_newest(tmp_path / "day.mat", {"c": cells(np.eye(2), np.eye(3))})
    with h5py.File(tmp_path / "day.mat", "r+") as file:
        file["c"][0, 0] = file["c"].ref
    with pytest.raises(TooLarge, match="more than 10000 values in structs and cells, or more than 16 in each other"):
        found(tmp_path)


def test_what_is_nested_too_deep_is_refused(tmp_path):
    deep = {"x": np.eye(3)}
    for _ in range(20):
        deep = {"x": deep}
    scipy.io.savemat(tmp_path / "day.mat", {"deep": deep})
    with pytest.raises(TooLarge, match="more than 16 in each other"):
        found(tmp_path)


def test_a_struct_that_declares_more_than_it_holds_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "day.mat", {"c": cells(np.arange(3.0), np.arange(4.0))})
    content = (tmp_path / "day.mat").read_bytes()
    sides = np.array([1, 2], "<i4").tobytes()
    at = content.index(sides, 128)
    (tmp_path / "day.mat").write_bytes(content[:at] + np.array([1 << 15, 1 << 15], "<i4").tobytes() + content[at + 8 :])
    with pytest.raises(UnreadableFile, match="has fewer values than it declares"):
        found(tmp_path)


def test_letters_of_several_rows_are_no_text(tmp_path):
    """They lie by column: read on, they would be mixed."""
    scipy.io.savemat(tmp_path / "day.mat", {"s": {"note": np.array(["abc", "def"]), "row": "abc", "m": WEIGHTS}})
    header = found(tmp_path)["s/m"].metadata["header"]
    assert header["values"] == {"s/row": "abc"}


@pytest.mark.parametrize("newest", [False, True])
def test_truth_values_in_a_struct_are_truth_values(tmp_path, newest):
    yes = np.array([True, False, True])
    if newest:
        write_newest(tmp_path / "day.mat", {"s": {"kept": yes.astype("u1"), "n": np.arange(3.0)}})
        with h5py.File(tmp_path / "day.mat", "r+") as file:
            file["s/kept"].attrs["MATLAB_class"] = np.bytes_("logical")
    else:
        scipy.io.savemat(tmp_path / "day.mat", {"s": {"kept": yes, "n": np.arange(3.0)}})
    kept = read(tmp_path, "s#table").columns["kept"]
    assert kept.dtype == bool
    assert kept.tolist() == yes.tolist()


@pytest.mark.parametrize("newest", [False, True])
def test_more_variables_than_are_looked_at_are_an_error(tmp_path, monkeypatch, newest):
    monkeypatch.setattr("pulvinar.ingest.readers.mat_files._MOST_VARIABLES", 3)
    content = {"s": {"a": 1.0, "b": 2.0, "c": 3.0}, "matrix": WEIGHTS}
    (write_newest if newest else scipy.io.savemat)(tmp_path / "day.mat", content)
    with pytest.raises(TooLarge, match="more than 3 variables"):
        found(tmp_path)
