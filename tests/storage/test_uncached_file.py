import errno
import fcntl
import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.storage.uncached_file import UncachedFile

# around the block of 4 KiB, and beyond the 4 MiB that are collected before they are written
SIZES = st.one_of(st.integers(0, 3), st.integers(4090, 4100), st.integers(2**22 - 2, 2**22 + 5000))


@given(st.lists(st.lists(SIZES, max_size=3), max_size=4), st.lists(SIZES, max_size=2), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_file_holds_every_part_in_order_and_nothing_else(tmp_path_factory, calls, last, cached):
    path = tmp_path_factory.mktemp("file") / "shard"
    file, expected = UncachedFile(path, cached=cached), b""
    noise = os.urandom(2**22 + 5000)
    for sizes in calls:
        parts = [noise[:size] for size in sizes]
        file.append(parts)
        expected += b"".join(parts)
    parts = [noise[:size] for size in last]
    digest = file.finish(parts)
    expected += b"".join(parts)
    assert path.read_bytes() == expected
    assert (file.size, digest) == (len(expected), hashlib.sha256(expected).hexdigest())


def test_what_is_appended_may_be_overwritten_at_once(tmp_path):
    room = bytearray(b"a" * 5000)
    file = UncachedFile(tmp_path / "shard")
    file.append([memoryview(room)])
    room[:] = b"b" * 5000
    file.append([memoryview(room)])
    file.finish([])
    assert file.path.read_bytes() == b"a" * 5000 + b"b" * 5000


@pytest.mark.parametrize("late", [False, True], ids=["at open", "at the first write"])
def test_a_file_system_without_direct_writes_is_written_through_its_cache(tmp_path, monkeypatch, late):
    real_open, real_write, refused = os.open, os.pwrite, []

    def is_direct(flags):
        return bool(flags & os.O_DIRECT)

    def open_like_one_without(path, flags, mode=0o777):
        if is_direct(flags) and not late:
            refused.append(path)
            raise OSError(errno.EINVAL, "Invalid argument")
        return real_open(path, flags, mode)

    def write_like_one_without(descriptor, data, offset):
        if is_direct(fcntl.fcntl(descriptor, fcntl.F_GETFL)):
            refused.append(descriptor)
            raise OSError(errno.EINVAL, "Invalid argument")
        return real_write(descriptor, data, offset)

    monkeypatch.setattr(os, "open", open_like_one_without)
    monkeypatch.setattr(os, "pwrite", write_like_one_without)
    file = UncachedFile(tmp_path / "shard")
    file.append([b"x" * 10_000])
    digest = file.finish([b"y" * 10])
    assert len(refused) == 1
    assert digest == hashlib.sha256(b"x" * 10_000 + b"y" * 10).hexdigest()
    assert file.path.read_bytes() == b"x" * 10_000 + b"y" * 10


def test_a_full_disk_is_an_error_and_not_written_around(tmp_path, monkeypatch):
    def full(descriptor, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    file = UncachedFile(tmp_path / "shard")
    with pytest.raises(OSError, match="No space"):
        file.append([b"x" * 10_000])
    file.discard()
    assert not file.path.exists()
