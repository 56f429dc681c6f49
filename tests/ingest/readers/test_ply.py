import gzip
import struct

import numpy as np
import pytest
import trimesh
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import MeshData, Options, PointsData
from pulvinar.ingest.readers.ply import PlyReader

READER = PlyReader()
SQUARE = """ply
format ascii 1.0
comment made by hand
element vertex 4
property float x
property float y
property float z
property uchar red
property float quality
element face 2
property list uchar int vertex_indices
end_header
0 0 0 255 0.5
1 0 0 0 1.5
1 1 0 7 nan
0 1 2 8 -1
"""
FACES = "4 0 1 2 3\n3 0 2 3\n"


def mesh(folder, content, options=None):
    (folder / "a.ply").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_geometry(READER, folder, options)


def binary(order, kind="<"):
    """The square with lists of two lengths, in binary."""
    header = SQUARE[: SQUARE.index("end_header")].replace("ascii", f"binary_{order}_endian") + "end_header\n"
    rows = [(0, 0, 0, 255, 0.5), (1, 0, 0, 0, 1.5), (1, 1, 0, 7, np.nan), (0, 1, 2, 8, -1)]
    body = b"".join(struct.pack(f"{kind}fffBf", *row) for row in rows)
    faces = struct.pack(f"{kind}B4i", 4, 0, 1, 2, 3) + struct.pack(f"{kind}B3i", 3, 0, 2, 3)
    return header.encode() + body + faces


@pytest.mark.parametrize("content", [SQUARE + FACES, binary("little"), binary("big", ">"), SQUARE.replace("\n", "\r\n")
                                     + FACES.replace("\n", " \r\n\r\n")])  # fmt: skip
def test_text_and_both_byte_orders_are_one_mesh(tmp_path, content):
    data = mesh(tmp_path, content)
    assert isinstance(data, MeshData)
    assert data.zyx_um.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1], [2, 1, 0]]
    assert data.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]]
    assert data.columns["red"].tolist() == [255, 0, 7, 8]
    assert data.columns["red"].dtype == np.int64
    assert np.array_equal(data.columns["quality"], [0.5, 1.5, np.nan, -1], equal_nan=True)


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_another_programs_mesh_is_read_as_it_reads_it(tmp_path, encoding):
    source = trimesh.creation.icosphere(subdivisions=3, radius=123.4)
    source.export(tmp_path / "a.ply", encoding=encoding)
    again = trimesh.load(tmp_path / "a.ply", process=False)
    data = read_geometry(READER, tmp_path)
    assert np.array_equal(data.zyx_um[:, ::-1], again.vertices)
    assert np.array_equal(data.faces, again.faces)
    (tmp_path / "a.ply").write_bytes(gzip.compress((tmp_path / "a.ply").read_bytes()))
    assert np.array_equal(read_geometry(READER, tmp_path).zyx_um, data.zyx_um)


def test_what_the_platform_stores_is_read_back(tmp_path):
    data = mesh(tmp_path, SQUARE + FACES, Options(unit="mm"))
    (tmp_path / "a.ply").write_bytes(geometry_files(data, "square").files["mesh.ply"])
    again = read_geometry(READER, tmp_path)
    assert np.array_equal(again.zyx_um, data.zyx_um)
    assert np.array_equal(again.faces, data.faces)
    assert "its unit is micrometre" in said(find_one(READER, tmp_path))


def test_units_axes_and_hands(tmp_path):
    plain = mesh(tmp_path, SQUARE + FACES)
    assert ("doubt", "--unit") in flags(find_one(READER, tmp_path))
    turned = mesh(tmp_path, SQUARE + FACES, Options(unit="mm", axes="zyx"))
    assert np.array_equal(turned.zyx_um, plain.zyx_um[:, ::-1] * 1000)
    assert turned.faces.tolist() == plain.faces[:, ::-1].tolist()


def test_without_faces_it_is_points(tmp_path):
    data = mesh(tmp_path, SQUARE.replace("element face 2", "element face 0"))
    assert isinstance(data, PointsData)
    assert data.zyx_um.tolist()[3] == [2, 1, 0]
    assert data.columns["red"].tolist() == [255, 0, 7, 8]


def test_what_is_left_out_is_said(tmp_path):
    header, body = SQUARE.split("end_header\n")
    more = header + "property uchar green\nelement edge 1\nproperty int vertex1\nend_header\n" + body
    data = mesh(tmp_path, more + "3 0 1 2 9\n3 0 2 3 9\n0\n")
    assert data.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert "left out: green, edge" in said(find_one(READER, tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("vertex 4", "vertex 5", "names a vertex|more numbers|has no x|is truncated"),
        ("vertex 4", "vertex 999999999999", "are not all there"),
        ("vertex 4", "vertex -4", "line 4: 'element vertex -4' is no line of a PLY header"),
        ("face 2", "face 3", "its 3 rows of face are not all there"),
        ("property float z\n", "", "line 12: it has more numbers than the properties of a vertex"),
        ("property float z", "property float w", "no vertices with x, y and z"),
        ("property float z", "property float y", "one twice"),
        ("property float x", "property list uchar float x", "its x has fewer values than it says|has no|can't be"),
        ("property float x", "property quaternion x", "is no line of a PLY header"),
        ("format ascii 1.0\n", "", "does not say whether it is text or binary"),
        ("format ascii", "format utf8", "line 2"),
        ("end_header\n", "", "its header has no end"),
        ("4 0 1 2 3", "4 0 1 2 4", "names a vertex that is not one of the 4"),
        ("4 0 1 2 3", "4 0 1 2 -1", "names a vertex that is not one of the 4"),
        ("4 0 1 2 3", "4 0 1 2 1e300", "names a vertex that is not one of the 4"),
        ("4 0 1 2 3", "4 0 1 2 1.5", "by a number that is not whole"),
        ("4 0 1 2 3", "2 0 1", "face 1 has 2 corners"),
        ("4 0 1 2 3", "9 0 1 2 3", "line 17: its vertex_indices can't be"),
        ("4 0 1 2 3", "-1 0 1 2 3", "line 17: its vertex_indices can't be"),
        ("1 1 0 7", "1 nan 0 7", "vertex 3 has a coordinate that is not finite"),
        ("1 1 0 7", "1 one 0 7", "line 15: 'one' is not a number"),
        ("vertex_indices", "corners", "no list of vertices"),
        ("element face 2\n", "element tristrips 2\n", "triangle strips"),
    ],
)
def test_what_is_no_mesh_is_refused(tmp_path, old, new, reason):
    text = SQUARE + FACES
    assert old in text
    assert len(mesh(tmp_path, text).faces) == 3
    (tmp_path / "a.ply").write_text(text.replace(old, new, 1))
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(READER, tmp_path)
    assert caught.value.message.startswith("a.ply")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"vertex 4", b"vertex 999999999999", "its 999999999999 rows of vertex are not all there"),
        (b"face 2", b"face 999999999", "its 999999999 rows of face are not all there"),
        (b"\x04\x00\x00\x00\x00", b"\xff\x00\x00\x00\x00", "rows of face are not all there"),
    ],
)
def test_binary_that_declares_too_much_takes_no_memory(tmp_path, old, new, reason):
    content = binary("little")
    assert len(mesh(tmp_path, content).faces) == 3
    (tmp_path / "a.ply").write_bytes(content.replace(old, new, 1))
    with pytest.raises(UnreadableFile, match=reason):
        find_one(READER, tmp_path)


def test_no_file_that_a_mesh_names_is_opened(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").mkdir()
    text = SQUARE.replace("comment made by hand", "comment TextureFile ../secret.png")
    assert len(mesh(folder, text + FACES).faces) == 3
