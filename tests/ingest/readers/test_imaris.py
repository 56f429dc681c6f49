"""Imaris 5.5 as its description has it, written with h5py; what is broken or hostile is named."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.hdf5_writers import IMARIS as VOXELS
from tests.ingest.readers.hdf5_writers import letters, write_imaris
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.imaris import ImarisReader

READER = ImarisReader()
FINEST = "DataSet/ResolutionLevel 0"
FIRST = f"{FINEST}/TimePoint 0/Channel 0"


@pytest.fixture
def edit(tmp_path):
    """A sound file `a.ims`, read as it is, and open to be spoiled."""
    write_imaris(tmp_path / "a.ims")
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), VOXELS)
    with h5py.File(tmp_path / "a.ims", "r+") as file:
        yield file


def refusal(file, folder):
    """What is said of a spoiled file, when it is found or when it is read."""
    file.close()
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        read_voxels(READER, folder, folder.parent / "s")
    assert "a.ims" in caught.value.message
    return caught.value.message


def test_the_finest_resolution_is_read_without_its_padding_and_with_what_is_said(tmp_path):
    write_imaris(tmp_path / "a.ims")
    asset = find_one(READER, tmp_path)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), VOXELS)
    volume = asset.volume
    assert volume.shape == VOXELS.shape
    assert volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert volume.time_step_s == 120.0
    assert [channel.name for channel in volume.channels] == ["stain 0", "501 nm", "stain 2"]
    assert {channel.color for channel in volume.channels} == {"00FF80"}
    assert asset.metadata["title"] == "a fish"
    assert flags(asset) == {("note", "--orientation")}


@pytest.mark.parametrize(("unit", "worth"), [("mm", 1000), ("nm", 0.001), ("um", 1)])
def test_lengths_have_the_unit_that_is_said(tmp_path, unit, worth):
    write_imaris(tmp_path / "a.ims", unit=unit)
    assert find_one(READER, tmp_path).volume.voxel_size_um == (2.0 * worth, 0.5 * worth, 0.5 * worth)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
def test_every_type_is_read(tmp_path, dtype):
    write_imaris(tmp_path / "a.ims", VOXELS.astype(dtype))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert found.dtype == dtype
    assert np.array_equal(found, VOXELS.astype(dtype))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows(VOXELS.shape), pad=st.integers(1, 40), packing=st.sampled_from([None, 1, "lzf"]))
def test_any_window_is_a_part_of_the_whole(tmp_path_factory, window, pad, packing):
    folder = tmp_path_factory.mktemp("ims")
    write_imaris(folder / "a.ims", pad=pad, packing=packing)
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), VOXELS[window.slices])


def test_an_image_that_is_not_in_the_file_is_counted_and_reads_as_nothing(edit, tmp_path):
    del edit[f"{FINEST}/TimePoint 1/Channel 2"]
    edit.close()
    assert "1 of its 6 images are not in the file" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert not found[1, 2].any()
    assert np.array_equal(found[0], VOXELS[0])


def test_chunks_that_are_not_stored_are_counted(edit, tmp_path):
    del edit[f"{FIRST}/Data"]
    data = edit.create_dataset(f"{FIRST}/Data", (8, 24, 32), "u2", chunks=(8, 8, 8), compression=4)
    data[:5, :8, :8] = VOXELS[0, 0, :, :8, :8]
    edit.close()
    assert "11 of its 72 chunks are not stored, and nothing shows" in said(find_one(READER, tmp_path))
    assert not read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0, :, 8:].any()


def test_sides_that_are_not_said_are_asked_for(edit, tmp_path):
    letters(edit["DataSetInfo/Image"], ExtMax2="-10")
    edit.close()
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))


def test_times_that_are_not_regular_are_doubted(edit, tmp_path):
    letters(edit["DataSetInfo/TimeInfo"], TimePoint2="yesterday")
    edit.close()
    assert ("doubt", "--time-step") in flags(find_one(READER, tmp_path))


@pytest.mark.parametrize("place", ["DataSet", FINEST, FIRST, f"{FIRST}/Data", "DataSetInfo/Image"])
def test_a_link_to_another_file_is_refused_and_names_it(edit, tmp_path, place):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.h5")
    write_imaris(secret)
    del edit[place]
    edit[place] = h5py.ExternalLink(str(secret), place)
    assert str(secret) in refusal(edit, tmp_path)


def test_voxels_in_another_file_are_refused_and_it_is_named(edit, tmp_path):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.raw")
    secret.write_bytes(bytes(8 * 24 * 32 * 2))
    del edit[f"{FIRST}/Data"]
    edit.create_dataset(f"{FIRST}/Data", (8, 24, 32), "u2", external=[(str(secret), 0, 8 * 24 * 32 * 2)])
    assert str(secret) in refusal(edit, tmp_path)


@pytest.mark.parametrize("size", ["0", "-4", "999999", "wide"])
def test_a_size_that_can_not_be_is_refused(edit, tmp_path, size):
    letters(edit[FIRST], ImageSizeX=size)
    assert size in refusal(edit, tmp_path)


def test_images_that_differ_are_refused(edit, tmp_path):
    del edit[f"{FINEST}/TimePoint 1/Channel 0/Data"]
    edit[f"{FINEST}/TimePoint 1/Channel 0/Data"] = np.zeros((2, 2, 2), "u1")
    assert "TimePoint 1/Channel 0/Data is of uint8 and (2, 2, 2)" in refusal(edit, tmp_path)


def test_numbers_beyond_belief_are_refused(edit, tmp_path):
    edit.move(f"{FINEST}/TimePoint 1", f"{FINEST}/TimePoint 999999999")
    assert "numbered up to (999999999, 2)" in refusal(edit, tmp_path)


def test_a_file_cut_short_is_named_and_other_hdf5_is_passed_over(tmp_path):
    write_imaris(tmp_path / "a.ims")
    whole = (tmp_path / "a.ims").read_bytes()
    (tmp_path / "a.ims").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=r"a\.ims is damaged"):
        find_one(READER, tmp_path)
    with h5py.File(tmp_path / "a.ims", "w") as file:
        file["data"] = VOXELS
    assert list(READER.find(source_files(tmp_path), Options())) == []
