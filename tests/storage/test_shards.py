import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.errors import Corrupt, Invalid
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.shards import ShardWriter, index_size, parse_index

GRIDS = st.tuples(*[st.integers(1, 3)] * 5)


@given(st.data(), GRIDS)
@settings(max_examples=50, deadline=None)
def test_every_chunk_is_found_again_whatever_the_order(tmp_path_factory, data, grid):
    everywhere = list(np.ndindex(*grid))
    places = data.draw(st.lists(st.sampled_from(everywhere), unique=True))
    chunks = [(place, data.draw(st.binary(min_size=1, max_size=50))) for place in places]
    writer = ShardWriter(tmp_path_factory.mktemp("shard") / "shard", grid)
    for first in range(0, len(chunks), 3):
        writer.append(chunks[first : first + 3])
    item = writer.finish("a/b")
    raw = writer.path.read_bytes()
    assert (item.path, item.size_bytes, item.sha256) == ("a/b", len(raw), hashlib.sha256(raw).hexdigest())
    index = parse_index(raw[-index_size(grid) :], grid)
    for place, stored in chunks:
        offset, size = index.locate(place)
        assert raw[offset : offset + size] == stored
    assert all(index.locate(place) is None for place in everywhere if place not in places)
    assert index.locate(grid) is None


@given(st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=30, deadline=None)
def test_a_flipped_bit_in_the_index_is_noticed(tmp_path_factory, position, bit):
    grid = (1, 1, 2, 2, 2)
    writer = ShardWriter(tmp_path_factory.mktemp("shard") / "shard", grid)
    writer.append([((0, 0, 1, 0, 1), b"voxels")])
    writer.finish("x")
    footer = bytearray(writer.path.read_bytes()[-index_size(grid) :])
    footer[position % len(footer)] ^= 1 << bit
    with pytest.raises(Corrupt):
        parse_index(bytes(footer), grid)


@pytest.mark.parametrize("kind", list(VolumeKind))
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "int64", "uint64"])
def test_a_chunk_comes_back_bit_for_bit_and_damage_is_noticed(kind, dtype):
    codec = ChunkCodec.for_volume(kind, dtype, (2, 1, 5, 6, 7))
    chunk = np.random.default_rng(0).integers(0, 100, codec.chunk_shape).astype(dtype)
    stored = codec.encode(chunk)
    np.testing.assert_array_equal(codec.decode(stored), chunk)
    assert codec.decode(stored).dtype == chunk.dtype
    damaged = bytearray(stored)
    damaged[len(stored) // 2] ^= 4
    with pytest.raises(Corrupt):
        codec.decode(bytes(damaged))


@pytest.mark.parametrize("dtype", ["complex64", "float16", "bool", "S3"])
def test_types_that_no_viewer_can_show_are_refused(dtype):
    with pytest.raises(Invalid, match="can't be stored"):
        ChunkCodec.for_volume(VolumeKind.IMAGE, dtype, (1, 1, 1, 1, 1))
