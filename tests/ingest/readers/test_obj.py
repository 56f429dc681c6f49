import gzip
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import Invalid, MetadataMissing, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.obj import ObjReader

READER = ObjReader()
CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


def mesh(folder, text, options=None):
    (folder / "a.obj").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_geometry(READER, folder, options)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(3, 12), newline=st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_polygons_however_their_corners_are_written(tmp_path_factory, data, count, newline):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    vertices = rng.normal(0, 1e3, (count, 3)).round(3)
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    triangles = []
    for _ in range(data.draw(st.integers(1, 6))):
        size = data.draw(st.integers(3, min(count, 6)))
        polygon = data.draw(st.lists(st.integers(0, count - 1), min_size=size, max_size=size))
        ways = st.sampled_from(["{f}", "{b}", "{f}/{f}", "{f}//7", "{b}/2/3", "{f}/"])
        corners = [data.draw(ways).format(f=corner + 1, b=corner - count) for corner in polygon]
        lines.append("f " + " ".join(corners) + data.draw(st.sampled_from(["", "  ", " # 1 2 3"])))
        triangles += [[polygon[0], b, c] for b, c in pairwise(polygon[1:])]
    found = mesh(tmp_path_factory.mktemp("obj"), newline.join([*lines, ""]))
    assert np.array_equal(found.zyx_um[:, ::-1], vertices)
    assert found.faces.tolist() == triangles


def test_corners_that_are_counted_back_count_from_where_they_stand(tmp_path):
    found = mesh(tmp_path, f"{CORNERS}f -3 -2 -1\nv 5 5 5\nf -3 -2 -1\nv 6 6 6\n")
    assert found.faces.tolist() == [[0, 1, 2], [1, 2, 3]]


def test_weights_colours_and_all_else_are_left_out(tmp_path):
    about = "# made\nmtllib a.mtl\no brain\ng left\nvt 0 0\nvn 0 0 1\ns off\nusemtl skin\nl 1 2\n"
    found = mesh(tmp_path, f"{about}v 0 0 0 1.0\nv 1 0 0 0.5 0.5 0.5\nv 0 1 0\n f 1/1/1 2/1/1 3/1/1\n")
    assert found.zyx_um.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert found.faces.tolist() == [[0, 1, 2]]
    assert "the materials that it names are not read" in said(find_one(READER, tmp_path))


def test_a_line_may_go_on_in_the_next(tmp_path):
    found = mesh(tmp_path, f"v 0 0 \\\n0\n{CORNERS}f 1 \\\n 2 \\\r\n3\nf 1 2 4\n")
    assert found.faces.tolist() == [[0, 1, 2], [0, 1, 3]]
    with pytest.raises(UnreadableFile, match=r"a\.obj, line 8: the face names a vertex"):
        mesh(tmp_path, f"v 0 0 \\\n0\n{CORNERS}f 1 \\\n 2 3\nf 1 2 9\n")


def test_a_line_that_goes_on_is_whole_wherever_a_large_file_is_cut(tmp_path):
    faces = "f 1 \\\n2 \\\n3\n" * 40
    for shift in range(12):
        # the file is read in pieces of 8 MiB, the first of which ends within the faces
        comments = ("#" * 999 + "\n") * 8388
        text = f"{CORNERS}{comments}#{'-' * (350 + shift)}\n{faces}"
        assert len(text) - len(faces) < 8 << 20 < len(text)
        assert mesh(tmp_path, text).faces.tolist() == [[0, 1, 2]] * 40
    last = 4 + 8388 + 1 + 3 * 40
    with pytest.raises(UnreadableFile, match=rf"line {last}: the face names"):
        mesh(tmp_path, f"{text}f 1 2 4\n")


def test_a_byte_order_mark_and_packing_are_taken_off(tmp_path):
    text = f"{CORNERS}f 1 2 3\n"
    assert mesh(tmp_path, f"\ufeff{text}").faces.tolist() == [[0, 1, 2]]
    (tmp_path / "a.obj").unlink()
    (tmp_path / "a.obj.gz").write_bytes(gzip.compress(text.encode()))
    assert read_geometry(READER, tmp_path).faces.tolist() == [[0, 1, 2]]
    packed = bytearray(gzip.compress(text.encode()))
    packed[-5] ^= 1
    (tmp_path / "a.obj.gz").write_bytes(packed)
    with pytest.raises(UnreadableFile, match=r"a\.obj\.gz: its compressed stream is damaged"):
        find_one(READER, tmp_path)


def test_units_and_axes(tmp_path):
    text = "v 1 2 3\nv 4 5 6\nv 7 8 10\nf 1 2 3\n"
    assert mesh(tmp_path, text).zyx_um[0].tolist() == [3, 2, 1]
    assert mesh(tmp_path, text, Options(unit="mm")).zyx_um[0].tolist() == [3000, 2000, 1000]
    assert mesh(tmp_path, text, Options(axes="zyx")).zyx_um[0].tolist() == [1, 2, 3]
    voxels = Options(unit="voxel", voxel_size_um=(25.0, 10.0, 5.0))
    assert mesh(tmp_path, text, voxels).zyx_um[0].tolist() == [75, 20, 5]
    found = find_one(READER, tmp_path)
    assert ("doubt", "--unit") in flags(found)
    assert "6 x 6 x 7 µm" in said(found)
    assert not flags(find_one(READER, tmp_path, Options(unit="um")))
    with pytest.raises(MetadataMissing, match="voxel"):
        mesh(tmp_path, text, Options(unit="voxel"))
    with pytest.raises(Invalid, match="'ell'"):
        mesh(tmp_path, text, Options(unit="ell"))


def test_a_real_brain_keeps_every_vertex_and_face(sample):
    path = sample("mouse/MouseBrainAllen3.obj")
    (found,) = READER.find([file for file in source_files(path.parent) if file.path == path], Options())
    brain = READER.read_geometry(found, path.parent, Options(unit="mm"))
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = np.array([words[1:4] for words in lines if words[:1] == ["v"]], float)
    faces = [[int(word.split("/")[0]) - 1 for word in words[1:]] for words in lines if words[:1] == ["f"]]
    assert np.allclose(brain.zyx_um, vertices[:, ::-1] * 1000, rtol=1e-12)
    assert brain.faces.tolist() == faces


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("f 1 2 4", "line 4: the face names a vertex that is not one of the 3"),
        ("f 1 2 -4", "line 4: the face names a vertex that is not one of the 3"),
        ("f 1 2 4294967297", "line 4: the face names a vertex that is not one of the 3"),
        ("f 1 2 0", "line 4: a face counts its vertices from 1"),
        ("f 1 2 99999999999999999999", "line 4: a face counts its vertices from 1"),
        ("f 1.5 2 3", "line 4: a face counts its vertices from 1"),
        ("f 1 2 nan", "line 4: a face counts its vertices from 1"),
        ("f 1 2", "line 4: a face needs three corners"),
        ("f", "line 4: a face needs three corners"),
        ("v\nf 1 2 3", "line 4: a vertex needs three numbers"),
        ("f 1 /2 3", "line 4: a corner has no vertex"),
        ("f 1 two 3", "line 4: 'two' is not a number"),
        ("f 1 0x2 3", "line 4: '0x2' is not a number"),
        ("f 1_0 2 3", "line 4: '1_0' is not a number"),
        ("v 1 2\nf 1 2 3", "line 4: a vertex needs three numbers"),
        ("v nan 0 0\nf 1 2 3", "line 4: a coordinate is not finite"),
        ("v 0 1e400 0\nf 1 2 3", "line 4: a coordinate is not finite"),
        ("v 0 here 0\nf 1 2 3", "line 4: 'here' is not a number"),
        ("v 1,5 0 0\nf 1 2 3", "line 4: '1,5' is not a number"),
        ("g empty", "has 3 vertices and 0 faces: it is no mesh"),
    ],
)
def test_what_is_no_mesh_is_refused_with_its_line(tmp_path, line, reason):
    (tmp_path / "a.obj").write_text(f"{CORNERS}{line}\n")
    with pytest.raises(UnreadableFile) as caught:
        find_one(READER, tmp_path)
    assert caught.value.message.startswith("a.obj")
    assert reason in caught.value.message


def test_no_file_that_a_mesh_names_is_opened(tmp_path):
    (tmp_path / "in").mkdir()
    secret = tmp_path / "secret.mtl"
    secret.mkdir()
    named = f"mtllib ../secret.mtl\nmtllib {secret}\nmap_Kd ../secret.mtl\n".replace("map_Kd", "usemap")
    assert len(mesh(tmp_path / "in", f"{named}{CORNERS}f 1 2 3\n").faces) == 1
    assert find_one(READER, tmp_path / "in").files == ("a.obj",)
