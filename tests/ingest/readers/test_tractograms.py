import gzip
import time

import nibabel as nib
import numpy as np
import pytest
from nibabel.streamlines import Field, Tractogram, TrkFile
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.tck import TckReader
from pulvinar.ingest.readers.trk import TrkReader

TRK, TCK = TrkReader(), TckReader()
OBLIQUE = np.array([[1.9, 0.3, 0.1, -80], [-0.3, 1.9, 0.2, -110], [-0.1, -0.2, 2.5, -60], [0, 0, 0, 1]])
FLIPPED = np.array([[-2.0, 0, 0, 90], [0, 0, 2, -126], [0, 1.5, 0, -72], [0, 0, 0, 1]])


def lines(count, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(scale=30, size=(size, 3)).astype("f4") for size in rng.integers(2, 40, count)]


def save(path, streamlines, affine=OBLIQUE, values=False, order=None, dimensions=(91, 109, 91)):
    """A file by nibabel; `values` adds some to points and lines."""
    of_line, of_point = {}, {}
    if values:
        of_line = {"weight": np.arange(len(streamlines))[:, None] * 0.5, "ends": np.ones((len(streamlines), 2))}
        of_point = {"fa": [np.ones((len(line), 1), "f4") for line in streamlines]}
    tractogram = Tractogram(streamlines, of_line, of_point, affine_to_rasmm=np.eye(4))
    header = {}
    if path.suffix == ".trk":
        header = {
            Field.VOXEL_TO_RASMM: affine.astype("f4"),
            Field.VOXEL_SIZES: np.linalg.norm(affine[:3, :3], axis=0).astype("f4"),
            Field.DIMENSIONS: np.array(dimensions, "i2"),
            Field.VOXEL_ORDER: order or "".join(nib.aff2axcodes(affine)),
        }
    nib.streamlines.save(tractogram, path, header=header)


def same(data, path, streamlines):
    expected = np.concatenate(list(nib.streamlines.load(path).streamlines))
    assert np.allclose(data.zyx_um[:, ::-1], expected.astype("f8") * 1000, rtol=0, atol=0.05)
    assert np.allclose(expected, np.concatenate(streamlines), atol=1e-3)
    assert data.first.tolist() == np.concatenate([[0], np.cumsum([len(line) for line in streamlines])]).tolist()


@pytest.mark.parametrize("affine", [OBLIQUE, FLIPPED, np.eye(4)])
@pytest.mark.parametrize("order", [None, "LPS", "RAS", "SAL"])
def test_trk_lies_in_the_world_whatever_its_voxels_order(tmp_path, affine, order):
    streamlines = lines(12)
    save(tmp_path / "a.trk", streamlines, affine, order=order)
    same(read_geometry(TRK, tmp_path), tmp_path / "a.trk", streamlines)
    same(read_geometry(TRK, tmp_path, Options(unit="um", axes="tczyx")), tmp_path / "a.trk", streamlines)
    assert not find_one(TRK, tmp_path).findings


def test_the_values_of_lines_become_columns(tmp_path):
    streamlines = lines(7)
    save(tmp_path / "a.trk", streamlines, values=True)
    data = read_geometry(TRK, tmp_path)
    same(data, tmp_path / "a.trk", streamlines)
    assert data.columns["weight"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert data.columns["ends 1"].tolist() == data.columns["ends 2"].tolist() == [1.0] * 7
    assert "its values of each point are left out: fa" in said(find_one(TRK, tmp_path))
    assert geometry_files(data, "tracts").details["lines"] == 7


def test_a_trk_of_the_other_byte_order_and_an_old_one(tmp_path):
    streamlines = lines(5)
    save(tmp_path / "a.trk", streamlines)
    content = (tmp_path / "a.trk").read_bytes()
    dtype = nib.streamlines.trk.header_2_dtype
    header = np.frombuffer(content[:1000], dtype.newbyteorder("<")).astype(dtype.newbyteorder(">"))
    (tmp_path / "a.trk").write_bytes(header.tobytes() + np.frombuffer(content[1000:], "<u4").astype(">u4").tobytes())
    same(read_geometry(TRK, tmp_path), tmp_path / "a.trk", streamlines)
    old = np.frombuffer(content[:1000], dtype).copy()
    old["voxel_to_rasmm"], old["voxel_order"] = 0, b""
    (tmp_path / "a.trk").write_bytes(old.tobytes() + content[1000:])
    assert "no map to the world" in said(find_one(TRK, tmp_path))
    assert "LPS is taken" in said(find_one(TRK, tmp_path))
    assert len(read_geometry(TRK, tmp_path).first) == 6


@pytest.mark.parametrize("kind", ["Float32LE", "Float32BE", "Float64LE", "Float64BE"])
def test_tck_is_in_the_world_already(tmp_path, kind):
    streamlines = lines(12)
    save(tmp_path / "a.tck", streamlines)
    same(read_geometry(TCK, tmp_path), tmp_path / "a.tck", streamlines)
    dtype = np.dtype({"Float32LE": "<f4", "Float32BE": ">f4", "Float64LE": "<f8", "Float64BE": ">f8"}[kind])
    body = np.concatenate([part for line in streamlines for part in (line, [[np.nan] * 3])] + [[[np.inf] * 3]])
    text = f"mrtrix tracks\ndatatype: {kind}\ncount: 0000000012\nfile: . 100\nEND\n".encode().ljust(100)
    (tmp_path / "a.tck").write_bytes(text + body.astype(dtype).tobytes())
    data = read_geometry(TCK, tmp_path)
    assert np.array_equal(data.zyx_um[:, ::-1], np.concatenate(streamlines).astype("f8") * 1000)
    assert not find_one(TCK, tmp_path).findings
    (tmp_path / "a.tck").write_bytes(text.replace(b"12\n", b"13\n") + body.astype(dtype).tobytes())
    assert "declares 13 streamlines, and it holds 12" in said(find_one(TCK, tmp_path))


def test_lines_of_no_point_are_kept(tmp_path):
    body = np.array([[np.nan] * 3, [1, 2, 3], [np.nan] * 3, [np.nan] * 3, [np.inf] * 3], "<f4")
    head = b"mrtrix tracks\ndatatype: Float32LE\ncount: 3\nfile: . 80\nEND\n".ljust(80)
    (tmp_path / "a.tck").write_bytes(head + body.tobytes())
    data = read_geometry(TCK, tmp_path)
    assert data.first.tolist() == [0, 0, 1, 1]
    assert data.zyx_um.tolist() == [[3000, 2000, 1000]]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"file: . 80", b"file: ../secret 0", "points lie in '../secret 0'; another file is not opened"),
        (b"file: . 80", b"file: /etc/passwd 0", "another file is not opened"),
        (b"file: . 80", b"file: . 99999999", "header puts the points at byte 99999999"),
        (b"file: . 80", b"file: . 0", "header puts the points at byte 0"),
        (b"file: . 80", b"file: . -9", "another file is not opened"),
        (b"Float32LE", b"Complex64", "data type 'Complex64'"),
        (b"END\n", b"\n", "its header has no end"),
        (np.full(3, np.inf, "<f4").tobytes(), b"", "it has no end"),
        (np.full(6, np.nan, "<f4").tobytes()[:12] + np.full(3, np.inf, "<f4").tobytes(),
         np.full(3, np.inf, "<f4").tobytes(), "its last streamline has no end"),
        (np.float32(2).tobytes(), np.float32(np.nan).tobytes(), "streamline 1 has a coordinate that is not finite"),
    ],
)  # fmt: skip
def test_a_tck_that_is_wrong_is_refused(tmp_path, old, new, reason):
    body = np.array([[1, 2, 3], [4, 5, 6], [np.nan] * 3, [np.inf] * 3], "<f4")
    content = b"mrtrix tracks\ndatatype: Float32LE\ncount: 1\nfile: . 80\nEND\n".ljust(80) + body.tobytes()
    (tmp_path / "a.tck").write_bytes(content)
    assert read_geometry(TCK, tmp_path).zyx_um.tolist() == [[3000, 2000, 1000], [6000, 5000, 4000]]
    assert old in content
    (tmp_path / "a.tck").write_bytes(content.replace(old, new))
    with pytest.raises(UnreadableFile, match=reason) as caught:
        read_geometry(TCK, tmp_path)
    assert caught.value.message.startswith("a.tck")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("nb_streamlines", 9, "declares 9 streamlines and holds 4"),
        ("nb_streamlines", -1, "-1 lines"),
        ("nb_scalars_per_point", 30000, "declares 30000 values a point"),
        ("nb_scalars_per_point", 2, "declares [0-9-]+ points, more than the file has|holds"),
        ("nb_properties_per_streamline", -3, "-3 a line"),
        ("hdr_size", 999, "declares 999 bytes|declares -?[0-9]+ bytes"),
        ("voxel_sizes", 0, "voxel size"),
        ("voxel_sizes", np.nan, "voxel size"),
        ("voxel_to_rasmm", np.nan, "not finite"),
        ("voxel_to_rasmm", 1, "singular"),
        ("voxel_order", b"LLS", "order of voxels 'LLS'"),
        ("voxel_order", b"XYZ", "order of voxels 'XYZ'"),
    ],
)
def test_a_trk_whose_header_lies_is_refused(tmp_path, field, value, reason):
    save(tmp_path / "a.trk", lines(4))
    assert len(read_geometry(TRK, tmp_path).first) == 5
    content = (tmp_path / "a.trk").read_bytes()
    header = np.frombuffer(content[:1000], nib.streamlines.trk.header_2_dtype).copy()
    header[field] = value
    (tmp_path / "a.trk").write_bytes(header.tobytes() + content[1000:])
    with pytest.raises(UnreadableFile, match=reason) as caught:
        read_geometry(TRK, tmp_path)
    assert caught.value.message.startswith("a.trk")


def test_a_trk_whose_records_lie_is_refused_before_memory_is_taken(tmp_path):
    save(tmp_path / "a.trk", lines(4))
    content = (tmp_path / "a.trk").read_bytes()
    for count in (2**31 - 1, -5):
        (tmp_path / "a.trk").write_bytes(content[:1000] + np.int32(count).tobytes() + content[1004:])
        with pytest.raises(UnreadableFile, match=f"streamline 1 declares {count} points, more than the file has"):
            find_one(TRK, tmp_path)
    for cut in (2, 40):
        (tmp_path / "a.trk").write_bytes(content[:-cut])
        with pytest.raises(UnreadableFile, match=r"truncated|more than the file has"):
            find_one(TRK, tmp_path)
    spoiled = content[:1004] + np.float32(np.nan).tobytes() + content[1008:]
    (tmp_path / "a.trk").write_bytes(spoiled)
    with pytest.raises(UnreadableFile, match="streamline 1 has a coordinate that is not finite"):
        read_geometry(TRK, tmp_path)
    damaged = bytearray(gzip.compress(content))
    damaged[-6] ^= 1
    (tmp_path / "a.trk").write_bytes(damaged)
    with pytest.raises(UnreadableFile, match="compressed stream is damaged"):
        find_one(TRK, tmp_path)


def test_many_streamlines_are_quick(tmp_path):
    tractogram = Tractogram(np.zeros((50, 40, 3), "f4"), affine_to_rasmm=np.eye(4))
    TrkFile(tractogram).save(tmp_path / "a.trk")
    content = (tmp_path / "a.trk").read_bytes()
    header = np.frombuffer(content[:1000], nib.streamlines.trk.header_2_dtype).copy()
    header["nb_streamlines"] = 200_000
    (tmp_path / "a.trk").write_bytes(header.tobytes() + content[1000:] * 4000)
    began = time.process_time()
    data = read_geometry(TRK, tmp_path, Options())
    assert time.process_time() - began < 20
    assert len(data.zyx_um) == 8_000_000
    assert ("doubt", "--unit") not in flags(find_one(TRK, tmp_path))
