import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.atlases.displacement import ArrayField, StoredField
from pulvinar.atlases.inversion import solve_inverse, store_inverse
from pulvinar.atlases.transforms import apply, invert
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import DisplacementTransform, Outside, affine_rows, corner_grid
from pulvinar.storage.store import open_store

BRAIN, ATLAS = Space("brain", "mouse", "PIR"), Space("allen_ccfv3", "mouse", "RIP")
TURN = affine_rows([[0, 0, 1.1, 50], [0, 0.9, 0.1, -20], [1, 0, 0, 300], [0, 0, 0, 1]])
SHAPE, VOXEL = (30, 26, 34), (100.0, 100.0, 100.0)


def waves(height_um, seed=0):
    """A smooth field: sums of waves a third of the volume long, `height_um` high in all."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*(np.arange(n) / 10 for n in SHAPE), indexing="ij"))
    parts = [np.sin(np.tensordot(rng.uniform(-2, 2, 3), at, 1) + rng.uniform(0, 6)) for _ in range(9)]
    vectors = np.stack([sum(parts[axis::3]) / 3 for axis in range(3)]) * height_um
    return ArrayField(corner_grid(SHAPE, VOXEL, Outside.NEAREST), vectors.astype(np.float32))


def inside(count=500, seed=3):
    """Places so far within the field that what they come from lies in it too."""
    return np.random.default_rng(seed).uniform(600, 2000, (count, 3))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0, 200), st.booleans())
def test_points_that_went_come_back(seed, height, turned):
    transform = DisplacementTransform(BRAIN, ATLAS, waves(height, seed), TURN if turned else affine_rows(np.eye(4)))
    points = Points(BRAIN, inside())
    found, far = solve_inverse(transform, apply(transform, points))
    assert found.space == BRAIN
    assert far.max() <= 0.1
    np.testing.assert_allclose(found.zyx_um, points.zyx_um, atol=0.5)


@pytest.mark.parametrize("base", [affine_rows(np.eye(4)), TURN], ids=["alike", "turned"])
def test_the_stored_inverse_is_as_good_as_its_measure_says(base, tmp_path):
    store = open_store(f"file://{tmp_path / 'store'}")
    made = store_inverse(DisplacementTransform(BRAIN, ATLAS, waves(150), base), store, "assets/w/inverse", tmp_path)
    assert isinstance(made.transform.inverse, StoredField)
    assert made.transform.inversion_error_um == made.error.p95_um
    assert made.error.unsolved < 0.01 * np.prod(SHAPE)
    assert 0 < made.error.p95_um < 5
    assert made.error.p95_um <= made.error.max_um
    back = invert(made.transform)
    points = Points(BRAIN, inside())
    again = apply(back, apply(made.transform, points))
    far = np.linalg.norm(again.zyx_um - points.zyx_um, axis=1)
    assert np.percentile(far, 95) < 3 * made.error.p95_um
    # without the inverse, a point is hundreds of micrometres off
    assert np.linalg.norm(apply(made.transform, points).zyx_um - points.zyx_um, axis=1).mean() > 50


def test_a_finer_grid_makes_a_better_inverse(tmp_path):
    store = open_store(f"file://{tmp_path / 'store'}")
    transform = DisplacementTransform(BRAIN, BRAIN, waves(150))
    fine = corner_grid((60, 52, 68), (50.0, 50.0, 50.0), Outside.NEAREST)
    coarse = store_inverse(transform, store, "assets/coarse", tmp_path)
    better = store_inverse(transform, store, "assets/fine", tmp_path, grid=fine)
    assert better.transform.inverse.grid == fine
    assert better.error.p95_um < 0.6 * coarse.error.p95_um


def test_a_field_that_folds_has_no_inverse_there_and_says_so(tmp_path):
    store = open_store(f"file://{tmp_path / 'store'}")
    made = store_inverse(DisplacementTransform(BRAIN, ATLAS, waves(3000)), store, "assets/w", tmp_path)
    assert made.error.unsolved > 0.05 * np.prod(SHAPE)
    assert made.error.max_um > 100


def test_points_of_another_space_and_no_numbers_are_refused():
    transform = DisplacementTransform(BRAIN, ATLAS, waves(10))
    with pytest.raises(SpaceMismatch, match="points are in brain, the transform is to allen_ccfv3"):
        solve_inverse(transform, Points(BRAIN, inside()))
    with pytest.raises(Invalid, match="no number"):
        solve_inverse(transform, Points(ATLAS, np.full((1, 3), np.nan)))
