"""Matrices in NumPy's and MATLAB's files, written by NumPy, SciPy and h5py."""

import io
import pickle
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from tests.ingest.readers.reading import find_one, flags, read_geometry, read_voxels, said

from pulvinar.errors import PulvinarError
from pulvinar.ingest.matrices import whole, window_of
from pulvinar.ingest.reader import ConnectivityData, Options, PointsData, TableData, TableKind, TimeSeriesData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.matrices import MatrixReader
from pulvinar.model.dataset import AssetKind

READER = MatrixReader()
RNG = np.random.default_rng(9)
SQUARE = RNG.random((7, 7))
LONG = RNG.random((4, 30)).astype("f4")


def write_newest(path, **variables):
    """As MATLAB 7.3 writes: HDF5 behind a block of 512 bytes, columns as rows, the class beside."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            kinds = {"f8": "double", "f4": "single", "u2": "uint16", "b1": "logical"}
            numbers = values.astype("u1") if values.dtype == bool else values
            stored = file.create_dataset(name, data=numbers.T)
            stored.attrs["MATLAB_class"] = np.bytes_(kinds[values.dtype.str[1:]])
        file.create_group("settings").attrs["MATLAB_class"] = np.bytes_("struct")
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)


def write_each(folder, name, values):
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{name}.npy", values)
    np.save(folder / f"{name}_turned.npy", np.asfortranarray(values.astype(">f8")))
    np.savez(folder / f"{name}.npz", **{name: values})
    np.savez_compressed(folder / f"{name}_packed.npz", **{name: values})
    scipy.io.savemat(folder / f"{name}_4.mat", {name: values}, format="4")
    write_each_mat(folder, name, values)


def write_each_mat(folder, name, values):
    scipy.io.savemat(folder / f"{name}_5.mat", {name: values}, do_compression=True)
    scipy.io.savemat(folder / f"{name}_5_plain.mat", {name: values})
    write_newest(folder / f"{name}_73.mat", **{name: values})


def test_a_square_matrix_is_connectivity_in_every_format(tmp_path):
    write_each(tmp_path, "weights", SQUARE)
    found = list(READER.find(source_files(tmp_path), Options()))
    assert len(found) == 8
    for asset in found:
        data = READER.read_geometry(asset, tmp_path, Options())
        assert isinstance(data, ConnectivityData)
        assert np.array_equal(data.values, SQUARE), asset.key
        assert data.sources.tolist() == data.targets.tolist() == ["1", "2", "3", "4", "5", "6", "7"]
        assert ("doubt", "--table-kind") in flags(asset)


def test_signals_keep_their_values_in_every_format(tmp_path):
    write_each(tmp_path, "bold_signals", LONG)
    for asset in READER.find(source_files(tmp_path), Options()):
        data = READER.read_geometry(asset, tmp_path, Options())
        assert isinstance(data, TimeSeriesData)
        assert np.array_equal(data.values, LONG.T), asset.key
        assert "its 30 columns are taken as time points of 4 series" in said(asset)


def test_what_nothing_tells_is_asked(tmp_path):
    np.save(tmp_path / "thing.npy", LONG)
    assert ("question", "--table-kind") in flags(find_one(READER, tmp_path))
    signals = read_geometry(READER, tmp_path, Options(table_kind=TableKind.TIME_SERIES, axes="tc", time_step_s=0.5))
    assert np.array_equal(signals.values, LONG)
    assert signals.times_s.tolist() == [0, 0.5, 1, 1.5]
    between = read_geometry(READER, tmp_path, Options(table_kind=TableKind.CONNECTIVITY))
    assert between.values.shape == (4, 30)
    assert len(between.targets) == 30
    table = read_geometry(READER, tmp_path, Options(table_kind=TableKind.TABLE))
    assert isinstance(table, TableData)
    assert list(table.columns)[:2] == ["column 1", "column 2"]
    assert not find_one(READER, tmp_path, Options(table_kind=TableKind.TABLE)).findings


def test_a_list_of_names_beside_names_the_regions(tmp_path):
    scipy.io.savemat(tmp_path / "sub1.mat", {"corr": SQUARE, "tract_lengths": SQUARE * 10})
    (tmp_path / "region_names.txt").write_text("V1\nV2\nV4\nMT\nFEF\nLIP\nTEO\n")
    (tmp_path / "other_labels.txt").write_text("a\nb\n")
    first, second = READER.find(source_files(tmp_path), Options())
    assert first.files == ("sub1.mat", "region_names.txt")
    data = READER.read_geometry(first, tmp_path, Options())
    assert data.sources.tolist() == ["V1", "V2", "V4", "MT", "FEF", "LIP", "TEO"]
    assert data.measure == "correlation"
    assert READER.read_geometry(second, tmp_path, Options()).measure == "length"
    # two lists of as many names: neither is clear
    (tmp_path / "area_names.txt").write_text("A\nB\nC\nD\nE\nF\nG\n")
    first, _ = READER.find(source_files(tmp_path), Options())
    assert READER.read_geometry(first, tmp_path, Options()).sources.tolist()[0] == "1"


def test_coordinates_are_points_and_the_rest_is_named(tmp_path):
    places = RNG.random((9, 2))
    cell = np.empty((2, 1), object)
    cell[:] = [[np.arange(3)], [np.arange(2)]]
    rest = {"assemblies": cell, "stack": np.zeros((2, 3, 4)), "rate": 2.5, "who": "me"}
    scipy.io.savemat(tmp_path / "a.mat", {"cellCoordinates": places, **rest})
    asset, lists = READER.find(source_files(tmp_path), Options())
    assert asset.kind is AssetKind.POINTS
    assert "what else the file holds is left out: stack (2 x 3 x 4, double)" in said(asset)
    assert asset.metadata["header"]["values"] == {"rate": 2.5, "who": "me"}
    assert READER.read_geometry(lists, tmp_path, Options()).columns["cell"].tolist() == [1, 1, 1, 2, 2]
    data = READER.read_geometry(asset, tmp_path, Options(unit="mm"))
    assert isinstance(data, PointsData)
    assert np.array_equal(data.zyx_um[:, ::-1][:, :2], places * 1000)


def hostile_npy(header, rest=b""):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + rest


def endless(path):
    path.write_bytes(hostile_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 2)}", bytes(64)))


def negative(path):
    path.write_bytes(hostile_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-4, -2)}", bytes(64)))


class Curse:
    def __reduce__(self):
        return print, ("escaped",)


def objects(path):
    np.save(path, np.array([[Curse(), 1], [2, 3]], dtype=object), allow_pickle=True)


def code(path):
    path.write_bytes(hostile_npy("__import__('os').system('touch /tmp/escaped')"))


def short(path):
    path.write_bytes(path.read_bytes()[:-9])


def longer(path):
    path.write_bytes(path.read_bytes() + b"more")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (endless, "declares the shape .1000000000000000, 2."),
        (negative, "declares the shape"),
        (objects, "Python's objects, which are never unpacked"),
        (code, "is damaged"),
        (short, "declares the shape"),
        (longer, "declares the shape"),
    ],
)
def test_a_hostile_npy_is_refused_and_its_twin_is_read(tmp_path, spoil, reason):
    path = tmp_path / "weights.npy"
    np.save(path, SQUARE)
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)
    spoil(path)
    with pytest.raises(PulvinarError, match=reason) as refused:
        find_one(READER, tmp_path)
    assert "weights.npy" in refused.value.message


def npz_of(path, content, declared=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", content)
    if declared is not None:
        packed = bytearray(path.read_bytes())
        for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            place = packed.find(signature) + at
            packed[place : place + 4] = struct.pack("<I", declared)
        path.write_bytes(packed)


def test_a_hostile_npz_is_refused_and_its_twin_is_read(tmp_path):
    path = tmp_path / "a.npz"
    buffer = io.BytesIO()
    np.save(buffer, SQUARE)
    npz_of(path, buffer.getvalue())
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)
    npz_of(path, pickle.dumps(Curse()))
    with pytest.raises(PulvinarError, match=r"a.npz: weights is damaged"):
        find_one(READER, tmp_path)
    shape = hostile_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000, 10000)}")
    npz_of(path, shape, declared=len(shape) + 800_000_000)
    with pytest.raises(PulvinarError, match=r"declares 8\d+ bytes|damaged"):
        find_one(READER, tmp_path)
    npz_of(path, shape + bytes(99))
    with pytest.raises(PulvinarError, match="declares the shape"):
        find_one(READER, tmp_path)


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def mat5(name, shape, values, packed=True):
    """A MAT-file of one matrix of doubles, whose parts need not fit."""
    array = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", *shape))
    array += element(1, name) + element(9, values)
    whole = element(14, array)
    if packed:
        squeezed = zlib.compress(whole, 9)
        whole = struct.pack("<II", 15, len(squeezed)) + squeezed
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + whole


def test_a_hostile_mat_is_refused_and_its_twin_is_read(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(mat5(b"weights", (7, 7), SQUARE.T.tobytes()))
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)
    path.write_bytes(mat5(b"weights", (30_000_000, 30_000_000), SQUARE.tobytes()))
    with pytest.raises(PulvinarError, match="bytes of values"):
        find_one(READER, tmp_path)
    # a megabyte that unpacks to gigabytes, in a matrix that is said to be small
    path.write_bytes(mat5(b"weights", (7, 7), bytes(300 << 20)))
    with pytest.raises(PulvinarError, match=r"has the shape \(7, 7\), and 314572800 bytes of values"):
        find_one(READER, tmp_path)
    path.write_bytes(mat5(b"weights", (7, 7), SQUARE.tobytes())[:-40])
    with pytest.raises(PulvinarError, match=r"a\.mat"):
        find_one(READER, tmp_path)


def test_a_complex_matrix_is_named_and_left_out(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"weights": SQUARE, "waves": SQUARE + 1j}, do_compression=True)
    asset = find_one(READER, tmp_path)
    assert "waves (7 x 7, complex double)" in said(asset)
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)


def test_a_mat_that_leads_out_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    write_newest(path, weights=SQUARE)
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)
    with h5py.File(path, "a") as file:
        file["secret"] = h5py.ExternalLink("/etc/passwd", "/x")
    with pytest.raises(PulvinarError, match="secret is a link to elsewhere"):
        find_one(READER, tmp_path)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "?"])
def test_an_array_of_three_dimensions_is_a_volume(tmp_path, dtype, turned):
    values = RNG.integers(0, 2, (5, 6, 7)).astype(dtype)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "stack.npy", np.asfortranarray(values) if turned else values)
    found = find_one(READER, tmp_path / "in")
    assert found.volume.shape == (1, 1, 5, 6, 7)
    assert {("doubt", "--axes"), ("question", "--voxel-size")} <= flags(found)
    assert np.array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "scratch")[0, 0], values)
    options = Options(axes="xyz", voxel_size_um=(1.0, 2.0, 3.0))
    turned_round = read_voxels(READER, tmp_path / "in", tmp_path / "scratch", options)
    assert np.array_equal(turned_round[0, 0], values.transpose(2, 1, 0))
    assert not flags(find_one(READER, tmp_path / "in", options))


def test_four_dimensions_are_asked_for(tmp_path):
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "movie.npy", np.arange(120.0).reshape(2, 3, 4, 5))
    assert ("question", "--axes") in flags(find_one(READER, tmp_path / "in"))
    assert find_one(READER, tmp_path / "in", Options(axes="czyx")).volume.shape == (1, 2, 3, 4, 5)


STACK = RNG.integers(0, 4000, (17, 19, 5)).astype(np.uint16)


@pytest.mark.parametrize("form", ["_5", "_5_plain", "_73"])
@pytest.mark.parametrize("dtype", ["u2", "f8", "?"])
def test_an_array_of_three_dimensions_in_a_mat_is_a_volume(tmp_path, dtype, form):
    (tmp_path / "in").mkdir()
    stack = STACK.astype(dtype)
    write_each_mat(tmp_path / "in", "stack", stack)
    for other in (path for path in (tmp_path / "in").iterdir() if path.stem != f"stack{form}"):
        other.unlink()
    asset = find_one(READER, tmp_path / "in")
    assert asset.kind is AssetKind.VOLUME
    assert asset.volume.shape == (1, 1, 5, 17, 19), "rows, columns, planes"
    assert {("doubt", "--axes"), ("question", "--voxel-size")} <= flags(asset)
    voxels = read_voxels(READER, tmp_path / "in", tmp_path / "scratch")
    assert np.array_equal(voxels[0, 0], stack.transpose(2, 0, 1))
    options = Options(axes="xyz", voxel_size_um=(1.0, 2.0, 3.0))
    turned_round = read_voxels(READER, tmp_path / "in", tmp_path / "scratch", options)
    assert np.array_equal(turned_round[0, 0], stack.transpose(2, 1, 0))
    assert not flags(find_one(READER, tmp_path / "in", options))


def test_a_volume_and_a_matrix_in_one_mat_are_both_found(tmp_path):
    (tmp_path / "in").mkdir()
    small = RNG.normal(size=(4, 4, 3))
    scipy.io.savemat(tmp_path / "in" / "a.mat", {"weights": SQUARE, "s": {"img": STACK}, "trials": small})
    found = list(READER.find(source_files(tmp_path / "in"), Options()))
    assert [(one.name, one.kind) for one in found] == [
        ("a weights", AssetKind.CONNECTIVITY),
        ("a s/img", AssetKind.VOLUME),
    ]
    assert "trials (4 x 4 x 3, double)" in said(found[0])


SPARSE = scipy.sparse.random(40, 40, 0.1, random_state=7, format="csc")


def write_newest_sparse(path, matrix):
    """As MATLAB 7.3 does: a group of rows, columns and values."""
    write_newest(path)
    with h5py.File(path, "a") as file:
        group = file.create_group("weights")
        group.attrs["MATLAB_class"] = np.bytes_("double")
        group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
        group.create_dataset("ir", data=matrix.indices.astype("u8"))
        group.create_dataset("jc", data=matrix.indptr.astype("u8"))
        group.create_dataset("data", data=matrix.data)


def test_a_sparse_matrix_is_connectivity(tmp_path):
    logical = abs(SPARSE) > 0.5
    scipy.io.savemat(tmp_path / "a.mat", {"weights": SPARSE}, do_compression=True)
    scipy.io.savemat(tmp_path / "b.mat", {"weights": SPARSE})
    write_newest_sparse(tmp_path / "c.mat", SPARSE)
    scipy.io.savemat(tmp_path / "d.mat", {"weights": logical, "waves": SPARSE * 1j})
    for asset in READER.find(source_files(tmp_path), Options()):
        assert asset.kind is AssetKind.CONNECTIVITY
        values = READER.read_geometry(asset, tmp_path, Options()).values
        expected = logical if asset.files == ("d.mat",) else SPARSE
        assert np.array_equal(values, expected.toarray()), asset.files


def test_truth_values_of_a_sparse_matrix_that_matlab_wrote_as_bytes(tmp_path):
    """As MATLAB does: it calls them doubles."""
    rows, first = np.array([0, 0, 0, 1, 2], "<i4"), np.array([0, 1, 2, 5, 5], "<i4")
    head = element(6, struct.pack("<2I", 0x0205, 5)) + element(5, struct.pack("<2i", 5, 4)) + element(1, b"weights")
    matrix = head + element(5, rows.tobytes()) + element(5, first.tobytes()) + element(9, b"\1" * 5)
    words = b"MATLAB 5.0 MAT-file, Platform: GLNX86".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(words + element(14, matrix))
    expected = scipy.sparse.csc_matrix((np.ones(5), rows, first), (5, 4)).toarray()
    columns = read_geometry(READER, tmp_path, Options(table_kind=TableKind.TABLE)).columns
    assert np.array_equal(np.stack(list(columns.values()), axis=1), expected)


def test_a_struct_without_fields_holds_nothing(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"weights": SQUARE, "settings": {}})
    assert np.array_equal(read_geometry(READER, tmp_path).values, SQUARE)


@pytest.mark.parametrize("part", ["indices", "indptr"])
def test_a_sparse_matrix_with_values_at_no_place_is_refused(tmp_path, part):
    damaged = SPARSE.copy()
    getattr(damaged, part)[7] = 2**30
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    whole = io.BytesIO()
    scipy.io.savemat(whole, {"weights": SPARSE})
    good = getattr(SPARSE, part).astype("i4").tobytes()
    content = whole.getvalue()
    assert content.count(good) == 1
    (tmp_path / "old" / "a.mat").write_bytes(content.replace(good, getattr(damaged, part).astype("i4").tobytes()))
    write_newest_sparse(tmp_path / "new" / "a.mat", damaged)
    for folder in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(PulvinarError, match=r"a\.mat is damaged: a sparse matrix has values at places that can't"):
            read_geometry(READER, folder)


def test_lists_of_numbers_alone_are_a_table(tmp_path):
    columns = {"speed": np.arange(9.0), "place": np.arange(9.0)[:, None] * 2, "other": np.arange(4.0)}
    scipy.io.savemat(tmp_path / "a.mat", columns)
    long, short = READER.find(source_files(tmp_path), Options())
    read = READER.read_geometry(long, tmp_path, Options()).columns
    assert {name: values.tolist() for name, values in read.items()} == {
        "speed": columns["speed"].tolist(),
        "place": columns["place"].ravel().tolist(),
    }
    assert list(READER.read_geometry(short, tmp_path, Options()).columns) == ["other"]


def test_a_file_without_a_matrix_says_what_it_holds(tmp_path):
    np.save(tmp_path / "line.npy", np.zeros(5))
    with pytest.raises(PulvinarError, match=r"holds no matrix of numbers: an array \(5, float64\)"):
        find_one(READER, tmp_path)


@pytest.mark.parametrize("kind", [TableKind.CONNECTIVITY, TableKind.TIME_SERIES])
def test_what_is_large_is_read_by_window_where_the_format_allows_it(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("pulvinar.ingest.readers.matrices.LARGEST_TABLE_VALUES", 100)
    write_each(tmp_path, "values", LONG)
    options = Options(table_kind=kind, axes="ct")
    expected = LONG if kind is TableKind.CONNECTIVITY else LONG.T
    by_window = set()
    for asset in READER.find(source_files(tmp_path), options):
        values = READER.read_geometry(asset, tmp_path, options).values
        if not isinstance(values, np.ndarray):
            by_window.add(asset.files[0])
            opened, values = values, window_of(values, slice(1, 4), slice(2, 4))
            opened.close()
            assert np.array_equal(values, expected[1:4, 2:4]), asset.key
        else:
            assert np.array_equal(values, expected), asset.key
    assert by_window == {f"values{end}" for end in (".npy", "_turned.npy", "_5_plain.mat", "_4.mat", "_73.mat")}


@pytest.mark.parametrize("by_window", [False, True])
@pytest.mark.parametrize("kind", [TableKind.CONNECTIVITY, TableKind.TIME_SERIES])
@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1])
def test_a_whole_number_that_no_float_holds_is_an_error(tmp_path, monkeypatch, by_window, kind, number):
    monkeypatch.setattr("pulvinar.ingest.readers.matrices.LARGEST_TABLE_VALUES", 100 if by_window else 10**6)
    for order in "CF":
        values = np.ones((30, 30), np.int64, order=order)
        np.save(tmp_path / "counts.npy", values * 2**53)
        options = Options(table_kind=kind, axes="tc")
        (asset,) = READER.find(source_files(tmp_path), options)
        assert whole(READER.read_geometry(asset, tmp_path, options).values)[29, 29] == 2**53
        values[29, 29] = number
        np.save(tmp_path / "counts.npy", values)
        with pytest.raises(PulvinarError, match="whole numbers beyond 2"):
            whole(READER.read_geometry(asset, tmp_path, options).values)
