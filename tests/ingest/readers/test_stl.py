import gzip
import time
from contextlib import suppress

import numpy as np
import pytest
import trimesh
from tests.ingest.readers.reading import find_one, flags, read_geometry

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.stl import StlReader

READER = StlReader()
FACET = """facet normal 0 0 1
 outer loop
  vertex 0 0 0
  vertex 1 0 0
  vertex 0 1 {}
 endloop
endfacet
"""
TEXT = "solid of mine\n" + FACET.format(2) + FACET.format(0.25) + "endsolid of mine\n"


def corners(data):
    return data.zyx_um[data.faces][..., ::-1]


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_another_programs_triangles_are_kept_in_order(tmp_path, kind):
    source = trimesh.creation.icosphere(subdivisions=3, radius=123.4)
    source.export(tmp_path / "a.stl", file_type=kind)
    again = trimesh.load(tmp_path / "a.stl", process=False)
    data = read_geometry(READER, tmp_path)
    assert np.array_equal(corners(data), again.triangles)
    assert len(data.zyx_um) == len(source.vertices)
    (tmp_path / "a.stl").rename(tmp_path / "a")
    packed = gzip.compress((tmp_path / "a").read_bytes())
    (tmp_path / "a").unlink()
    (tmp_path / "b.stl.gz").write_bytes(packed)
    assert np.array_equal(corners(read_geometry(READER, tmp_path)), again.triangles)


def test_binary_that_begins_as_text_does_is_binary(tmp_path):
    source = trimesh.creation.box()
    content = bytearray(source.export(file_type="stl"))
    content[:5] = b"solid"
    (tmp_path / "a.bin").write_bytes(content)
    assert len(read_geometry(READER, tmp_path).faces) == 12


def test_shared_corners_become_one_vertex(tmp_path):
    (tmp_path / "a.stl").write_text(TEXT.replace("vertex 1 0 0", "vertex 1 -0 0", 1))
    data = read_geometry(READER, tmp_path)
    assert data.zyx_um.tolist() == [[0, 0, 0], [0, 0, 1], [2, 1, 0], [0.25, 1, 0]]
    assert data.faces.tolist() == [[0, 1, 2], [0, 1, 3]]
    assert ("doubt", "--unit") in flags(find_one(READER, tmp_path))
    assert read_geometry(READER, tmp_path, Options(unit="mm")).zyx_um.max() == 2000


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("vertex 1 0 0", "vertex 1 0 nan", "triangle 1 has a coordinate that is not finite"),
        ("vertex 1 0 0", "vertex 1 0", "line 5: a vertex needs three numbers"),
        ("vertex 1 0 0", "vertex 1 0 zero", "line 5: 'zero' is not a number"),
        ("  vertex 1 0 0\n", "", "line 6: a triangle has 2 corners"),
        ("endsolid of mine\n", "", "it ends within a solid"),
        (" endloop", " endlop", "line 7: 'endlop' is no word of STL"),
        (FACET.format(2) + FACET.format(0.25), "", "0 faces: it is no mesh"),
    ],
)
def test_text_that_is_no_mesh_is_refused(tmp_path, old, new, reason):
    (tmp_path / "a.stl").write_text(TEXT)
    assert len(read_geometry(READER, tmp_path).faces) == 2
    (tmp_path / "a.stl").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(READER, tmp_path)
    assert caught.value.message.startswith("a.stl")


def test_binary_whose_count_is_wrong_is_refused(tmp_path):
    content = trimesh.creation.box().export(file_type="stl")
    (tmp_path / "a.stl").write_bytes(content)
    assert len(read_geometry(READER, tmp_path).faces) == 12
    for wrong in (content[:-50], content + b"\0", content[:80] + b"\xff\xff\xff\xff" + content[84:]):
        (tmp_path / "a.stl").write_bytes(wrong)
        with pytest.raises(UnreadableFile, match=f"has {len(wrong)} bytes, and its header declares"):
            find_one(READER, tmp_path)
        (tmp_path / "a.stl").rename(tmp_path / "a.bin")
        assert list(READER.find(source_files(tmp_path), Options())) == []
        (tmp_path / "a.bin").unlink()


def test_long_lines_of_nothing_are_quick(tmp_path):
    for long in (" " * 3_000_000, "facet normal " + "1" * 3_000_000, "facet " * 300_000, "endsolid" + " " * 3_000_000):
        (tmp_path / "a.stl").write_text(TEXT.replace("endsolid", f"{long}x\nendsolid"))
        began = time.process_time()
        with suppress(UnreadableFile):
            assert len(read_geometry(READER, tmp_path).faces) == 2
        assert time.process_time() - began < 10


def test_several_solids_are_put_together(tmp_path):
    (tmp_path / "a.stl").write_text(TEXT + "\n" + TEXT.upper().replace("OF MINE", "of another"))
    data = read_geometry(READER, tmp_path)
    assert (len(data.faces), len(data.zyx_um)) == (4, 4)
