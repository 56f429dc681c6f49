import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Space
from pulvinar.model.transform import (
    IDENTITY,
    AffineTransform,
    Composition,
    FieldGrid,
    combined_error,
    corner_grid,
    space_to_world,
    world_to_space,
)

A, B, C = (Space(name, "mouse", "SAR") for name in "abc")
ORIENTATIONS = [
    z + y + x
    for z in "LRPAIS"
    for y in "LRPAIS"
    for x in "LRPAIS"
    if len({{"L": "R", "P": "A", "I": "S"}.get(c, c) for c in z + y + x}) == 3
]


def test_there_are_48_orientations():
    assert len(ORIENTATIONS) == 48


@given(st.sampled_from(ORIENTATIONS), st.tuples(*[st.floats(-1e4, 1e4)] * 3))
def test_a_step_along_an_axis_goes_where_its_letter_says(letters, origin):
    space = Space("any", "mouse", letters, origin)
    to_world, back = np.array(space_to_world(space)), np.array(world_to_space(space))
    for axis, letter in enumerate(letters):
        step = np.zeros(3)
        step[axis] = 1
        moved = to_world[:3, :3] @ step
        world = {"S": (1, 0, 0), "I": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "R": (0, 0, 1), "L": (0, 0, -1)}
        assert moved.tolist() == list(world[letter])
    np.testing.assert_allclose(to_world @ [*origin, 1], [0, 0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(back @ to_world, np.eye(4), atol=1e-9)


def test_the_allen_atlas_lies_in_the_world_as_its_letters_say():
    """100 um towards posterior, 20 towards inferior, 3 towards right: below, behind and to the right of the origin."""
    assert np.array(space_to_world(Space("allen_ccfv3", "mouse", "PIR"))) @ [100, 20, 3, 1] == pytest.approx(
        [-20, -100, 3, 1]
    )


def test_a_space_without_orientation_has_no_world():
    with pytest.raises(Invalid, match="scan has no orientation"):
        space_to_world(Space("scan", "mouse"))


def test_the_first_voxel_of_a_corner_grid_lies_half_a_voxel_in():
    grid = corner_grid((3, 4, 5), (25.0, 10.0, 50.0))
    np.testing.assert_array_equal(np.array(grid.voxel_to_space_um) @ [0, 0, 0, 1], [12.5, 5, 25, 1])
    np.testing.assert_array_equal(np.array(grid.voxel_to_space_um) @ [2, 1, 4, 1], [62.5, 15, 225, 1])


def with_row(row, axis=1):
    rows = [list(values) for values in IDENTITY]
    rows[axis] = row
    return tuple(map(tuple, rows))


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (with_row([0, 0, 0, 5]), "flat"),
        (with_row([1, 1, 1, 0]), None),
        (with_row([0, 1e-12, 0, 0]), None),
        (with_row([2, 0, 0, 1]), "flat"),
        (with_row([0, np.nan, 0, 0]), "affine"),
        (with_row([0, 1, 0, np.inf]), "affine"),
        (with_row([0, 0, 0, 2], 3), "affine"),
        (IDENTITY[:3], "affine"),
    ],
)
def test_only_maps_that_have_an_inverse_are_affine_transforms(matrix, said):
    if said is None:
        assert AffineTransform(A, B, matrix).matrix_um == matrix
        return
    with pytest.raises(Invalid, match=said):
        AffineTransform(A, B, matrix)
    with pytest.raises(Invalid, match=said):
        FieldGrid((2, 2, 2), matrix)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, 1), (2, -3, 4)])
def test_a_field_has_voxels(shape):
    with pytest.raises(Invalid, match="no voxels"):
        FieldGrid(shape, IDENTITY)


@pytest.mark.parametrize("error", [-1.0, float("nan"), float("inf")])
def test_an_error_is_a_length(error):
    with pytest.raises(Invalid, match="no error"):
        AffineTransform(A, B, IDENTITY, error)


def test_a_composition_is_a_chain_and_adds_errors_in_quadrature():
    one, two = AffineTransform(A, B, IDENTITY, 30.0, "this"), AffineTransform(B, C, IDENTITY, 40.0, "that")
    both = Composition((one, two))
    assert (both.source, both.target, both.expected_error_um) == (A, C, pytest.approx(50.0))
    assert both.provenance == "this; then that"
    with pytest.raises(SpaceMismatch, match="a transform to c is followed by one from a"):
        Composition((two, one))
    with pytest.raises(Invalid, match="nothing"):
        Composition(())


@pytest.mark.parametrize(("errors", "sum_"), [([], 0.0), ([3.0], 3.0), ([2.0, 3.0, 6.0], 7.0), ([1.0, None], None)])
def test_one_unknown_error_makes_the_sum_unknown(errors, sum_):
    assert combined_error(errors) == sum_
