"""The 48 ways to lie."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.model.space import Space, check_orientation
from pulvinar.solutions.align.brain_image import voxel_letters
from pulvinar.solutions.align.orientation import TURNS, handedness

turns = st.sampled_from(TURNS)


def test_there_are_48_and_half_of_them_mirror():
    assert len(set(TURNS)) == 48
    assert sum(turn.is_mirrored for turn in TURNS) == 24


@given(turns, st.tuples(*(st.integers(2, 5),) * 3))
def test_the_map_of_indices_says_what_the_turn_does(turn, shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    turned = turn.turned(array)
    index = np.indices(turned.shape).reshape(3, -1)
    matrix = turn.to_array(shape)
    at = (matrix[:3, :3] @ index + matrix[:3, 3:]).astype(int)
    assert (array[tuple(at)] == turned.ravel()).all()


@given(turns, st.sampled_from(["SAR", "PIR", "LIA"]))
def test_letters_are_those_of_the_axes(turn, target):
    letters = turn.letters(target)
    assert check_orientation(letters) == letters
    assert voxel_letters(Space("brain", "mouse", letters), turn.to_array((5, 5, 5))) == target
    assert (handedness(letters) != handedness(target)) == turn.is_mirrored
