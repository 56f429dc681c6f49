"""ND2 of version 3: values as they were written and as the package nd2 reads them; damage is named."""

import struct
import zlib

import nd2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.nd2_writer import write_nd2
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.nd2 import Nd2Reader
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

READER = Nd2Reader()
DATA = np.random.default_rng(5).integers(0, 60_000, (2, 3, 20, 30, 2)).astype("u2")
"""Axes t, z, y, x, c."""
MEANT = DATA.transpose(0, 4, 1, 2, 3)


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
    assert "a.nd2" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("pad", [0, 4])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_frames_are_read_as_they_were_written_and_as_nd2_reads_them(tmp_path, dtype, pad, packed):
    write_nd2(tmp_path / "a.nd2", DATA.astype(dtype), packed=packed, pad=pad)
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert np.array_equal(found, MEANT.astype(dtype))
    with nd2.ND2File(tmp_path / "a.nd2") as file:
        assert np.array_equal(found, file.asarray().transpose(0, 2, 1, 3, 4))
    asset = find_one(READER, tmp_path)
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert asset.volume.time_step_s == 2.5
    assert [channel.name for channel in asset.volume.channels] == ["stain 0", "stain 1"]
    assert [channel.color for channel in asset.volume.channels] == ["FF0000", "00FF00"]
    assert flags(asset) == {("note", "--orientation")}


@pytest.mark.parametrize("axes", ["ptz", "tpz", "tzp", "p"])
def test_each_position_is_an_asset(tmp_path, axes):
    data = np.random.default_rng(1).integers(0, 255, (3, 2, 4, 8, 9, 1)).astype("u1")
    order = ["ptz".index(axis) for axis in axes]
    stored = data.transpose(*order, 3, 4, 5) if len(axes) == 3 else data[:, 0, 0]
    write_nd2(tmp_path / "a.nd2", stored, axes)
    found = list(READER.find(source_files(tmp_path), Options()))
    assert [asset.name for asset in found] == ["a well 0", "a well 1", "a well 2"]
    for number, asset in enumerate(found):
        expected = data[number, ..., 0] if len(axes) == 3 else data[number, :1, :1, ..., 0]
        assert np.array_equal(voxels_of(asset, tmp_path)[:, 0], expected)


@settings(max_examples=40, deadline=None)
@given(window=windows(MEANT.shape), packed=st.booleans(), pad=st.sampled_from([0, 6]))
def test_any_window_is_a_part_of_the_whole(tmp_path_factory, window, packed, pad):
    folder = tmp_path_factory.mktemp("nd2")
    write_nd2(folder / "a.nd2", DATA, packed=packed, pad=pad)
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), MEANT[window.slices])


def test_without_an_experiment_frames_are_time_points(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA[:, 0], axes="")
    assert ("doubt", "--time-step") in flags(find_one(READER, tmp_path))
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), MEANT[:, :, :1])


def test_sides_that_are_not_calibrated_are_asked_for(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA, calibrated=False)
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))


def test_frames_that_are_not_in_the_file_are_counted_and_read_as_nothing(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA, skip=(1, 5))
    assert "2 of its 6 images are not in the file" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert not found[0, :, 1].any()
    assert np.array_equal(found[1, :, 1], MEANT[1, :, 1])


def test_labels_are_whole_numbers_or_refused(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA / np.float32(2))
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(kind=VolumeKind.LABELS))


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.9999])
def test_a_file_cut_short_is_named(tmp_path, part):
    write_nd2(tmp_path / "a.nd2", DATA)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), MEANT)
    whole = (tmp_path / "a.nd2").read_bytes()
    (tmp_path / "a.nd2").write_bytes(whole[: int(len(whole) * part)])
    assert "is truncated" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"uiHeight": 2**31}, "2147483648 x 30 pixels"),
        ({"uiHeight": 0}, "declares the dimensions"),
        ({"uiHeight": 2000}, "its size needs"),
        ({"uiWidth": 1_000_000}, "its size needs"),
        ({"uiWidth": 5}, "20 x 5 pixels"),
        ({"uiComp": 3}, "its size needs"),
        ({"uiBpcInMemory": 64}, "of 64 bits"),
        ({"eCompression": 1}, "packed as lossy"),
        ({"eCompression": 0}, "is damaged: its frame 1"),
    ],
)
def test_a_header_that_can_not_be_is_refused(tmp_path, change, reason):
    write_nd2(tmp_path / "a.nd2", DATA, change=change | ({"uiWidthBytes": 0} if "uiComp" in change else {}))
    if change.get("uiWidth") == 5:
        write_nd2(tmp_path / "a.nd2", DATA, change=change | {"uiWidthBytes": 10**6})
    assert reason in refusal(tmp_path)


def spoil(folder, old, new):
    data = (folder / "a.nd2").read_bytes()
    assert old in data
    (folder / "a.nd2").write_bytes(data.replace(old, new, 1))


def test_a_frame_that_unpacks_without_end_is_stopped(tmp_path):
    frames = DATA[:1, :1]
    write_nd2(tmp_path / "a.nd2", frames, packed=True)
    good = zlib.compress(frames.tobytes())
    bomb = zlib.compress(bytes(1 << 20), 9)
    spoil(tmp_path, good, bomb.ljust(len(good), b"\0"))
    assert "it unpacks to 2401 bytes or more" in refusal(tmp_path)


def test_packed_metadata_is_read_and_stopped_where_it_has_no_end(tmp_path):
    head = bytes([76, 0]) + bytes(10)
    write_nd2(tmp_path / "a.nd2", DATA, packing=lambda attributes: head + zlib.compress(attributes))
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s"), MEANT)
    bomb = head + zlib.compress(bytes(65 << 20), 9)
    write_nd2(tmp_path / "a.nd2", DATA, packing=lambda attributes: bomb)
    assert "its ImageAttributesLV! has more than 67108864 bytes" in refusal(tmp_path)


def test_a_packed_frame_that_is_damaged_is_named(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA, packed=True)
    good = zlib.compress(DATA[1, 1].tobytes())
    spoil(tmp_path, good, good[:10] + b"\xff" * 20 + good[30:])
    assert "its frame 5" in refusal(tmp_path)


def test_a_frame_behind_the_end_is_named(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA)
    data = (tmp_path / "a.nd2").read_bytes()
    at = data.rindex(b"ImageDataSeq|4!") + 15
    (tmp_path / "a.nd2").write_bytes(data[:at] + struct.pack("<Q", 1 << 40) + data[at + 8 :])
    assert "its frame 5 lies behind its end" in refusal(tmp_path)


def test_loops_that_declare_frames_without_end_are_refused(tmp_path):
    write_nd2(tmp_path / "a.nd2", DATA)
    name = "uiCount\0".encode("utf-16-le")
    spoil(tmp_path, name + struct.pack("<I", 2) + b"\x06", name + struct.pack("<I", 2**31 - 1) + b"\x06")
    assert "its loops declare 6442450941 frames, it holds 6" in refusal(tmp_path)


def test_the_oldest_kind_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "a.nd2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(5000))
    assert "version 1" in refusal(tmp_path)
