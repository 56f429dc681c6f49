import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.testing import data_path
from tests.ingest.readers.afni_files import write_afni
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.afni import AfniReader

READER = AfniReader()
RNG = np.random.default_rng(4)


def voxels(bricks=3, dtype="i2"):
    return RNG.integers(0, 100, (bricks, 1, 4, 5, 6)).astype(dtype)


def as_nibabel_has_it(image):
    values = np.asanyarray(image.dataobj)
    return values.reshape(*values.shape, *[1] * (4 - values.ndim)).transpose(3, 2, 1, 0)[:, None]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bricks=st.integers(1, 4),
    dtype=st.sampled_from(["u1", "i2", "f4"]),
    order=st.sampled_from("<>"),
    packed=st.booleans(),
    time=st.booleans(),
    factors=st.sampled_from(["none", "one", "each"]),
)
def test_values_and_places_are_those_of_nibabel(tmp_path_factory, bricks, dtype, order, packed, time, factors):
    folder = tmp_path_factory.mktemp("afni")
    scales = {"none": None, "one": [0.5] * bricks, "each": [0.5 + brick for brick in range(bricks)]}[factors]
    write_afni(folder / "a+orig", voxels(bricks, dtype), factors=scales, packed=packed, time=time, order=order)
    image = nib.load(folder / "a+orig.HEAD")
    expected = as_nibabel_has_it(image)
    found = read_voxels(READER, folder, folder.parent / "scratch")
    assert np.array_equal(found, expected if time else expected.swapaxes(0, 1))
    volume = find_one(READER, folder).volume
    z, y, x = 2, 1, 0
    world = np.array(volume.affine_um) @ [z, y, x, 1]
    assert np.allclose(world[2::-1], (image.affine @ [x, y, z, 1])[:3] * 1000, atol=0.1)
    if time and bricks > 1:
        assert volume.time_step_s == 2.5
    elif bricks > 1:
        assert [channel.name for channel in volume.channels] == [f"brick {brick}" for brick in range(bricks)]


@pytest.mark.parametrize("name", ["example4d+orig", "scaled+tlrc"])
def test_what_afni_wrote_is_read_as_nibabel_reads_it(tmp_path, name):
    (tmp_path / "in").mkdir()
    for path in Path(data_path).glob(f"{name}.*"):
        shutil.copy(path, tmp_path / "in")
    image = nib.load(tmp_path / "in" / f"{name}.HEAD")
    found = read_voxels(READER, tmp_path / "in", tmp_path / "scratch")
    expected = as_nibabel_has_it(image)
    assert np.allclose(found, expected if found.shape == expected.shape else expected.swapaxes(0, 1), rtol=1e-6)
    volume = find_one(READER, tmp_path / "in").volume
    corner = [n - 1 for n in volume.shape[2:]]
    world = np.array(volume.affine_um) @ [*corner, 1]
    assert np.allclose(world[2::-1], (image.affine @ [*corner[::-1], 1])[:3] * 1000, atol=1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((3, 1, 4, 5, 6)), factors=st.sampled_from([None, (0.5, 2.0, 4.0)]))
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window, factors):
    folder = tmp_path_factory.mktemp("afni")
    made = voxels()
    write_afni(folder / "a+orig", made, factors=factors)
    expected = made * np.reshape(factors or (1, 1, 1), (3, 1, 1, 1, 1))
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), expected[window.slices])


def test_without_a_matrix_its_axes_say_where_it_lies(tmp_path):
    axes = [
        ("integer", "ORIENT_SPECIFIC", [0, 3, 4]),
        ("float", "ORIGIN", [-30, -20, 5]),
        ("float", "DELTA", [2, 2, 3]),
    ]
    write_afni(tmp_path / "a+orig", voxels(), without=["IJK_TO_DICOM_REAL"], more=axes)
    affine = np.array(find_one(READER, tmp_path).volume.affine_um)
    # to the left, to the back and up, from 30 mm right and 20 mm in front on
    assert np.allclose(affine @ [0, 0, 0, 1], [5000, 20000, 30000, 1])
    assert np.allclose(affine @ [1, 1, 1, 1], [8000, 18000, 28000, 1])


def test_what_the_header_does_not_say_is_asked(tmp_path):
    left_out = ["IJK_TO_DICOM_REAL", "TAXIS_FLOATS"]
    write_afni(tmp_path / "a+orig", voxels(), without=left_out)
    assert {("question", "--voxel-size"), ("doubt", "--orientation"), ("doubt", "--time-step")} <= flags(
        find_one(READER, tmp_path)
    )
    options = Options(voxel_size_um=(3.0, 2.0, 2.0), orientation="SAR", time_step_s=2.0)
    assert not flags(find_one(READER, tmp_path, options))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"without": ["BYTEORDER_STRING"]}, "the order of bytes"),
        ({"without": ["DATASET_RANK"]}, "how many voxels"),
        ({"more": [("integer", "DATASET_DIMENSIONS", [6, 5, -4])]}, "declares the dimensions"),
        ({"more": [("integer", "DATASET_DIMENSIONS", [60000, 50000, 40000])]}, "can't hold them"),
        ({"more": [("integer", "BRICK_TYPES", [5, 5, 5])]}, "complex numbers"),
        ({"more": [("integer", "BRICK_TYPES", [1, 3, 1])]}, "several types"),
        ({"factors": ["nan", 1, 1]}, "factors that are no numbers"),
        ({"more": [("float", "IJK_TO_DICOM_REAL", [0] * 12)]}, "its map"),
        ({"more": [("float", "DELTA", ["two", 2, 2])]}, "no list of numbers"),
    ],
)
def test_a_header_that_can_not_be_is_refused(tmp_path, spoilt, reason):
    write_afni(tmp_path / "a+orig", voxels(), **spoilt)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        find_one(READER, tmp_path)
    assert "a+orig" in str(caught.value)


def test_a_header_without_its_voxels_says_which_file_is_missing(tmp_path):
    write_afni(tmp_path / "a+orig", voxels(), packed=False)
    (tmp_path / "a+orig.BRIK").unlink()
    with pytest.raises(UnreadableFile, match=r"a\+orig\.BRIK is not in the submission"):
        find_one(READER, tmp_path)


def test_voxels_that_are_cut_off_are_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    write_afni(tmp_path / "in" / "a+orig", voxels(), packed=False)
    path = tmp_path / "in" / "a+orig.BRIK"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnreadableFile, match="can't hold them"):
        find_one(READER, tmp_path / "in")


def test_nothing_of_its_history_is_kept(tmp_path):
    write_afni(tmp_path / "a+orig", voxels(), more=[("string", "HISTORY_NOTE", "[jane@scanner] to3d -name Jane Doe")])
    found = find_one(READER, tmp_path)
    assert "Jane" not in str(found.metadata) + said(found)
