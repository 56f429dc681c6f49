"""Vaa3D's volumes as another library writes them, plain and packed; what is broken in them is named."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels
from tests.ingest.readers.windowed import opened, windows
from v3dpy.loaders import PBD, Raw

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.vaa3d import Vaa3dReader
from pulvinar.model.volume import VolumeKind

READER = Vaa3dReader()
SHAPE = (2, 5, 40, 50)
"""Axes c, z, y, x."""


def smooth(dtype, shape=SHAPE, seed=0, steps=(-1, 3)):
    """Values with runs, with small steps, and with neither."""
    random = np.random.default_rng(seed)
    values = np.cumsum(random.integers(*steps, shape), axis=-1) + 300
    values[:, :, ::7] = 33
    values[:, 1:2] = random.integers(0, 60_000, values[:, 1:2].shape)
    return values.astype(dtype)


def refusal(folder):
    with pytest.raises(UnreadableFile) as caught:
        read_voxels(READER, folder, folder.parent / "s")
    assert "a.v3d" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_plain_volume_is_read_where_it_lies(tmp_path, dtype):
    Raw().save(str(tmp_path / "a.v3draw"), smooth(dtype))
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0], smooth(dtype))
    asset = find_one(READER, tmp_path)
    assert flags(asset) == {("question", "--voxel-size"), ("note", "--orientation")}
    given_size = find_one(READER, tmp_path, Options(voxel_size_um=(2.0, 1.0, 1.0)))
    assert given_size.volume.voxel_size_um == (2.0, 1.0, 1.0)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("steps", [(-1, 3), (-3, 5), (-7, 9), (-15, 17), (0, 1)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_packed_volume_unpacks_to_what_was_packed(tmp_path, dtype, steps, full):
    data = smooth(dtype, steps=steps)
    PBD(pbd16_full_blood=full).save(str(tmp_path / "a.v3dpbd"), data)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0], data)


def test_a_packed_volume_of_several_blocks(tmp_path):
    data = np.random.default_rng(1).integers(0, 250, (1, 20, 300, 400)).astype("u1")
    data[:, 5:9] = 7
    PBD().save(str(tmp_path / "a.v3dpbd"), data)
    assert (tmp_path / "a.v3dpbd").stat().st_size > 1 << 20
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0], data)


@settings(max_examples=40, deadline=None)
@given(window=windows((1, *SHAPE)), dtype=st.sampled_from(["u1", "u2"]), packed=st.booleans())
def test_any_window_is_a_part_of_the_whole(tmp_path_factory, window, dtype, packed):
    folder = tmp_path_factory.mktemp("vaa3d")
    (PBD() if packed else Raw()).save(str(folder / "a.v3d"), smooth(dtype))
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window), smooth(dtype)[None][window.slices])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("size", "ih")
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_plain_volumes_of_every_order_and_age(tmp_path, order, size, dtype):
    data = smooth(dtype)
    stored = data.astype(np.dtype(dtype).newbyteorder(order))
    width = stored.itemsize
    head = struct.pack(
        f"{order}24s1sh4{size}", b"raw_image_stack_by_hpeng", b"LB"[order == ">" :][:1], width, *SHAPE[::-1]
    )
    (tmp_path / "a.v3draw").write_bytes(head + stored.tobytes())
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")
    assert found.dtype == dtype
    assert np.array_equal(found[0], data)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.999])
def test_a_file_cut_short_is_named(tmp_path, packed, part):
    (PBD() if packed else Raw()).save(str(tmp_path / "a.v3d"), smooth("u2"))
    whole = (tmp_path / "a.v3d").read_bytes()
    (tmp_path / "a.v3d").write_bytes(whole[: int(len(whole) * part)])
    assert "is truncated" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("at", "form", "value", "reason"),
    [
        (24, "1s", b"X", "neither L nor B"),
        (25, "<h", 3, "values of 3 bytes"),
        (27, "<i", -50, "declares the dimensions"),
        (27, "<i", 0, "declares the dimensions"),
        (35, "<i", 2**31 - 1, "is truncated"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_can_not_be_is_refused(tmp_path, packed, at, form, value, reason):
    (PBD() if packed else Raw()).save(str(tmp_path / "a.v3d"), smooth("u2"))
    data = bytearray((tmp_path / "a.v3d").read_bytes())
    struct.pack_into(form, data, at, value)
    (tmp_path / "a.v3d").write_bytes(data)
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize("planes", [4, 6])
def test_a_packed_volume_with_more_or_fewer_voxels_than_declared_is_refused(tmp_path, planes):
    PBD().save(str(tmp_path / "a.v3dpbd"), smooth("u1"))
    data = bytearray((tmp_path / "a.v3dpbd").read_bytes())
    struct.pack_into("<i", data, 35, planes)
    (tmp_path / "a.v3dpbd").write_bytes(data)
    assert ("holds more voxels" if planes == 4 else "voxels are missing") in refusal(tmp_path)


def test_labels_are_whole_numbers_or_refused(tmp_path):
    head = struct.pack("<24s1sh4i", b"raw_image_stack_by_hpeng", b"L", 4, 2, 1, 1, 1)
    (tmp_path / "a.v3draw").write_bytes(head + np.array([1, 2.5], "f4").tobytes())
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(kind=VolumeKind.LABELS))
