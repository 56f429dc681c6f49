"""Bytes written at their places in a file, past the page cache where that can be.

What is to be durable before it is acknowledged goes to the disk at once anyway: to copy it into fresh pages of the
kernel's memory first takes more of the processor than to receive and to check it, and pushes out what others read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

BLOCK_BYTES = 4096
"""Places, sizes and addresses in memory that are multiples of this suit any disk."""
_LEAST_BYTES = 1 << 20
"""Less is through the page cache before it pays to wait for the disk."""
_MOST_BUFFERS = 512


class PlacedFile:
    """A file that is open for writing; it is closed with the `with` block. `handle` is good for locks."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        try:
            self._past_cache = os.open(f"/proc/self/fd/{handle}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        except OSError:
            # a file system that can't: memory, some networks
            self._past_cache = -1

    def write(self, chunks: Sequence[bytes | memoryview], at: int) -> None:
        """Write `chunks` one behind the other from the byte `at` on."""
        if len(chunks) == 1 and len(chunks[0]) >= _LEAST_BYTES and at % BLOCK_BYTES == 0:
            whole = memoryview(chunks[0])
            written = self._written_past_cache(whole[: len(whole) // BLOCK_BYTES * BLOCK_BYTES], at)
            chunks, at = [whole[written:]], at + written
        _write_all(self.handle, chunks, at)

    def sync(self) -> None:
        """Have the disk hold what was written, whichever way."""
        os.fdatasync(self.handle)

    def close(self) -> None:
        """Let go of the file, and of the locks on its handle."""
        os.close(self.handle)
        self._stay_in_cache()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _written_past_cache(self, blocks: memoryview, at: int) -> int:
        """How many of the bytes were written, from the first on; 0 where it can't be."""
        if self._past_cache < 0:
            return 0
        try:
            return os.pwrite(self._past_cache, blocks, at)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # the memory is not as the disk wants it, or the file system took the flag and can't after all
            self._stay_in_cache()
            return 0

    def _stay_in_cache(self) -> None:
        if self._past_cache >= 0:
            os.close(self._past_cache)
            self._past_cache = -1


def _write_all(handle: int, chunks: Sequence[bytes | memoryview], at: int) -> None:
    for first in range(0, len(chunks), _MOST_BUFFERS):
        some = chunks[first : first + _MOST_BUFFERS]
        size = sum(map(len, some))
        written = os.pwritev(handle, some, at)
        if written < size:
            # rare: a signal, or a disk that is nearly full
            rest = memoryview(b"".join(some))
            while written < size:
                written += os.pwrite(handle, rest[written:], at + written)
        at += size
