"""Which shards a volume has is what an independent writer makes of its chunks."""

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulvinar.ingest.readers.precomputed_shards import expected_shards


def sharding(preshift, within, bits, name="identity"):
    return {
        "@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": preshift, "hash": name, "minishard_bits": within,
        "shard_bits": bits, "minishard_index_encoding": "raw", "data_encoding": "raw",
    }  # fmt: skip


def written_shards(folder, grid, spread):
    """The shards that tensorstore writes of a volume of `grid` chunks, none of them empty."""
    scale = {"size": grid, "resolution": [1, 1, 1], "chunk_size": [1, 1, 1], "encoding": "raw", "key": "s"}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": scale | {"sharding": spread},
    }
    ts.open(spec, create=True, delete_existing=True).result()[...] = np.ones((*grid, 1), np.uint8)
    return sorted(path.name for path in (folder / "s").glob("*.shard"))


@given(
    grid=st.tuples(*[st.integers(1, 9)] * 3),
    bits=st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 6)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shards_are_those_that_tensorstore_writes(tmp_path, grid, bits):
    spread = sharding(*bits)
    assert expected_shards(grid, spread) == written_shards(tmp_path / "v", grid, spread)


def test_a_hash_that_spreads_many_chunks_fills_every_shard(tmp_path):
    spread = sharding(0, 1, 2, "murmurhash3_x86_128")
    assert expected_shards((8, 8, 4), spread) == written_shards(tmp_path / "v", (8, 8, 4), spread)


@pytest.mark.parametrize(
    ("grid", "spread"),
    [((2, 2, 2), sharding(0, 0, 5, "murmurhash3_x86_128")), ((1 << 10, 1 << 10, 1 << 10), sharding(0, 0, 30))],
)
def test_what_nothing_tells_is_not_guessed(grid, spread):
    assert expected_shards(grid, spread) is None


def test_a_volume_of_terabytes_is_told_by_few_places():
    assert len(expected_shards((1 << 10, 1 << 10, 1 << 10), sharding(9, 6, 15))) == 1 << 15
