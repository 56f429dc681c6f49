"""Any window of a volume, and reading it from an open one."""

from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one

from pulvinar.ingest.reader import Options
from pulvinar.model.space import Window


def windows(shape):
    """Windows that lie in a volume of `shape`, each axis with at least one voxel."""
    ends = [st.tuples(st.integers(0, n), st.integers(0, n)).filter(lambda pair: pair[0] != pair[1]) for n in shape]
    return st.tuples(*ends).map(lambda pairs: Window(tuple(map(min, pairs)), tuple(map(max, pairs))))


@contextmanager
def opened(reader, folder, scratch, options=None):
    """What reads windows of the folder's one volume."""
    options = options or Options()
    asset = find_one(reader, folder, options)
    scratch.mkdir(exist_ok=True)
    volume = reader.open_volume(asset, folder, options, scratch)

    def read(window):
        out = np.zeros(window.shape, asset.volume.dtype)
        volume.read_into(window, out)
        return out

    yield read
    volume.close()
    for path in scratch.iterdir():
        path.unlink()
