"""Shards: many encoded chunks in one object, found by an index at its end (Zarr v3 `sharding_indexed`)."""

from __future__ import annotations

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
from pulvinar.storage.uncached_file import UncachedFile

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
        offset, nbytes = self.entries[_place(inner, self.grid)]
        return None if offset == _MISSING else (int(offset), int(nbytes))


def _place(inner: Shape5, grid: Shape5) -> int:
    """The row of a chunk in the index."""
    t, c, z, y, x = inner
    _, channels, depth, height, width = grid
    return (((t * channels + c) * depth + z) * height + y) * width + x


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
    """Appends encoded chunks to one shard's local file, in any order, and never holds more than a block of it.

    `cached`: the file is read back at once. It is open only during a call, so that thousands of shards can be under way
    at once.
    """

    def __init__(self, path: Path, grid: Shape5, *, cached: bool = False) -> None:
        self.path = path
        self._grid = grid
        self._entries = np.full((prod(grid), 2), _MISSING, np.uint64)
        self._file = UncachedFile(path, cached=cached)

    @property
    def empty(self) -> bool:
        """Whether no chunk came: such a shard isn't stored."""
        return self._file.size == 0

    def append(self, chunks: Sequence[tuple[Shape5, bytes | memoryview]]) -> None:
        """Add chunks, each with its place (t, c, z, y, x) in the shard."""
        offset = self._file.size
        for inner, data in chunks:
            self._entries[_place(inner, self._grid)] = (offset, len(data))
            offset += len(data)
        with room_in(self.path.parent):
            self._file.append([data for _, data in chunks])

    def finish(self, stored_path: str) -> StoredObject:
        """Write the index; the file is whole and durable when this returns. `stored_path` goes into the result."""
        body = self._entries.astype("<u8", copy=False).tobytes()
        with room_in(self.path.parent):
            digest = self._file.finish([body, crc32c(body)])
        return StoredObject(stored_path, self._file.size, digest)

    def discard(self) -> None:
        """Remove the file."""
        self._file.discard()
