import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pulvinar.model.volume import VolumeKind
from pulvinar.storage.bit_planes import copy_and_split
from pulvinar.storage.codecs import ChunkCodec

CODEC = ChunkCodec.for_volume(VolumeKind.IMAGE, "uint16", (1, 1, 64, 64, 64))
NOISE = np.random.default_rng(0).integers(0, 2**16, (64, 64, 64)).astype(np.uint16)
CHUNKS = {
    "noise that nothing packs": NOISE,
    "twelve bits of noise": NOISE >> 4,
    "a camera's offset and a little noise": 100 + NOISE % 7,
    "a slope": np.arange(64**3).reshape(64, 64, 64).astype(np.uint16),
    "few bright voxels": np.where(NOISE > 65_000, NOISE, 0).astype(np.uint16),
    "one value": np.full((64, 64, 64), 7, np.uint16),
    "nothing": np.zeros((64, 64, 64), np.uint16),
}


def planes_by_bits(values):
    """One bit after another, as the format's description has it."""
    bits = [(values.reshape(-1).view(np.uint16) >> plane) & 1 for plane in range(16)]
    return np.stack([np.packbits(one.astype(np.uint8), bitorder="little") for one in bits])


@given(
    arrays(np.uint16, st.tuples(st.integers(1, 3), st.sampled_from([8, 16, 40]), st.just(64))),
    st.tuples(*[st.integers(0, 5)] * 3),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_a_copy_and_its_planes_hold_every_bit_wherever_it_lay(values, before, signed):
    dtype = np.int16 if signed else np.uint16
    around = np.full([n + 2 * gap for n, gap in zip(values.shape, before, strict=True)], 0x5555, np.uint16)
    inside = tuple(slice(gap, gap + n) for n, gap in zip(values.shape, before, strict=True))
    around[inside] = values
    copy, planes = np.empty_like(values), np.empty((16, values.size // 64), np.uint64)
    copy_and_split(around[inside].view(dtype), copy.view(dtype), planes)
    assert np.array_equal(copy, values)
    assert np.array_equal(planes.view(np.uint8), planes_by_bits(values))


@pytest.mark.parametrize("name", list(CHUNKS))
@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_a_chunk_packed_by_planes_is_blosc_byte_for_byte(name, dtype):
    chunk = CHUNKS[name].view(dtype)[None, None]
    codec = ChunkCodec.for_volume(VolumeKind.IMAGE, dtype, chunk.shape)
    planes, room = np.empty((16, 4096), np.uint64), np.empty(codec.room_bytes, np.uint8)
    copy_and_split(chunk[0, 0], chunk[0, 0], planes)
    made = room[: codec.encode_into(chunk, room, planes)].tobytes()
    assert made == codec.encode(chunk)
    assert np.array_equal(codec.decode(made), chunk)
    assert imagecodecs.blosc_decode(made[:-4]) == chunk.tobytes()


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [
        (VolumeKind.LABELS, "uint16", (1, 1, 64, 64, 64)),
        (VolumeKind.IMAGE, "uint8", (1, 1, 64, 64, 64)),
        (VolumeKind.IMAGE, "uint16", (1, 1, 64, 64, 63)),
        (VolumeKind.IMAGE, "uint16", (1, 1, 64, 60, 64)),
        (VolumeKind.IMAGE, "uint16", (2, 1, 64, 64, 64)),
    ],
)
def test_other_chunks_are_left_to_blosc(kind, dtype, shape):
    assert not ChunkCodec.for_volume(kind, dtype, shape).takes_planes


def test_the_common_chunk_takes_planes():
    assert CODEC.takes_planes
