"""How voxels lie, told from labels at known places: whichever way a file is turned, the answer turns with it."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_geometry import (
    corner_affine,
    label_places,
    measured_orientation,
    orientation_of_affine,
    world_affine,
)
from pulvinar.model.space import Space, opposite
from pulvinar.storage.sources import ArraySource

LANDMARKS = {"S": [1], "I": [2, 9], "A": [3], "P": [4], "L": [5], "R": [6]}
ALL_WAYS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]
"""The 48 ways in which a volume can be turned and mirrored."""


def head():
    """Axes (z, y, x) rising to S, A, R, of three unlike sizes: a label at each side."""
    voxels = np.zeros((12, 16, 20), np.uint16)
    places = {1: (10, 8, 10), 2: (1, 8, 10), 3: (6, 14, 10), 4: (6, 1, 10), 5: (6, 8, 2), 6: (6, 8, 17)}
    for label, (z, y, x) in places.items():
        voxels[z - 1 : z + 1, y - 1 : y + 1, x - 1 : x + 1] = label
    return voxels


def turned(order, flips):
    """The head in another order of axes, some of them mirrored, and the letters of its axes."""
    axes = [axis for axis, flip in enumerate(flips) if flip]
    letters = "".join(opposite("SAR"[axis]) if flips[number] else "SAR"[axis] for number, axis in enumerate(order))
    return np.flip(head().transpose(order), axes), letters


@pytest.mark.parametrize(("order", "flips"), ALL_WAYS)
def test_each_way_a_head_can_be_turned_is_told(order, flips):
    voxels, letters = turned(order, flips)
    places = label_places(ArraySource(np.ascontiguousarray(voxels)[None, None]))
    assert measured_orientation(places, LANDMARKS) == letters


@pytest.mark.parametrize(("order", "flips"), ALL_WAYS)
def test_turned_voxels_lie_where_the_others_do(order, flips):
    voxels, letters = turned(order, flips)
    size = np.array((100.0, 50.0, 25.0))
    extent = tuple((np.array(head().shape) * size).tolist())
    space = Space("head", "mouse", "SAR", extent_um=extent)
    affine = np.array(corner_affine(letters, voxels.shape, tuple(size[list(order)].tolist()), space))
    for label in range(1, 7):
        index = np.argwhere(voxels == label)
        found = index @ affine[:3, :3].T + affine[:3, 3]
        expected = (np.argwhere(head() == label) + 0.5) * size
        np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0))
    assert orientation_of_affine(world_affine(tuple(map(tuple, affine)), space)) == letters


def test_an_axis_of_which_nobody_tells_is_not_guessed():
    places = label_places(ArraySource(head()[None, None]))
    without_sides = {letter: LANDMARKS[letter] for letter in "SIAP"}
    assert measured_orientation(places, without_sides) == "SA?"


@pytest.mark.parametrize(
    ("landmarks", "said"),
    [({"S": [1], "I": [2], "A": [1], "P": [2]}, "that should lie P and A"), ({"S": [77], "I": [2]}, r"\[77\]")],
)
def test_landmarks_that_cannot_be_are_refused(landmarks, said):
    places = label_places(ArraySource(head()[None, None]))
    with pytest.raises(UnreadableFile, match=said):
        measured_orientation(places, landmarks)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_places_are_those_of_numpy(seed, depth):
    voxels = np.random.default_rng(seed).integers(0, 5, (depth, 7, 6)).astype(np.uint32)
    found = label_places(ArraySource(voxels[None, None]))
    assert set(found) == set(np.unique(voxels).tolist()) - {0}
    for label, place in found.items():
        at = np.argwhere(voxels == label)
        assert place.count == len(at)
        np.testing.assert_allclose(place.center, at.mean(axis=0))
