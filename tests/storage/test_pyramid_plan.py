from collections import Counter
from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid_plan import cells, plan_levels, plan_pyramid, quanta

IMAGE = VolumeKind.IMAGE
SIDES = st.integers(1, 9000)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), SIDES, SIDES, SIDES)
SIZES = st.tuples(*[st.floats(0.1, 50)] * 3)


def volume(shape, voxel_size_um=(1.0, 1.0, 1.0), dtype="uint16"):
    levels = plan_levels(shape, voxel_size_um, dtype, IMAGE)
    return Volume(IMAGE, dtype, levels, tuple(Channel(str(i)) for i in range(shape[1])))


def test_long_voxels_wait_until_the_others_have_caught_up():
    levels = plan_levels((1, 1, 400, 2000, 2000), (4.0, 1.0, 1.0), "uint16", IMAGE)
    assert [level.voxel_size_um for level in levels[:4]] == [(4, 1, 1), (4, 2, 2), (4, 4, 4), (8, 8, 8)]
    assert [level.shape[2:] for level in levels[:4]] == [
        (400, 2000, 2000),
        (400, 1000, 1000),
        (400, 500, 500),
        (200, 250, 250),
    ]


def test_every_level_says_where_its_first_voxel_lies():
    levels = plan_levels((1, 1, 100, 400, 401), (4.0, 1.0, 1.0), "uint8", IMAGE)
    assert [level.translation_um for level in levels[:4]] == [(0, 0, 0), (0, 0.5, 0.5), (0, 1.5, 1.5), (2, 3.5, 3.5)]


def test_time_points_share_chunks_and_shards_only_where_a_volume_is_small():
    small = plan_levels((1452, 1, 1, 20, 40), (1.0, 1.0, 1.0), "int16", IMAGE)[0]
    assert (small.chunk_shape, small.shard_shape) == ((256, 1, 1, 20, 40), (1536, 1, 1, 20, 40))
    large = plan_levels((50, 1, 600, 600, 600), (1.0, 1.0, 1.0), "int16", IMAGE)[0]
    assert (large.chunk_shape, large.shard_shape) == ((1, 1, 64, 64, 64), (1, 1, 512, 512, 512))


@given(SHAPES, SIZES)
@settings(max_examples=100, deadline=None)
def test_levels_shrink_to_one_chunk_and_chunks_fill_shards(shape, sizes):
    levels = plan_levels(shape, sizes, "uint16", IMAGE)
    assert max(levels[-1].shape[2:]) <= 64
    for level in levels:
        assert all(s % c == 0 for s, c in zip(level.shard_shape, level.chunk_shape, strict=True))
        assert prod(level.chunk_shape) <= 64**3
        assert prod(level.shard_shape) <= 512**3
    for finer, coarser in pairwise(levels):
        assert prod(coarser.shape) < prod(finer.shape)
        spread = [max(level.voxel_size_um) / min(level.voxel_size_um) for level in (finer, coarser)]
        thick = [n > 1 for n in finer.shape[2:]]
        assert not all(thick) or spread[1] <= max(spread[0], 2)


@given(SHAPES, SIZES, st.tuples(st.just(1), st.just(1), *[st.integers(1, 3000)] * 3))
@settings(max_examples=60, deadline=None)
def test_blocks_own_every_shard_once_and_pieces_cover_every_voxel_once(shape, sizes, decoded):
    planned = volume(shape, sizes)
    blocks = plan_pyramid(planned, tuple(min(a, b) for a, b in zip(decoded, shape, strict=True))).blocks
    owned = Counter()
    for block in blocks:
        window = block.window
        for k in range(block.base, block.levels.stop):
            level = planned.levels[k]
            if k > block.base:
                finer = planned.levels[k - 1]
                factors = (1, 1, *(round(b / a) for a, b in zip(finer.voxel_size_um, level.voxel_size_um, strict=True)))
                start = tuple(a // f for a, f in zip(window.start, factors, strict=True))
                stop = tuple(-(-b // f) for b, f in zip(window.stop, factors, strict=True))
                window = Window(start, stop)
            if k in block.levels:
                owned.update((k, shard) for shard in product(*cells(window, level.shard_shape)))
    everything = {
        (k, shard)
        for k, level in enumerate(planned.levels)
        for shard in product(*cells(Window.whole(level.shape), level.shard_shape))
    }
    assert set(owned) == everything
    assert set(owned.values()) == {1}
    for block in blocks[:2]:
        pieces = list(quanta(block))
        chunk = planned.levels[block.base].chunk_shape
        assert sum(prod(piece.shape) for piece in pieces) == prod(block.window.shape)
        assert len({piece.start for piece in pieces}) == len(pieces)
        assert all(a % n == 0 for piece in pieces for a, n in zip(piece.start, chunk, strict=True))


@pytest.mark.parametrize(
    "decoded", [(1, 1, 1, 1, 1), (1, 1, 1, 1, 30_000), (1, 1, 1, 30_000, 30_000), (1, 1, 128, 128, 128)]
)
def test_what_is_read_at_once_stays_small_in_a_plane_of_30000(decoded):
    planned = volume((1, 1, 3000, 30_000, 30_000))
    for block in plan_pyramid(planned, decoded).blocks:
        assert prod(block.read_shape) * np.dtype("uint16").itemsize <= 96 * 2**20
