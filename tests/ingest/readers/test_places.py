"""Places are turned by an orientation exactly as the voxels of a volume are."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Invalid
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.frames import orientation, oriented
from pulvinar.ingest.readers.places import mirrors, places_zyx_um, step_um

AXES = ["".join(letters) for letters in permutations("xyz")]
LETTERS = ["".join(way) for order in permutations(["LR", "PA", "IS"]) for way in product(*order)]
numbers = st.floats(-1e4, 1e4, width=32)


@given(voxel=st.tuples(*[st.integers(0, 500)] * 3), letters=st.sampled_from(LETTERS))
def test_a_place_in_voxels_of_an_oriented_volume_lies_on_that_voxel(voxel, letters):
    size = (50.0, 40.0, 25.0)
    options = Options(orientation=letters, axes="zyx", unit="voxel", voxel_size_um=size)
    place = places_zyx_um(np.array([voxel], float), options, step_um(options))
    matrix = oriented(letters, size, (501, 501, 501), None)
    assert orientation(matrix) == letters
    assert place[0] == pytest.approx((matrix @ [*voxel, 1])[:3])


@given(points=st.lists(st.tuples(numbers, numbers, numbers), min_size=3, max_size=3), axes=st.sampled_from(AXES))
def test_without_an_orientation_columns_only_change_places(points, axes):
    columns = np.array(points)
    places = places_zyx_um(columns, Options(axes=axes), (1.0, 1.0, 1.0))
    for column, letter in enumerate(axes):
        assert np.array_equal(places[:, "zyx".index(letter)], columns[:, column])


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("letters", ["", *LETTERS])
def test_a_mesh_keeps_its_outside_outside(axes, letters):
    options = Options(axes=axes, orientation=letters)
    # a tetrahedron with its corners in the order that makes its volume positive, in the file's x, y, z
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    if mirrors(options):
        corners = corners[[0, 2, 1, 3]]
    x_y_z = places_zyx_um(corners, options, (1.0, 1.0, 1.0))[:, ::-1]
    assert np.linalg.det(x_y_z[1:] - x_y_z[0]) > 0


def test_letters_that_are_no_orientation_are_refused():
    with pytest.raises(Invalid, match="SAX"):
        places_zyx_um(np.zeros((1, 3)), Options(orientation="SAX"), (1.0, 1.0, 1.0))
