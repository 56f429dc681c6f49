"""A file that grows at its end without passing through the page cache.

A shard is written once and, as a rule, not read again soon. Through the page cache its bytes would be copied once more,
push out what others read, and still have to reach the disk before the shard counts. Where a file system knows no direct
writes, the same calls write through its cache.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pulvinar.storage.sources import Voxels

# direct writes want memory, place and length in whole blocks; 4 KiB suits every common disk
_BLOCK_BYTES = 4096
_ROOM_BYTES = 4 * 2**20
_DIRECT: int = getattr(os, "O_DIRECT", 0)


class _Room(threading.local):
    """Memory that begins at a page, a thread's own; what is never touched takes none."""

    def __init__(self) -> None:
        self.bytes = np.frombuffer(mmap.mmap(-1, _ROOM_BYTES), np.uint8)


_room = _Room()


class UncachedFile:
    """A new file at `path`. Between calls it is closed and less than a block of it is in memory, so that thousands can
    be under way at once. Called by one thread at a time.

    `cached`: write through the page cache after all, for what is read back at once.
    """

    def __init__(self, path: Path, *, cached: bool = False) -> None:
        self.path = path
        self.size = 0
        self._written = 0
        self._tail = b""
        self._digest = hashlib.sha256()
        self._direct = 0 if cached else _DIRECT

    def append(self, parts: Sequence[bytes | memoryview]) -> None:
        """Add `parts` at the end; they need not be kept. Raises `OSError`."""
        with self._opened() as descriptor:
            self._gather(descriptor, parts)

    def finish(self, parts: Sequence[bytes | memoryview]) -> str:
        """Add the last `parts`; the file is durable when this returns its SHA-256 in hex. Raises `OSError`."""
        with self._opened() as descriptor:
            self._gather(descriptor, parts)
            if self._tail:
                block = _room.bytes[:_BLOCK_BYTES]
                block[: len(self._tail)] = np.frombuffer(self._tail, np.uint8)
                block[len(self._tail) :] = 0
                self._write(descriptor, block)
            os.ftruncate(descriptor, self.size)
            os.fsync(descriptor)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _gather(self, descriptor: int, parts: Sequence[bytes | memoryview]) -> None:
        """Collect `parts` behind what was left over, and write whole blocks."""
        room, used = _room.bytes, len(self._tail)
        room[:used] = np.frombuffer(self._tail, np.uint8)
        hashed = used
        for part in parts:
            # numpy's copy lets other threads go on
            left = np.frombuffer(part, np.uint8)
            self.size += len(left)
            while len(left):
                fits = min(len(left), len(room) - used)
                room[used : used + fits] = left[:fits]
                left, used = left[fits:], used + fits
                if used == len(room):
                    self._digest.update(room[hashed:].data)
                    self._write(descriptor, room)
                    used = hashed = 0
        self._digest.update(room[hashed:used].data)
        whole = used - used % _BLOCK_BYTES
        self._write(descriptor, room[:whole])
        self._tail = room[whole:used].tobytes()

    def _write(self, descriptor: int, left: Voxels) -> None:
        while len(left):
            try:
                done = os.pwrite(descriptor, left.data, self._written)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                # this file system takes direct writes of other sizes only, or says so late that it takes none
                self._direct = 0
                fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~_DIRECT)
                continue
            left, self._written = left[done:], self._written + done

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = self._open()
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags | self._direct, 0o666)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            self._direct = 0
            return os.open(self.path, flags, 0o666)
