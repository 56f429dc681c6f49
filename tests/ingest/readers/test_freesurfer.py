import nibabel as nib
import numpy as np
import pytest
from tests.ingest.readers.reading import find_one, read_geometry, said
from tests.ingest.readers.test_gifti import FACES, VERTICES

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.freesurfer import FreesurferReader

READER = FreesurferReader()
OBLIQUE = np.array([[-0.8, 0.1, -0.06, 90], [0.1, 0.05, 0.99, -120], [0.08, -0.99, 0.04, 70], [0, 0, 0, 1]])


def volume():
    """A volume that lies askew, as FreeSurfer describes it, and nibabel's map from its surfaces to the scanner."""
    axes, _ = np.linalg.qr(OBLIQUE[:3, :3])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * [0.8, 0.7, 1.2], OBLIQUE[:3, 3]
    header = nib.MGHImage(np.zeros((100, 120, 90), "u1"), affine).header
    info = {
        "head": np.array([2, 0, 20], ">i4"),
        "valid": "1  # volume info valid",
        "filename": "../../../etc/passwd",
        "volume": np.array(header["dims"][:3]),
        "voxelsize": np.array(header["delta"]),
        **{key: np.array(header["Mdc"][index]) for index, key in enumerate(("xras", "yras", "zras"))},
        "cras": np.array(header["Pxyz_c"]),
    }
    return info, header.get_vox2ras() @ np.linalg.inv(header.get_vox2ras_tkr())


def save(path, info=None):
    nib.freesurfer.write_geometry(path, VERTICES, FACES, volume_info=info)


@pytest.mark.parametrize("filename", ["../../../etc/passwd", "/数据/腅.mgz"])
def test_a_surface_lies_in_its_volume(tmp_path, filename):
    """A letter of the second name holds the byte 0x85, which ends a line elsewhere."""
    info, to_scanner = volume()
    info["filename"] = filename
    save(tmp_path / "lh.white", info)
    data = read_geometry(READER, tmp_path)
    expected = nib.affines.apply_affine(to_scanner, VERTICES.astype("f8")) * 1000
    assert np.allclose(data.zyx_um[:, ::-1], expected, atol=0.05)
    assert data.faces.tolist() == FACES.tolist()
    asset = find_one(READER, tmp_path)
    assert (asset.name, asset.findings) == ("lh.white", ())


def test_one_that_does_not_say_where_is_doubted(tmp_path):
    save(tmp_path / "lh.white")
    assert np.allclose(read_geometry(READER, tmp_path).zyx_um[:, ::-1], VERTICES * 1000.0)
    assert "does not say where its volume lies" in said(find_one(READER, tmp_path))


def test_values_are_a_table(tmp_path):
    values = np.random.default_rng(5).normal(size=50).astype("f4")
    nib.freesurfer.write_morph_data(tmp_path / "lh.thickness", values)
    data = read_geometry(READER, tmp_path)
    assert np.array_equal(data.columns["thickness"], nib.freesurfer.read_morph_data(tmp_path / "lh.thickness"))
    assert data.columns["vertex"].tolist() == list(range(50))


def test_what_is_wrong_is_refused(tmp_path):
    info, _ = volume()
    save(tmp_path / "lh.white", info)
    content = (tmp_path / "lh.white").read_bytes()
    counts = np.array([4, 2], ">i4").tobytes()
    for wrong, reason in (
        (content[:30], "ends within its header"),
        (content[:100], "declares 4 vertices and 2 faces, more than"),
        (content.replace(counts, np.array([2**31 - 1, 2], ">i4").tobytes(), 1), "declares 2147483647 vertices"),
        (content.replace(counts, np.array([-4, 2], ">i4").tobytes(), 1), "declares -4 vertices"),
        (
            content.replace(FACES.astype(">i4").tobytes(), (FACES + 2).astype(">i4").tobytes()),
            "face 1 names a vertex",
        ),
        (content.replace(VERTICES.astype(">f4").tobytes(), bytes(44) + b"\x7f\xc0\0\0"), "vertex 4 has a coordinate"),
        (content.replace(b"xras", b"yras"), "its end, which says where it lies, is damaged"),
        (content.replace(b"cras   =", b"cras   = nan"), "is not three numbers"),
    ):
        assert wrong != content
        (tmp_path / "lh.white").write_bytes(wrong)
        with pytest.raises(UnreadableFile, match=reason) as caught:
            find_one(READER, tmp_path)
        assert "lh.white" in caught.value.message
    (tmp_path / "lh.white").write_bytes(content)
    assert len(list(READER.find(source_files(tmp_path), Options()))) == 1
