"""OME-TIFF sets with a companion: planes where it says, members that are missing named, nothing else opened."""

import numpy as np
import pytest
import tifffile
from tests.ingest.readers.companions import PLANES, companion_xml, tiff_data, write_companion
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.ome_companion import OmeCompanionReader
from pulvinar.ingest.readers.tiff import TiffReader

READER = OmeCompanionReader()


def describe(folder, planes, order="XYZCT", **sizes):
    (folder / "set.companion.ome").write_text(companion_xml(planes, order, **sizes))


def refusal(folder):
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        read_voxels(READER, folder, folder.parent / "s")
    assert "set.companion.ome" in caught.value.message
    return caught.value.message


def test_the_companion_says_what_the_planes_are(tmp_path):
    write_companion(tmp_path)
    asset = find_one(READER, tmp_path)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), PLANES)
    assert asset.name == "a fish"
    assert len(asset.files) == 7
    assert asset.volume.voxel_size_um == (2.0, 0.6, 0.5)
    assert asset.volume.time_step_s == 3.0
    assert [channel.name for channel in asset.volume.channels] == ["stain 0", "stain 1", "stain 2"]
    assert flags(asset) == {("note", "--orientation")}


@pytest.mark.parametrize("order", ["XYZCT", "XYCZT", "XYTZC", "XYCTZ"])
@pytest.mark.parametrize("said_count", [True, False])
def test_planes_in_one_file_follow_the_order_of_dimensions(tmp_path, order, said_count):
    axes = order[:1:-1].lower()
    stored = PLANES.transpose(*["tcz".index(letter) for letter in axes], 3, 4).reshape(-1, 20, 30)
    tifffile.imwrite(tmp_path / "all.tif", stored, metadata=None, photometric="minisblack")
    describe(tmp_path, tiff_data("all.tif", 0 if said_count else None, len(stored) if said_count else None), order)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), PLANES)


def test_colours_are_channels(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (4, 20, 30, 3)).astype("u1")
    tifffile.imwrite(tmp_path / "all.tif", colours, metadata=None, photometric="rgb")
    xml = companion_xml(tiff_data("all.tif", 0, 4), SizeT=1, SizeC=3)
    (tmp_path / "set.companion.ome").write_text(xml.replace('SamplesPerPixel="1"', 'SamplesPerPixel="3"'))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found, colours.transpose(3, 0, 1, 2)[None])


def test_planes_that_no_file_has_are_counted_and_read_as_nothing(tmp_path):
    write_companion(tmp_path)
    planes = "".join(tiff_data("t0c1.ome.tif", z, 1, Z=z, C=1, T=0) for z in (0, 1, 3))
    describe(tmp_path, planes)
    assert "21 of its 24 planes are in no file" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found[0, 1, 3], PLANES[0, 1, 3])
    assert not found[0, 1, 2].any()


def test_members_that_are_missing_are_named(tmp_path):
    write_companion(tmp_path)
    (tmp_path / "t1c0.ome.tif").unlink()
    message = refusal(tmp_path)
    assert "describes 6 files, of which 1 are not here: 't1c0.ome.tif'" in message


@pytest.mark.parametrize("name", ["../t0c0.ome.tif", "/t0c0.ome.tif", "in/../../t0c0.ome.tif"])
def test_no_file_beside_the_submission_is_opened(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    write_companion(tmp_path)
    describe(folder, tiff_data(name if name[0] == "." else f"{tmp_path}{name}", 0, 1, Z=0, C=0, T=0))
    assert "are not here" in refusal(folder)


@pytest.mark.parametrize("name", ["companion.xml", "set.companion.ome", "metadata"])
def test_it_is_known_by_content(tmp_path, name):
    write_companion(tmp_path)
    (tmp_path / "set.companion.ome").rename(tmp_path / name)
    assert find_one(READER, tmp_path).files[0] == name


def test_without_its_companion_a_file_is_read_alone_and_says_so(tmp_path):
    write_companion(tmp_path)
    for name in ("set.companion.ome", *(f"t{t}c{c}.ome.tif" for t in range(2) for c in range(3) if (t, c) != (0, 0))):
        (tmp_path / name).unlink()
    asset = find_one(TiffReader(), tmp_path)
    assert "'set.companion.ome', which is not here" in said(asset)
    assert asset.volume.voxel_size_um is None


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"SizeZ": 10**9}, "planes, 10000000 are read"),
        ({"SizeT": 0}, "the sizes"),
        ({"SizeC": -3}, "its SizeC is '-3'"),
        ({"SizeZ": "many"}, "its SizeZ is 'many'"),
        ({"SizeZ": 3}, "lies beyond the image"),
        ({"DimensionOrder": "ZYX"}, "the order ZYX"),
    ],
)
def test_sizes_that_can_not_be_are_refused(tmp_path, sizes, reason):
    write_companion(tmp_path)
    planes = "".join(tiff_data("t0c0.ome.tif", z, 1, Z=z, C=0, T=0) for z in range(4))
    describe(tmp_path, planes)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0], PLANES[0, 0])
    describe(tmp_path, planes, **sizes)
    assert reason in refusal(tmp_path)


def test_pages_that_are_not_there_are_named(tmp_path):
    write_companion(tmp_path)
    describe(tmp_path, tiff_data("t0c0.ome.tif", 9, 1, Z=0, C=0, T=0))
    with pytest.raises(UnreadableFile, match=r"t0c0\.ome\.tif, page 10 is damaged"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_planes_unlike_the_others_are_named(tmp_path):
    write_companion(tmp_path)
    tifffile.imwrite(tmp_path / "t1c2.ome.tif", np.zeros((4, 9, 9), "u1"), metadata=None, photometric="minisblack")
    with pytest.raises(UnreadableFile, match=r"t1c2\.ome\.tif, page 1 is not like the first plane"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_planes_of_no_known_type_are_named(tmp_path):
    write_companion(tmp_path)
    with tifffile.TiffFile(tmp_path / "t1c2.ome.tif", mode="r+b") as file:
        for page in file.pages:
            page.tags["BitsPerSample"].overwrite(77)
    with pytest.raises(UnreadableFile, match=r"t1c2\.ome\.tif, page 1 is not like the first plane"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_entities_are_refused_and_other_xml_is_passed_over(tmp_path):
    write_companion(tmp_path)
    xml = (tmp_path / "set.companion.ome").read_text()
    (tmp_path / "set.companion.ome").write_text(xml.replace("<OME", "<!DOCTYPE a><OME", 1))
    assert "defines entities" in refusal(tmp_path)
    (tmp_path / "set.companion.ome").write_text("<OME></OME>")
    assert list(READER.find(source_files(tmp_path), Options())) == []
