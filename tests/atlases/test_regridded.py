import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.atlases.regridded import Regridded, turn_of
from pulvinar.errors import Invalid
from pulvinar.model.space import Space, opposite
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid_plan import plan_levels

TURNS = st.tuples(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))


class Held:
    """An array as a readable volume."""

    def __init__(self, array):
        levels = plan_levels((1, 1, *array.shape), (1.0, 1.0, 1.0), array.dtype, VolumeKind.IMAGE)
        self.volume = Volume(VolumeKind.IMAGE, array.dtype.name, levels, (Channel("a"),))
        self.array = array
        self.read_voxels = 0

    def read(self, level, window):
        assert level == 0
        found = self.array[None, None][window.slices]
        self.read_voxels += found.size
        return found


@given(TURNS, st.tuples(*[st.integers(1, 5)] * 3), st.data())
def test_a_turned_volume_is_the_array_turned(turn, shape, data):
    axes, falls = turn
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    expected = array.transpose(axes)[tuple(slice(None, None, -1 if one else 1) for one in falls)]
    to_voxel = np.zeros((4, 4))
    to_voxel[3, 3] = 1
    for axis, (stored, fall) in enumerate(zip(axes, falls, strict=True)):
        to_voxel[stored, axis] = -1 if fall else 1
        to_voxel[stored, 3] = shape[stored] - 1 if fall else 0
    start = [data.draw(st.integers(0, n - 1)) for n in expected.shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, expected.shape, strict=True)]
    held = Held(array)
    regridded = Regridded(held, to_voxel, expected.shape)
    assert regridded.exact
    np.testing.assert_array_equal(regridded.read(start, stop), expected[tuple(map(slice, start, stop))])
    # no more was read than was asked for
    assert held.read_voxels == np.subtract(stop, start).prod()


@given(st.tuples(*[st.integers(-3, 3)] * 3))
def test_outside_of_a_shifted_volume_is_nothing(shift):
    array = np.arange(1, 25, dtype=np.uint8).reshape(2, 3, 4)
    to_voxel = np.eye(4)
    to_voxel[:3, 3] = shift
    found = Regridded(Held(array), to_voxel, (2, 3, 4)).read((0, 0, 0), (2, 3, 4))
    for at in np.ndindex(2, 3, 4):
        stored = np.add(at, shift)
        inside = ((stored >= 0) & (stored < array.shape)).all()
        assert found[at] == (array[tuple(stored)] if inside else 0)


@given(st.floats(0.3, 1.7), st.floats(-0.4, 0.4), st.data())
def test_between_voxels_a_ramp_stays_a_ramp_whatever_the_blocks(scale, shift, data):
    z, y, x = np.indices((12, 13, 14))
    array = (3 * z + 2 * y - x).astype(np.float32)
    to_voxel = np.diag([scale, scale, scale, 1.0])
    to_voxel[:3, 3] = 2 + shift
    shape = (5, 4, 4)
    regridded = Regridded(Held(array), to_voxel, shape)
    start = [data.draw(st.integers(0, n - 1)) for n in shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True)]
    places = [np.arange(a, b) * scale + 2 + shift for a, b in zip(start, stop, strict=True)]
    at_z, at_y, at_x = np.meshgrid(*places, indexing="ij")
    np.testing.assert_allclose(regridded.read(start, stop), 3 * at_z + 2 * at_y - at_x, rtol=1e-5, atol=1e-4)


@given(TURNS, TURNS)
def test_any_orientation_turns_to_any_other(stored, wanted):
    def letters(turn):
        return "".join(opposite("PIL"[axis]) if fall else "PIL"[axis] for axis, fall in zip(*turn, strict=True))

    shape = (2, 3, 4)
    to_space = np.diag([5.0, 6.0, 7.0, 1.0])
    turn, turned_shape = turn_of(Space("made up", "mouse", letters(stored)), to_space, shape, letters(wanted))
    rising = letters(wanted)
    for axis in range(3):
        step = turn[:3, axis]
        stored_axis = int(np.abs(step).argmax())
        assert turned_shape[axis] == shape[stored_axis]
        letter = letters(stored)[stored_axis]
        assert rising[axis] == (letter if step[stored_axis] > 0 else opposite(letter))
    last = turn @ [*np.subtract(turned_shape, 1), 1]
    first = turn @ [0, 0, 0, 1]
    assert sorted(map(tuple, np.sort([first[:3], last[:3]], axis=0))) == [(0, 0, 0), (1, 2, 3)]


def test_oblique_voxels_and_spaces_without_orientation_are_refused():
    oblique = np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    with pytest.raises(Invalid, match="oblique"):
        turn_of(Space("made up", "mouse", "SAR"), oblique, (1, 1, 1), "PIL")
    with pytest.raises(Invalid, match="orientation"):
        turn_of(Space("made up", "mouse"), np.eye(4), (1, 1, 1), "PIL")
