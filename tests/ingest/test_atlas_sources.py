"""The files of an atlas's source: packed ones are opened, and nothing outside the folder is."""

import lzma

import nibabel as nib
import numpy as np
import pytest
import tifffile

from pulvinar.errors import NotFound, TooLarge, UnreadableFile
from pulvinar.ingest.atlas_sources import FolderSources
from pulvinar.ingest.reader import Options
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.space import Window


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "source"
    (made / "below").mkdir(parents=True)
    return made


@pytest.fixture
def sources(folder, tmp_path):
    with FolderSources(folder, scratch=tmp_path / "scratch", limits=Limits()) as opened:
        yield opened


def test_a_packed_volume_is_opened_and_its_copy_goes_with_the_sources(folder, tmp_path):
    voxels = np.arange(5 * 6 * 7, dtype=np.uint32).reshape(5, 6, 7)
    tifffile.imwrite(tmp_path / "plain.tif", voxels, photometric="minisblack")
    (folder / "labels.tif.lzma").write_bytes(lzma.compress((tmp_path / "plain.tif").read_bytes()))
    with FolderSources(folder, scratch=tmp_path / "scratch", limits=Limits()) as sources:
        source, size, affine = sources.volume("labels.tif.lzma", Options(voxel_size_um=(25.0, 25.0, 25.0)))
        np.testing.assert_array_equal(source.read(Window.whole(source.shape))[0, 0], voxels)
        assert (size, affine) == ((25.0, 25.0, 25.0), None)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"below", "labels.tif.lzma"}


def test_volumes_stay_open_beside_each_other_and_say_how_they_lie(folder, sources):
    for number in (1, 2):
        image = nib.Nifti1Image(np.full((4, 5, 6), number, np.uint8), np.diag([-0.5, 0.5, 0.5, 1]))
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / "below" / f"{number}.nii.gz")
    opened = [sources.volume(f"below/{number}.nii.gz") for number in (1, 2)]
    for number, (source, size, affine) in enumerate(opened, 1):
        assert np.unique(source.read(Window.whole(source.shape))).tolist() == [number]
        assert size == (500.0, 500.0, 500.0)
        # the world is superior, anterior, right: x of the file falls towards the left
        np.testing.assert_allclose(np.diag(affine), [500, 500, -500, 1])


def test_a_file_that_is_not_there_is_told_with_those_that_are(folder, sources):
    (folder / "here.txt").write_text("x")
    (folder / "below" / "there.txt").write_text("x")
    assert sources.names() == ("below/there.txt", "here.txt")
    for ask in (sources.bytes, sources.volume):
        with pytest.raises(NotFound) as told:
            ask("gone.txt")
        assert "here.txt" in told.value.hint


@pytest.mark.parametrize("name", ["../secret.txt", "link.txt", "/etc/hostname"])
def test_nothing_outside_the_folder_is_read(folder, sources, tmp_path, name):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(NotFound):
        sources.bytes(name)
    assert name not in sources.names()


def test_a_table_of_regions_has_its_size(folder, sources):
    with (folder / "huge.csv").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(TooLarge):
        sources.bytes("huge.csv")


def test_what_is_no_volume_is_not_taken_for_one(folder, sources):
    (folder / "cell.swc").write_text("1 1 0 0 0 1 -1\n2 3 0 0 5 1 1\n")
    with pytest.raises(UnreadableFile, match="0 volumes"):
        sources.volume("cell.swc")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotFound, match="no folder"):
        FolderSources(tmp_path / "gone", scratch=tmp_path / "scratch", limits=Limits())
