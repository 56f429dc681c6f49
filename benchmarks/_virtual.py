"""Volumes of any size that take no disk: their shards are put together when they are read, from real encoded chunks.

Every chunk holds tissue, so a view of a volume of 100 TB brings as many bytes as one of a volume that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from benchmarks.chunks import tissue
from pulvinar.errors import NotFound
from pulvinar.model.dataset import StoredObject
from pulvinar.model.volume import Level, Shape5, Volume, VolumeKind
from pulvinar.storage.codecs import ChunkCodec, crc32c
from pulvinar.storage.shards import chunks_per_shard, index_size, shard_path
from pulvinar.storage.store import StoreEntry

VARIANTS = 16


class VirtualStore:
    """A store of volumes by asset prefix; it can be read by range, and nothing can be put into it."""

    def __init__(self, volumes: dict[str, Volume]) -> None:
        self.url = "virtual:"
        self._volumes = volumes

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes of the shard `key` from `start`: its index, or one chunk."""
        prefix, _, path = key.partition("/image.ome.zarr/")
        if prefix not in self._volumes or "/c/" not in path:
            raise NotFound(f"there is no {key}")
        level = self._volumes[prefix].levels[int(path.partition("/")[0])]
        chunks = _chunks(level.chunk_shape)
        room = max(map(len, chunks))
        if start == prod(chunks_per_shard(level)) * room:
            return _index(path, chunks, room, prod(chunks_per_shard(level)))
        return chunks[_variant(path, start // room)][start % room :][:length]

    def size(self, key: str) -> int:
        """Nobody asks: the catalogue knows."""
        raise NotFound(f"there is no {key}")

    def list(self, prefix: str) -> Iterator[StoreEntry]:
        """Nothing: there are too many."""
        return iter(())

    def local_path(self, key: str) -> Path | None:
        """None: these are no files."""
        return None

    def kvstore(self, prefix: str) -> dict[str, Any]:
        """None of tensorstore's drivers can read this."""
        raise NotFound(f"there is no {prefix}")


def virtual_objects(volume: Volume) -> list[StoredObject]:
    """Every shard of `volume` as the catalogue wants it; the sums are of the paths, since there are no bytes."""
    return [
        StoredObject(path, size, hashlib.sha256(path.encode()).hexdigest())
        for number, level in enumerate(volume.levels)
        for size in [_shard_bytes(level)]
        for place in np.ndindex(*(-(-a // b) for a, b in zip(level.shape, level.shard_shape, strict=True)))
        for path in [shard_path(number, place)]  # type: ignore[arg-type]
    ]


def _shard_bytes(level: Level) -> int:
    grid = chunks_per_shard(level)
    return prod(grid) * max(map(len, _chunks(level.chunk_shape))) + index_size(grid)


def _index(path: str, chunks: list[bytes], room: int, count: int) -> bytes:
    entries = np.array([(n * room, len(chunks[_variant(path, n)])) for n in range(count)], "<u8").tobytes()
    return entries + crc32c(entries)


def _variant(path: str, inside: int) -> int:
    return (crc32(path.encode()) + inside) % VARIANTS


@cache
def _chunks(chunk_shape: Shape5) -> list[bytes]:
    """Some real chunks of tissue, encoded as a volume's are."""
    codec = ChunkCodec.for_volume(VolumeKind.IMAGE, "uint16", chunk_shape)
    block = tissue((1, 1, 64 + VARIANTS, 80, 80))
    t, _, z, y, x = chunk_shape
    return [codec.encode(np.repeat(block[:, :, n : n + z, :y, :x], t, axis=0)) for n in range(VARIANTS)]
