"""What is stored says of itself what it is, and says so when it is damaged."""

import json

import numpy as np
import pytest
import tensorstore

from pulvinar.errors import Corrupt, Invalid, NotFound
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind, volume_from_json, volume_to_json
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.volumes import open_volume, unsharded_documents, volume_documents

AFFINE = ((4.0, 0.0, 0.0, -8.0), (0.0, -1.0, 0.0, 3.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.0, 0.0, 1.0))
SHAPE = (2, 2, 20, 130, 70)


def volume(kind=VolumeKind.IMAGE):
    channels = (Channel("nuclei", "00FF00", (90.0, 2000.0)), Channel("vessels", "FF00FF", (5.0, 300.5)))
    levels = plan_levels(SHAPE, (4.0, 1.0, 1.0), "uint16", kind)
    return Volume(kind, "uint16", levels, channels, AFFINE, 1.5)


class NoLedger:
    def finished(self):
        return {}

    def record(self, objects):
        pass


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)


@pytest.fixture
def written(store, array, tmp_path):
    """A volume on a folder, and on a real S3 server."""
    plan = plan_pyramid(volume(), SHAPE)
    write_pyramid(ArraySource(array), plan, store, "assets/v", ledger=NoLedger(), scratch=tmp_path)
    return store


def test_a_volume_is_read_back_from_every_kind_of_store(written, array):
    stored = open_volume(written, "assets/v")
    assert stored.volume == volume()
    window = Window((1, 0, 3, 60, 5), (2, 2, 20, 70, 69))
    np.testing.assert_array_equal(stored.read(0, window), array[window.slices])
    for number, level in enumerate(stored.volume.levels):
        assert stored.read(number, Window.whole(level.shape)).shape == level.shape


def test_other_readers_open_it_without_knowing_us(written, array):
    spec = {"driver": "zarr3", "kvstore": written.kvstore("assets/v/image.ome.zarr/0")}
    opened = tensorstore.open(spec, read=True).result()
    np.testing.assert_array_equal(opened.read().result(), array)
    assert opened.domain.labels == ("t", "c", "z", "y", "x")


def test_what_is_not_there_is_not_found(written):
    with pytest.raises(NotFound):
        open_volume(written, "assets/w")
    stored = open_volume(written, "assets/v")
    with pytest.raises(NotFound, match="no level 9"):
        stored.read(9, Window((0,) * 5, (1,) * 5))
    with pytest.raises(NotFound, match="leaves level"):
        stored.read(0, Window((0,) * 5, (1, 1, 21, 1, 1)))


@pytest.mark.parametrize("at", [0, 100, -1], ids=["header", "voxels", "index"])
def test_damaged_voxels_are_refused_and_not_shown(written, tmp_path, at):
    key = next(entry.key for entry in written.list("assets/v") if "/1/c/" in entry.key)
    raw = bytearray(written.read(key))
    raw[at] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(raw)
    written.put_file(key, damaged)
    with pytest.raises(Corrupt, match="level 1"):
        open_volume(written, "assets/v").read(1, Window.whole(volume().levels[1].shape))


def test_every_level_states_its_voxel_size_and_half_voxel_shift():
    group = json.loads(volume_documents(volume())["image.ome.zarr/zarr.json"])["attributes"]["ome"]
    image = group["multiscales"][0]
    assert [(axis["name"], axis.get("unit")) for axis in image["axes"]] == [
        ("t", "second"),
        ("c", None),
        ("z", "micrometer"),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    found = [tuple(item.values())[1] for level in image["datasets"] for item in level["coordinateTransformations"]]
    assert found == [[1.5, 1, 4, 1, 1], [0, 0, 0, 0, 0], [1.5, 1, 4, 2, 2], [0, 0, 0, 0.5, 0.5],
                     [1.5, 1, 4, 4, 4], [0, 0, 0, 1.5, 1.5]]  # fmt: skip
    assert [item["window"]["end"] for item in group["omero"]["channels"]] == [2000, 300.5]


def test_labels_say_that_they_are_labels():
    group = json.loads(volume_documents(volume(VolumeKind.LABELS))["image.ome.zarr/zarr.json"])["attributes"]
    assert "image-label" in group["ome"]
    assert group["ome"]["multiscales"][0]["type"] == "mode"


def test_the_unsharded_view_has_the_inner_chunks_as_its_grid():
    sharded, plain = volume_documents(volume()), unsharded_documents(volume())
    assert {f"image.ome.zarr/{path}" for path in plain} == set(sharded)
    inner = json.loads(sharded["image.ome.zarr/0/zarr.json"])["codecs"][0]["configuration"]
    view = json.loads(plain["0/zarr.json"])
    assert view["chunk_grid"]["configuration"]["chunk_shape"] == inner["chunk_shape"]
    assert view["codecs"] == inner["codecs"]


@pytest.mark.parametrize("kind", list(VolumeKind))
def test_a_volume_survives_json(kind):
    described = json.loads(json.dumps(volume_to_json(volume(kind))))
    assert volume_from_json(described) == volume(kind)
    with pytest.raises(Invalid, match="does not describe a volume"):
        volume_from_json({**described, "kind": "song"})
