"""TIFF as it is met: every dialect is read as tifffile reads it, window by window, and damage is named."""

import struct
from itertools import product

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import Invalid, PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.tiff import TiffReader
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

READER = TiffReader()
STACK = np.random.default_rng(1).integers(0, 60_000, (7, 90, 110)).astype(np.uint16)
HYPER = np.random.default_rng(2).integers(0, 60_000, (3, 4, 2, 30, 40)).astype(np.uint16)
"""Axes t, z, c, y, x."""
HYPER5 = HYPER.transpose(0, 2, 1, 3, 4)
RGB = np.random.default_rng(3).integers(0, 255, (5, 40, 50, 3)).astype(np.uint8)


def same(read, expected):
    assert read.shape == expected.shape
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("tile", [None, (32, 48)], ids=["strips", "tiles"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits", "lzma"])
def test_a_stack_is_read_in_whole_and_by_any_window(tmp_path, compression, byteorder, tile):
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(
        folder / "a.tif", STACK, compression=compression, tile=tile, byteorder=byteorder, metadata=None,
        photometric="minisblack", predictor=compression in ("zlib", "lzw"), rowsperstrip=None if tile else 17,
    )  # fmt: skip
    same(read_voxels(READER, folder, tmp_path / "s"), STACK[None, None])
    asset = find_one(READER, folder)
    opened = READER.open_volume(asset, folder, Options(), tmp_path / "s")
    random = np.random.default_rng(5)
    for _ in range(20):
        start = [int(random.integers(0, n)) for n in STACK.shape]
        stop = [int(random.integers(a + 1, n + 1)) for a, n in zip(start, STACK.shape, strict=True)]
        window = Window((0, 0, *start), (1, 1, *stop))
        # a target that is itself a part of something larger
        room = np.zeros([n + 3 for n in window.shape], np.uint16)
        out = room[tuple(slice(1, 1 + n) for n in window.shape)]
        opened.read_into(window, out)
        same(out, STACK[None, None][window.slices])
        assert room.sum() == out.sum()
    opened.close()


def test_bigtiff_of_floats(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK.astype(np.float32), bigtiff=True, metadata=None)
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), STACK.astype(np.float32)[None, None])


def test_single_bits_are_unpacked(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK > 30_000, metadata=None)
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), (STACK > 30_000).astype(np.uint8)[None, None])


def test_twelve_bits_are_unpacked(tmp_path):
    values = STACK[:1] % 4096
    (tmp_path / "a.tif").write_bytes(_twelve_bits(values[0]))
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), values[None, None])


def _twelve_bits(plane):
    """A little-endian TIFF with one strip of 12-bit values."""
    rows, columns = plane.shape
    flat = plane.astype(np.uint32).reshape(rows, columns // 2, 2)
    pairs = (flat[..., 0] << 12) | flat[..., 1]
    data = np.stack([pairs >> 16, (pairs >> 8) & 255, pairs & 255], axis=-1).astype(np.uint8).tobytes()
    tags = [(256, 4, columns), (257, 4, rows), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 4, rows), (279, 4, len(data))]  # fmt: skip
    table = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHIHxx" if k == 3 else "<HHII", t, k, 1, v) for t, k, v in tags
    )
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table + bytes(4)


def test_half_floats_become_floats(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", (STACK % 64).astype(np.float16), metadata=None)
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), (STACK % 64).astype(np.float32)[None, None])


@pytest.mark.parametrize("more", [{}, {"compression": "zlib"}, {"planarconfig": "separate", "rowsperstrip": 7},
                                  {"planarconfig": "separate", "compression": "zlib", "rowsperstrip": 7}])  # fmt: skip
def test_colours_become_channels(tmp_path, more):
    planar = "planarconfig" in more
    tifffile.imwrite(tmp_path / "a.tif", RGB.transpose(0, 3, 1, 2) if planar else RGB, photometric="rgb", **more)
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), RGB.transpose(3, 0, 1, 2)[None])
    assert [channel.name for channel in find_one(READER, tmp_path).volume.channels] == ["red", "green", "blue"]


def test_an_ome_tiff_says_its_axes_lengths_and_channels(tmp_path):
    about = {
        "axes": "TZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2000, "PhysicalSizeZUnit": "nm",
        "TimeIncrement": 100, "TimeIncrementUnit": "ms", "Channel": {"Name": ["GFP", "DAPI"]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "fish.ome.tif", HYPER, ome=True, bigtiff=True, compression="zlib", metadata=about)
    asset = find_one(READER, tmp_path)
    assert asset.name == "fish"
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert asset.volume.time_step_s == 0.1
    assert [channel.name for channel in asset.volume.channels] == ["GFP", "DAPI"]
    assert not {severity for severity, _ in flags(asset)} - {"note"}
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5)


def write_ome_set(folder, name="m{}.ome.tif", missing=()):
    """One OME image of two channels, each in a file of its own."""
    template = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:u{own}"><Image ID="Image:0" Name="m"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        'Type="uint16" SizeX="40" SizeY="30" SizeZ="4" SizeC="2" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5" '
        'PhysicalSizeZ="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><Channel ID="Channel:0:1" '
        'SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )
    planes = "".join(
        f'<TiffData IFD="{z}" FirstZ="{z}" FirstC="{c}" FirstT="0" PlaneCount="1"><UUID FileName="{name.format(c)}">'
        f"urn:uuid:u{c}</UUID></TiffData>"
        for c, z in product(range(2), range(4))
    )
    for c in set(range(2)) - set(missing):
        with tifffile.TiffWriter(folder / f"m{c}.ome.tif") as writer:
            for z in range(4):
                xml = template.format(own=c, planes=planes).encode() if z == 0 else None
                writer.write(HYPER[0, z, c], description=xml, metadata=None, contiguous=False)


def test_an_ome_tiff_in_several_files_is_one_volume(tmp_path):
    write_ome_set(tmp_path)
    asset = find_one(READER, tmp_path)
    assert sorted(asset.files) == ["m0.ome.tif", "m1.ome.tif"]
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5[:1])


def test_an_ome_tiff_whose_others_are_not_here_is_read_alone_and_says_so(tmp_path):
    write_ome_set(tmp_path, missing=[1])
    assert "1 are not here (m1.ome.tif)" in said(find_one(READER, tmp_path))
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5[:1, :1])


def test_an_ome_tiff_opens_no_file_that_was_not_handed_in(tmp_path):
    (tmp_path / "in").mkdir()
    write_ome_set(tmp_path)
    write_ome_set(tmp_path / "in", name="../m{}.ome.tif", missing=[1])
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), HYPER5[:1, :1])


@pytest.mark.parametrize("planes", [10**9, 10**10])
def test_an_ome_tiff_that_declares_planes_without_end_is_refused(tmp_path, planes):
    (tmp_path / "in").mkdir()
    write_ome_set(tmp_path / "in", missing=[1])
    path = tmp_path / "in" / "m0.ome.tif"
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), HYPER5[:1, :1])
    path.write_bytes(path.read_bytes().replace(b'SizeZ="4" SizeC="2"', f'SizeZ="{planes}"'.encode().ljust(19), 1))
    with pytest.raises(UnreadableFile, match=rf"m0\.ome\.tif: its OME-XML declares 1 x 1 x {planes} planes"):
        find_one(READER, tmp_path / "in")


def test_imagej_says_its_axes_and_lengths(tmp_path):
    about = {"axes": "TZCYX", "spacing": 2.5, "unit": "micron", "finterval": 2}
    tifffile.imwrite(tmp_path / "a.tif", HYPER, imagej=True, resolution=(2, 4), metadata=about)
    asset = find_one(READER, tmp_path)
    assert asset.volume.voxel_size_um == (2.5, 0.25, 0.5)
    assert asset.volume.time_step_s == 2
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5)


def test_an_imagej_stack_of_one_page_has_all_its_planes(tmp_path):
    # beyond 4 GB ImageJ writes one directory, and all planes behind it
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "ZYX"})
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        first = tif.pages[0]
        end = first.offset + 2 + 12 * struct.unpack_from(tif.byteorder + "H", raw, first.offset)[0]
    raw[end : end + 4] = bytes(4)
    (tmp_path / "a.tif").write_bytes(raw)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert len(tif.pages) == 1
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), STACK[None, None])


def test_nothing_invents_a_voxel_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, resolution=(72, 72), resolutionunit="INCH", metadata=None)
    asset = find_one(READER, tmp_path)
    assert asset.volume.voxel_size_um is None
    assert ("question", "--voxel-size") in flags(asset)
    assert "352.8 µm" in said(asset)
    given = find_one(READER, tmp_path, Options(voxel_size_um=(5, 2, 2), orientation="SAR"))
    assert given.volume.voxel_size_um == (5, 2, 2)
    assert given.volume.affine_um[0][0] == 5
    assert not [flag for severity, flag in flags(given) if severity == "question"]


@pytest.mark.parametrize(("axes", "turn"), [("yzx", (1, 0, 2)), ("zxy", (0, 2, 1)), ("tyx", None)])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_person_says_what_the_axes_are(tmp_path, axes, turn, compression):
    tifffile.imwrite(tmp_path / "a.tif", STACK, metadata=None, compression=compression)
    expected = STACK[:, None, None] if turn is None else STACK.transpose(turn)[None, None]
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(axes=axes)), expected)


@pytest.mark.parametrize("axes", ["yx", "zzy", "yxt", "zyt"])
def test_axes_that_can_not_be_are_refused(tmp_path, axes):
    tifffile.imwrite(tmp_path / "a.tif", STACK, metadata=None)
    with pytest.raises(Invalid, match="--axes"):
        find_one(READER, tmp_path, Options(axes=axes))


def planes(folder, names, images, **more):
    for name, image in zip(names, images, strict=True):
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        tifffile.imwrite(path, image, metadata=None, photometric="minisblack", **more)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_folder_of_planes_is_one_stack_in_counting_order(tmp_path, compression):
    planes(tmp_path, [f"brain_{i + 8}.tif" for i in range(7)], STACK, compression=compression)
    asset = find_one(READER, tmp_path)
    assert asset.name == "brain"
    assert len(asset.files) == 7
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), STACK[None, None])


def test_names_that_say_channel_time_and_plane_make_five_axes(tmp_path):
    places = list(product(range(3), range(4), range(2)))
    planes(tmp_path, [f"x_t{t}_z{z + 10:03d}_ch{c}.tif" for t, z, c in places], [HYPER[place] for place in places])
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5)


@pytest.mark.parametrize(
    "name",
    [
        "UltraII[00 x 00]_Ex_{}_Em_525_Z{:04d}.ome.tif",  # LaVision
        "UltraII[00 x 00]_Ex_{0}_Em_{0}9_Z{1:04d}.ome.tif",  # emission goes with excitation
        "brain_{}nm_Z{:04d}.tif",
        "brain lambda={} {:04d}.tif",
    ],
)
def test_wavelengths_in_names_are_channels(tmp_path, name):
    places = list(product((488, 561), range(4)))
    planes(
        tmp_path, [name.format(wave, z) for wave, z in places], [HYPER[0, z, int(wave == 561)] for wave, z in places]
    )
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5[:1])
    asset = find_one(READER, tmp_path)
    assert "the names of its 8 files say 2 along c, 4 along z" in said(asset)
    assert ("note", "--axes") in flags(asset)


def test_a_number_that_many_planes_have_after_a_wavelength_word_is_no_channel(tmp_path):
    planes(tmp_path, [f"ex_{i:03d}.tif" for i in range(20)], [STACK[i % 7] for i in range(20)])
    assert find_one(READER, tmp_path).volume.shape == (1, 1, 20, 90, 110)


def test_folders_of_channels_are_joined(tmp_path):
    places = list(product(range(2), range(4)))
    planes(tmp_path, [f"ch{c}/ch{c}{z:04d}.tif" for c, z in places], [HYPER[0, z, c] for c, z in places])
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5[:1])


def test_stacks_of_channels_are_joined(tmp_path):
    planes(tmp_path, ["brain_C0.tif", "brain_C1.tif"], [HYPER[0, :, 0], HYPER[0, :, 1]])
    same(read_voxels(READER, tmp_path, tmp_path.parent / "s"), HYPER5[:1])


def test_stacks_that_only_share_a_name_stay_apart(tmp_path):
    planes(tmp_path, ["animal1.tif", "animal2.tif"], [STACK, STACK])
    assert len(list(READER.find(source_files(tmp_path), Options()))) == 2


def test_a_gap_in_the_planes_is_said(tmp_path):
    planes(tmp_path, [f"p{i:04d}.tif" for i in (0, 1, 2, 5, 6, 7, 8)], STACK)
    asset = find_one(READER, tmp_path)
    assert "2 planes are missing (3, 4)" in said(asset)
    assert asset.volume.shape == (1, 1, 7, 90, 110)


def test_a_missing_plane_of_a_grid_is_named(tmp_path):
    places = [place for place in product(range(3), range(4), range(2)) if place != (1, 2, 0)]
    planes(tmp_path, [f"x_t{t}_z{z:03d}_ch{c}.tif" for t, z, c in places], [HYPER[place] for place in places])
    with pytest.raises(UnreadableFile, match="the first at t = 1, z = 2, c = 0"):
        find_one(READER, tmp_path)


def test_a_plane_unlike_the_others_is_named(tmp_path):
    planes(tmp_path, [f"p{i:04d}.tif" for i in range(12)], [STACK[i % 7] for i in range(12)])
    tifffile.imwrite(tmp_path / "p0005.tif", STACK[5, :50])
    with pytest.raises(UnreadableFile, match=r"p0005.tif has 50 x 110 pixels of uint16, the other 11 planes"):
        find_one(READER, tmp_path)


@pytest.mark.parametrize(("content", "reason"), [(b"", "is empty"), (b"\0" * 4096, "is no TIFF")])
def test_a_plane_without_its_content_is_named_and_not_passed_over(tmp_path, content, reason):
    planes(tmp_path, [f"p{i:04d}.tif" for i in range(7)], STACK)
    (tmp_path / "p0003.tif").write_bytes(content)
    with pytest.raises(UnreadableFile, match=rf"p0003\.tif {reason}, and by its name a plane of a series"):
        find_one(READER, tmp_path)


def test_other_files_beside_a_series_are_none_of_its_planes(tmp_path):
    planes(tmp_path, [f"p{i:04d}.tif" for i in range(7)], STACK)
    for name in ("p0003.txt", "notes.tif", "q0003.tif"):
        (tmp_path / name).touch()
    assert find_one(READER, tmp_path).volume.shape == (1, 1, 7, 90, 110)


def test_several_images_in_a_file_are_several_assets(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(STACK, metadata=None)
        writer.write(RGB[0], photometric="rgb", metadata=None)
    first, second = READER.find(source_files(tmp_path), Options())
    assert first.volume.shape == (1, 1, 7, 90, 110)
    assert second.volume.shape == (1, 3, 1, 40, 50)
    opened = READER.open_volume(second, tmp_path, Options(), tmp_path)
    out = np.zeros(second.volume.shape, np.uint8)
    opened.read_into(Window.whole(out.shape), out)
    opened.close()
    same(out, RGB[0].transpose(2, 0, 1)[None, :, None])


def test_float_labels_are_whole_numbers_or_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", (STACK % 100).astype(np.float32), metadata=None, compression="zlib")
    options = Options(kind=VolumeKind.LABELS)
    assert read_voxels(READER, tmp_path, tmp_path.parent / "s", options).dtype == np.uint32
    tifffile.imwrite(tmp_path / "a.tif", (STACK % 100).astype(np.float32) + 0.5, metadata=None, compression="zlib")
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", options)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_file_is_named(tmp_path, compression):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for plane in STACK:
            writer.write(plane, metadata=None, contiguous=False, compression=compression)
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[: len(raw) - 9000])
    with pytest.raises(UnreadableFile, match=r"a\.tif"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_damaged_strip_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib", metadata=None, rowsperstrip=30)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        offset = tif.pages[3].dataoffsets[1]
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    raw[offset : offset + 64] = bytes(64)
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.raises(UnreadableFile, match=r"a\.tif, page 4 is damaged in strip or tile 2"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


@pytest.mark.parametrize("rows", [2**31, 2**32 - 1])
def test_a_header_that_declares_too_much_is_refused_at_once(tmp_path, rows):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], metadata=None, compression="zlib")
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        for code in (257, 256):
            tag = tif.pages[0].tags[code]
            struct.pack_into("<HHII", raw, tag.offset, code, 4, 1, rows)
    (tmp_path / "a.tif").write_bytes(raw)
    with pytest.raises((UnreadableFile, TooLarge), match=r"a\.tif"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_pages_that_go_in_a_circle_end(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], metadata=None)
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    (first,) = struct.unpack_from("<I", raw, 4)
    (count,) = struct.unpack_from("<H", raw, first)
    struct.pack_into("<I", raw, first + 2 + 12 * count, first)
    (tmp_path / "a.tif").write_bytes(raw)
    try:
        found = list(READER.find(source_files(tmp_path), Options()))
    except PulvinarError:
        return
    assert found[0].volume.shape[2] < 100


def test_entities_in_ome_xml_are_refused(tmp_path):
    xml = '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a SYSTEM "file:///etc/passwd">]><OME xmlns="x">&a;</OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK[0], description=xml.encode(), metadata=None)
    with pytest.raises(UnreadableFile, match="entities"):
        find_one(READER, tmp_path)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 40), st.integers(1, 50), st.sampled_from([1, 3]),
    st.sampled_from(["uint8", "int16", "uint32", "float32", "float64"]), st.sampled_from([None, "zlib", "lzw"]),
    st.sampled_from([None, (16, 16), (32, 16)]), st.sampled_from("<>"), st.booleans(), st.data(),
)  # fmt: skip
def test_any_file_and_any_window(tmp_path_factory, z, y, x, samples, dtype, compression, tile, order, big, data):
    folder = tmp_path_factory.mktemp("any")
    shape = (z, y, x, samples) if samples > 1 else (z, y, x)
    voxels = (np.random.default_rng(z * y * x).random(shape) * 250).astype(dtype)
    with tifffile.TiffWriter(folder / "a.tif", byteorder=order, bigtiff=big) as writer:
        for plane in voxels:
            writer.write(
                plane, compression=compression, tile=tile, metadata=None, contiguous=False,
                planarconfig="contig" if samples > 1 else None,
                photometric="rgb" if samples > 1 and dtype == "uint8" else "minisblack",
            )  # fmt: skip
    expected = (voxels.transpose(3, 0, 1, 2) if samples > 1 else voxels[None])[None]
    asset = find_one(READER, folder)
    assert asset.volume.shape == expected.shape
    start, stop = [], []
    for size in expected.shape:
        start.append(data.draw(st.integers(0, size - 1)))
        stop.append(data.draw(st.integers(start[-1] + 1, size)))
    window = Window(tuple(start), tuple(stop))
    out = np.zeros(window.shape, asset.volume.dtype)
    opened = READER.open_volume(asset, folder, Options(), folder)
    opened.read_into(window, out)
    opened.close()
    same(out, expected[window.slices].astype(asset.volume.dtype))


def test_an_image_smaller_than_its_tiles_is_read(tmp_path):
    plane = STACK[0, :40, :30]
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "small.tif", plane, tile=(64, 64), compression="zlib")
    assert find_one(READER, folder).volume.block_shape == (1, 1, 1, 40, 30)
    same(read_voxels(READER, folder, tmp_path / "s"), plane[None, None, None])
