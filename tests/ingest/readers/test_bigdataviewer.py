"""BigDataViewer's pair of HDF5 and XML, as its description has it; what is broken or hostile is named."""

import h5py
import numpy as np
import pytest
from tests.ingest.readers.hdf5_writers import SETUPS as VOXELS
from tests.ingest.readers.hdf5_writers import write_bigdataviewer
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.bigdataviewer import BigDataViewerReader
from pulvinar.model.space import Window

READER = BigDataViewerReader()


def voxels_of(asset, folder):
    volume = READER.open_volume(asset, folder, Options(), folder)
    out = np.ones(asset.volume.shape, asset.volume.dtype)
    volume.read_into(Window.whole(out.shape), out)
    volume.close()
    return out


def refusal(folder):
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        for asset in READER.find(source_files(folder), Options()):
            voxels_of(asset, folder)
    return caught.value.message


def test_each_tile_is_a_volume_whose_setups_are_channels(tmp_path):
    write_bigdataviewer(tmp_path)
    found = list(READER.find(source_files(tmp_path), Options()))
    assert [asset.name for asset in found] == ["a tile 0", "a tile 1"]
    for tile, asset in enumerate(found):
        assert asset.files == ("a.h5", "a.xml")
        assert asset.volume.voxel_size_um == (2.0, 0.6, 0.5)
        assert [channel.name for channel in asset.volume.channels] == ["GFP", "channel 1"]
        assert flags(asset) == {("doubt", "--time-step"), ("note", "--orientation")}
        assert np.array_equal(voxels_of(asset, tmp_path), VOXELS[:, :, tile])


def test_without_its_xml_each_setup_is_alone_and_its_size_is_asked(tmp_path):
    write_bigdataviewer(tmp_path, xml=False)
    found = list(READER.find(source_files(tmp_path), Options()))
    assert [asset.name for asset in found] == [f"a setup {n}" for n in range(4)]
    assert all(("question", "--voxel-size") in flags(asset) for asset in found)
    assert np.array_equal(voxels_of(found[1], tmp_path), VOXELS[:, 0:1, 1])


def test_a_view_that_is_missing_is_counted(tmp_path):
    write_bigdataviewer(tmp_path, VOXELS[:, :, :1])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["t00001/s01"]
    assert "1 of its 4 images are not in the file" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert not found[1, 1].any()
    assert np.array_equal(found[0], VOXELS[0, :, 0])


@pytest.mark.parametrize("unit", ["furlong", ""])
def test_a_unit_that_is_none_is_asked_for(tmp_path, unit):
    write_bigdataviewer(tmp_path, VOXELS[:, :, :1], unit=unit)
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))


@pytest.mark.parametrize("named", ["../secret.h5", "/etc/secret.h5", "other.h5", "https://example.org/a.h5"])
def test_an_xml_that_names_a_file_outside_is_refused_and_names_it(tmp_path, named):
    folder = tmp_path / "in"
    folder.mkdir()
    write_bigdataviewer(tmp_path, file="secret.h5", xml=False)
    write_bigdataviewer(folder, named=named)
    assert named in refusal(folder)


def test_an_xml_in_a_folder_names_what_is_beside_it(tmp_path):
    (tmp_path / "deep").mkdir()
    write_bigdataviewer(tmp_path / "deep", VOXELS[:, :, :1], named="./a.h5")
    assert find_one(READER, tmp_path).files == ("deep/a.h5", "deep/a.xml")


def test_a_part_in_another_file_is_refused_and_named(tmp_path):
    write_bigdataviewer(tmp_path)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["t00001/s01"]
        file["t00001/s01"] = h5py.ExternalLink("a-01-00.h5", "t00001/s01")
    assert "'a-01-00.h5'" in refusal(tmp_path)


def test_entities_are_refused(tmp_path):
    write_bigdataviewer(tmp_path)
    xml = (tmp_path / "a.xml").read_text()
    (tmp_path / "a.xml").write_text(xml.replace("<SpimData", '<!DOCTYPE a [<!ENTITY b "c">]><SpimData', 1))
    assert "defines entities" in refusal(tmp_path)


def test_other_files_are_passed_over(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t00000"] = VOXELS
    (tmp_path / "a.xml").write_text("<SpimData></SpimData>")
    assert list(READER.find(source_files(tmp_path), Options())) == []
