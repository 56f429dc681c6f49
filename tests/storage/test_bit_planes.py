import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pulvinar.model.volume import VolumeKind
from pulvinar.storage.bit_planes import EMPTY, NOISE, REPETITIVE, UNEVEN, copy_and_split, look_at, room_for_planes
from pulvinar.storage.codecs import ChunkCodec

CODEC = ChunkCodec.for_volume(VolumeKind.IMAGE, "uint16", (1, 1, 64, 64, 64))


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
    copy, planes = np.empty_like(values), room_for_planes(values.size)
    copy_and_split(around[inside].view(dtype), copy.view(dtype), planes)
    assert np.array_equal(copy, values)
    assert np.array_equal(planes[:, : values.size // 64].view(np.uint8), planes_by_bits(values))


def kinds_of(chunk):
    planes, kinds = room_for_planes(chunk.size), np.empty(16, np.int64)
    copy_and_split(chunk, chunk, planes)
    look_at(planes, chunk.size // 64, chunk.shape[1], kinds)
    return kinds.tolist()


def test_empty_planes_and_noise_are_told_from_what_has_structure():
    numbers = np.random.default_rng(0)
    noise = numbers.integers(0, 16, (64, 64, 64)).astype(np.uint16)
    seldom = np.where(numbers.random(noise.shape) < 0.2, 16, 0).astype(np.uint16)
    smooth = (400 + 300 * np.sin(np.linspace(0, 9, 64))).astype(np.uint16) & 0xFFE0
    expected = [NOISE] * 4 + [UNEVEN] + [REPETITIVE] * 5 + [EMPTY] * 6
    assert kinds_of(noise + seldom + smooth[:, None, None]) == expected


def test_a_few_bits_are_enough_for_a_plane_not_to_be_empty():
    chunk = np.zeros((64, 64, 64), np.uint16)
    chunk[63, 63, 63] = 1 << 9
    assert [plane for plane, kind in enumerate(kinds_of(chunk)) if kind != EMPTY] == [9]


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [
        (VolumeKind.LABELS, "uint16", (1, 1, 64, 64, 64)),
        (VolumeKind.IMAGE, "uint8", (1, 1, 64, 64, 64)),
        (VolumeKind.IMAGE, "uint16", (1, 1, 64, 64, 63)),
        (VolumeKind.IMAGE, "uint16", (1, 1, 64, 60, 64)),
        (VolumeKind.IMAGE, "uint16", (2, 1, 64, 64, 64)),
        (VolumeKind.IMAGE, "uint16", (1, 1, 8, 8, 64)),
    ],
)
def test_other_chunks_are_left_to_blosc(kind, dtype, shape):
    assert not ChunkCodec.for_volume(kind, dtype, shape).takes_planes


def test_the_common_chunk_takes_planes():
    assert CODEC.takes_planes
