"""Shards: many encoded chunks in one object, found by an index at its end (Zarr v3 `sharding_indexed`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Corrupt
from pulvinar.model.dataset import StoredObject
from pulvinar.model.volume import Level, Shape5
from pulvinar.storage.codecs import CHECKSUM, CRC_BYTES, LITTLE_ENDIAN, crc32c
from pulvinar.storage.space import room_in

ROOT = "image.ome.zarr"
INDEX_CODECS: list[dict[str, Any]] = [LITTLE_ENDIAN, CHECKSUM]
_ENTRY_BYTES = 16
_MISSING = np.uint64(2**64 - 1)


def shard_path(level: int, shard: Shape5) -> str:
    """Where a shard lies, relative to its asset: "image.ome.zarr/0/c/0/0/3/1/2"."""
    return f"{ROOT}/{level}/c/" + "/".join(map(str, shard))


def chunks_per_shard(level: Level) -> Shape5:
    """Chunks an axis of every shard of `level`, those beyond the volume's end included."""
    t, c, z, y, x = (a // b for a, b in zip(level.shard_shape, level.chunk_shape, strict=True))
    return t, c, z, y, x


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where each chunk lies in its shard: `entries` uint64 (chunks, 2), columns offset and size in bytes."""

    grid: Shape5
    entries: npt.NDArray[np.uint64]

    def locate(self, inner: Shape5) -> tuple[int, int] | None:
        """(offset, size in bytes) of the chunk at place `inner` (t, c, z, y, x) of the shard; None when it is empty."""
        if any(not 0 <= i < n for i, n in zip(inner, self.grid, strict=True)):
            return None
        offset, nbytes = self.entries[np.ravel_multi_index(inner, self.grid)]
        return None if offset == _MISSING else (int(offset), int(nbytes))


def index_size(grid: Shape5) -> int:
    """Size in bytes of the index at the end of a shard of `grid` chunks."""
    return prod(grid) * _ENTRY_BYTES + CRC_BYTES


def parse_index(footer: bytes, grid: Shape5) -> ShardIndex:
    """The index in `footer`, a shard's last `index_size(grid)` bytes; raises `Corrupt` when they are not one."""
    if len(footer) != index_size(grid) or crc32c(footer[:-CRC_BYTES]) != footer[-CRC_BYTES:]:
        raise Corrupt("a shard's index does not fit its checksum", hint="run `pulvinar verify` on the dataset")
    entries = np.frombuffer(footer[:-CRC_BYTES], "<u8").astype(np.uint64, copy=False).reshape(-1, 2)
    return ShardIndex(grid, entries)


class ShardWriter:
    """Appends encoded chunks to one shard's local file, in any order, and never holds more than one of them.

    The file is open only during a call, so that thousands of shards can be under way at once.
    """

    def __init__(self, path: Path, grid: Shape5) -> None:
        self.path = path
        self._grid = grid
        self._entries = np.full((prod(grid), 2), _MISSING, np.uint64)
        self._digest = hashlib.sha256()
        self._size = 0

    @property
    def empty(self) -> bool:
        """Whether no chunk came: such a shard isn't stored."""
        return self._size == 0

    def append(self, chunks: Sequence[tuple[Shape5, bytes]]) -> None:
        """Add chunks, each with its place (t, c, z, y, x) in the shard."""
        for inner, data in chunks:
            self._entries[np.ravel_multi_index(inner, self._grid)] = (self._size, len(data))
            self._size += len(data)
        self._write([data for _, data in chunks], sync=False)

    def finish(self, stored_path: str) -> StoredObject:
        """Write the index; the file is whole and durable when this returns. `stored_path` goes into the result."""
        body = self._entries.astype("<u8", copy=False).tobytes()
        footer = body + crc32c(body)
        self._size += len(footer)
        self._write([footer], sync=True)
        return StoredObject(stored_path, self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def _write(self, parts: Sequence[bytes], *, sync: bool) -> None:
        with room_in(self.path.parent), self.path.open("ab", buffering=0) as file:
            for part in parts:
                self._digest.update(part)
                left = memoryview(part)
                while left:
                    left = left[file.write(left) :]
            if sync:
                os.fsync(file.fileno())
