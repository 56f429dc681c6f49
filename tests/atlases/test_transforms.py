import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pulvinar.atlases import transforms
from pulvinar.atlases.displacement import ArrayField
from pulvinar.atlases.transforms import apply, compose, identity, invert, is_invertible
from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import (
    AffineTransform,
    Composition,
    DisplacementTransform,
    Outside,
    affine_rows,
    corner_grid,
)

A, B, C, D = (Space(name, "mouse", "SAR") for name in "abcd")
PLACES = arrays(np.float64, st.tuples(st.integers(0, 20), st.just(3)), elements=st.floats(-1e5, 1e5))


@st.composite
def affines(draw, source=A, target=B):
    """Maps that turn, stretch up to 3 times and move."""
    numbers = st.floats(-1, 1)
    turned, _ = np.linalg.qr(np.eye(3) + 0.5 * draw(arrays(np.float64, (3, 3), elements=numbers)))
    matrix = np.eye(4)
    matrix[:3, :3] = turned * draw(arrays(np.float64, 3, elements=st.floats(0.3, 3)))
    matrix[:3, 3] = draw(arrays(np.float64, 3, elements=st.floats(-1e4, 1e4)))
    return AffineTransform(source, target, affine_rows(matrix), draw(st.none() | st.floats(0, 100)))


@given(affines(), PLACES)
def test_an_affine_there_and_back_is_where_it_began(transform, places):
    points = Points(A, places)
    there = apply(transform, points)
    assert there.space == B
    np.testing.assert_allclose(apply(invert(transform), there).zyx_um, places, atol=1e-6)
    assert invert(transform).expected_error_um == transform.expected_error_um


@given(affines(A, B), affines(B, C), affines(C, D), PLACES)
def test_composition_is_associative_and_is_one_after_the_other(one, two, three, places):
    points = Points(A, places)
    left, right = compose(compose(one, two), three), compose(one, compose(two, three))
    assert left == right
    assert (left.source, left.target) == (A, D)
    step_by_step = apply(three, apply(two, apply(one, points)))
    np.testing.assert_allclose(apply(left, points).zyx_um, step_by_step.zyx_um, atol=1e-5)
    np.testing.assert_allclose(apply(compose(left, invert(left)), points).zyx_um, places, atol=1e-4)


def test_an_affine_is_what_its_matrix_says():
    swap = affine_rows([[0, 0, 2, 10], [0, -1, 0, 20], [1, 0, 0, 30], [0, 0, 0, 1]])
    found = apply(AffineTransform(A, B, swap), Points(A, np.array([[1.0, 2.0, 3.0]])))
    assert found.zyx_um.tolist() == [[16.0, 18.0, 31.0]]


def test_points_of_another_space_are_refused():
    with pytest.raises(SpaceMismatch, match=r"points are in b, the transform is from a"):
        apply(identity(A), Points(B, np.zeros((1, 3))))
    elsewhere = Space("a", "mouse", "SAR", (1.0, 0.0, 0.0))
    with pytest.raises(SpaceMismatch):
        apply(identity(A), Points(elsewhere, np.zeros((1, 3))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_point_that_is_no_number_is_refused(value):
    with pytest.raises(Invalid, match="no number"):
        apply(identity(A), Points(A, np.array([[0.0, value, 0.0]])))


def bent(source=A, target=B, seed=0, inverse=False):
    """A field of random vectors."""
    # without a jump at its edge, where the last digit of a place would decide
    grid = corner_grid((5, 6, 7), (100.0, 80.0, 50.0), Outside.NEAREST)
    vectors = np.random.default_rng(seed).normal(0, 10, (3, 5, 6, 7)).astype(np.float32)
    field = ArrayField(grid, vectors)
    back = ArrayField(grid, -vectors) if inverse else None
    return DisplacementTransform(source, target, field, expected_error_um=3.0, inverse=back, inversion_error_um=4.0)


@settings(deadline=None, max_examples=20)
@given(affines(A, B), affines(B, C), PLACES)
def test_batches_and_fused_affines_change_nothing(one, two, places):
    points = Points(A, places)
    chain = compose(one, two, bent(C, D), AffineTransform(D, A, two.matrix_um))
    whole = apply(chain, points).zyx_um
    step = points
    for part in chain.parts:
        step = apply(part, step)
    np.testing.assert_allclose(whole, step.zyx_um, atol=1e-6)


def test_a_small_batch_gives_the_same(monkeypatch):
    places = np.random.default_rng(0).uniform(-100, 600, (1000, 3))
    whole = apply(bent(), Points(A, places)).zyx_um
    monkeypatch.setattr(transforms, "_BATCH", 7)
    np.testing.assert_array_equal(apply(bent(), Points(A, places)).zyx_um, whole)


def test_a_displacement_goes_back_only_when_its_inverse_was_made():
    assert not is_invertible(bent())
    with pytest.raises(Invalid, match="from b to a has not been made") as caught:
        invert(bent())
    assert "store_inverse" in caught.value.hint
    back = invert(bent(inverse=True))
    assert (back.source, back.target, back.expected_error_um) == (B, A, pytest.approx(5.0))
    assert invert(back).field is not None
    chain = Composition((AffineTransform(C, A, identity(A).matrix_um, 0.0), bent(inverse=True)))
    assert is_invertible(chain)
    assert invert(chain).source == B
