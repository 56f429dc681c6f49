"""Bytes lie where they belong, whichever way they are written."""

import mmap
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from pulvinar.ingest.uploads.placing import BLOCK_BYTES, PlacedFile

MB = 1 << 20
ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.bin"


def opened(path, size):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    os.ftruncate(handle, size)
    return PlacedFile(handle)


def pages(size, seed=0):
    """Noise in memory that begins at a page."""
    memory = memoryview(mmap.mmap(-1, size))
    memory[:] = np.random.default_rng(seed).bytes(size)
    return memory


@pytest.mark.parametrize("at", [0, BLOCK_BYTES, 3 * MB, 1, BLOCK_BYTES - 1])
@pytest.mark.parametrize("size", [MB, 2 * MB + 1, MB + BLOCK_BYTES, 3 * MB - 1, BLOCK_BYTES, 17])
@pytest.mark.parametrize("shift", [0, 1, 512])
def test_any_size_from_anywhere_in_memory_to_any_place(path, at, size, shift):
    chunk = pages(size + shift)[shift:]
    with opened(path, at + size + 5) as file:
        file.write([chunk], at)
        file.sync()
    assert path.read_bytes() == bytes(at) + bytes(chunk) + bytes(5)


def test_several_chunks_follow_each_other(path):
    chunks = [pages(MB + 3, 1), b"between", pages(2 * MB, 2)]
    with opened(path, 0) as file:
        file.write(chunks, 0)
    assert path.read_bytes() == b"".join(map(bytes, chunks))


def test_both_ways_into_one_file_do_not_undo_each_other(path):
    whole = pages(4 * MB)
    with opened(path, len(whole)) as file:
        file.write([whole[: MB + 100]], 0)
        file.write([whole[MB + 100 : 2 * MB]], MB + 100)
        file.write([whole[2 * MB :]], 2 * MB)
        file.write([whole[:MB]], 0)
    assert path.read_bytes() == bytes(whole)


def test_long_chunks_do_not_fill_the_page_cache():
    size = 4 * MB
    # on a disk: what lies in memory is its page cache
    with TemporaryDirectory(dir=ROOT) as folder:
        _written_past_the_cache(Path(folder) / "file.bin", size)


def _written_past_the_cache(path, size):
    with opened(path, size) as file:
        if file._past_cache < 0:
            pytest.skip("this file system can't write past the cache")
        file.write([pages(size)], 0)
    handle = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            os.preadv(handle, [bytearray(BLOCK_BYTES)], 0, os.RWF_NOWAIT)
    finally:
        os.close(handle)


def test_a_file_system_that_can_not_is_written_to_as_any(path, monkeypatch):
    real = os.open

    def refusing(name, flags, *mode):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(name, flags, *mode)

    monkeypatch.setattr(os, "open", refusing)
    chunk = pages(2 * MB)
    with opened(path, len(chunk)) as file:
        file.write([chunk], 0)
    assert path.read_bytes() == bytes(chunk)


def test_a_full_disk_is_told(path, monkeypatch):
    def full(handle, data, at):
        raise OSError(28, "No space left on device")

    with opened(path, 2 * MB) as file:
        if file._past_cache < 0:
            pytest.skip("this file system can't write past the cache")
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            file.write([pages(2 * MB)], 0)
