import gzip

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, ParcelsAxis, ScalarAxis, SeriesAxis
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.matrices import window_of
from pulvinar.ingest.reader import ConnectivityData, Options, TableData, TimeSeriesData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.cifti import CiftiReader

READER = CiftiReader()
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
MASK = np.zeros((5, 6, 7), bool)
MASK[1:3, 2, 3:5] = True
CORTEX = BrainModelAxis.from_surface(np.array([0, 2, 5]), 9, "CortexLeft")
BRAIN = CORTEX + BrainModelAxis.from_mask(MASK, "ThalamusLeft", AFFINE)
PARCELS = ParcelsAxis.from_brain_models([("V1", CORTEX), ("rest", BRAIN[3:])])
RANDOM = np.random.default_rng(4)


def save(path, axes, dtype="f4", values=None):
    shape = tuple(len(axis) for axis in axes)
    values = RANDOM.normal(size=shape).astype(dtype) if values is None else values
    Cifti2Image(values, axes).to_filename(path)
    return values


def test_scalars_are_a_table_of_vertices_and_voxels(tmp_path):
    values = save(tmp_path / "a.dscalar.nii", (ScalarAxis(["thickness", "myelin", "myelin"]), BRAIN))
    data = read_geometry(READER, tmp_path)
    assert isinstance(data, TableData)
    assert data.columns["structure"].tolist() == ["CORTEX_LEFT"] * 3 + ["THALAMUS_LEFT"] * 4
    assert data.columns["vertex"].tolist() == [0, 2, 5, -1, -1, -1, -1]
    voxels = np.stack([data.columns[f"voxel_{letter}"] for letter in "ijk"], axis=1)
    assert voxels[3:].tolist() == np.argwhere(MASK).tolist()
    places = np.stack([data.columns[f"{letter}_um"] for letter in "xyz"], axis=1)
    assert np.isnan(places[:3]).all()
    assert np.allclose(places[3:], nib.affines.apply_affine(AFFINE, np.argwhere(MASK)) * 1000)
    for title, column in zip(("thickness", "myelin", "myelin (2)"), values, strict=True):
        assert np.array_equal(data.columns[title], column)
    asset = find_one(READER, tmp_path)
    assert asset.metadata["header"]["axes"][1]["structures"] == {"CORTEX_LEFT": 3, "THALAMUS_LEFT": 4}


def test_labels_keep_their_names_and_colours(tmp_path):
    tables = [{0: ("???", (1, 1, 1, 0)), 7: ("V1", (1, 0, 0.5, 1))}, {1: ("left", (0, 0, 1, 1))}]
    keys = np.array([[0, 7, 7, 0, 7, 0, 7], [1, 1, 1, 1, 1, 1, 4]], "f4")
    save(tmp_path / "a.dlabel.nii", (LabelAxis(["areas", "side"], tables), BRAIN), values=keys)
    data = read_geometry(READER, tmp_path)
    assert data.columns["areas"].tolist() == ["???", "V1", "V1", "???", "V1", "???", "V1"]
    assert data.columns["areas key"].tolist() == keys[0].tolist()
    assert data.columns["side"].tolist() == ["left"] * 6 + [""]
    asset = find_one(READER, tmp_path)
    assert asset.metadata["header"]["labels"][0]["labels"][1] == {"id": 7, "name": "V1", "color": "FF0080"}
    assert "of its labels, 1 are not in its table of names: 4" in said(asset)


def test_series_are_signals_of_each_place(tmp_path):
    (tmp_path / "d").mkdir()
    values = save(tmp_path / "d" / "a.dtseries.nii", (SeriesAxis(1.5, 0.72, 11, "SECOND"), BRAIN))
    data = read_geometry(READER, tmp_path / "d")
    assert isinstance(data, TimeSeriesData)
    assert np.array_equal(data.values, values)
    assert np.allclose(data.times_s, 1.5 + 0.72 * np.arange(11))
    assert data.columns["name"].tolist()[2:4] == ["CORTEX_LEFT 5", "THALAMUS_LEFT 1 2 3"]
    assert np.isnan(data.zyx_um[:3]).all()
    assert np.allclose(data.zyx_um[3:, ::-1], nib.affines.apply_affine(AFFINE, np.argwhere(MASK)) * 1000)
    (tmp_path / "p").mkdir()
    values = save(tmp_path / "p" / "a.ptseries.nii", (SeriesAxis(0, 0, 11, "SECOND"), PARCELS), "f8")
    data = read_geometry(READER, tmp_path / "p")
    assert np.array_equal(data.values, values)
    assert data.columns["name"].tolist() == ["V1", "rest"]
    assert (data.columns["vertices"].tolist(), data.columns["voxels"].tolist()) == ([3, 0], [0, 4])
    assert not len(data.times_s)
    assert ("doubt", "--time-step") in flags(find_one(READER, tmp_path / "p"))
    again = read_geometry(READER, tmp_path / "p", Options(time_step_s=2.0))
    assert again.times_s.tolist() == [2.0 * frame for frame in range(11)]


def test_connectivity_goes_from_rows_to_columns(tmp_path):
    (tmp_path / "p").mkdir()
    values = save(tmp_path / "p" / "a.pconn.nii", (PARCELS, PARCELS), "f8")
    data = read_geometry(READER, tmp_path / "p")
    assert isinstance(data, ConnectivityData)
    assert np.array_equal(data.values, values.T)
    assert data.sources.tolist() == data.targets.tolist() == ["V1", "rest"]
    (tmp_path / "d").mkdir()
    values = save(tmp_path / "d" / "a.dpconn.nii", (PARCELS, BRAIN))
    data = read_geometry(READER, tmp_path / "d")
    assert np.array_equal(data.values, values.T)
    assert (data.sources.tolist()[0], data.targets.tolist()) == ("CORTEX_LEFT 0", ["V1", "rest"])


def test_parcels_have_maps_too_and_scaled_values_are_scaled(tmp_path):
    values = save(tmp_path / "a.pscalar.nii", (ScalarAxis(["m"]), PARCELS))
    assert np.array_equal(read_geometry(READER, tmp_path).columns["m"], values[0])
    content = bytearray((tmp_path / "a.pscalar.nii").read_bytes())
    content[176:192] = np.array([0.3, 0.5], "<f8").tobytes()
    (tmp_path / "a.pscalar.nii").write_bytes(gzip.compress(bytes(content)))
    assert np.array_equal(read_geometry(READER, tmp_path).columns["m"], values[0].astype("f8") * 0.3 + 0.5)


def altered(tmp_path, old, new, axes=None, count=1):
    """The file with `old` replaced in its XML; the matrix stays where it is."""
    save(tmp_path / "a.dscalar.nii", axes or (ScalarAxis(["thickness"]), BRAIN))
    content = (tmp_path / "a.dscalar.nii").read_bytes()
    assert old in content
    assert len(old) >= len(new)
    (tmp_path / "a.dscalar.nii").write_bytes(content.replace(old, new.ljust(len(old)), count))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'IndexCount="3"', b'IndexCount="9"', "CORTEX_LEFT declares 9 elements from 0 on and lists 3"),
        (b'IndexOffset="3"', b'IndexOffset="2"', "THALAMUS_LEFT declares 4 elements from 2 on and lists 4; 3 came"),
        (b"0 2 5", b"0 2", "CORTEX_LEFT declares 3 elements from 0 on and lists 2"),
        (b"0 2 5", b"0 2 9", "has 9 vertices, and names one beyond them"),
        (b'SurfaceNumberOfVertices="9"', b"", "CORTEX_LEFT has None vertices, and names one beyond them"),
        (b"0 2 5", b"0 2 x", "CIFTI description can't be"),
        (b'MeterExponent="-3"', b'MeterExponent="99"', "the unit of its volume is 10 to the power 99"),
        (b"-126.", b"1e999", "the map of its voxels to the world is not 16 finite numbers"),
        (b"<CIFTI ", b"<CIFTY ", "is no XML"),
        (b"CIFTI_INDEX_TYPE_SCALARS", b"CIFTI_INDEX_TYPE_OTHER", "CIFTI description can't be"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, old, new, reason):
    (tmp_path / "twin").mkdir()
    save(tmp_path / "twin" / "a.dscalar.nii", (ScalarAxis(["thickness"]), BRAIN))
    assert len(read_geometry(READER, tmp_path / "twin").columns["thickness"]) == 7
    altered(tmp_path, old, new)
    (tmp_path / "twin" / "a.dscalar.nii").unlink()
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(READER, tmp_path)
    assert "a.dscalar.nii" in caught.value.message


def test_a_series_that_does_not_say_its_steps_is_refused(tmp_path):
    for old, reason in (
        (b'NumberOfSeriesPoints="9"', "names None elements, its matrix has 9"),
        (b'SeriesStep="2"', "CIFTI description can't be"),
    ):
        save(tmp_path / "a.dtseries.nii", (SeriesAxis(0, 2, 9, "SECOND"), BRAIN))
        assert read_geometry(READER, tmp_path).times_s.tolist()[-1] == 16
        content = (tmp_path / "a.dtseries.nii").read_bytes()
        assert old in content
        (tmp_path / "a.dtseries.nii").write_bytes(content.replace(old, b" " * len(old)))
        with pytest.raises(UnreadableFile, match=reason):
            find_one(READER, tmp_path)


def with_header(tmp_path, at, dtype, value):
    save(tmp_path / "a.dscalar.nii", (ScalarAxis(["thickness"]), BRAIN))
    content = bytearray((tmp_path / "a.dscalar.nii").read_bytes())
    packed = np.array(value, dtype).tobytes()
    content[at : at + len(packed)] = packed
    (tmp_path / "a.dscalar.nii").write_bytes(bytes(content))


def test_headers_that_lie_are_refused_before_memory_is_taken(tmp_path):
    with_header(tmp_path, 16 + 8 * 6, "<i8", 1 << 40)
    with pytest.raises(UnreadableFile, match="its matrix has 28 bytes of the 4398046511104 that it declares"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 16 + 8 * 6, "<i8", 6)
    with pytest.raises(UnreadableFile, match="names 7 elements, its matrix has 6"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 16 + 8 * 6, "<i8", -7)
    with pytest.raises(UnreadableFile, match="declares the dimensions"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 168, "<i8", 1 << 50)
    with pytest.raises(UnreadableFile, match="puts the matrix at byte"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 544, "<i4", 1 << 30)
    with pytest.raises(UnreadableFile, match="an extension of its header declares 1073741824 bytes"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 548, "<i4", 4)
    with pytest.raises(UnreadableFile, match="has no CIFTI description"):
        find_one(READER, tmp_path)
    with_header(tmp_path, 12, "<i2", 32)
    with pytest.raises(UnreadableFile, match="data type 32"):
        find_one(READER, tmp_path)


def test_entities_are_refused(tmp_path):
    values = save(tmp_path / "a.dscalar.nii", (ScalarAxis(["thickness"]), BRAIN))
    content = (tmp_path / "a.dscalar.nii").read_bytes()
    xml = content[content.index(b"<CIFTI") : content.index(b"</CIFTI>") + 8]

    def with_xml(text):
        size = 8 + len(text) + -len(text) % 16
        header = bytearray(content[:540])
        header[168:176] = np.array([544 + size], "<i8").tobytes()
        extension = np.array([size, 32], "<i4").tobytes() + text.ljust(size - 8, b"\0")
        (tmp_path / "a.dscalar.nii").write_bytes(bytes(header) + b"\1\0\0\0" + extension + values.tobytes("F"))

    with_xml(b'<?xml version="1.0"?>' + xml)
    assert np.array_equal(read_geometry(READER, tmp_path).columns["thickness"], values[0])
    for entity in (b'lol "lol"', b'lol SYSTEM "file:///etc/passwd"'):
        with_xml(b'<?xml version="1.0"?><!DOCTYPE CIFTI [<!ENTITY ' + entity + b">]>" + xml)
        with pytest.raises(UnreadableFile, match="declares the entity 'lol'"):
            find_one(READER, tmp_path)


def test_a_cut_file_is_refused(tmp_path):
    save(tmp_path / "a.dscalar.nii", (ScalarAxis(["thickness"]), BRAIN))
    content = (tmp_path / "a.dscalar.nii").read_bytes()
    for cut, reason in ((4, "its matrix has 24 bytes of the 28"), (100, "ends before its matrix")):
        (tmp_path / "a.dscalar.nii").write_bytes(content[:-cut])
        with pytest.raises(UnreadableFile, match=f"is truncated: .*{reason}"):
            find_one(READER, tmp_path)
    damaged = bytearray(gzip.compress(content))
    damaged[-6] ^= 1
    (tmp_path / "a.dscalar.nii").write_bytes(damaged)
    with pytest.raises(UnreadableFile, match="compressed stream is damaged"):
        find_one(READER, tmp_path)
    (tmp_path / "a.dscalar.nii").write_bytes(gzip.compress(content))
    assert len(list(READER.find(source_files(tmp_path), Options()))) == 1


@pytest.mark.parametrize("slope", [1.0, 0.25])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_a_large_series_and_connectome_are_read_by_window_as_nibabel_reads_them(tmp_path, monkeypatch, dtype, slope):
    monkeypatch.setattr("pulvinar.ingest.readers.cifti_file.LARGEST_TABLE_VALUES", 10)
    for name, axes in (("a.dtseries.nii", (SeriesAxis(0, 0.72, 11), BRAIN)), ("a.pdconn.nii", (PARCELS, BRAIN))):
        folder = tmp_path / name
        folder.mkdir()
        save(folder / name, axes, values=(RANDOM.normal(size=tuple(map(len, axes))) * 90).astype(dtype))
        content = bytearray((folder / name).read_bytes())
        content[176:192] = np.array([slope, 3.5], "<f8").tobytes()
        (folder / name).write_bytes(bytes(content))
        expected = nib.load(folder / name).get_fdata()
        values = read_geometry(READER, folder).values
        assert not isinstance(values, np.ndarray)
        # a connectome's sources are the columns of the file's matrix
        expected = expected.T if name == "a.pdconn.nii" else expected
        rows, columns = expected.shape
        assert values.shape == expected.shape
        found = window_of(values, slice(1, rows), slice(1, columns))
        assert np.allclose(found, expected[1:, 1:], rtol=1e-6)
        values.close()
