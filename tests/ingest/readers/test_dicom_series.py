"""Folders as they come: series mixed, copied and incomplete. What is missing is named, and never closed up."""

import shutil

import numpy as np
import pytest
from tests.ingest.readers.dicom_files import AXES, SERIES, image, mosaic, save, series, volumes
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.dicom import DicomReader
from pulvinar.ingest.recognition import recognise
from pulvinar.model.space import Window

READER = DicomReader()


def found(folder):
    return {asset.name: asset for asset in READER.find(source_files(folder), Options())}


def voxels(folder, asset):
    opened = READER.open_volume(asset, folder, Options(), folder)
    out = np.zeros(asset.volume.shape, asset.volume.dtype)
    opened.read_into(Window.whole(out.shape), out)
    opened.close()
    return out


def test_series_that_lie_mixed_among_other_files_are_told_apart(tmp_path):
    first = series(tmp_path)
    (tmp_path / "readme.txt").write_text("two brains")
    for path in sorted(tmp_path.glob("IM*")):
        path.rename(path.with_name(f"a{path.name}"))
    second = series(tmp_path, 7, SeriesInstanceUID=f"{SERIES}.2", SeriesNumber=4)
    both = found(tmp_path)
    assert set(both) == {"t1 mprage 3", "t1 mprage 4"}
    assert np.array_equal(voxels(tmp_path, both["t1 mprage 3"])[0, 0], first)
    assert np.array_equal(voxels(tmp_path, both["t1 mprage 4"])[0, 0], second)
    assert len({asset.key for asset in both.values()}) == 2


def test_the_directions_of_a_localizer_are_volumes_of_their_own(tmp_path):
    turns = {"axial": AXES, "coronal": (1, 0, 0, 0, 0, -1), "sagittal": (0, 1, 0, 0, 0, -1)}
    number = 0
    for axes in turns.values():
        normal = np.cross(axes[:3], axes[3:])
        for index in range(3):
            number += 1
            pixels = np.full((4, 5), number, "u2")
            about = {"ImageOrientationPatient": list(axes), "ImagePositionPatient": list(normal * 8.0 * index)}
            save(tmp_path / f"{number}", image(number, 0, pixels, SeriesDescription="localizer", **about))
    parts = found(tmp_path)
    assert set(parts) == {f"localizer {direction}" for direction in turns}
    for part, name in enumerate(turns):
        asset = parts[f"localizer {name}"]
        assert "it becomes 3 assets" in said(asset)
        assert voxels(tmp_path, asset)[0, 0, :, 0, 0].tolist() == [3 * part + 1, 3 * part + 2, 3 * part + 3]


def test_echoes_and_phases_are_not_taken_for_time(tmp_path):
    for index, (echo, kind) in enumerate([(1, "M"), (2, "M"), (1, "P")]):
        about = {"EchoNumbers": echo, "ImageType": ["ORIGINAL", "PRIMARY", kind]}
        for number in range(1, 4):
            one = image(number, 3.0 * number, **about, SOPInstanceUID=f"{SERIES}.{index}.{number}")
            save(tmp_path / f"{index}{number}", one)
    parts = [asset.volume.shape for asset in found(tmp_path).values()]
    assert parts == [(1, 1, 3, 4, 5)] * 3


def test_a_file_that_is_there_twice_counts_once(tmp_path):
    expected = series(tmp_path)
    shutil.copy(tmp_path / "IM0002", tmp_path / "copy of IM0002")
    asset = find_one(READER, tmp_path)
    assert "1 of its files are copies of others: left out" in said(asset)
    assert np.array_equal(voxels(tmp_path, asset)[0, 0], expected)
    assert len(asset.files) == 6


def test_two_images_of_one_identifier_that_differ_are_asked_about(tmp_path):
    series(tmp_path)
    save(tmp_path / "other", image(2, 3.0, np.zeros((4, 5), "u2")))
    assert ("question", "--only") in flags(find_one(READER, tmp_path))


def test_missing_slices_are_named_and_never_closed_up(tmp_path):
    series(tmp_path, 8)
    (tmp_path / "IM0004").unlink()
    (tmp_path / "IM0005").unlink()
    asset = find_one(READER, tmp_path)
    assert ("question", "--only") in flags(asset)
    assert "slices are missing: number 4 (between IM0003 and IM0006), number 5" in said(asset)
    assert asset.volume.shape == (1, 1, 8, 4, 5)
    assert asset.volume.voxel_size_um[0] == 3000
    with pytest.raises(UnreadableFile, match="slice 4 of volume 1 is missing"):
        voxels(tmp_path, asset)


def test_slices_missing_at_an_end_show_in_the_numbers(tmp_path):
    series(tmp_path, 8)
    (tmp_path / "IM0001").unlink()
    asset = find_one(READER, tmp_path)
    assert "of its images' numbers 1 are not here: slices may be missing" in said(asset)
    series(tmp_path / "b", 8, ImagesInAcquisition=8)
    (tmp_path / "b" / "IM0008").unlink()
    assert "its header declares 8 images, 7 are here" in said(find_one(READER, tmp_path / "b"))


def test_every_second_slice_missing_shows_in_the_thickness(tmp_path):
    series(tmp_path, 9)
    for number in (2, 4, 6, 8):
        (tmp_path / f"IM{number:04}").unlink()
    asset = find_one(READER, tmp_path)
    assert ("question", "--only") in flags(asset)
    assert "its slices lie 6 mm apart, the header says 3: slices may be missing" in said(asset)
    series(tmp_path / "gaps", 5, SliceThickness=1.5)
    assert ("doubt", "") in flags(find_one(READER, tmp_path / "gaps"))


@pytest.mark.parametrize("temporal", [True, False])
def test_an_image_missing_from_one_volume_is_asked_about(tmp_path, temporal):
    volumes(tmp_path, temporal=temporal)
    (tmp_path / "MR.6").unlink()
    asset = find_one(READER, tmp_path)
    assert ("question", "--only") in flags(asset)
    assert "1 images are missing: slice 2 of volume" in said(asset)
    with pytest.raises(UnreadableFile, match="is missing"):
        voxels(tmp_path, asset)


def test_a_volume_missing_between_others_is_asked_about(tmp_path):
    volumes(tmp_path, 5)
    for number in (2, 7, 12):
        (tmp_path / f"MR.{number}").unlink()
    asset = find_one(READER, tmp_path)
    assert ("question", "--only") in flags(asset)
    assert "volumes are missing: numbers 2; hand them in, or leave it out" in said(asset)


def test_volumes_missing_at_the_end_are_a_doubt_and_the_others_are_read(tmp_path):
    expected = volumes(tmp_path, 5)
    for number in (5, 10, 15):
        (tmp_path / f"MR.{number}").unlink()
    asset = find_one(READER, tmp_path)
    assert ("doubt", "") in flags(asset)
    assert "its header declares 5 volumes, 4 are here" in said(asset)
    assert np.array_equal(voxels(tmp_path, asset)[:, 0], expected[:4])


def test_a_missing_mosaic_is_a_missing_volume(tmp_path):
    data = np.random.default_rng(3).integers(0, 4000, (4, 5, 4, 6)).astype("u2")
    for number, volume in enumerate(data, 1):
        save(tmp_path / f"{number}.dcm", mosaic(volume, number))
    assert "missing" not in said(find_one(READER, tmp_path))
    (tmp_path / "3.dcm").unlink()
    assert "volumes are missing: numbers 3" in said(find_one(READER, tmp_path))


def test_a_tilted_gantry_is_in_the_map(tmp_path):
    for number in range(6):
        about = {"ImagePositionPatient": [0.0, 1.0 * number, 3.0 * number]}
        save(tmp_path / f"{number}", image(number + 1, 0, np.full((4, 5), number, "u2"), **about))
    asset = find_one(READER, tmp_path)
    assert "its slices are piled up at a slant of 18.4° (a tilted gantry)" in said(asset)
    # three millimetres up and one to the back
    assert np.array(asset.volume.affine_um)[:3, 0].tolist() == [3000, -1000, 0]


def test_uneven_slices_are_named(tmp_path):
    for number, z in enumerate([0.0, 3, 6, 10, 13]):
        save(tmp_path / f"{number}", image(number + 1, z))
    asset = find_one(READER, tmp_path)
    assert ("doubt", "--voxel-size") in flags(asset)
    assert "its slices lie 3 to 4 mm apart: 3.25 mm is taken for all" in said(asset)


def test_volumes_that_moved_are_named(tmp_path):
    series(tmp_path, 3, TemporalPositionIdentifier=1, RepetitionTime=2000)
    for number in range(3):
        about = {"ImagePositionPatient": [0.5, 0, 3.0 * number], "TemporalPositionIdentifier": 2}
        save(tmp_path / f"b{number}", image(number + 4, 0, RepetitionTime=2000, **about))
    assert "its volumes lie up to 0.5 mm apart" in said(find_one(READER, tmp_path))


def test_images_without_a_place_are_stacked_by_number_and_said(tmp_path):
    pixels = series(tmp_path, 4, ImagePositionPatient=None, ImageOrientationPatient=None)
    asset = find_one(READER, tmp_path)
    assert ("doubt", "--orientation") in flags(asset)
    assert asset.volume.voxel_size_um == (3000, 2000, 1500)
    assert asset.volume.affine_um is None
    assert np.array_equal(voxels(tmp_path, asset)[0, 0], pixels)


def test_a_voxel_size_that_nobody_says_is_asked_for(tmp_path):
    series(tmp_path, 4, PixelSpacing=None)
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))
    asset = find_one(READER, tmp_path, Options(voxel_size_um=(1.0, 2.0, 3.0)))
    assert asset.volume.voxel_size_um == (1, 2, 3)


def test_a_clock_that_contradicts_the_repetition_time_is_a_doubt(tmp_path):
    for number in range(4):
        about = {"TemporalPositionIdentifier": number + 1, "RepetitionTime": 2000.0}
        save(tmp_path / f"{number}", image(number + 1, 0.0, AcquisitionTime=f"1200{number * 9:02}.5", **about))
    asset = find_one(READER, tmp_path)
    assert asset.volume.time_step_s == 2
    assert "its repetition time is 2 s, by the clock its volumes are 9 s apart" in said(asset)


def test_a_damaged_file_hides_no_other(tmp_path):
    series(tmp_path / "good")
    series(tmp_path / "bad", 3, SeriesInstanceUID=f"{SERIES}.2", SeriesDescription="broken")
    path = tmp_path / "bad" / "IM0002"
    path.write_bytes(path.read_bytes()[:-10])
    assets, unreadable = recognise([READER], source_files(tmp_path), Options())
    assert [name for name, _ in unreadable] == ["bad/IM0002"]
    assert {asset.name: ("question", "--only") in flags(asset) for asset in assets} == {
        "broken": True,
        "t1 mprage": False,
    }


def test_directions_that_are_written_with_other_digits_are_the_same(tmp_path):
    for number in range(4):
        # by name the first file is the last slice
        about = {"ImageOrientationPatient": [1, 0, 1e-5 * number, 0, 1, 0]}
        save(tmp_path / f"{9 - number}", image(number + 1, 3.0 * number, np.full((4, 5), number, "u2"), **about))
    part = read_voxels(READER, tmp_path, tmp_path.with_name("scratch"))
    assert part[0, 0, :, 0, 0].tolist() == [0, 1, 2, 3]
