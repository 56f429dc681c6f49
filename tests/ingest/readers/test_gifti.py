import base64
import gzip
import re
import zlib

import nibabel as nib
import numpy as np
import pytest
from nibabel.gifti import GiftiCoordSystem, GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable, GiftiMetaData
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.reader import MeshData, Options, TableData, TimeSeriesData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.gifti import GiftiReader

READER = GiftiReader()
VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], "f4") + np.float32(0.1)
FACES = np.array([[0, 1, 2], [0, 2, 3]], "i4")


def surface(space="NIFTI_XFORM_SCANNER_ANAT", faces=FACES, vertices=VERTICES, metadata=None):
    points = GiftiDataArray(
        vertices, "NIFTI_INTENT_POINTSET", coordsys=GiftiCoordSystem(space, space), meta=GiftiMetaData(metadata or {})
    )
    return GiftiImage(darrays=[points, GiftiDataArray(faces, "NIFTI_INTENT_TRIANGLE")])


def values(*arrays, intent="NIFTI_INTENT_SHAPE", names=(), **options):
    names = names or [f"map {index}" for index in range(len(arrays))]
    return GiftiImage(
        darrays=[
            GiftiDataArray(array, intent, meta=GiftiMetaData({"Name": name}), **options)
            for array, name in zip(arrays, names, strict=True)
        ]
    )


def labels(keys, table):
    image = values(np.asarray(keys, "i4"), intent="NIFTI_INTENT_LABEL", names=["areas"])
    image.labeltable = GiftiLabelTable()
    for key, (name, rgb) in table.items():
        label = GiftiLabel(key, *rgb, 1)
        label.label = name
        image.labeltable.labels.append(label)
    return image


def test_a_surface_lies_in_the_world_with_what_lies_beside_it(tmp_path):
    nib.save(surface(), tmp_path / "lh.mid.surf.gii")
    nib.save(values(np.array([1.5, 2, np.nan, 4], "f4"), names=["thickness"]), tmp_path / "lh.mid.shape.gii")
    nib.save(labels([1, 2, 1, 0], {0: ("???", (1, 1, 1)), 1: ("V1", (1, 0, 0)), 2: ("V2", (0, 0.5, 0))}),
             tmp_path / "lh.mid.label.gii")  # fmt: skip
    nib.save(values(np.arange(3, dtype="f4")), tmp_path / "lh.mid.func.gii")
    nib.save(values(np.arange(4, dtype="f4")), tmp_path / "lh.other.shape.gii")
    short, mesh, other = READER.find(source_files(tmp_path), Options())
    assert mesh.files == ("lh.mid.surf.gii", "lh.mid.label.gii", "lh.mid.shape.gii")
    data = READER.read_geometry(mesh, tmp_path, Options())
    assert isinstance(data, MeshData)
    assert np.array_equal(data.zyx_um, VERTICES[:, ::-1].astype("f8") * 1000)
    assert data.faces.tolist() == FACES.tolist()
    assert np.array_equal(data.columns["thickness"], [1.5, 2, np.nan, 4], equal_nan=True)
    assert data.columns["areas"].tolist() == ["V1", "V2", "V1", "???"]
    assert data.columns["areas key"].tolist() == [1, 2, 1, 0]
    assert mesh.metadata["header"]["labels"][1:] == [
        {"id": 1, "name": "V1", "color": "FF0000"},
        {"id": 2, "name": "V2", "color": "008000"},
    ]
    # what is said of files without a unit or a world is not said of this one
    others = Options(unit="um", axes="tczyx", orientation="IPL")
    assert np.array_equal(READER.read_geometry(mesh, tmp_path, others).zyx_um, data.zyx_um)
    for asset in (short, other):
        assert isinstance(READER.read_geometry(asset, tmp_path, Options()), TableData)
    assert not mesh.findings


@pytest.mark.parametrize("encoding", ["ASCII", "B64BIN", "B64GZ"])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_encoding_gives_the_same_values(tmp_path, encoding, endian, order):
    table = np.random.default_rng(1).normal(size=(50, 3)).astype("f4")
    array = GiftiDataArray(table, "NIFTI_INTENT_VECTOR", encoding=encoding, endian=endian, ordering=order)
    # nibabel writes little endian only
    text = GiftiImage(darrays=[array]).to_bytes().replace(b"LittleEndian", f"{endian.title()}Endian".encode())
    if encoding != "ASCII":
        raw = table.astype(">f4" if endian == "big" else "<f4").tobytes(order)
        packed = zlib.compress(raw) if encoding == "B64GZ" else raw
        text = re.sub(rb"<Data>.*</Data>", b"<Data>" + base64.b64encode(packed) + b"</Data>", text, flags=re.DOTALL)
    elif order == "F":
        numbers = " ".join(f"{number:.9g}" for number in table.ravel("F"))
        text = re.sub(rb"<Data>.*</Data>", f"<Data>{numbers}</Data>".encode(), text, flags=re.DOTALL)
    (tmp_path / "a.gii").write_bytes(text)
    data = read_geometry(READER, tmp_path)
    found = np.stack([data.columns[f"vector {part}"] for part in (1, 2, 3)], axis=1)
    assert np.array_equal(found, nib.load(tmp_path / "a.gii").darrays[0].data)
    assert np.allclose(found, table, rtol=1e-5, atol=1e-5)
    assert data.columns["vertex"].tolist() == list(range(50))


def test_a_time_series_has_its_frames(tmp_path):
    frames = np.random.default_rng(2).normal(size=(5, 7)).astype("f4")
    image = values(*frames, intent="NIFTI_INTENT_TIME_SERIES")
    (tmp_path / "a.func.gii.gz").write_bytes(gzip.compress(image.to_bytes()))
    data = read_geometry(READER, tmp_path, Options(time_step_s=0.5))
    assert isinstance(data, TimeSeriesData)
    assert np.array_equal(data.values, frames)
    assert data.times_s.tolist() == [0, 0.5, 1, 1.5, 2]
    assert ("doubt", "--time-step") in flags(find_one(READER, tmp_path))
    image.darrays[0].meta["TimeStep"] = "2.5"
    (tmp_path / "a.func.gii.gz").write_bytes(gzip.compress(image.to_bytes()))
    assert read_geometry(READER, tmp_path).times_s.tolist() == [0, 2.5, 5, 7.5, 10]
    assert not find_one(READER, tmp_path).findings


def test_sparse_values_keep_their_vertices(tmp_path):
    nib.save(surface(), tmp_path / "a.surf.gii")
    sparse = values(np.array([7, 8, 9, 10], "f4"))
    sparse.darrays.insert(0, GiftiDataArray(np.array([3, 1, 2, 0], "i4"), "NIFTI_INTENT_NODE_INDEX"))
    nib.save(sparse, tmp_path / "a.shape.gii")
    mesh, table = sorted(READER.find(source_files(tmp_path), Options()), key=lambda asset: asset.kind.value)
    assert mesh.files == ("a.surf.gii",)
    assert READER.read_geometry(table, tmp_path, Options()).columns["vertex"].tolist() == [3, 1, 2, 0]


def test_what_is_doubtful_of_its_place_and_labels_is_said(tmp_path):
    nib.save(surface("NIFTI_XFORM_UNKNOWN"), tmp_path / "a.gii")
    assert "does not say in which space" in said(find_one(READER, tmp_path))
    centre = {"VolGeomC_R": "1.5", "VolGeomC_A": "-20", "VolGeomC_S": "0.000000"}
    nib.save(surface("NIFTI_XFORM_UNKNOWN", metadata=centre), tmp_path / "a.gii")
    assert "the centre of its volume, 1.5 -20 0.000000 mm, is not added" in said(find_one(READER, tmp_path))
    nib.save(labels([1, 5, 6], {1: ("V1", (1, 0, 0))}), tmp_path / "a.gii")
    assert "of its labels, 2 are not in its table of names: 5, 6" in said(find_one(READER, tmp_path))
    assert read_geometry(READER, tmp_path).columns["areas"].tolist() == ["V1", "", ""]


def test_a_file_that_is_named_is_never_opened(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype="<f4").tobytes())
    folder = tmp_path / "in"
    folder.mkdir()
    text = values(np.arange(4, dtype="f4")).to_bytes()
    assert len(one(folder, text).columns["map 0"]) == 4
    for name in (b"../secret.bin", str(secret).encode()):
        named = text.replace(b'ExternalFileName=""', b'ExternalFileName="' + name + b'"')
        for hostile in (named, named.replace(b"GZipBase64Binary", b"ExternalFileBinary")):
            with pytest.raises(UnreadableFile, match=r"lie in another file .*secret.bin.*, which is not opened"):
                one(folder, hostile)


def one(folder, text):
    (folder / "a.gii").write_bytes(text)
    return read_geometry(READER, folder)


def test_entities_are_refused_and_the_standard_doctype_is_not(tmp_path):
    text = values(np.arange(4, dtype="f4")).to_bytes()
    doctype = b'<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">'
    text = re.sub(rb"<!DOCTYPE[^>]*>", b"", text)
    body = text[text.index(b"<GIFTI") :]
    assert one(tmp_path, b'<?xml version="1.0"?>\n' + doctype + body).columns["map 0"].tolist() == [0, 1, 2, 3]
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
    for entity in (b'<!ENTITY l0 "ha">' + laughs, b'<!ENTITY x SYSTEM "file:///etc/passwd">'):
        hostile = b'<?xml version="1.0"?><!DOCTYPE GIFTI [' + entity + b"]>" + body
        with pytest.raises(UnreadableFile, match="declares the entity"):
            one(tmp_path, hostile)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'Dim0="4"', b'Dim0="5"', "declares 20 bytes and holds 16"),
        (b'Dim0="4"', b'Dim0="3"', "declares 12 bytes and holds more"),
        (b'Dim0="4"', b'Dim0="-4"', "its dimensions can't be"),
        (b'Dim0="4"', b'Dim0="4e9"', "its dimensions can't be"),
        (b'Dim0="4"', b"", "its dimensions can't be"),
        (b'Dimensionality="1"', b'Dimensionality="9"', "its dimensions can't be"),
        (b'DataType="NIFTI_TYPE_FLOAT32"', b'DataType="NIFTI_TYPE_COMPLEX64"', "is not read"),
        (b"GZipBase64Binary", b"Base85", "encoding 'Base85' is not known"),
        (b'NumberOfDataArrays="1"', b'NumberOfDataArrays="2"', "declares 2 arrays and holds 1"),
        (b"<Data>", b"<Data>%", "are no Base64"),
        (b"<Data>eJ", b"<Data>fJ", "packed values are damaged"),
        (b"<Data>", b"<Oops>", "it is no XML"),
    ],
)
def test_damage_is_refused_with_its_reason(tmp_path, old, new, reason):
    text = values(np.arange(4, dtype="f4")).to_bytes()
    assert old in text
    assert one(tmp_path, text).columns["map 0"].tolist() == [0, 1, 2, 3]
    with pytest.raises(UnreadableFile, match=reason) as caught:
        one(tmp_path, text.replace(old, new, 1))
    assert "a.gii" in caught.value.message


@pytest.mark.parametrize(
    ("faces", "vertices", "reason"),
    [
        (FACES + np.array([[0], [1]], "i4"), VERTICES, "face 2 names a vertex that is not one of the 4"),
        (FACES - 1, VERTICES, "face 1 names a vertex"),
        (FACES, VERTICES + np.array([[0], [0], [np.nan], [0]], "f4"), "vertex 3 has a coordinate"),
        (FACES[:0], VERTICES, "0 faces: it is no mesh"),
    ],
)
def test_a_surface_that_is_none_is_refused(tmp_path, faces, vertices, reason):
    nib.save(surface(faces=faces, vertices=vertices), tmp_path / "a.surf.gii")
    with pytest.raises(UnreadableFile, match=reason):
        find_one(READER, tmp_path)


def test_bombs_are_not_unpacked(tmp_path):
    text = values(np.arange(4, dtype="f4")).to_bytes()
    bomb = base64.b64encode(zlib.compress(bytes(64 << 20), 1))
    declared = re.sub(rb"<Data>.*</Data>", b"<Data>" + bomb + b"</Data>", text)
    with pytest.raises(UnreadableFile, match="declares 16 bytes and holds more"):
        one(tmp_path, declared)
    with pytest.raises(TooLarge, match="at most 1073741824 are read"):
        one(tmp_path, text.replace(b'Dim0="4"', b'Dim0="99999999999"'))
    many = re.sub(rb"<DataArray.*</DataArray>", lambda found: found[0] * 2, text, flags=re.DOTALL)
    with pytest.raises(PulvinarError):
        one(tmp_path, many.replace(b'Dim0="4"', b'Dim0="200000000"'))
