import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pulvinar.ingest.atlas_packers.likeliest import LikeliestLabels
from pulvinar.model.space import Window
from pulvinar.storage.sources import ArraySource

# more maps than are held at once
MAPS = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)))


@given(MAPS, st.integers(1, 100), st.data())
def test_the_likeliest_structure_has_the_voxel_where_it_is_likely_enough(maps, least, data):
    source = LikeliestLabels(ArraySource(maps[:, None]), least=least)
    start = tuple(data.draw(st.integers(0, n - 1)) for n in maps.shape[1:])
    stop = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(start, maps.shape[1:], strict=True))
    found = source.read(Window((0, 0, *start), (1, 1, *stop)))[0, 0]
    expected = np.where(maps.max(axis=0) >= least, maps.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(found, expected[tuple(map(slice, start, stop))])
    assert source.shape == (1, 1, *maps.shape[1:])
