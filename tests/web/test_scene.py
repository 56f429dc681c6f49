"""What a view shows first of a version, and where it says that things are."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.model.dataset import Asset, AssetKind, Version, VersionState
from pulvinar.model.record import Acquisition, Record, Species
from pulvinar.model.volume import Channel, Level, Volume, VolumeKind, volume_to_json
from pulvinar.web.scene import GEOMETRY_COLOURS, build_scene

SHAPE = (1, 2, 10, 20, 30)
SIZE_UM = (4.0, 2.0, 1.0)


def volume(name="brain", kind=VolumeKind.IMAGE, channels=2, affine_um=None, times=1, **details):
    level = Level((times, channels, *SHAPE[2:]), SIZE_UM, (0.0, 0.0, 0.0), (1, 1, 8, 8, 8), (1, 1, 16, 16, 16))
    named = tuple(Channel(f"c{number}", "FF0000", (0.0, 10.0 + number)) for number in range(channels))
    described = volume_to_json(Volume(kind, "uint16", (level,), named, affine_um, 0.5 if times > 1 else None))
    return Asset(f"id-{name}", name, AssetKind.VOLUME, "assets/x", 1, 1, "d", {"volume": described, **details})


def drawn(name, kind, low=(0.0, 0.0, 0.0), high=(8.0, 4.0, 2.0)):
    details = {"precomputed": "precomputed", "bounds_um": [list(low), list(high)]}
    return Asset(f"id-{name}", name, kind, "assets/x", 1, 1, "d", details)


def scene(*assets, **said):
    record = Record("A brain", Species.MOUSE, "CC0-1.0", **said)
    now = datetime.now(UTC)
    return build_scene(Version("v", "d", 1, VersionState.PUBLISHED, "digest", record, now, now, tuple(assets)))


def test_one_image_and_one_set_of_labels_are_shown_whatever_else_there_is():
    labels = {"kind": VolumeKind.LABELS, "channels": 1}
    found = scene(volume("b", **labels), volume("a", **labels), volume("one"), volume("two"))
    assert [(layer.name, layer.visible) for layer in found.layers] == [
        ("one: c0", True),
        ("one: c1", True),
        ("two: c0", False),
        ("two: c1", False),
        ("b", True),
        ("a", False),
    ]
    assert {layer.opacity for layer in found.layers if layer.kind == "labels"} == {0.35}
    assert scene(volume("b", **labels)).layers[0].opacity == 0.9


def test_of_many_channels_four_are_shown():
    found = scene(volume(channels=7))
    assert [layer.visible for layer in found.layers] == [True] * 4 + [False] * 3
    assert [layer.channel for layer in found.layers] == list(range(7))
    assert [layer.window for layer in found.layers] == [(0.0, 10.0 + number) for number in range(7)]


def test_one_channel_has_the_name_of_its_volume_and_figures_their_ranges():
    measured = {"quality": {"channels": [{"minimum": 3, "maximum": 900}]}}
    (layer,) = scene(volume("brain", channels=1, times=3, **measured)).layers
    assert (layer.name, layer.range, layer.times, layer.time_step_s) == ("brain", (3, 900), 3, 0.5)
    assert (layer.voxel_size_um, layer.source) == (SIZE_UM, "zarr3:///data/digest/id-brain/chunks/")


def test_names_of_labels_are_found_beside_them():
    (layer,) = scene(volume("atlas", VolumeKind.LABELS, 1, segments={"path": "segments", "count": 5})).layers
    assert layer.names == "/data/digest/id-atlas/objects/segments"
    assert scene(volume("atlas", VolumeKind.LABELS, 1)).layers[0].names is None


def test_neurons_and_meshes_come_behind_the_brain_in_colours_of_their_own():
    kinds = (AssetKind.SKELETON, AssetKind.POINTS, AssetKind.MESH)
    found = scene(*(drawn(kind.value, kind) for kind in kinds), volume(channels=1))
    assert [layer.kind for layer in found.layers] == ["image", "mesh", "points", "skeleton"]
    assert len({layer.color for layer in found.layers}) == 4
    assert [layer.segments for layer in found.layers] == [[], ["1"], [], ["1"]]
    assert found.layers[1].source == "precomputed:///data/digest/id-mesh/objects/precomputed"


def test_what_cannot_be_drawn_is_left_out():
    table = Asset("id-t", "table", AssetKind.TABLE, "assets/x", 1, 1, "d", {})
    assert scene(table).layers == []
    assert scene(table).voxel_size_um == (1.0, 1.0, 1.0)
    assert [layer.name for layer in scene(table, drawn("neuron", AssetKind.SKELETON)).layers] == ["neuron"]


def test_a_volume_without_a_map_lies_at_its_own_voxels():
    found = scene(volume())
    assert found.bounds_um == ((-2.0, -1.0, -0.5), (38.0, 39.0, 29.5))
    assert found.position_um == (18.0, 19.0, 14.5)
    assert not found.oriented
    assert found.layers[0].transform is None


def test_the_box_of_a_turned_volume_holds_its_corners():
    turned = ((0.0, 0.0, -1.0, 5.0), (4.0, 0.0, 0.0, 0.0), (0.0, 2.0, 0.0, -7.0), (0.0, 0.0, 0.0, 1.0))
    found = scene(volume(affine_um=turned))
    assert found.bounds_um == ((-24.5, -2.0, -8.0), (5.5, 38.0, 32.0))
    assert found.oriented
    assert found.layers[0].transform == [list(row) for row in turned[:3]]


def test_a_view_looks_at_the_brain_and_not_at_what_lies_far_from_it():
    far = drawn("far", AssetKind.SKELETON, (1e6, 1e6, 1e6), (2e6, 2e6, 2e6))
    assert scene(volume(), far).bounds_um == scene(volume()).bounds_um
    alone = scene(drawn("a", AssetKind.SKELETON), drawn("b", AssetKind.POINTS, (-1.0, 0.0, 0.0), (0.0, 9.0, 1.0)))
    assert alone.bounds_um == ((-1.0, 0.0, 0.0), (8.0, 9.0, 2.0))
    assert alone.voxel_size_um == (0.009, 0.009, 0.009)


@pytest.mark.parametrize(("said", "oriented"), [("SAR", True), ("", False)])
def test_neurons_alone_are_oriented_where_a_person_said_how(said, oriented):
    found = scene(drawn("a", AssetKind.SKELETON), acquisition=Acquisition(orientation=said))
    assert found.oriented is oriented


PLACE = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))


@given(st.lists(st.tuples(PLACE, PLACE, PLACE), min_size=2, max_size=2))
def test_a_place_to_look_at_lies_in_the_box_and_steps_are_never_nothing(corners):
    low = tuple(map(min, *corners))
    high = tuple(map(max, *corners))
    found = scene(drawn("a", AssetKind.POINTS, low, high))
    assert all(a <= at <= b for a, at, b in zip(low, found.position_um, high, strict=True))
    assert all(step > 0 for step in found.voxel_size_um)


def test_laboratory_and_licence_are_named():
    assert scene(volume(), lab="A lab").attribution == "A lab · CC0-1.0"
    assert scene(volume()).attribution == "CC0-1.0"


# From linear sRGB to XYZ (D65), and how red-blind and green-blind eyes see linear sRGB (Machado et al. 2009)
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
RED_BLIND = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
GREEN_BLIND = np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]])


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    value = np.array([int(colour[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    share = TO_XYZ @ np.clip(eye @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours: list[str], eye: np.ndarray) -> dict[str, float]:
    """For each colour, how far it is from the nearest of those before it."""
    seen = {colour: lab(colour, eye) for colour in colours}
    pairs = [(one, other) for other, one in itertools.combinations(colours, 2)]
    return {one: min(np.linalg.norm(seen[one] - seen[b]) for a, b in pairs if a == one) for one in colours[1:]}


def test_neurons_beside_each_other_are_told_apart_by_their_colour():
    colours = list(GEOMETRY_COLOURS)
    assert len(colours) >= 16
    assert min(nearest(colours, np.eye(3)).values()) > 25
    # the first six are older than this rule
    for eye in (RED_BLIND, GREEN_BLIND):
        assert min(far for colour, far in nearest(colours, eye).items() if colours.index(colour) >= 6) > 13
    assert min(lab(colour, np.eye(3))[0] for colour in colours) > 45
