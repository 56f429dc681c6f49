"""A volume seen from another space, block by block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.atlases.displacement import ArrayField
from pulvinar.errors import SpaceMismatch
from pulvinar.model.space import Space, Window
from pulvinar.model.transform import AffineTransform, DisplacementTransform, FieldGrid, Outside, affine_rows
from pulvinar.model.volume import VolumeKind
from pulvinar.solutions.align.warping import Warped, warped_array
from pulvinar.storage.sources import ArraySource

HERE, THERE = Space("here", "mouse", "SAR"), Space("there", "mouse", "SAR")
EYE = affine_rows(np.eye(4))


def _ramp(shape=(40, 30, 35)):
    z, y, x = np.indices(shape)
    return (100 * z + 10 * y + x).astype(np.float32)


def _wavy(shape, strength=2.0):
    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter

    bumps = gaussian_filter(rng.normal(size=(3, *shape)), (0, 4, 4, 4))
    return ArrayField(FieldGrid(shape, EYE, Outside.NEAREST), (bumps / bumps.std() * strength).astype(np.float32))


@given(st.lists(st.floats(-6, 6), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_a_shift_is_a_shift(shift):
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    seen = warped_array(_ramp(), EYE, AffineTransform(HERE, THERE, affine_rows(matrix)), FieldGrid((20, 15, 15), EYE))
    at = np.indices((20, 15, 15)) + np.array(shift)[:, None, None, None]
    inside = (at >= 0).all(axis=0)
    expected = np.einsum("i,izyx->zyx", [100.0, 10.0, 1.0], at)
    assert np.allclose(seen[inside], expected[inside], atol=1e-2)
    assert (seen[(at < -0.5).any(axis=0)] == 0).all()


@pytest.mark.parametrize("kind", [VolumeKind.IMAGE, VolumeKind.LABELS])
def test_blocks_and_a_small_budget_give_what_the_whole_gives(kind):
    voxels = (_ramp((80, 70, 75)) % 251).astype(np.uint16)
    transform = DisplacementTransform(HERE, THERE, _wavy((80, 70, 75)))
    grid = FieldGrid((80, 70, 75), EYE)
    whole = warped_array(voxels, EYE, transform, grid, kind)
    source = ArraySource(voxels[None, None])
    small = Warped(source, EYE, transform, grid, HERE, kind, budget_bytes=20_000)
    parts = [small.read(Window((0, 0, z, 0, 0), (1, 1, z + 20, 70, 75)))[0, 0] for z in range(0, 80, 20)]
    assert (np.concatenate(parts) == whole).all()
    assert 0 < small.largest_bytes <= 20_000


def test_a_transform_of_another_space_is_refused():
    source = ArraySource(_ramp()[None, None])
    with pytest.raises(SpaceMismatch):
        Warped(source, EYE, AffineTransform(HERE, THERE, EYE), FieldGrid((4, 4, 4), EYE), THERE)
