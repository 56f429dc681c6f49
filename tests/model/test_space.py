import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Invalid, SpaceMismatch
from pulvinar.model.space import Box, Points, Space, Window, check_orientation, opposite

CCF = Space("allen-ccfv3", "mouse", "PIR")
MNI = Space("mni152", "human", "SAR")


def test_a_box_tells_which_points_lie_inside_and_its_end_is_outside():
    points = Points(CCF, np.array([[0.0, 0, 0], [9.99, 5, 5], [10, 5, 5]]))
    assert Box(CCF, (0, 0, 0), (10, 10, 10)).contains(points).tolist() == [True, True, False]


def test_places_of_two_spaces_do_not_mix():
    with pytest.raises(SpaceMismatch, match=r"mni152.*allen-ccfv3"):
        Box(CCF, (0, 0, 0), (1, 1, 1)).contains(Points(MNI, np.zeros((1, 3))))


@pytest.mark.parametrize("letters", ["RAS", "SAR", "PIR", "LPI"])
def test_orientations_name_three_axes(letters: str):
    assert check_orientation(letters) == letters


@pytest.mark.parametrize("letters", ["", "RA", "RAL", "RAX", "ras", "RASR"])
def test_what_is_no_orientation_is_refused(letters: str):
    with pytest.raises(Invalid, match="orientation"):
        check_orientation(letters)


def test_opposites_pair_up():
    assert all(opposite(opposite(letter)) == letter for letter in "LRPAIS")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=5, max_size=5))
def test_a_window_cuts_an_array_to_its_shape(axes: list[tuple[int, int]]):
    window = Window(tuple(a for a, _ in axes), tuple(a + n for a, n in axes))  # type: ignore[arg-type]
    assert window.shape == tuple(n for _, n in axes)
    assert [s.stop - s.start for s in window.slices] == [n for _, n in axes]


def test_an_empty_window_is_refused():
    with pytest.raises(Invalid, match="empty"):
        Window((0, 0, 0, 0, 0), (1, 1, 0, 1, 1))
