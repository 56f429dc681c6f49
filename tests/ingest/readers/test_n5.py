"""N5 as z5py writes it: every voxel, what viewers say of it, and nothing that is only declared."""

import json

import numpy as np
import pytest
import z5py
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.n5 import N5Reader
from pulvinar.model.space import Window

READER = N5Reader()
VOXELS = np.random.default_rng(1).integers(0, 60_000, (20, 33, 45)).astype(np.uint16)


def write(folder, voxels=VOXELS, *, dataset="brain", chunks=None, attributes=None, around=None, **more):
    """A dataset by z5py; `attributes` of its own, and `around` it, of the group or file."""
    file = z5py.File(
        folder / "in" / "a.n5", mode="a" if (folder / "in" / "a.n5").exists() else "w", use_zarr_format=False
    )
    chunks = chunks or tuple(min(n, 16) for n in voxels.shape)
    made = file.create_dataset(dataset, data=voxels, chunks=chunks, compression=more.pop("compression", "gzip"), **more)
    for key, value in (attributes or {}).items():
        made.attrs[key] = value
    for key, value in (around or {}).items():
        (file[dataset.rpartition("/")[0]] if "/" in dataset else file).attrs[key] = value
    return folder / "in" / "a.n5" / dataset


@pytest.mark.parametrize("compression", ["raw", "gzip", "bzip2", "xz", "blosc", "zstd"])
def test_every_compression(tmp_path, compression):
    write(tmp_path, compression=compression)
    np.testing.assert_array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[None, None])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64", "float32", "float64"])
def test_every_type(tmp_path, dtype):
    values = (VOXELS % 120).astype(dtype)
    write(tmp_path, values)
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values[None, None])


def test_what_is_not_said_is_asked_for(tmp_path):
    write(tmp_path)
    asset = find_one(READER, tmp_path / "in")
    assert asset.name == "brain"
    assert flags(asset) == {("doubt", "--axes"), ("question", "--voxel-size")}


SAID = [
    ({"pixelResolution": {"dimensions": [0.4, 0.5, 2.0], "unit": "um"}}, {}),
    ({"resolution": [400, 500, 2000], "units": ["nm", "nm", "nm"], "axes": ["x", "y", "z"]}, {}),
    ({}, {"resolution": [400, 500, 2000], "unit": "nm"}),
    ({"transform": {"axes": ["z", "y", "x"], "scale": [2, 0.5, 0.4], "translate": [0, 0, 0], "units": ["um"] * 3}}, {}),
]


@pytest.mark.parametrize(("attributes", "around"), SAID)
@pytest.mark.parametrize("dataset", ["brain", "group/brain", "group/brain/s0"])
def test_the_attributes_of_viewers_give_the_voxel_size(tmp_path, attributes, around, dataset):
    write(tmp_path, dataset=dataset, attributes=attributes, around=around)
    asset = find_one(READER, tmp_path / "in")
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.4)
    assert asset.name == "brain"
    assert "its voxel size comes from its attribute" in said(asset)
    np.testing.assert_array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[None, None])


def test_of_several_levels_the_finest_is_read(tmp_path):
    write(tmp_path, dataset="brain/s0")
    write(
        tmp_path, VOXELS[::2, ::2, ::2], dataset="brain/s1", attributes={"downsamplingFactors": [2, 2, 2]},
        around={"pixelResolution": [0.4, 0.5, 2.0], "unit": "um"},
    )  # fmt: skip
    asset = find_one(READER, tmp_path / "in")
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.4)
    assert set(asset.files) == {file.name for file in source_files(tmp_path / "in")}
    np.testing.assert_array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[None, None])


def test_a_coarse_level_alone_knows_how_coarse_it_is(tmp_path):
    write(
        tmp_path, dataset="brain/s2", attributes={"downsamplingFactors": [4, 4, 1]},
        around={"pixelResolution": [0.4, 0.5, 2.0], "unit": "um"},
    )  # fmt: skip
    assert find_one(READER, tmp_path / "in").volume.voxel_size_um == (2.0, 2.0, 1.6)


def test_axes_in_another_order_are_put_in_ours(tmp_path):
    voxels = VOXELS[:, :, :3].transpose(2, 0, 1)  # z5py's c, z, y: N5's y, z, c
    write(tmp_path, voxels, attributes={"axes": ["y", "z", "c"]})
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s", Options(voxel_size_um=(1, 1, 1)))
    assert read.shape == (1, 3, 20, 33, 1)
    np.testing.assert_array_equal(read[0, :, :, :, 0], voxels)
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s", Options(axes="tyx", voxel_size_um=(1, 1, 1)))
    np.testing.assert_array_equal(read[:, 0, 0], voxels)


def test_datasets_side_by_side_have_their_own_files_and_what_is_said_around_them(tmp_path):
    write(
        tmp_path,
        dataset="first",
        around={"resolution": [1, 1, 1], "units": ["um", "um", "um"], "axes": ["x", "z", "y"]},
    )
    write(tmp_path, dataset="second")
    first, second = READER.find(source_files(tmp_path / "in"), Options())
    assert "a.n5/attributes.json" in second.files
    assert not [name for name in second.files if "first" in name]
    for asset in (first, second):
        assert asset.volume.voxel_size_um == (1.0, 1.0, 1.0)
        opened = READER.open_volume(asset, tmp_path / "in", Options(), tmp_path)
        out = np.zeros(asset.volume.shape, np.uint16)
        opened.read_into(Window.whole(out.shape), out)
        np.testing.assert_array_equal(out[0, 0], VOXELS.transpose(1, 0, 2))


def test_blocks_that_are_not_stored_are_named(tmp_path):
    folder = write(tmp_path, chunks=(20, 33, 15))
    (folder / "1" / "0" / "0").unlink()
    assert (
        "1 of its 3 chunks are not stored, and nothing shows that they are empty and not lost (a.n5/brain/1/0/0)"
        in said(find_one(READER, tmp_path / "in"))
    )
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert not read[0, 0, :, :, 15:30].any()
    np.testing.assert_array_equal(read[0, 0, :, :, 30:], VOXELS[:, :, 30:])


def test_a_block_that_is_a_link_is_never_followed(tmp_path):
    folder = write(tmp_path)
    block = folder / "0" / "0" / "0"
    block.rename(tmp_path / "elsewhere")
    block.symlink_to(tmp_path / "elsewhere")
    files = [file for file in source_files(tmp_path / "in") if not file.path.is_symlink()]
    with pytest.raises(UnreadableFile, match=r"a\.n5/brain/0/0/0 is a link"):
        list(READER.find(files, Options()))


def test_damaged_blocks_are_named_and_never_zeros(tmp_path):
    folder = write(tmp_path)
    block = folder / "0" / "1" / "0"
    whole = block.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], whole[:20] + bytes(40) + whole[60:]):
        block.write_bytes(damage)
        with pytest.raises(UnreadableFile, match=r"brain: its chunk a\.n5/brain/0/1/0 is damaged"):
            read_voxels(READER, tmp_path / "in", tmp_path / "s")


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        ("dimensions", [10**15, 10, 10], UnreadableFile),
        ("dimensions", [-1, 3, 20], UnreadableFile),
        ("dimensions", "many", UnreadableFile),
        ("dimensions", [45], UnreadableFile),
        ("blockSize", [0, 16, 16], UnreadableFile),
        ("blockSize", [16, 16], UnreadableFile),
        ("blockSize", [4096, 4096, 4096], TooLarge),
        ("dataType", "object", UnreadableFile),
        ("dataType", "string", UnreadableFile),
        ("compression", {"type": "lz4"}, UnreadableFile),
        ("compression", {"type": ["gzip"]}, UnreadableFile),
        ("compression", {"type": "gzip", "level": "much"}, UnreadableFile),
    ],
)
def test_what_a_document_declares_is_not_believed(tmp_path, place, value, error):
    folder = write(tmp_path)
    document = json.loads((folder / "attributes.json").read_text())
    (folder / "attributes.json").write_text(json.dumps(document | {place: value}))
    with pytest.raises(error, match=r"a\.n5/brain"):
        read_voxels(READER, tmp_path / "in", tmp_path / "s")


@pytest.mark.parametrize("text", ["{", "{" * 100_000, '{"dimensions": [1, 2'])
def test_a_damaged_document_is_named(tmp_path, text):
    folder = write(tmp_path)
    (folder / "attributes.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.n5/brain/attributes\.json"):
        find_one(READER, tmp_path / "in")


def test_attributes_of_other_programs_are_passed_over(tmp_path):
    (tmp_path / "attributes.json").write_text('{"colour": "red"}')
    assert list(READER.find(source_files(tmp_path), Options())) == []
