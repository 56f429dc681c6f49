"""CZI as Zeiss's own library writes it, read to the same values; and what is broken in it, or hostile, named."""

import io
import struct
from itertools import product

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pylibCZIrw import czi as zeiss
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.czi import CziReader
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

READER = CziReader()
PACKINGS = ["uncompressed:", "zstd0:ExplicitLevel=2", "zstd1:ExplicitLevel=2", "zstd1:PreProcess=HiLoByteUnpack"]
RNG = np.random.default_rng(4)
RED_FIRST = bytes.fromhex("24c3dd6f034efe4bb1853d77768dc90d")
TILE = RNG.integers(0, 60_000, (40, 50)).astype("u2")


def write(path, tiles, packing="uncompressed:", **metadata):
    """`tiles`: (pixels, (x, y), plane, scene) each."""
    with zeiss.create_czi(str(path), compression_options=packing) as file:
        for pixels, location, plane, scene in tiles:
            file.write(pixels, location=location, plane={"T": 0, "C": 0, "Z": 0} | plane, scene=scene)
        file.write_metadata(**{"scale_x": 5e-7, "scale_y": 5e-7, "scale_z": 2e-6} | metadata)


def one(path, packing="uncompressed:"):
    write(path, [(TILE, (0, 0), {}, 0)], packing)


def as_zeiss(path, shape, scene=0):
    """Its voxels (t, c, z, y, x) by Zeiss's library; the samples of RGB, blue first, are channels, red first."""
    out = np.zeros(shape)
    with zeiss.open_czi(str(path)) as file:
        for t, z in np.ndindex(shape[0], shape[2]):
            planes = []
            for c in range(file.total_bounding_box["C"][1]):
                plane = file.read(plane={"T": t, "C": c, "Z": z}, scene=scene)
                planes += list(np.moveaxis(plane[..., ::-1], -1, 0))
            out[t, :, z] = planes
    return out


def test_times_channels_and_planes_are_where_they_belong(tmp_path):
    data = RNG.integers(0, 60_000, (3, 2, 4, 20, 30)).astype("u2")
    tiles = [(data[t, c, z], (7, -9), {"T": t, "C": c, "Z": z}, 0) for t, c, z in np.ndindex(3, 2, 4)]
    write(tmp_path / "a.czi", tiles, channel_names={0: "GCaMP", 1: "tdTomato"}, document_name="a fish")
    asset = find_one(READER, tmp_path)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), data)
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert [channel.name for channel in asset.volume.channels] == ["GCaMP", "tdTomato"]
    assert flags(asset) == {("doubt", "--time-step"), ("note", "--orientation")}
    assert asset.name == "a"


def test_what_the_display_says_colours_the_channels(tmp_path):
    blue = zeiss.ChannelDisplaySettingsDataClass(True, zeiss.TintingMode.Color, zeiss.Rgb8Color(16, 32, 255), 0.0, 1.0)
    write(tmp_path / "a.czi", [(TILE, (0, 0), {}, 0)], display_settings={0: blue})
    assert [channel.color for channel in find_one(READER, tmp_path).volume.channels] == ["1020FF"]


# Zeiss's library does not write colours of floats, nor the bytes of 16 bit colours apart, as they are given to it
@pytest.mark.parametrize(
    ("packing", "dtype", "samples"),
    [*product(PACKINGS, ["u1", "u2", "f4"], [1]), *product(PACKINGS, ["u1"], [3]), *product(PACKINGS[:3], ["u2"], [3])],
)
def test_every_packing_and_pixel_gives_what_was_written(tmp_path, packing, dtype, samples):
    shape = (33, 46) if samples == 1 else (33, 46, 3)
    pixels = RNG.integers(0, 250, shape).astype(dtype)
    write(tmp_path / "a.czi", [(pixels, (0, 0), {}, 0)], packing)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    # it takes blue first and gives blue first
    assert np.array_equal(found, as_zeiss(tmp_path / "a.czi", found.shape))
    expected = pixels[..., None] if samples == 1 else pixels[..., ::-1]
    assert np.array_equal(found[0, :, 0], np.moveaxis(expected, -1, 0))
    names = [channel.name for channel in find_one(READER, tmp_path).volume.channels]
    assert names == (["channel 0"] if samples == 1 else ["red", "green", "blue"])


def test_jpeg_xr_gives_what_was_packed(tmp_path):
    one(tmp_path / "a.czi")
    smooth = np.arange(40 * 50, dtype="u2").reshape(40, 50) * 30
    repack(tmp_path / "a.czi", imagecodecs.jpegxr_encode(smooth), 4)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found[0, 0, 0], smooth)
    assert np.array_equal(found, as_zeiss(tmp_path / "a.czi", found.shape))


def test_jpeg_xr_of_colours_is_red_first_as_zeiss_reads_it(tmp_path):
    pixels = RNG.integers(0, 250, (33, 46, 3)).astype("u1")
    write(tmp_path / "a.czi", [(pixels, (0, 0), {}, 0)])
    ramp = np.arange(33 * 46).reshape(33, 46) // 12
    smooth = np.stack([ramp, ramp // 2, 200 - ramp], axis=-1).astype("u1")
    # the last byte of the pixel format's name makes it blue first, as Zeiss writes it
    packed = imagecodecs.jpegxr_encode(smooth).replace(RED_FIRST, RED_FIRST[:-1] + b"\x0c")
    repack(tmp_path / "a.czi", packed, 4)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found, as_zeiss(tmp_path / "a.czi", found.shape))


def test_lzw_gives_what_was_packed(tmp_path):
    one(tmp_path / "a.czi")
    smooth = np.full((40, 50), 7, "u2")
    smooth[5:9] = 300
    repack(tmp_path / "a.czi", imagecodecs.lzw_encode(smooth.tobytes()), 2)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0, 0], smooth)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_jpeg_gives_what_another_decoder_makes_of_it(tmp_path, shape):
    ramp = (np.indices(shape)[:2].sum(axis=0) + (0 if len(shape) == 2 else np.array([0, 60, 120]))).astype("u1")
    write(tmp_path / "a.czi", [(ramp, (0, 0), {}, 0)])
    packed = io.BytesIO()
    Image.fromarray(ramp).save(packed, "JPEG", quality=95)
    repack(tmp_path / "a.czi", packed.getvalue(), 1)
    expected = np.asarray(Image.open(packed)).reshape(40, 50, -1)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, :, 0], np.moveaxis(expected, -1, 0))


def test_scenes_are_assets_and_tiles_of_a_mosaic_lie_at_their_places(tmp_path):
    left, right, other = (RNG.integers(1, 60_000, (40, 50)).astype("u2") for _ in range(3))
    tiles = [(left, (100, 10), {}, 0), (right, (140, 20), {}, 0), (other, (500, 500), {}, 1)]
    write(tmp_path / "a.czi", tiles)
    first, second = READER.find(source_files(tmp_path), Options())
    assert [first.name, second.name] == ["a scene 1", "a scene 2"]
    expected = np.zeros((50, 90), "u2")
    expected[:40, :50], expected[10:, 40:] = left, right
    for asset, pixels in ((first, expected), (second, other)):
        volume = READER.open_volume(asset, tmp_path, Options(), tmp_path)
        out = np.ones(asset.volume.shape, asset.volume.dtype)
        volume.read_into(Window.whole(out.shape), out)
        volume.close()
        assert np.array_equal(out[0, 0, 0], pixels)
    assert np.array_equal(as_zeiss(tmp_path / "a.czi", (1, 1, 1, 50, 90))[0, 0, 0], expected)


@settings(max_examples=40, deadline=None)
@given(window=windows((2, 2, 3, 61, 77)), packing=st.sampled_from(PACKINGS))
def test_any_window_is_a_part_of_the_whole(tmp_path_factory, window, packing):
    folder = tmp_path_factory.mktemp("czi")
    data = RNG.integers(0, 60_000, (2, 2, 3, 61, 77)).astype("u2")
    tiles = [
        (data[t, c, z, y : y + 30, x : x + 30], (x, y), {"T": t, "C": c, "Z": z}, 0)
        for t, c, z in np.ndindex(2, 2, 3)
        for y in range(0, 61, 25)
        for x in range(0, 77, 25)
    ]
    write(folder / "a.czi", tiles, packing)
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), data[window.slices])


def test_labels_are_whole_numbers_or_refused(tmp_path):
    write(tmp_path / "a.czi", [(np.array([[1.0, 2.5]], "f4"), (0, 0), {}, 0)])
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(kind=VolumeKind.LABELS))


# what follows spoils files; each begins as the sound one that is read first


@pytest.fixture
def spoil(tmp_path):
    """A sound file of one tile, read as it is, and its bytes to be spoiled."""
    one(tmp_path / "a.czi")
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0, 0], TILE)
    return tmp_path / "a.czi"


def directory_of(data):
    """Where the directory's entries begin."""
    return struct.unpack_from("<q", data, 84)[0] + 32 + 128


def entries_of(data):
    """Where each entry of the directory begins."""
    at, found = directory_of(data), []
    for _ in range(struct.unpack_from("<i", data, at - 128)[0]):
        found.append(at)
        at += 32 + 20 * struct.unpack_from("<i", data, at + 28)[0]
    return found


def dimension_at(data, entry, name):
    """Where the start of dimension `name` lies; size and stored size follow at 4 and 12."""
    count = struct.unpack_from("<i", data, entry + 28)[0]
    return next(
        entry + 32 + 20 * index + 4
        for index in range(count)
        if data[entry + 32 + 20 * index : entry + 36 + 20 * index].rstrip(b"\0") == name.encode()
    )


def change(path, form, place, *values):
    """Write `values` at `place(data)`."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, place(data) if callable(place) else place, *values)
    path.write_bytes(data)


def resize(path, number, name, size, stored):
    """Give a tile another size, and another as it is stored, in the directory."""
    place = dimension_at(path.read_bytes(), entries_of(path.read_bytes())[number], name)
    change(path, "<i", place + 4, size)
    change(path, "<i", place + 12, stored)


def repack(path, packed, compression):
    """Put other bytes into the first tile."""
    data = bytearray(path.read_bytes())
    entry = entries_of(data)[0]
    block = struct.unpack_from("<q", data, entry + 6)[0]
    metadata, _, size = struct.unpack_from("<iiq", data, block + 32)
    assert len(packed) <= size
    count = struct.unpack_from("<i", data, block + 48 + 28)[0]
    start = block + 32 + max(256, 48 + 20 * count) + metadata
    data[start : start + len(packed)] = packed
    struct.pack_into("<q", data, block + 40, len(packed))
    for at in (entry, block + 48):
        struct.pack_into("<i", data, at + 18, compression)
    path.write_bytes(data)


def refusal(path):
    """What is said of a spoiled file, when it is found or when it is read."""
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        read_voxels(READER, path.parent, path.parent.parent / "s")
    assert path.name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_short_is_named(spoil, part):
    whole = spoil.read_bytes()
    spoil.write_bytes(whole[: int(len(whole) * part)])
    refusal(spoil)


def test_a_packed_tile_that_is_damaged_is_named_with_its_place(tmp_path):
    one(tmp_path / "a.czi", "zstd0:ExplicitLevel=2")
    change(tmp_path / "a.czi", "<8s", lambda data: bytes(data).index(b"\x28\xb5\x2f\xfd") + 2, b"\xff" * 8)
    assert "its tile" in refusal(tmp_path / "a.czi")
    assert "C = 0" in refusal(tmp_path / "a.czi")


def test_a_tile_that_unpacks_to_more_than_its_size_is_stopped(spoil):
    bomb = imagecodecs.zstd_encode(bytes(64 << 20), 19)
    repack(spoil, bomb, 5)
    assert "its tile" in refusal(spoil)


def test_a_jpeg_xr_of_another_size_is_stopped(spoil):
    repack(spoil, imagecodecs.jpegxr_encode(np.zeros((900, 900), "u2")), 4)
    assert "its tile" in refusal(spoil)


def test_a_tile_that_declares_gigabytes_is_refused_before_it_is_unpacked(spoil):
    repack(spoil, imagecodecs.zstd_encode(bytes(TILE.nbytes)), 5)
    for name in "XY":
        resize(spoil, 0, name, 40_000, 40_000)
    assert "one packed tile of it holds 3200000000 bytes" in refusal(spoil)


@pytest.mark.parametrize(("name", "start"), [("T", 2**31 - 1), ("X", 2**31 - 100), ("Z", -(2**31))])
def test_tiles_that_lie_absurdly_far_apart_are_refused(tmp_path, name, start):
    write(tmp_path / "a.czi", [(TILE, (0, 0), {"Z": z}, 0) for z in range(2)])
    assert read_voxels(READER, tmp_path, tmp_path.parent / "s").shape == (1, 1, 2, 40, 50)
    change(tmp_path / "a.czi", "<i", lambda data: dimension_at(data, entries_of(data)[0], name), start)
    assert "the file can't hold more" in refusal(tmp_path / "a.czi")


def test_a_directory_that_lists_more_than_it_holds_is_refused(spoil):
    change(spoil, "<i", lambda data: directory_of(data) - 128, 2**31 - 1)
    assert "its directory lists 2147483647 tiles" in refusal(spoil)


def test_an_entry_with_too_many_dimensions_is_refused(spoil):
    change(spoil, "<i", lambda data: entries_of(data)[0] + 28, 1_000_000)
    assert "with 1000000 dimensions" in refusal(spoil)


@pytest.mark.parametrize("size", [0, -5])
def test_a_tile_without_pixels_is_refused(spoil, size):
    change(spoil, "<i", lambda data: dimension_at(data, entries_of(data)[0], "X") + 4, size)
    assert f"40 x {size} pixels" in refusal(spoil)


def test_a_tile_that_lies_behind_the_end_is_refused(spoil):
    change(spoil, "<q", lambda data: entries_of(data)[0] + 6, 1 << 40)
    assert "is truncated" in refusal(spoil)


def test_a_tile_in_another_file_is_refused(spoil):
    change(spoil, "<i", lambda data: entries_of(data)[0] + 14, 3)
    assert "tiles in part 3 of a CZI in several files" in refusal(spoil)


def test_pixels_of_another_type_are_named(spoil):
    change(spoil, "<i", lambda data: entries_of(data)[0] + 2, 10)
    assert "pixels of type 10, which are not read" in refusal(spoil)


def test_a_scene_of_which_nothing_is_stored_at_full_resolution_is_refused(tmp_path):
    write(tmp_path / "a.czi", [(TILE, (0, 0), {}, scene) for scene in (0, 1)])
    assert len(list(READER.find(source_files(tmp_path), Options()))) == 2
    resize(tmp_path / "a.czi", 1, "X", 50, 25)
    with pytest.raises(UnreadableFile, match=r"a\.czi: scene 1 has no tile at full resolution: 40 x 25 pixels"):
        list(READER.find(source_files(tmp_path), Options()))


def test_a_packing_that_is_not_known_is_named(spoil):
    change(spoil, "<i", lambda data: entries_of(data)[0] + 18, 104)
    assert "compression 104" in refusal(spoil)


def test_a_recording_that_was_not_ended_is_refused(spoil):
    change(spoil, "<q", 84, 0)
    assert "its recording was not ended" in refusal(spoil)


def test_one_that_was_being_written_is_doubted(spoil):
    change(spoil, "<i", 100, 1)
    asset = find_one(READER, spoil.parent)
    assert "it was closed: tiles may be missing" in said(asset)


def test_a_plane_that_is_not_stored_is_counted_and_reads_as_nothing(tmp_path):
    tiles = [(TILE, (0, 0), {"Z": z}, 0) for z in range(4) if z != 2]
    write(tmp_path / "a.czi", tiles)
    assert "1 of its 4 planes are not stored" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0]
    assert not found[2].any()
    assert np.array_equal(found[3], TILE)


def test_a_tile_that_a_plane_lacks_is_counted(tmp_path):
    tiles = [(TILE, (x, 0), {"Z": z}, 0) for z in range(3) for x in (0, 50) if (x, z) != (50, 1)]
    write(tmp_path / "a.czi", tiles)
    assert "1 of its 3 planes are not stored, or not all of their tiles" in said(find_one(READER, tmp_path))


def test_a_coarser_level_is_left_out(tmp_path):
    write(tmp_path / "a.czi", [(TILE, (x, 0), {}, 0) for x in (0, 50)])
    resize(tmp_path / "a.czi", 1, "X", 100, 50)
    assert find_one(READER, tmp_path).volume.shape == (1, 1, 1, 40, 50)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0, 0], TILE)


def test_metadata_with_entities_is_refused(spoil):
    data = spoil.read_bytes()
    spoil.write_bytes(data.replace(b"<ImageDocument>", b"<!DOCTYPE a   >", 1))
    assert "defines entities" in refusal(spoil)


def test_a_side_of_nothing_is_asked_for(tmp_path):
    write(tmp_path / "a.czi", [(TILE, (0, 0), {}, 0)], scale_z=0.0)
    asset = find_one(READER, tmp_path)
    assert asset.volume.voxel_size_um is None
    assert ("question", "--voxel-size") in flags(asset)
    given = find_one(READER, tmp_path, Options(voxel_size_um=(3.0, 2.0, 1.0)))
    assert given.volume.voxel_size_um == (3.0, 2.0, 1.0)
