"""Neuroglancer's precomputed folders as cloud-volume, Draco and tensorstore write them, and as our own views are."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
from tests.ingest.readers.reading import find_one, read_geometry, read_voxels, said

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import MeshData, Options, PointsData, SkeletonData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.precomputed import PrecomputedReader
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import VolumeKind

READER = PrecomputedReader()
PYTHON = Path(os.environ.get("PULVINAR_TEST_CLIENTS", Path(__file__).parents[3] / ".venv-clients")) / "bin" / "python"
VOXELS = np.random.default_rng(1).integers(0, 60_000, (1, 20, 33, 45)).astype(np.uint16)
LABELS = (np.random.default_rng(2).integers(0, 4, (1, 20, 33, 45)) * 2**40).astype(np.uint64)
SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 2, "hash": "identity", "minishard_bits": 2,
    "shard_bits": 0, "minishard_index_encoding": "gzip", "data_encoding": "gzip",
}  # fmt: skip


def write(folder, case, given, **options):
    """What cloud-volume writes of `case` from the arrays `given`."""
    assert PYTHON.exists(), f"{PYTHON} is not there: run make .stamps/clients"
    folder.parent.mkdir(parents=True, exist_ok=True)
    np.savez(f"{folder}.npz", **given)
    words = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    script = Path(__file__).with_name("write_as_cloud_volume.py")
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": ""}
    told = subprocess.run([PYTHON, script, case, folder, *words], capture_output=True, text=True, env=environment)
    assert told.returncode == 0, told.stderr[-3000:]
    Path(f"{folder}.npz").unlink()
    return folder


def write_volume(folder, voxels=VOXELS, **options):
    """`voxels` (c, z, y, x) by cloud-volume."""
    return write(folder, "volume", {"voxels": voxels.transpose(3, 2, 1, 0)}, **options)


def write_simple(folder, voxels=VOXELS, **scale):
    """`voxels` (c, z, y, x) by tensorstore, in chunk files that are not packed."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "multiscale_metadata": {"type": "image", "data_type": voxels.dtype.name, "num_channels": len(voxels)},
        "scale_metadata": {
            "size": voxels.shape[:0:-1], "resolution": [400, 500, 2000], "chunk_size": [16, 16, 8], "encoding": "raw",
            "key": "fine",
        } | scale,
    }  # fmt: skip
    ts.open(spec, create=True).result()[...] = voxels.transpose(3, 2, 1, 0)
    return folder


VOLUMES = [
    (VOXELS, {}),
    (VOXELS, {"compress": "gzip"}),
    (VOXELS, {"compress": "gzip", "voxel_offset": [7, -3, 5], "chunk_size": [64, 64, 64]}),
    (VOXELS, {"sharding": SHARDING}),
    (np.concatenate([VOXELS, VOXELS + 1]), {"voxel_offset": [1, 2, 3]}),
    (LABELS, {"encoding": "compressed_segmentation", "layer_type": "segmentation"}),
    (LABELS, {"encoding": "compressed_segmentation", "layer_type": "segmentation", "sharding": SHARDING}),
    (LABELS.astype(np.uint32), {"compress": "gzip", "layer_type": "segmentation"}),
    (VOXELS.astype(np.float32) / 7, {"compress": "gzip"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("voxels", "options"), VOLUMES)
def test_volumes_of_cloud_volume_are_read_voxel_by_voxel(tmp_path, voxels, options):
    write_volume(tmp_path / "in" / "brain", voxels, **options)
    asset = find_one(READER, tmp_path / "in")
    assert asset.name == "brain"
    assert asset.volume.voxel_size_um == (2.0, 0.5, 0.4)
    assert asset.volume.kind is (VolumeKind.LABELS if "layer_type" in options else None)
    assert "not stored" not in said(asset)
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert read.dtype == voxels.dtype
    np.testing.assert_array_equal(read, voxels[None])


@pytest.mark.slow
def test_jpeg_is_read_as_it_is_and_said(tmp_path):
    smooth = np.linspace(0, 250, 20 * 33 * 45).reshape(1, 20, 33, 45).astype(np.uint8)
    write_volume(tmp_path / "in" / "brain", smooth, encoding="jpeg")
    assert "compressed by JPEG" in said(find_one(READER, tmp_path / "in"))
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert np.abs(read[0].astype(int) - smooth).max() <= 4


def test_png_chunks(tmp_path):
    from PIL import Image

    folder = write_simple(tmp_path / "in" / "brain", encoding="raw", chunk_size=[45, 33, 20])
    Image.fromarray(VOXELS[0].reshape(-1, 45)).save(tmp_path / "chunk.png")
    (tmp_path / "chunk.png").rename(folder / "fine" / "0-45_0-33_0-20")
    info = json.loads((folder / "info").read_text())
    info["scales"][0]["encoding"] = "png"
    (folder / "info").write_text(json.dumps(info))
    np.testing.assert_array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[None])


def test_old_infos_without_a_type_and_coarser_scales(tmp_path):
    folder = write_simple(tmp_path / "in" / "brain")
    info = json.loads((folder / "info").read_text())
    info.pop("@type", None)
    coarse = {**info["scales"][0], "key": "coarse", "size": [2, 2, 2]}
    (folder / "info").write_text(json.dumps({**info, "scales": [coarse, info["scales"][0]], "made_by": "nobody"}))
    asset = find_one(READER, tmp_path / "in")
    assert asset.metadata["header"]["scale"] == "fine"
    np.testing.assert_array_equal(read_voxels(READER, tmp_path / "in", tmp_path / "s"), VOXELS[None])


def test_chunks_that_are_not_stored_are_named(tmp_path):
    folder = write_simple(tmp_path / "in" / "brain")
    (folder / "fine" / "16-32_0-16_8-16").unlink()
    told = said(find_one(READER, tmp_path / "in"))
    assert "are empty and not lost (brain/fine/16-32_0-16_8-16)" in told
    read = read_voxels(READER, tmp_path / "in", tmp_path / "s")
    assert not read[0, 0, 8:16, :16, 16:32].any()
    np.testing.assert_array_equal(read[0, 0, :8], VOXELS[0, :8])


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_chunks_are_named_and_never_zeros(tmp_path, packed):
    import gzip

    folder = write_simple(tmp_path / "in" / "brain")
    chunk = folder / "fine" / "16-32_0-16_8-16"
    whole = chunk.read_bytes()
    if packed:
        chunk.unlink()
        chunk, whole = chunk.with_name(f"{chunk.name}.gz"), gzip.compress(whole)
        chunk.write_bytes(whole)
        np.testing.assert_array_equal(
            read_voxels(READER, tmp_path / "in", tmp_path / "s")[0, 0, 8:16, :16, 16:32], VOXELS[0, 8:16, :16, 16:32]
        )
    for damage in (b"", whole[: len(whole) // 2], whole[:-5] if packed else whole + b"more"):
        chunk.write_bytes(damage)
        with pytest.raises(UnreadableFile, match="16-32_0-16_8-16"):
            read_voxels(READER, tmp_path / "in", tmp_path / "s")


def test_a_chunk_that_unpacks_without_end_is_refused(tmp_path):
    import gzip

    folder = write_simple(tmp_path / "in" / "brain")
    chunk = folder / "fine" / "16-32_0-16_8-16"
    chunk.unlink()
    chunk.with_name(f"{chunk.name}.gz").write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(TooLarge, match="16-32_0-16_8-16"):
        read_voxels(READER, tmp_path / "in", tmp_path / "s")


def test_a_chunk_that_is_a_link_is_never_followed(tmp_path):
    folder = write_simple(tmp_path / "in" / "brain")
    chunk = folder / "fine" / "16-32_0-16_8-16"
    chunk.rename(tmp_path / "elsewhere")
    chunk.symlink_to(tmp_path / "elsewhere")
    files = [file for file in source_files(tmp_path / "in") if not file.path.is_symlink()]
    with pytest.raises(UnreadableFile, match="is a link"):
        list(READER.find(files, Options()))


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        ("key", "../../secret", UnreadableFile),
        ("key", "/etc", UnreadableFile),
        ("key", 7, UnreadableFile),
        ("size", [10**15, 10, 10], UnreadableFile),
        ("size", [45, 33], UnreadableFile),
        ("chunk_sizes", [[0, 16, 16]], UnreadableFile),
        ("chunk_sizes", [], UnreadableFile),
        ("chunk_sizes", [[4096, 4096, 4096]], TooLarge),
        ("voxel_offset", [0, 0, 1 << 62], UnreadableFile),
        ("resolution", [0, 500, 2000], UnreadableFile),
        ("resolution", "fine", UnreadableFile),
        ("encoding", "zfpc", UnreadableFile),
        ("encoding", "compressed_segmentation", UnreadableFile),
        ("sharding", {"@type": "neuroglancer_uint64_sharded_v1", "minishard_bits": 60}, UnreadableFile),
    ],
)
def test_what_an_info_declares_is_not_believed(tmp_path, place, value, error):
    folder = write_simple(tmp_path / "in" / "brain")
    info = json.loads((folder / "info").read_text())
    info["scales"][0][place] = value
    (folder / "info").write_text(json.dumps(info))
    with pytest.raises(error, match="brain"):
        read_voxels(READER, tmp_path / "in", tmp_path / "s")


SQUARE = {
    "first_vertices": np.array([[0, 0, 0], [1000, 0, 0], [0, 2000, 0]], np.float32),
    "first_faces": np.array([[0, 1, 2]], np.uint32),
    "second_vertices": np.array([[1000, 0, 0], [1000, 2000, 500], [0, 2000, 0]], np.float32),
    "second_faces": np.array([[0, 1, 2]], np.uint32),
}


@pytest.mark.slow
@pytest.mark.parametrize("compress", [None, "gzip"])
def test_legacy_meshes(tmp_path, compress):
    write(tmp_path / "in" / "brain", "mesh", SQUARE, compress=compress)
    volume, mesh = READER.find(source_files(tmp_path / "in"), Options())
    assert volume.kind is AssetKind.VOLUME
    assert not [name for name in volume.files if "/mesh/" in name]
    assert mesh.name == "segment 7"
    read = READER.read_geometry(mesh, tmp_path / "in", Options())
    vertices = np.concatenate([SQUARE["first_vertices"], SQUARE["second_vertices"]])
    np.testing.assert_array_equal(read.zyx_um, vertices[:, ::-1] / 1000)
    np.testing.assert_array_equal(read.faces, [[0, 1, 2], [3, 4, 5]])


def test_a_fragment_never_leads_out_of_its_folder(tmp_path):
    folder = tmp_path / "in" / "mesh"
    folder.mkdir(parents=True)
    (folder / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    (tmp_path / "in" / "secret").write_bytes(np.array([0], "<u4").tobytes())
    (folder / "7:0").write_text('{"fragments": ["../secret"]}')
    with pytest.raises(UnreadableFile, match=r"'\.\./secret' is not the name of a file"):
        list(READER.find(source_files(tmp_path / "in"), Options()))


MULTILOD = {
    "chunk": np.array([640, 640, 640], np.float32),
    "origin": np.array([100, 200, 300], np.float32),
    "offsets": np.array([[1, 2, 3], [0, 0, 0]], np.float32),
    "positions": np.array([[0, 0, 0], [1, 0, 0], [0, 1, 2]], np.uint32),
    "transform": np.array([2.0, 0, 0, 5, 0, 3, 0, 0, 0, 0, 4, 0]),
    "vertices_0": np.array([[0, 0, 0], [65535, 0, 0], [0, 65535, 17], [3, 4, 5]]),
    "faces_0": np.array([[0, 1, 2], [1, 3, 2]]),
    "vertices_1": np.array([[1, 2, 3], [30000, 0, 9], [0, 20000, 0]]),
    "faces_1": np.array([[0, 1, 2]]),
}


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_meshes_of_several_resolutions_by_draco(tmp_path, sharded):
    write(tmp_path / "in" / "mesh", "multilod", MULTILOD, sharded=sharded)
    read = read_geometry(READER, tmp_path / "in")
    expected = []
    for number, position in ((0, [0, 0, 0]), (1, [0, 1, 2])):
        inside = MULTILOD[f"vertices_{number}"] / 65535
        stored = np.array([101, 202, 303]) + 640 * (np.array(position) + inside)
        expected.append(stored * [2, 3, 4] + [5, 0, 0])
    corners = np.concatenate(expected)[:, ::-1] / 1000
    # Draco may number vertices anew: triangles are compared by their corners
    np.testing.assert_allclose(
        _sorted_triangles(read.zyx_um, read.faces),
        _sorted_triangles(corners, np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6]])),
        rtol=0, atol=1e-9,
    )  # fmt: skip


def _sorted_triangles(places, faces):
    triangles = places[faces]
    turned = [np.roll(one, -int(np.lexsort(one.T)[0]), axis=0).ravel() for one in triangles]
    return np.array(sorted(map(tuple, turned)))


TREE = {
    "places": np.array([[0, 0, 0], [1000, 0, 0], [2000, 500, 0], [2000, -500, 0], [9000, 9000, 9000]], np.float32),
    "edges": np.array([[1, 0], [1, 2], [3, 1]], np.uint32),
    "radii": np.array([100, 50, 0, -1, np.nan], np.float32),
    "types": np.array([0, 1, 3, 3, 0], np.uint8),
    "transform": np.array([1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 4000]),
}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"compress": "gzip"}, {"sharded": True}])
def test_skeletons_are_trees_with_their_radii(tmp_path, options):
    write(tmp_path / "in" / "skeletons", "skeletons", TREE, **options)
    assets = list(READER.find(source_files(tmp_path / "in"), Options()))
    assert [asset.name for asset in assets] == ["segment 5", f"segment {1 << 40}"]
    for asset in assets:
        read = READER.read_geometry(asset, tmp_path / "in", Options())
        rows = read.node_id - 1
        xyz = TREE["places"].astype(float) * [1, 1, 2] + [0, 0, 4000]
        np.testing.assert_array_equal(read.zyx_um, xyz[rows][:, ::-1] / 1000)
        np.testing.assert_array_equal(read.type_code, TREE["types"][rows])
        np.testing.assert_array_equal(read.radius_um, np.array([0.1, 0.05, np.nan, np.nan, np.nan], "f4")[rows])
        edges = {frozenset((rows[i], rows[p])) for i, p in enumerate(read.parent) if p >= 0}
        assert edges == {frozenset(edge) for edge in TREE["edges"].tolist()}
        assert rows[0] == 1, "the soma is the root"
        assert (read.parent < 0).sum() == 2


def sharded_folder(folder, minishards, bits):
    """A folder of skeletons in one shard: `minishards` are begin and end of each one's index, behind one skeleton."""
    folder.mkdir(parents=True)
    sharding = {**SHARDING, "minishard_bits": bits, "minishard_index_encoding": "raw", "data_encoding": "raw"}
    (folder / "info").write_text(json.dumps({"@type": "neuroglancer_skeletons", "sharding": sharding}))
    node = np.array([1, 0], "<u4").tobytes() + bytes(12)
    index = np.array([7, 0, len(node)], "<u8").tobytes()
    (folder / "0.shard").write_bytes(np.array(minishards, "<u8").tobytes() + node + index)
    return folder


def test_shards_are_read_by_their_own_indexes_and_lying_ones_are_refused(tmp_path):
    assert find_one(READER, sharded_folder(tmp_path / "good", [[20, 44], [0, 0]], 1)).name == "segment 7"
    assert read_geometry(READER, tmp_path / "good").zyx_um.tolist() == [[0, 0, 0]]
    for name, minishards, reason in (
        ("overlapping", [[20, 44]] * 16, "indexes are larger than it is"),
        ("behind", [[20, 10**6]], "is damaged|is truncated"),
        ("torn", [[20, 43]], "not whole"),
        ("negative", [[2**64 - 30, 2**64 - 6]], "is truncated"),
    ):
        folder = sharded_folder(tmp_path / name, minishards, len(minishards).bit_length() - 1)
        with pytest.raises(UnreadableFile, match=reason):
            list(READER.find(source_files(folder), Options()))


def skeleton_folder(folder, edges, count=4):
    folder.mkdir(parents=True)
    (folder / "info").write_text('{"@type": "neuroglancer_skeletons"}')
    places = np.arange(3 * count, dtype="<f4")
    data = np.array([count, len(edges)], "<u4").tobytes() + places.tobytes() + np.array(edges, "<u4").tobytes()
    (folder / "7").write_bytes(data)
    return folder


def test_edges_in_a_ring_are_refused_and_those_of_a_tree_are_not(tmp_path):
    skeleton_folder(tmp_path / "tree", [[0, 1], [1, 2], [2, 1], [3, 2]])
    assert read_geometry(READER, tmp_path / "tree").parent.tolist() == [-1, 0, 1, 2]
    skeleton_folder(tmp_path / "ring", [[0, 1], [1, 2], [2, 3], [3, 1]])
    with pytest.raises(UnreadableFile, match="in a ring"):
        read_geometry(READER, tmp_path / "ring")
    skeleton_folder(tmp_path / "self", [[0, 1], [2, 2]])
    with pytest.raises(UnreadableFile, match="in a ring through node 2"):
        read_geometry(READER, tmp_path / "self")
    skeleton_folder(tmp_path / "gone", [[0, 1], [2, 9]])
    with pytest.raises(UnreadableFile, match="node that is not there"):
        read_geometry(READER, tmp_path / "gone")


def test_a_long_neuron_with_many_branches_is_no_trouble(tmp_path):
    count = 200_000
    edges = np.stack([np.arange(1, count), np.arange(1, count) // 2], axis=1)
    read = read_geometry(READER, skeleton_folder(tmp_path / "bush", edges.tolist(), count))
    assert (read.parent >= 0).sum() == count - 1


def test_our_own_views_are_read_back(tmp_path):
    rng = np.random.default_rng(3)
    places = rng.random((3000, 3)) * 1000
    columns = {
        "count": rng.integers(0, 99, 3000), "size": rng.random(3000).astype(np.float32).astype(float),
        "kind": np.array(["a", "b"], object)[rng.integers(0, 2, 3000)],
    }  # fmt: skip
    mesh = MeshData(places[:4], np.array([[0, 1, 2], [1, 2, 3]], np.uint32))
    parent = np.arange(-1, 99)
    skeleton = SkeletonData(
        places[:100], np.full(100, 2, "f4"), parent, np.full(100, 3, "i2"), np.arange(1, 101)
    )  # fmt: skip
    for name, data in (("points", PointsData(places, columns)), ("mesh", mesh), ("skeleton", skeleton)):
        for path, content in geometry_files(data, name).files.items():
            if path.startswith("precomputed/"):
                target = tmp_path / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    read = read_geometry(READER, tmp_path / "points")
    np.testing.assert_allclose(read.zyx_um, places, rtol=1e-6)
    assert read.columns["id"].tolist() == list(range(3000))
    found = {name.rpartition("_")[0]: values for name, values in read.columns.items() if name != "id"}
    assert found.keys() == columns.keys()
    assert all((found[name] == columns[name]).all() for name in columns)
    read = read_geometry(READER, tmp_path / "mesh")
    np.testing.assert_allclose(read.zyx_um, places[:4], rtol=1e-6)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    whole = next(a for a in READER.find(source_files(tmp_path / "skeleton"), Options()) if a.name == "segment 1")
    read = READER.read_geometry(whole, tmp_path / "skeleton", Options())
    np.testing.assert_allclose(read.zyx_um, places[:100], rtol=1e-6)
    np.testing.assert_array_equal(read.parent, parent)
    np.testing.assert_allclose(read.radius_um, 2)


@pytest.mark.parametrize(("kind", "ends"), [("LINE", 2), ("AXIS_ALIGNED_BOUNDING_BOX", 2), ("ELLIPSOID", 2)])
def test_annotations_with_two_ends_are_given_by_their_middle(tmp_path, kind, ends):
    folder = tmp_path / "lines"
    (folder / "all").mkdir(parents=True)
    info = {
        "@type": "neuroglancer_annotations_v1", "annotation_type": kind, "properties": [{"id": "tint", "type": "rgb"}],
        "dimensions": {"x": [4e-9, "m"], "y": [4e-9, "m"], "z": [40e-9, "m"]}, "spatial": [{"key": "all"}],
    }  # fmt: skip
    (folder / "info").write_text(json.dumps(info))
    place = np.array([100, 200, 10, 300, 400, 30], "<f4").tobytes()
    (folder / "all" / "0_0_0").write_bytes(
        np.array([1], "<u8").tobytes() + place + b"\xff\x80\x00\x00" + np.array([2**63 + 1], "<u8").tobytes()
    )
    read = read_geometry(READER, folder)
    middle = [[0.4, 0.8, 0.4]] if kind == "ELLIPSOID" else [[0.8, 1.2, 0.8]]
    np.testing.assert_allclose(read.zyx_um, middle)
    assert read.columns["tint"].tolist() == ["#ff8000"]
    assert read.columns["id"].tolist() == [str(2**63 + 1)]
    word = "radius" if kind == "ELLIPSOID" else "last"
    np.testing.assert_allclose(read.columns[f"{word}_x_um"], 1.2)


def test_infos_of_other_programs_are_passed_over(tmp_path):
    (tmp_path / "info").write_text('{"name": "a folder"}')
    assert list(READER.find(source_files(tmp_path), Options())) == []
