import numpy as np

from pulvinar.storage.pending import PendingChunks

SHAPE = (1, 1, 4, 4, 4)


def test_chunks_beyond_the_limit_wait_in_scratch_and_come_back_unchanged(tmp_path):
    with PendingChunks(np.dtype(np.uint16), 128, 3 * 128, tmp_path) as pending:
        generator = np.random.default_rng(0)
        expected = {}
        for step in range(300):
            key = (1, (0, 0, 0, 0, int(generator.integers(20))))
            chunk = pending.find(key, SHAPE, 64)
            voxels = pending.use(chunk, clear=True)
            np.testing.assert_array_equal(voxels, expected.get(key, 0))
            voxels += step
            expected[key] = voxels.copy()
            pending.leave(chunk)
            if step % 7 == 0:
                pending.drop(chunk)
                del expected[key]
            held = sum(pending.find((1, (0, 0, 0, 0, i)), SHAPE, 64).array is not None for i in range(20))
            assert held <= 3
    assert not list(tmp_path.iterdir())


def test_a_chunk_in_use_is_never_spilled(tmp_path):
    with PendingChunks(np.dtype(np.uint8), 64, 0, tmp_path) as pending:
        used = pending.find((0, (0, 0, 0, 0, 0)), SHAPE, 64)
        voxels = pending.use(used, clear=True)
        other = pending.find((0, (0, 0, 0, 0, 1)), SHAPE, 64)
        pending.use(other, clear=True)
        pending.leave(other)
        assert used.array is voxels
        assert other.array is None
