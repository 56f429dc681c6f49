import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.analyze import AnalyzeHeader, AnalyzeImage
from nibabel.spm99analyze import Spm99AnalyzeImage
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.analyze import AnalyzeReader
from pulvinar.ingest.readers.nifti import NiftiReader

READER = AnalyzeReader()


def written(folder, shape=(4, 3, 2), dtype="i2", order="<", zooms=(1.5, 2.0, 3.0)):
    folder.mkdir(exist_ok=True)
    data = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    header = AnalyzeHeader(endianness=order)
    header.set_data_dtype(data.dtype.newbyteorder(order))
    image = AnalyzeImage(data, np.diag([*zooms[:3], 1.0]), header)
    image.header.set_zooms((*zooms, *[1.0] * (len(shape) - len(zooms))))
    nib.save(image, folder / "a.img")
    (folder / "a.mat").unlink(missing_ok=True)
    return data


def changed(folder, at, form, *values):
    path = folder / "a.hdr"
    head = bytearray(path.read_bytes())
    struct.pack_into(form, head, at, *values)
    path.write_bytes(head)


def voxels(folder, options=None):
    return read_voxels(READER, folder, folder.with_name(f"{folder.name}-scratch"), options)


def refusal(folder):
    with pytest.raises(UnreadableFile) as caught:
        voxels(folder)
    assert "a.hdr" in caught.value.message or "a.img" in caught.value.message
    return caught.value.message


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 6), min_size=3, max_size=4),
    dtype=st.sampled_from(["u1", "i2", "i4", "f4", "f8"]),
    order=st.sampled_from("<>"),
    packed=st.booleans(),
)
def test_values_are_those_of_nibabel(tmp_path_factory, shape, dtype, order, packed):
    folder = tmp_path_factory.mktemp("analyze")
    data = written(folder, shape, dtype, order, (1.5, 2.0, 3.0, 2.5)[: len(shape)])
    if packed:
        (folder / "a.img.gz").write_bytes(gzip.compress((folder / "a.img").read_bytes()))
        (folder / "a.img").unlink()
    asset = find_one(READER, folder)
    found = voxels(folder)
    assert np.array_equal(found, data.reshape(*shape, *[1] * (5 - len(shape))).transpose(3, 4, 2, 1, 0))
    assert found.dtype == np.dtype(dtype)
    assert asset.volume.voxel_size_um == (3000, 2000, 1500)
    assert asset.volume.affine_um is None
    assert ("doubt", "--orientation") in flags(asset)
    if asset.volume.shape[0] > 1:
        assert asset.volume.time_step_s == 2.5
        assert ("doubt", "--time-step") in flags(asset)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((3, 1, 4, 5, 6)))
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window):
    folder = tmp_path_factory.mktemp("analyze")
    whole = written(folder, (6, 5, 4, 3)).transpose(3, 2, 1, 0)[:, None]
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), whole[window.slices])


def test_the_scale_of_spm_is_applied_and_said(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    image = Spm99AnalyzeImage(np.arange(24.0).reshape(4, 3, 2) / 7, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, folder / "a.img")
    asset = find_one(READER, folder)
    assert "where SPM keeps it" in said(asset)
    assert "the .mat beside it, in which SPM says where it lies, is not read" in said(asset)
    expected = nib.load(folder / "a.img").get_fdata()
    assert np.allclose(voxels(folder)[0, 0], expected.T, rtol=1e-6)


def test_a_persons_word_says_where_left_and_right_are(tmp_path):
    written(tmp_path / "a")
    asset = find_one(READER, tmp_path / "a", Options(orientation="SAL"))
    assert not [finding for finding in asset.findings if finding.flag == "--orientation"]
    assert np.array(asset.volume.affine_um)[2, 2] == -1500


def test_nifti_is_left_to_its_own_reader(tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((2, 2, 2), "i2"), np.eye(4)), tmp_path / "a.img")
    assert list(READER.find(source_files(tmp_path), Options())) == []
    written(tmp_path / "b")
    assert list(NiftiReader().find(source_files(tmp_path / "b"), Options())) == []


@pytest.mark.parametrize(
    ("at", "form", "values", "reason"),
    [
        (42, "<h", (-3,), "declares the dimensions"),
        (42, "<h", (0,), "declares the dimensions"),
        (42, "<3h", (32767, 32767, 32767), "is truncated"),
        (70, "<h", (32,), "holds complex numbers"),
        (70, "<h", (77,), "names the data type 77"),
        (72, "<h", (8,), "says 8 bits a voxel"),
        (108, "<f", (float("nan"),), "puts the voxels at byte nan"),
        (108, "<f", (-8.0,), "puts the voxels at byte -8"),
        (108, "<f", (8.0,), "is truncated"),
        (40, "<7h", (6, 4, 3, 2, 1, 2, 2), "more than three of space and one of time"),
    ],
)
def test_a_header_that_lies_is_refused_with_the_reason(tmp_path, at, form, values, reason):
    folder = tmp_path / "a"
    data = written(folder)
    assert np.array_equal(voxels(folder)[0, 0], data.T)
    changed(folder, at, form, *values)
    assert reason in refusal(folder)


def test_a_voxel_size_that_cannot_be_is_asked_for(tmp_path):
    written(tmp_path / "a")
    changed(tmp_path / "a", 80, "<3f", 0.0, float("nan"), 1.0)
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path / "a"))
    changed(tmp_path / "a", 80, "<3f", -1.5, 2.0, 3.0)
    asset = find_one(READER, tmp_path / "a")
    assert asset.volume.voxel_size_um == (3000, 2000, 1500)
    assert "the signs are left out" in said(asset)


def test_a_header_without_its_voxels_is_named(tmp_path):
    written(tmp_path / "a")
    (tmp_path / "a" / "a.img").unlink()
    assert "a.img is not in the submission" in refusal(tmp_path / "a")


def test_voxels_that_are_cut_off_are_named(tmp_path):
    written(tmp_path / "a")
    path = tmp_path / "a" / "a.img"
    path.write_bytes(path.read_bytes()[:-1])
    assert "a.img is truncated" in refusal(tmp_path / "a")
