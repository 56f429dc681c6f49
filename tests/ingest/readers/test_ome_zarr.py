"""OME-Zarr and plain Zarr as other programs write them: every voxel, every unit, and nothing that is only declared."""

import json
import re
from itertools import product

import numpy as np
import pytest
import tensorstore as ts
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.ingest.readers.reading import find_one, flags, read_voxels, said

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.ome_zarr import OmeZarrReader
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import open_store

READER = OmeZarrReader()
VOXELS = np.random.default_rng(1).integers(0, 60_000, (2, 3, 20, 45, 50)).astype(np.uint16)
AXES = [
    {"name": "t", "type": "time", "unit": "millisecond"}, {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "nanometer"}, {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "millimeter"},
]  # fmt: skip
SCALE = [{"type": "scale", "scale": [500, 1, 2000, 0.5, 0.00025]}]
OMERO = {"channels": [{"label": "GFP", "color": "00FF00"}, {"label": "DAPI"}, {"color": "nonsense"}]}


def same(read, expected):
    assert read.shape == expected.shape
    np.testing.assert_array_equal(read, expected)


def write_image(folder, voxels, *, version="0.5", axes=AXES, scale=SCALE, more=None, **array):
    """An OME-Zarr image with one level, by zarr-python."""
    group = zarr.open_group(folder, mode="w", zarr_format=3 if version == "0.5" else 2)
    array = {"chunks": tuple(min(n, 16) for n in voxels.shape)} | array
    group.create_array("0", data=voxels, **array)
    multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}], "version": version}
    about = {"multiscales": [multiscale], **(more or {})}
    group.attrs.update({"ome": {"version": "0.5", **about}} if version == "0.5" else about)
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_says_its_axes_lengths_and_channels(tmp_path, version):
    write_image(tmp_path / "in" / "fish.ome.zarr", VOXELS, version=version, more={"omero": OMERO})
    asset = find_one(READER, tmp_path / "in")
    assert asset.name == "fish"
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.25)
    assert asset.volume.time_step_s == 0.5
    assert asset.volume.block_shape == (2, 3, 16, 16, 16)
    assert asset.volume.channels == (Channel("GFP", "00FF00"), Channel("DAPI", ""), Channel("channel 2", ""))
    assert not asset.findings
    assert set(asset.files) == {file.name for file in source_files(tmp_path / "in")}
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS)


@pytest.mark.parametrize(
    ("zarr_format", "dtype"),
    [
        *product((2, 3), ["bool", "uint8", "int32", "uint64", "float16", "float64"]),
        # Zarr 3 has no byte order of its own
        (2, ">u2"),
        (2, ">f4"),
    ],
)
def test_plain_arrays_of_every_type(tmp_path, dtype, zarr_format):
    values = (VOXELS[0, 0] % 2 if dtype == "bool" else VOXELS[0, 0] % 200).astype(dtype)
    zarr.create_array(tmp_path / "in" / "a.zarr", data=values, chunks=(8, 16, 50), zarr_format=zarr_format)
    asset = find_one(READER, tmp_path / "in")
    assert flags(asset) >= {("doubt", "--axes"), ("question", "--voxel-size")}
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert read.dtype == {"bool": "uint8", "float16": "float32"}.get(dtype, np.dtype(dtype).newbyteorder("="))
    same(read, values[None, None])


def test_a_sharded_image_is_read_by_its_inner_chunks(tmp_path):
    write_image(tmp_path / "in" / "a.zarr", VOXELS, chunks=(1, 1, 8, 8, 8), shards=(1, 3, 16, 48, 56))
    assert find_one(READER, tmp_path / "in").volume.block_shape == (1, 1, 8, 8, 8)
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS)


@pytest.mark.parametrize("compressor", ["blosc", "zstd", "gzip", "none"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_codec_that_is_common(tmp_path, compressor, zarr_format):
    import numcodecs
    from zarr import codecs

    made = {
        3: {"blosc": codecs.BloscCodec(), "zstd": codecs.ZstdCodec(), "gzip": codecs.GzipCodec(), "none": None},
        2: {"blosc": numcodecs.Blosc(), "zstd": numcodecs.Zstd(), "gzip": numcodecs.GZip(), "none": None},
    }[zarr_format][compressor]
    version = "0.5" if zarr_format == 3 else "0.4"
    write_image(tmp_path / "in" / "a.zarr", VOXELS, version=version, compressors=made)
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS)


def test_what_tensorstore_writes(tmp_path):
    for driver in ("zarr", "zarr3"):
        store = {"driver": driver, "kvstore": {"driver": "file", "path": f"{tmp_path}/in/{driver}/"}}
        ts.open(store, create=True, dtype="uint16", shape=VOXELS[0, 0].shape).result()[...] = VOXELS[0, 0]
    first, second = READER.find(source_files(tmp_path / "in"), Options())
    for asset in (first, second):
        opened = READER.open_volume(asset, tmp_path / "in", Options(), tmp_path)
        out = np.zeros(asset.volume.shape, np.uint16)
        opened.read_into(Window.whole(out.shape), out)
        same(out, VOXELS[:1, :1])


def test_our_own_volumes_come_back_with_their_place_in_the_world(tmp_path):
    levels = plan_levels((1, 1, 70, 80, 90), (5.0, 2.0, 2.0), "uint16", VolumeKind.IMAGE)
    affine = ((0.0, 0.0, 2.0, 1.0), (0.0, -2.0, 0.0, 2.0), (5.0, 0.0, 0.0, 3.0), (0.0, 0.0, 0.0, 1.0))
    volume = Volume(VolumeKind.IMAGE, "uint16", levels, (Channel("a", window=(0.0, 9.0)),), affine)
    voxels = np.random.default_rng(2).integers(0, 999, volume.shape).astype(np.uint16)
    store = open_store((tmp_path / "in").as_uri())
    (tmp_path / "w").mkdir()

    class Ledger:
        def finished(self):
            return {}

        def record(self, objects):
            pass

    plan = plan_pyramid(volume, volume.shape)
    write_pyramid(ArraySource(voxels), plan, store, "assets/a", ledger=Ledger(), scratch=tmp_path / "w")
    asset = find_one(READER, tmp_path / "in")
    assert asset.volume.voxel_size_um == (5.0, 2.0, 2.0)
    assert asset.volume.affine_um == affine
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), voxels)


def test_labels_beside_an_image_are_labels(tmp_path):
    write_image(tmp_path / "in" / "a.zarr", VOXELS)
    labels = (VOXELS[0, 0] % 50).astype(np.uint32)
    write_image(
        tmp_path / "in" / "a.zarr" / "labels" / "cells", labels, axes=AXES[2:], more={"image-label": {}},
        scale=[{"type": "scale", "scale": [2000, 0.5, 0.00025]}],
    )  # fmt: skip
    zarr.open_group(tmp_path / "in" / "a.zarr" / "labels", mode="a").attrs["labels"] = ["cells"]
    image, cells = READER.find(source_files(tmp_path / "in"), Options())
    assert image.volume.kind is None
    assert cells.volume.kind is VolumeKind.LABELS
    assert cells.name == "cells"
    own = {file.name for file in source_files(tmp_path / "in") if file.name.startswith("a.zarr/labels/cells/")}
    assert set(cells.files) == own
    assert set(image.files) == {file.name for file in source_files(tmp_path / "in")} - own
    opened = READER.open_volume(cells, tmp_path / "in", Options(), tmp_path)
    out = np.zeros(cells.volume.shape, cells.volume.dtype)
    opened.read_into(Window.whole(out.shape), out)
    same(out, labels[None, None])


def test_arrays_of_one_group_have_their_own_files_and_the_first_the_groups(tmp_path):
    group = zarr.open_group(tmp_path / "in" / "lab.zarr", mode="w")
    for name in ("first", "second"):
        group.create_array(name, data=VOXELS[0, 0], chunks=(8, 16, 50))
    first, second = READER.find(source_files(tmp_path / "in"), Options())
    assert set(second.files) == {f.name for f in source_files(tmp_path / "in") if f.name.startswith("lab.zarr/second/")}
    assert set(first.files) | set(second.files) == {file.name for file in source_files(tmp_path / "in")}
    assert not set(first.files) & set(second.files)


def test_axes_in_another_order_are_put_in_ours(tmp_path):
    turned = VOXELS[0].transpose(3, 0, 2, 1)  # x, c, y, z
    axes = [AXES[4], AXES[1], AXES[3], AXES[2]]
    scale = [{"type": "scale", "scale": [0.00025, 1, 0.5, 2000]}]
    write_image(tmp_path / "in" / "a.zarr", turned, axes=axes, scale=scale)
    assert find_one(READER, tmp_path / "in").volume.voxel_size_um == (2.0, 0.5, 0.25)
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[:1])


def test_scales_of_image_and_dataset_are_multiplied_and_units_never_invented(tmp_path):
    folder = write_image(tmp_path / "in" / "a.zarr", VOXELS)
    document = json.loads((folder / "zarr.json").read_text())
    multiscale = document["attributes"]["ome"]["multiscales"][0]
    multiscale["coordinateTransformations"] = [{"type": "scale", "scale": [1, 1, 2, 2, 2]}]
    (folder / "zarr.json").write_text(json.dumps(document))
    assert find_one(READER, tmp_path / "in").volume.voxel_size_um == (4.0, 1.0, 0.5)
    del multiscale["axes"][2]["unit"]
    (folder / "zarr.json").write_text(json.dumps(document))
    asset = find_one(READER, tmp_path / "in")
    assert asset.volume.voxel_size_um is None
    assert ("question", "--voxel-size") in flags(asset)
    options = Options(voxel_size_um=(9, 9, 9))
    assert find_one(READER, tmp_path / "in", options).volume.voxel_size_um == (9, 9, 9)


def test_a_person_names_the_axes_of_a_plain_array(tmp_path):
    zarr.create_array(tmp_path / "in" / "a.zarr", data=VOXELS[0, 0], chunks=(8, 16, 50))
    options = Options(axes="txy", voxel_size_um=(1, 1, 1))
    expected = VOXELS[0, 0].transpose(0, 2, 1)[:, None, None]
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s", options), expected)
    with pytest.raises(Invalid, match="--axes"):
        find_one(READER, tmp_path / "in", Options(axes="zy"))


def test_chunks_that_are_not_stored_are_fill_and_said(tmp_path):
    array = zarr.create_array(
        tmp_path / "in" / "a.zarr", shape=(20, 45, 50), dtype="uint8", chunks=(10, 45, 50), fill_value=7
    )
    array[:10] = 1
    assert "1 of its 2 chunks are not stored" in said(find_one(READER, tmp_path / "in"))
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert (read[0, 0, :10] == 1).all()
    assert (read[0, 0, 10:] == 7).all()


def sparse_image(folder, coarse):
    """A level of eight chunks, seven of them stored, and one of a single chunk."""
    voxels = np.ones((8, 8, 8), "u1")
    voxels[4:, 4:, 4:] = 0
    write_image(folder / "a.ome.zarr", voxels, axes=AXES[2:], scale=[{"type": "scale", "scale": [1, 1, 1]}],
                chunks=(4, 4, 4))  # fmt: skip
    group = zarr.open_group(folder / "a.ome.zarr")
    group.create_array("1", data=coarse, chunks=(4, 4, 4))
    said = group.attrs["ome"]
    said["multiscales"][0]["datasets"].append({"path": "1"})
    group.attrs["ome"] = said
    return voxels


def test_a_chunk_that_a_coarser_level_shows_to_be_empty_is_no_question(tmp_path):
    coarse = np.ones((4, 4, 4), "u1")
    coarse[2:, 2:, 2:] = 0
    voxels = sparse_image(tmp_path / "in", coarse)
    assert flags(find_one(READER, tmp_path / "in")) == {("note", "--sparse")}
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s")[0, 0], voxels)


def test_a_chunk_that_a_coarser_level_shows_to_be_lost_is_named(tmp_path):
    sparse_image(tmp_path / "in", np.ones((4, 4, 4), "u1"))
    with pytest.raises(UnreadableFile, match="0/c/1/1/1 is missing"):
        find_one(READER, tmp_path / "in")


def test_a_chunk_of_which_nothing_is_known_is_asked_for(tmp_path):
    sparse_image(tmp_path / "in", np.zeros((4, 4, 4), "u1"))
    assert ("question", "--sparse") in flags(find_one(READER, tmp_path / "in"))
    assert flags(find_one(READER, tmp_path / "in", Options(sparse=True))) == {("note", "--sparse")}


def test_damaged_chunks_are_named_and_never_zeros(tmp_path):
    from zarr.codecs import ZstdCodec

    folder = write_image(tmp_path / "in" / "a.zarr", VOXELS, compressors=ZstdCodec(checksum=True))
    chunk = next(path for path in sorted((folder / "0").rglob("*")) if path.is_file() and path.name != "zarr.json")
    whole = chunk.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], whole[:20] + bytes(40) + whole[60:]):
        chunk.write_bytes(damage)
        with pytest.raises(UnreadableFile, match=rf"^a: its chunk {chunk.relative_to(tmp_path / 'in')} is damaged: it"):
            read_voxels(READER, tmp_path / "in", tmp_path / "s")


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (("shape",), [1 << 60, 1, 1, 1, 1], UnreadableFile),
        (("shape",), [-1, 3, 20, 45, 50], UnreadableFile),
        (("shape",), "many", UnreadableFile),
        (("chunk_grid", "configuration", "chunk_shape"), [2, 3, 4096, 4096, 4096], TooLarge),
        (("data_type",), "complex64", UnreadableFile),
        (("data_type",), {"name": "struct"}, UnreadableFile),
        (("codecs",), [{"name": "bytes"}, {"name": "unheard_of"}], UnreadableFile),
        (("chunk_grid",), {"name": "rectangular"}, UnreadableFile),
    ],
)
def test_what_a_document_declares_is_not_believed(tmp_path, place, value, error):
    folder = write_image(tmp_path / "in" / "a.zarr", VOXELS)
    document = json.loads((folder / "0" / "zarr.json").read_text())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    (folder / "0" / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(error, match=r"a\.zarr/0"):
        read_voxels(READER, tmp_path / "in", tmp_path / "s")


@pytest.mark.parametrize("path", ["../../secret", "/etc", "", "0/../../x", "a\\b", 7, None])
def test_a_dataset_never_leads_out_of_its_group(tmp_path, path):
    folder = write_image(tmp_path / "in" / "a.zarr", VOXELS)
    document = json.loads((folder / "zarr.json").read_text())
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = path
    (folder / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(UnreadableFile, match=r"a\.zarr/zarr\.json"):
        find_one(READER, tmp_path / "in")


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"node_type": "group"'])
def test_a_damaged_document_is_named(tmp_path, text):
    folder = write_image(tmp_path / "in" / "a.zarr", VOXELS)
    (folder / "zarr.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.zarr/zarr\.json"):
        find_one(READER, tmp_path / "in")


@settings(max_examples=examples(25), deadline=None)
@given(st.data(), st.sampled_from([2, 3]), st.lists(st.integers(1, 20), min_size=2, max_size=5))
def test_any_array_and_any_window(tmp_path_factory, data, zarr_format, shape):
    folder = tmp_path_factory.mktemp("any")
    chunks = tuple(data.draw(st.integers(1, size)) for size in shape)
    voxels = np.random.default_rng(sum(shape)).integers(0, 250, shape).astype(np.uint8)
    zarr.create_array(folder / "a.zarr", data=voxels, chunks=chunks, zarr_format=zarr_format)
    asset = find_one(READER, folder)
    expected = voxels.reshape(asset.volume.shape)
    start = [data.draw(st.integers(0, size - 1)) for size in expected.shape]
    stop = [data.draw(st.integers(a + 1, size)) for a, size in zip(start, expected.shape, strict=True)]
    window = Window(tuple(start), tuple(stop))
    out = np.zeros(window.shape, np.uint8)
    opened = READER.open_volume(asset, folder, Options(), folder)
    opened.read_into(window, out)
    same(out, expected[window.slices])


SAID = [
    (2, {"_ARRAY_DIMENSIONS": ["z", "y", "x"], "resolution": [2000, 500, 400], "units": "nm"}),
    (3, {"axis_names": ["z", "y", "x"], "voxel_size": [2, 0.5, 0.4], "units": ["um", "um", "um"]}),
    (2, {"pixelResolution": {"dimensions": [0.4, 0.5, 2.0], "unit": "µm"}}),
    (2, {"transform": {"axes": ["z", "y", "x"], "scale": [2, 0.5, 0.4], "units": ["um"] * 3, "translate": [0] * 3}}),
]


@pytest.mark.parametrize(("zarr_format", "attributes"), SAID)
def test_attributes_of_plain_arrays_give_axes_and_voxel_size(tmp_path, zarr_format, attributes):
    array = zarr.create_array(tmp_path / "in" / "a.zarr", data=VOXELS[0, 0], zarr_format=zarr_format)
    array.attrs.update(attributes)
    asset = find_one(READER, tmp_path / "in")
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.4)
    assert "its voxel size comes from its attribute" in said(asset)
    assert (("doubt", "--axes") in flags(asset)) == ("pixelResolution" in attributes)
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[:1, :1])


def test_what_xarray_writes_is_one_volume_and_its_coordinates_are_none(tmp_path):
    import xarray

    places = {"time": np.arange(2), "z": np.arange(20) * 2.0, "y": np.arange(45), "x": np.arange(50)}
    made = xarray.DataArray(VOXELS[:, 0], dims=("time", "z", "y", "x"), coords=places, name="brain")
    for zarr_format in (2, 3):
        folder = tmp_path / f"in{zarr_format}"
        made.to_dataset().to_zarr(folder / "a.zarr", zarr_format=zarr_format, consolidated=False)
        asset = find_one(READER, folder)
        assert asset.volume.shape == (2, 1, 20, 45, 50)
        assert ("question", "--voxel-size") in flags(asset)
        assert ("doubt", "--axes") not in flags(asset)
        same(read_voxels(READER, folder, tmp_path / "s"), VOXELS[:, :1])


def test_chunks_that_are_not_stored_are_named(tmp_path):
    for zarr_format, missing in ((2, "a.zarr/1.0.0"), (3, "a.zarr/c/1/0/0")):
        folder = tmp_path / f"in{zarr_format}"
        zarr.create_array(folder / "a.zarr", data=VOXELS[0, 0], chunks=(10, 45, 50), zarr_format=zarr_format)
        (folder / missing).unlink()
        assert f"are empty and not lost ({missing})" in said(find_one(READER, folder))


@pytest.mark.parametrize("packer", ["zstd", "gzip", "blosc"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_unpacks_to_far_more_than_it_should_takes_no_memory(tmp_path, zarr_format, packer):
    import subprocess
    import sys

    import imagecodecs
    import numcodecs
    from zarr import codecs

    made = {
        3: {"zstd": codecs.ZstdCodec(), "gzip": codecs.GzipCodec(), "blosc": codecs.BloscCodec()},
        2: {"zstd": numcodecs.Zstd(), "gzip": numcodecs.GZip(), "blosc": numcodecs.Blosc()},
    }[zarr_format][packer]
    zarr.create_array(
        tmp_path / "in" / "a.zarr", data=VOXELS[0, 0], chunks=(10, 45, 50), zarr_format=zarr_format, compressors=made
    )
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[:1, :1])
    zeros = np.zeros(1 << 30, np.uint8)
    bomb = {"zstd": imagecodecs.zstd_encode, "gzip": imagecodecs.gzip_encode, "blosc": imagecodecs.blosc_encode}[packer]
    chunk = tmp_path / "in" / "a.zarr" / ("1.0.0" if zarr_format == 2 else "c/1/0/0")
    chunk.write_bytes(bomb(zeros))
    code = (
        "import atexit, sys; from pathlib import Path; from tests.ingest.readers.test_ome_zarr import *\n"
        # not getrusage's figure: that begins with what the process has that started this one
        "peak = lambda: next(x for x in Path('/proc/self/status').read_text().splitlines() if x.startswith('VmHWM'))\n"
        "atexit.register(lambda: print(peak().split()[1]))\n"
        "read_voxels(READER, Path(sys.argv[1]) / 'in', Path(sys.argv[1]) / 's')"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert re.search(r"UnreadableFile: .*is damaged", told.stderr)
    assert chunk.name in told.stderr
    assert int(told.stdout) < 700_000, "kilobytes"


def test_a_chunk_that_is_a_link_is_never_followed(tmp_path):
    zarr.create_array(tmp_path / "in" / "a.zarr", data=VOXELS[0, 0], chunks=(10, 45, 50), zarr_format=2)
    chunk = tmp_path / "in" / "a.zarr" / "1.0.0"
    chunk.rename(tmp_path / "elsewhere")
    chunk.symlink_to(tmp_path / "elsewhere")
    files = [file for file in source_files(tmp_path / "in") if not file.path.is_symlink()]
    with pytest.raises(UnreadableFile, match=r"a\.zarr/1\.0\.0 is a link"):
        list(READER.find(files, Options()))
    chunk.unlink()
    (tmp_path / "elsewhere").rename(chunk)
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[:1, :1])


@pytest.mark.parametrize(
    "references",
    [
        {"version": 1, "refs": {".zgroup": '{"zarr_format":2}', "a/0.0": ["file:///etc/passwd", 0, 10]}},
        {"version": 1, "templates": {"u": "http://10.0.0.1/a"}, "refs": {".zgroup": "{}", "a/0": ["{{u}}", 0, 9]}},
        {".zgroup": '{"zarr_format":2}', "a/.zarray": "{}", "a/0.0": ["s3://bucket/key", 0, 10]},
        {"a/.zarray": {"shape": [3]}, "a/0": ["../../secret"]},
    ],
)
def test_references_to_chunks_elsewhere_are_refused_with_a_reason(tmp_path, references):
    (tmp_path / "scan.json").write_text(json.dumps(references))
    with pytest.raises(UnreadableFile, match=r"scan\.json has no voxels itself: it refers to chunks in other files"):
        list(READER.find(source_files(tmp_path), Options()))


def test_tables_of_references_are_refused_and_summaries_of_documents_are_not(tmp_path):
    from zarr import consolidate_metadata

    write_image(tmp_path / "in" / "a.zarr", VOXELS, version="0.4")
    consolidate_metadata(tmp_path / "in" / "a.zarr", zarr_format=2)
    assert (tmp_path / "in" / "a.zarr" / ".zmetadata").exists()
    same(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS)
    (tmp_path / "refs.parq").mkdir()
    (tmp_path / "refs.parq" / ".zmetadata").write_text(
        '{"metadata": {".zgroup": {"zarr_format": 2}}, "record_size": 10}'
    )
    with pytest.raises(UnreadableFile, match=r"refs\.parq/\.zmetadata has no voxels itself"):
        list(READER.find(source_files(tmp_path), Options()))
