import blosc2
import imagecodecs
import numcodecs
import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numcodecs.blosc import Blosc

from pulvinar.model.volume import VolumeKind
from pulvinar.storage.bit_planes import copy_and_split, room_for_planes
from pulvinar.storage.codecs import ChunkCodec
from pulvinar.storage.plane_codec import pack_planes

NOISE = np.random.default_rng(0).integers(0, 2**16, (64, 64, 64)).astype(np.uint16)
CHUNKS = {
    "noise that nothing packs": NOISE,
    "twelve bits of noise": NOISE >> 4,
    "a camera's offset and a little noise": 100 + NOISE % 7,
    "a slope": np.arange(64**3).reshape(64, 64, 64).astype(np.uint16),
    "few bright voxels": np.where(NOISE > 65_000, NOISE, 0).astype(np.uint16),
    "noise beside nothing": np.where(np.arange(64)[:, None, None] < 40, NOISE >> 6, 0).astype(np.uint16),
    "one value": np.full((64, 64, 64), 7, np.uint16),
    "every bit": np.full((64, 64, 64), 0xFFFF, np.uint16),
    "nothing": np.zeros((64, 64, 64), np.uint16),
}
REPEATED = {
    "rows": np.repeat(NOISE[:, :32], 2, axis=1),
    "slices": np.repeat(NOISE[:32], 2, axis=0),
    "slices, four times": np.repeat(NOISE[:16], 4, axis=0),
    "columns": np.repeat(NOISE[:, :, :32], 2, axis=2),
    "a mask's two values": np.where(NOISE & 1, np.uint16(0xFFFF), np.uint16(0)),
}


def packed(chunk):
    planes, room = room_for_planes(chunk.size), np.empty(chunk.nbytes * 2, np.uint8)
    copy_and_split(chunk, chunk, planes)
    size = pack_planes(planes, chunk.size // 64, chunk.shape[1], room)
    return planes[:, : chunk.size // 64], room[:size].tobytes()


def codec_of(chunk, dtype="uint16"):
    return ChunkCodec.for_volume(VolumeKind.IMAGE, dtype, (1, 1, *chunk.shape))


@pytest.mark.parametrize("name", list(CHUNKS))
def test_frames_are_one_zstd_stream_of_the_planes(name):
    planes, stream = packed(CHUNKS[name])
    assert zstd.decompress(stream) == planes.tobytes()


@pytest.mark.parametrize("name", list(CHUNKS))
@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_every_program_that_knows_blosc_reads_a_chunk(name, dtype):
    chunk = CHUNKS[name].view(dtype)
    codec = codec_of(chunk, dtype)
    stored = codec.encode(chunk[None, None])
    assert np.array_equal(codec.decode(stored)[0, 0], chunk)
    body = stored[:-4]
    assert imagecodecs.blosc_decode(body) == chunk.tobytes()
    assert numcodecs.get_codec(Blosc().get_config()).decode(body) == chunk.tobytes()
    assert blosc2.decompress(body) == chunk.tobytes()


@pytest.mark.parametrize("name", list(CHUNKS))
def test_planes_that_are_there_already_make_the_same_bytes(name):
    chunk = CHUNKS[name]
    codec, planes = codec_of(chunk), room_for_planes(chunk.size)
    copy_and_split(chunk, chunk, planes)
    room = np.empty(codec.room_bytes, np.uint8)
    size = codec.encode_into(chunk[None, None], room, planes)
    assert room[:size].tobytes() == codec.encode(chunk[None, None])


@pytest.mark.parametrize("name", [name for name in CHUNKS if name != "noise that nothing packs"])
def test_a_chunk_is_hardly_larger_than_blosc_makes_it(name):
    chunk = CHUNKS[name]
    options = {"level": 1, "compressor": "zstd", "shuffle": "bitshuffle", "typesize": 2, "blocksize": chunk.nbytes}
    by_blosc = len(imagecodecs.blosc_encode(chunk, **options))
    assert len(codec_of(chunk).encode(chunk[None, None])) <= 1.1 * by_blosc + 512


@pytest.mark.parametrize("name", list(REPEATED))
def test_noise_that_repeats_is_not_taken_for_noise(name):
    chunk = REPEATED[name]
    assert len(codec_of(chunk).encode(chunk[None, None])) < 0.65 * chunk.nbytes


def test_a_chunk_that_nothing_packs_is_no_larger_than_its_voxels():
    assert len(codec_of(NOISE).encode(NOISE[None, None])) <= NOISE.nbytes + 64


@given(arrays(np.uint16, (16, 16, 64), elements=st.sampled_from([0, 1, 7, 255, 256, 4095, 65535])))
@settings(max_examples=50, deadline=None)
def test_any_chunk_comes_back(chunk):
    codec = codec_of(chunk)
    assert codec.takes_planes
    assert np.array_equal(codec.decode(codec.encode(chunk[None, None]))[0, 0], chunk)


@pytest.mark.parametrize("wrong", [NOISE[:32], NOISE.astype(np.uint8)])
def test_a_chunk_of_another_shape_or_type_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        codec_of(NOISE).encode(wrong[None, None])
