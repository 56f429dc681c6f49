import numpy as np
import pytest
import tensorstore
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import map_coordinates

from pulvinar.atlases.displacement import ArrayField, StoredField, store_field
from pulvinar.atlases.transforms import apply
from pulvinar.errors import Conflict, Corrupt, Invalid
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import IDENTITY, DisplacementTransform, FieldGrid, Outside, affine_rows, corner_grid
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import StoredVolume, open_volume

BRAIN, ATLAS = Space("brain", "mouse", "PIR"), Space("allen_ccfv3", "mouse", "PIR")
SHAPES = st.tuples(*[st.integers(1, 6)] * 3)


class InBlocks:
    """A field that notes which of its blocks are read."""

    def __init__(self, field, block_shape):
        self.grid, self.block_shape, self.field = field.grid, block_shape, field
        self.reads = []

    def read(self, start, stop):
        assert all(0 <= a < b <= n for a, b, n in zip(start, stop, self.grid.shape, strict=True))
        self.reads.append((start, stop))
        return self.field.read(start, stop)


def random_field(shape, outside=Outside.NEAREST, affine=None, seed=0):
    affine = affine or corner_grid(shape, (100.0, 80.0, 50.0)).voxel_to_space_um
    vectors = np.random.default_rng(seed).normal(0, 30, (3, *shape)).astype(np.float32)
    return ArrayField(FieldGrid(shape, affine, outside), vectors)


def moved(field, places):
    transform = DisplacementTransform(BRAIN, ATLAS, field)
    return apply(transform, Points(BRAIN, places)).zyx_um - places


@settings(deadline=None)
@given(SHAPES, SHAPES, arrays(np.float64, (12, 3), elements=st.floats(-3, 9)), st.sampled_from(Outside))
def test_between_voxels_a_field_is_what_scipy_says_however_it_is_cut(shape, block_shape, voxels, outside):
    turned = affine_rows([[0, 90, 5, 40], [60, 0, 0, -7], [1, 2, 75, 11], [0, 0, 0, 1]])
    field = random_field(shape, outside, turned)
    matrix = np.array(turned)
    found = moved(InBlocks(field, block_shape), voxels @ matrix[:3, :3].T + matrix[:3, 3])
    expected = np.stack(
        [map_coordinates(part.astype(float), voxels.T, order=1, mode="nearest") for part in field.vectors], 1
    )
    beyond = ((voxels < -0.5) | (voxels >= np.array(shape) - 0.5)).any(axis=1)
    # on the very edge the last digit of a place decides
    edge = np.isclose(voxels, -0.5) | np.isclose(voxels, np.array(shape) - 0.5)
    if outside is Outside.IDENTITY:
        expected[beyond] = 0
        found, expected = found[~edge.any(axis=1)], expected[~edge.any(axis=1)]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_base_moves_points_beyond_the_field_too():
    base = affine_rows([[0, 0, 1, 5], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    field = random_field((3, 3, 3), Outside.IDENTITY)
    far = Points(BRAIN, np.array([[1e6, 2e6, 3e6]]))
    assert apply(DisplacementTransform(BRAIN, ATLAS, field, base), far).zyx_um.tolist() == [[3e6 + 5, 2e6, 1e6]]


def test_each_block_that_points_touch_is_read_once_and_no_other():
    field = InBlocks(random_field((40, 40, 40)), (10, 10, 10))
    scale = np.array((100.0, 80.0, 50.0))
    rng = np.random.default_rng(0)
    corner, other = rng.uniform(0.6, 9, (500, 3)), rng.uniform((30.6, 20.6, 0.6), (39, 29, 9), (500, 3))
    places = rng.permutation(np.concatenate([corner, other])) * scale
    moved(field, places)
    assert sorted(field.reads) == [((0, 0, 0), (11, 11, 11)), ((30, 20, 0), (40, 31, 11))]


@pytest.fixture
def stored(store, tmp_path):
    """A field of several chunks in a folder, and on a real S3 server."""
    field = random_field((70, 20, 130))
    return field, *store_field(field, ATLAS, store, "assets/warp", tmp_path), store


def test_a_stored_field_moves_points_as_the_one_in_memory(stored):
    field, kept, objects, store = stored
    places = np.random.default_rng(1).uniform(-300, 7200, (3000, 3))
    np.testing.assert_array_equal(moved(kept, places), moved(field, places))
    assert {f"assets/warp/{item.path}" for item in objects} == {entry.key for entry in store.list("assets/warp")}


def test_others_read_it_as_an_ome_zarr_image_of_three_channels(stored):
    field, _, _, store = stored
    spec = {"driver": "zarr3", "kvstore": store.kvstore("assets/warp/image.ome.zarr/0")}
    np.testing.assert_array_equal(tensorstore.open(spec, read=True).result().read().result()[0], field.vectors)
    volume = open_volume(store, "assets/warp").volume
    assert [channel.name[-1] for channel in volume.channels] == ["z", "y", "x"]
    # the world's z rises as the atlas's y falls
    assert volume.affine_um[0] == (0.0, -80.0, 0.0, -40.0)


def test_only_chunks_that_points_touch_are_read_from_the_store(tmp_path, monkeypatch):
    store = open_store(f"file://{tmp_path / 'store'}")
    kept, _ = store_field(random_field((130, 130, 130)), ATLAS, store, "assets/warp", tmp_path)
    windows = []
    read = StoredVolume.read
    monkeypatch.setattr(
        StoredVolume, "read", lambda self, level, window: windows.append(window) or read(self, level, window)
    )
    moved(kept, np.array([[6500.0, 100.0, 100.0], [6501.0, 101.0, 102.0]]))
    assert [window.start[2:] for window in windows] == [(64, 0, 0)]


def test_what_lies_under_a_prefix_has_to_be_the_field(stored):
    _, kept, _, store = stored
    other = StoredField(store, kept.prefix, corner_grid((70, 20, 131), (1.0, 1.0, 1.0)))
    with pytest.raises(Corrupt, match="no field of"):
        other.read((0, 0, 0), (1, 1, 1))


def test_a_stored_field_is_never_overwritten(stored, tmp_path):
    field, kept, _, store = stored
    with pytest.raises(Conflict, match="lies under assets/warp"):
        store_field(random_field((4, 4, 4)), ATLAS, store, "assets/warp", tmp_path)
    store_field(random_field((4, 4, 4)), ATLAS, store, "assets/warp/inverse", tmp_path)
    places = np.full((1, 3), 500.0)
    np.testing.assert_array_equal(moved(kept, places), moved(field, places))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_field_that_holds_no_numbers_is_neither_made_nor_stored(value, tmp_path):
    vectors = np.zeros((3, 4, 4, 4), np.float32)
    vectors[1, 2, 3, 0] = value
    grid = corner_grid((4, 4, 4), (1.0, 1.0, 1.0))
    with pytest.raises(Invalid, match="no number"):
        ArrayField(grid, vectors)

    class Hidden:
        block_shape = (4, 4, 4)
        grid = corner_grid((4, 4, 4), (1.0, 1.0, 1.0))

        def read(self, start, stop):
            return vectors[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))]

    with pytest.raises(Invalid, match="no number"):
        store_field(Hidden(), ATLAS, open_store(f"file://{tmp_path / 'store'}"), "assets/w", tmp_path)


@pytest.mark.parametrize("vectors", [np.zeros((3, 4, 4, 4)), np.zeros((4, 4, 4, 3), np.float32)])
def test_vectors_have_their_components_first(vectors):
    with pytest.raises(Invalid, match="vectors are"):
        ArrayField(FieldGrid((4, 4, 4), IDENTITY), vectors)
