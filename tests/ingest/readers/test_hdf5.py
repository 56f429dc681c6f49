"""Volumes in HDF5 files of any make: values as h5py gives them; what would reach out or bite is named."""

import json
import os
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_voxels, said
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.hdf5 import Hdf5Reader
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers, texts
from pulvinar.ingest.readers.hdf5_files import dataset, member, open_hdf5
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

READER = Hdf5Reader()
VOXELS = np.random.default_rng(9).integers(0, 60_000, (9, 20, 30)).astype("u2")
PACKINGS = [
    {},
    {"chunks": (4, 7, 8)},
    {"chunks": (4, 7, 8), "compression": 4},
    {"chunks": (4, 7, 8), "compression": 9, "shuffle": True, "fletcher32": True},
    {"chunks": (4, 7, 8), "compression": "lzf", "shuffle": True},
    {"chunks": (4, 7, 8), "fletcher32": True},
]


def write(path, data=VOXELS, place="volume", packing=None, **attributes):
    with h5py.File(path, "w") as file:
        made = file.create_dataset(place, data=data, **(packing or {}))
        made.attrs.update(attributes)


@pytest.fixture
def edit(tmp_path):
    """A sound file `a.h5`, read as it is, and open to be spoiled."""
    write(tmp_path / "a.h5", packing=PACKINGS[2])
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0], VOXELS)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        yield file


def refusal(file, folder):
    """What is said of a spoiled file, when it is found or when it is read."""
    file.close()
    with pytest.raises((UnreadableFile, TooLarge)) as caught:
        read_voxels(READER, folder, folder.parent / "s")
    assert "a.h5" in caught.value.message
    return caught.value.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window=windows((1, 1, *VOXELS.shape)),
    packing=st.sampled_from(PACKINGS),
    dtype=st.sampled_from(["u1", "i1", "<i2", ">i2", ">u4", "<f4", ">f8", "f2", "?"]),
)
def test_any_window_of_any_type_and_packing_is_what_was_written(tmp_path_factory, window, packing, dtype):
    folder = tmp_path_factory.mktemp("hdf5")
    data = VOXELS.astype(dtype)
    write(folder / "a.h5", data, packing=packing)
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.array_equal(read(window)[0, 0], data[window.slices[2:]])


@pytest.mark.parametrize("data_shape", [(9, 20, 30), (3, 9, 20, 30), (2, 3, 9, 20, 30)])
def test_axes_that_are_not_named_are_assumed_and_doubted(tmp_path, data_shape):
    data = np.arange(np.prod(data_shape), dtype="u4").reshape(data_shape)
    write(tmp_path / "a.h5", data)
    asset = find_one(READER, tmp_path)
    assert ("doubt", "--axes") in flags(asset)
    assert ("question", "--voxel-size") in flags(asset)
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s").reshape(data_shape), data)


@pytest.mark.parametrize("how", ["axistags", "labels", "axes", "option"])
def test_axes_that_are_named_are_believed(tmp_path, how):
    data = np.arange(4 * 5 * 6 * 2, dtype="u2").reshape(4, 5, 6, 2)
    attributes = {"element_size_um": [3.0, 2.0, 1.0]}
    options = Options()
    if how == "axistags":
        attributes["axistags"] = json.dumps({"axes": [{"key": key, "typeFlags": 2} for key in "xyzc"]})
    elif how == "axes":
        attributes["axes"] = "xyzc"
    elif how == "option":
        options = Options(axes="xyzc")
    write(tmp_path / "a.h5", data, **attributes)
    if how == "labels":
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            for index, label in enumerate(("x", "y", "z", "channel")):
                file["volume"].dims[index].label = label
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s", options)
    assert np.array_equal(found[0], data.transpose(3, 2, 1, 0))
    # three lengths are those of the dataset's own axes of space, in their order
    assert find_one(READER, tmp_path, options).volume.voxel_size_um == (1.0, 2.0, 3.0)
    assert flags(find_one(READER, tmp_path, options)) == {("note", "--orientation")}


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"element_size_um": [3.0, 2.0, 1.0]}, (3.0, 2.0, 1.0)),
        ({"resolution": [40, 4, 4], "units": "nm"}, (0.04, 0.004, 0.004)),
        ({"resolution": [40, 4, 4]}, None),
        ({"element_size_um": [0.0, 2.0, 1.0]}, None),
        ({"element_size_um": [np.nan, 2.0, 1.0]}, None),
        ({"element_size_um": [2.0, 1.0]}, None),
        ({"element_size_um": "large"}, None),
    ],
)
def test_lengths_are_believed_where_they_have_a_unit_and_asked_where_not(tmp_path, attributes, size):
    write(tmp_path / "a.h5", **attributes)
    asset = find_one(READER, tmp_path)
    assert asset.volume.voxel_size_um == size
    assert (("question", "--voxel-size") in flags(asset)) == (size is None)


@pytest.mark.parametrize("axes", ["zy", "zyxt", "zzx", "zyq"])
def test_axes_that_can_not_be_are_refused(tmp_path, axes):
    write(tmp_path / "a.h5")
    with pytest.raises(Invalid, match="--axes"):
        find_one(READER, tmp_path, Options(axes=axes))


def test_each_dataset_of_three_axes_or_more_is_an_asset(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t0/raw"], file["t0/labels"] = VOXELS, VOXELS // 1000
        file["table"], file["name"], file["flat"] = np.zeros(5), "text", np.zeros((4, 4))
        file["again"] = file["t0/raw"]
        file["soft"] = h5py.SoftLink("/t0/raw")
        file["t0/itself"] = file["t0"]
    found = list(READER.find(source_files(tmp_path), Options()))
    assert [asset.name for asset in found] == ["a again", "a t0/labels"]
    assert any(("note", "--kind") in flags(asset) for asset in found)


@pytest.mark.parametrize(
    ("mark", "value"), [("nwb_version", "2.6.0"), ("neurodata_type", "NWBFile"), ("encoding-type", "anndata")]
)
def test_files_of_others_are_passed_over(tmp_path, mark, value):
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs[mark] = value
    assert list(READER.find(source_files(tmp_path), Options())) == []


@pytest.mark.parametrize("names", [("points", "structure"), ("obs", "var", "X")])
def test_files_whose_members_are_those_of_others_are_passed_over(tmp_path, names):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in names:
            file[name] = np.zeros((3, 4, 5))
    assert list(READER.find(source_files(tmp_path), Options())) == []


def test_labels_are_whole_numbers_or_refused(tmp_path):
    write(tmp_path / "a.h5", VOXELS / 2)
    with pytest.raises(UnreadableFile, match="aren't labels"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s", Options(kind=VolumeKind.LABELS))


def test_chunks_that_are_not_stored_are_counted_and_read_as_the_fill_value(edit, tmp_path):
    del edit["volume"]
    data = edit.create_dataset("volume", (9, 20, 30), "u2", chunks=(9, 20, 10), fillvalue=7)
    data[:, :, :10] = VOXELS[:, :, :10]
    edit.close()
    assert "2 of its 3 chunks are not stored, and nothing shows" in said(find_one(READER, tmp_path))
    found = read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0]
    assert np.array_equal(found[:, :, :10], VOXELS[:, :, :10])
    assert (found[:, :, 10:] == 7).all()


@pytest.mark.parametrize("packing", [{}, {"chunks": (3, 4, 5)}])
def test_a_volume_of_which_nothing_is_stored_is_refused(edit, tmp_path, packing):
    del edit["volume"]
    edit.create_dataset("volume", (9, 20, 30), "u2", **packing)
    assert "none of it is stored" in refusal(edit, tmp_path)


# what reaches out of the file


def test_a_link_to_another_file_is_refused_and_names_it(edit, tmp_path):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.h5")
    write(secret)
    edit["deep/link"] = h5py.ExternalLink(str(secret), "volume")
    message = refusal(edit, tmp_path)
    assert str(secret) in message
    assert "deep/link is a link to elsewhere" in message


def test_voxels_in_another_file_are_refused_and_it_is_named(edit, tmp_path):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.raw")
    secret.write_bytes(bytes(VOXELS.nbytes))
    edit.create_dataset("other", VOXELS.shape, "u2", external=[(str(secret), 0, VOXELS.nbytes)])
    assert str(secret) in refusal(edit, tmp_path)


def test_a_view_of_another_file_is_refused_and_it_is_named(edit, tmp_path):
    secret = tmp_path.with_name(f"{tmp_path.name}-secret.h5")
    write(secret)
    layout = h5py.VirtualLayout(VOXELS.shape, "u2")
    layout[:] = h5py.VirtualSource(str(secret), "volume", VOXELS.shape)
    edit.create_virtual_dataset("view", layout)
    assert str(secret) in refusal(edit, tmp_path)


def test_a_link_within_the_file_is_followed_and_a_circle_ends(edit, tmp_path):
    edit["a"], edit["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    edit["group/one"] = h5py.SoftLink("/volume")
    edit.close()
    with open_hdf5(tmp_path / "a.h5", "a.h5") as file:
        assert np.array_equal(dataset(file, "group/one", "a.h5")[()], VOXELS)
        with pytest.raises(UnreadableFile, match="leads to no end"):
            member(file, "a", "a.h5")
        assert member(file, "nothing/there", "a.h5") is None


# what bites


def bomb(file, size):
    """A chunk that declares few values, and whose stream unpacks to `size` bytes."""
    del file["volume"]
    data = file.create_dataset("volume", (8, 8, 8), "u1", chunks=(8, 8, 8), compression=9)
    packer = zlib.compressobj(9)
    stream = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    data.id.write_direct_chunk((0, 0, 0), stream)


def test_a_chunk_that_unpacks_to_more_than_it_declares_is_stopped(edit, tmp_path):
    before = _peak_kb()
    bomb(edit, 512 << 20)
    assert "the chunk at (0, 0, 0) of volume is damaged" in refusal(edit, tmp_path)
    assert _peak_kb() - before < 64 << 10


def _peak_kb():
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 (no real file)
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def test_a_text_chunk_that_unpacks_without_end_is_stopped(edit, tmp_path):
    data = edit.create_dataset("names", (4,), h5py.string_dtype(), chunks=(4,), compression=9)
    data[:] = ["a", "b", "ü", "d"]
    edit.close()
    with open_hdf5(tmp_path / "a.h5", "a.h5") as file:
        assert texts(file["names"], "a.h5") == ["a", "b", "ü", "d"]
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["names"].id.write_direct_chunk((0,), zlib.compress(bytes(64 << 20)))
    with open_hdf5(tmp_path / "a.h5", "a.h5") as file, pytest.raises(UnreadableFile, match="chunk 1 of names"):
        texts(file["names"], "a.h5")


def test_a_file_of_groups_without_end_is_refused(edit, tmp_path, monkeypatch):
    monkeypatch.setattr("pulvinar.ingest.readers.hdf5_files._MOST_MEMBERS", 50)
    for number in range(48):
        edit.create_group(f"group {number}")
    edit.close()
    assert find_one(READER, tmp_path).name == "a"
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.create_group("one too many")
        assert "more than 50 groups and datasets" in refusal(file, tmp_path)


@pytest.mark.parametrize("shape", [(1 << 20,) * 3, (10**15, 1, 1), (2**62, 4, 4)])
def test_a_shape_that_the_file_can_not_hold_is_refused(edit, tmp_path, shape):
    edit.create_dataset("huge", shape, "u1", chunks=(1, 1, 1))
    message = refusal(edit, tmp_path)
    assert "can't hold more" in message
    assert "huge" in message


def test_a_chunk_of_gigabytes_is_refused(edit, tmp_path):
    edit.create_dataset("huge", (1024, 1024, 1024), "u2", chunks=(1024, 1024, 1024))
    assert "one chunk of huge has (1024, 1024, 1024) values" in refusal(edit, tmp_path)


def test_a_filter_that_would_load_code_is_refused(edit, tmp_path):
    edit.create_dataset("odd", VOXELS.shape, "u2", chunks=True, scaleoffset=0)
    assert "packed by the filters [6]" in refusal(edit, tmp_path)


@pytest.mark.parametrize("packing", [PACKINGS[3], PACKINGS[5]])
def test_a_chunk_whose_bytes_are_changed_is_named(tmp_path, packing):
    write(tmp_path / "a.h5", packing=packing)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        info = file["volume"].id.get_chunk_info(0)
    with (tmp_path / "a.h5").open("r+b") as file:
        file.seek(info.byte_offset + info.size // 2)
        file.write(os.urandom(8))
    with pytest.raises(UnreadableFile, match=r"a\.h5: the chunk at .* of volume is damaged"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


def test_a_chunk_behind_the_end_of_the_file_is_named(tmp_path):
    write(tmp_path / "a.h5", packing=PACKINGS[2])
    with h5py.File(tmp_path / "a.h5", "r") as file:
        address = file["volume"].id.get_chunk_info(0).byte_offset.to_bytes(8, "little")
    data = (tmp_path / "a.h5").read_bytes()
    assert data.count(address) == 1
    (tmp_path / "a.h5").write_bytes(data.replace(address, (1 << 40).to_bytes(8, "little")))
    with pytest.raises(UnreadableFile, match="lies behind the file's end"):
        read_voxels(READER, tmp_path, tmp_path.parent / "s")


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_file_cut_short_is_named(tmp_path, part):
    write(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UnreadableFile, match=r"a\.h5 is damaged"):
        find_one(READER, tmp_path)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_packings_of_plugins_are_undone_without_the_plugin(tmp_path, codec):
    import imagecodecs

    number, packed = {
        "lz4": (32004, imagecodecs.lz4h5_encode(VOXELS.tobytes())),
        "zstd": (32015, imagecodecs.zstd_encode(VOXELS.tobytes())),
    }[codec]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(VOXELS.shape)
    plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (0,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple(VOXELS.shape)
        made = h5py.h5d.create(file.id, b"volume", h5py.h5t.NATIVE_UINT16, space, plist)
        made.write_direct_chunk((0, 0, 0), bytes(packed))
    assert np.array_equal(read_voxels(READER, tmp_path, tmp_path.parent / "s")[0, 0], VOXELS)


def test_numbers_are_asked_for_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["text"] = ["a", "b"]
        with pytest.raises(UnreadableFile, match="not numbers"):
            Hdf5Numbers(file["text"], "a.h5")
        file["numbers"] = VOXELS
        with pytest.raises(UnreadableFile, match="not text"):
            texts(file["numbers"], "a.h5")


def test_a_window_reads_no_more_than_its_chunks(tmp_path):
    write(tmp_path / "a.h5", packing=PACKINGS[2])
    with h5py.File(tmp_path / "a.h5", "r") as file:
        far = file["volume"].id.get_chunk_info_by_coord((8, 14, 24))
    with (tmp_path / "a.h5").open("r+b") as file:
        file.seek(far.byte_offset)
        file.write(bytes(far.size))
    with opened(READER, tmp_path, tmp_path.parent / "s") as read:
        window = Window((0, 0, 0, 0, 0), (1, 1, 4, 7, 8))
        assert np.array_equal(read(window)[0, 0], VOXELS[:4, :7, :8])
        with pytest.raises(UnreadableFile, match=r"the chunk at \(8, 14, 24\)"):
            read(Window((0, 0, 8, 14, 24), (1, 1, 9, 20, 30)))
