"""LIF by the description of the format: values as they were written and as liffile reads them; damage is named."""

import struct

import liffile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.lif_writer import write_lif
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.lif import LifReader
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

READER = LifReader()
DATA = np.random.default_rng(3).integers(0, 60_000, (2, 3, 4, 20, 30)).astype("u2")
"""Axes t, c, z, y, x."""


def voxels_of(asset, folder):
    volume = READER.open_volume(asset, folder, Options(), folder)
    out = np.ones(asset.volume.shape, asset.volume.dtype)
    volume.read_into(Window.whole(out.shape), out)
    volume.close()
    return out


def refusal(folder):
    with pytest.raises(UnreadableFile) as caught:
        for asset in READER.find(source_files(folder), Options()):
            voxels_of(asset, folder)
    assert "a.lif" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("axes", ["tczyx", "tzcyx", "cztyx", "zytcx", "tzyxc", "czxyt"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_axes_lie_in_any_order(tmp_path, axes, dtype):
    data = DATA.astype(dtype)
    stored = data.transpose(["tczyx".index(axis) for axis in axes])
    write_lif(tmp_path / "a.lif", {"Series 1": (stored, axes)})
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), data)
    asset = find_one(READER, tmp_path)
    assert asset.name == "a Series 1"
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert asset.volume.time_step_s == 3.0
    assert [channel.name for channel in asset.volume.channels] == ["Green", "Red", "Gray"]
    assert [channel.color for channel in asset.volume.channels] == ["00FF00", "FF0000", "FFFFFF"]
    assert flags(asset) == {("note", "--orientation")}


@pytest.mark.parametrize("axes", ["tzcyx", "cztyx", "tczyx"])
def test_values_are_those_of_liffile(tmp_path, axes):
    stored = DATA.transpose(["tczyx".index(axis) for axis in axes])
    write_lif(tmp_path / "a.lif", {"one": (stored, axes), "two": (DATA[0, 0], "zyx")})
    found = {asset.name: voxels_of(asset, tmp_path) for asset in READER.find(source_files(tmp_path), Options())}
    with liffile.LifFile(tmp_path / "a.lif") as file:
        one, two = file.images
        order = [one.dims.index(axis) for axis in "TCZYX"]
        assert np.array_equal(found["a one"], one.asarray().transpose(order))
        assert np.array_equal(found["a two"][0, 0], two.asarray())


@settings(max_examples=40, deadline=None)
@given(window=windows(DATA.shape), axes=st.permutations("tczyx"))
def test_any_window_is_a_part_of_the_whole(tmp_path_factory, window, axes):
    folder = tmp_path_factory.mktemp("lif")
    stored = DATA.transpose(["tczyx".index(axis) for axis in axes])
    write_lif(folder / "a.lif", {"one": (stored, "".join(axes))})
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), DATA[window.slices])


def test_tiles_of_a_mosaic_are_assets_and_wavelengths_are_channels(tmp_path):
    tiles = np.random.default_rng(1).integers(0, 255, (3, 2, 4, 5, 6)).astype("u1")
    write_lif(tmp_path / "a.lif", {"mosaic": (tiles, "mczyx"), "spectrum": (tiles[0], "lzyx")})
    found = {asset.name: asset for asset in READER.find(source_files(tmp_path), Options())}
    assert list(found) == ["a mosaic tile 1", "a mosaic tile 2", "a mosaic tile 3", "a spectrum"]
    assert np.array_equal(voxels_of(found["a mosaic tile 2"], tmp_path)[0], tiles[1])
    assert np.array_equal(voxels_of(found["a spectrum"], tmp_path)[0], tiles[0])
    assert "dimension wavelength become channels" in said(found["a spectrum"])
    names = [channel.name for channel in found["a spectrum"].volume.channels]
    assert names == ["Green, wavelength 0", "Green, wavelength 1"]


def test_a_plane_asks_for_its_thickness(tmp_path):
    write_lif(tmp_path / "a.lif", {"one": (DATA[0, 0, 0], "yx")})
    asset = find_one(READER, tmp_path)
    assert ("question", "--voxel-size") in flags(asset)
    assert "the thickness of its plane (only y = 0.5 µm, x = 0.5 µm)" in said(asset)


def test_labels_are_whole_numbers_or_refused(tmp_path):
    write_lif(tmp_path / "a.lif", {"one": (DATA[0, 0] / np.float32(2), "zyx")})
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(kind=VolumeKind.LABELS))


@pytest.mark.parametrize("part", [0.001, 0.02, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_named(tmp_path, part):
    write_lif(tmp_path / "a.lif", {"one": (DATA, "tczyx"), "two": (DATA, "tczyx")})
    whole = (tmp_path / "a.lif").read_bytes()
    assert len(list(READER.find(source_files(tmp_path), Options()))) == 2
    (tmp_path / "a.lif").write_bytes(whole[: int(len(whole) * part)])
    assert "truncated" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('NumberOfElements="30"', 'NumberOfElements="3000000"', "is truncated"),
        ('NumberOfElements="30"', 'NumberOfElements="0"', "declares the dimensions"),
        ('NumberOfElements="30"', 'NumberOfElements="-30"', "'-30', no whole number"),
        ('NumberOfElements="30"', 'NumberOfElements="many"', "'many', no whole number"),
        ('BytesInc="60"', f'BytesInc="{2**40}"', "is truncated"),
        ('BytesInc="60"', 'BytesInc="-60"', "no whole number"),
        ('Resolution="16"', 'Resolution="0"', "with 0 bits"),
        ('Resolution="16"', 'Resolution="65"', "with 65 bits"),
        ('DataType="0"', 'DataType="7"', "values of type 7"),
        ('MemoryBlockID="MemBlock_0"', 'MemoryBlockID="elsewhere"', "'elsewhere'"),
        ('MemoryBlockID="MemBlock_0"', 'MemoryBlockID="../secret.lof"', "'../secret.lof'"),
        ("<Channels>", "<Nothing>", "is damaged"),
        ("<LMSDataContainerHeader", "<!DOCTYPE a><LMSDataContainerHeader", "defines entities"),
        ('Version="2"', 'Version="9"', "is damaged"),
        ("<Image>", "<Other>", "is damaged"),
    ],
)
def test_metadata_that_can_not_be_is_refused(tmp_path, old, new, reason):
    write_lif(tmp_path / "a.lif", {"one": (DATA, "tczyx")})
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), DATA)
    write_lif(tmp_path / "a.lif", {"one": (DATA, "tczyx")}, change=lambda xml: xml.replace(old, new, 1))
    assert reason in refusal(tmp_path)


def test_channels_of_unlike_types_are_refused(tmp_path):
    write_lif(
        tmp_path / "a.lif",
        {"one": (DATA, "tczyx")},
        change=lambda xml: xml.replace('Resolution="16"', 'Resolution="8"', 1),
    )
    assert "channels of <u1 and <u2" in refusal(tmp_path)


def test_a_header_that_declares_gigabytes_of_metadata_is_refused(tmp_path):
    write_lif(tmp_path / "a.lif", {"one": (DATA, "tczyx")})
    data = bytearray((tmp_path / "a.lif").read_bytes())
    struct.pack_into("<I", data, 9, 2**32 - 1)
    (tmp_path / "a.lif").write_bytes(data)
    assert "its metadata has 8589934590 bytes" in refusal(tmp_path)
