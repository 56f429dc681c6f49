"""Chunks of coarser levels that wait for their last voxels: in memory, and beyond a limit in a scratch file."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np

from pulvinar.model.volume import Shape5
from pulvinar.storage.sources import Voxels

# arrays kept for use again, an array size each
_MOST_SPARE = 16

ChunkKey = tuple[int, Shape5]
"""A level and a chunk of it."""


@dataclass(eq=False)
class PendingChunk:
    """One waiting chunk: `missing` voxels of the finer level are to come. `users` jobs touch it right now."""

    key: ChunkKey
    shape: Shape5
    missing: int
    array: Voxels | None = None
    slot: int | None = None
    users: int = 0


class PendingChunks:
    """The waiting chunks of one block. At most `limit_bytes` of them, and those in use, are in memory.

    Called from one thread. What is spilled lies in slots of one nameless file in `scratch`, which are used again.
    """

    def __init__(self, dtype: np.dtype[Any], slot_bytes: int, limit_bytes: int, scratch: Path) -> None:
        self._dtype = dtype
        self._slot_bytes = slot_bytes
        self._limit_bytes = limit_bytes
        self._scratch = scratch
        self._chunks: OrderedDict[ChunkKey, PendingChunk] = OrderedDict()
        self._in_memory: OrderedDict[ChunkKey, PendingChunk] = OrderedDict()
        self._bytes = 0
        self._spare: dict[int, list[Voxels]] = {}
        self._file: Any = None
        self._free_slots: list[int] = []
        self._slots = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, key: ChunkKey, shape: Shape5, missing: int) -> PendingChunk:
        """The waiting chunk `key`; a new one, without memory, when there is none."""
        if key not in self._chunks:
            self._chunks[key] = PendingChunk(key, shape, missing)
        return self._chunks[key]

    def use(self, chunk: PendingChunk, *, clear: bool) -> Voxels:
        """Its voxels, in memory until `leave`; zeros at first where `clear`, else undefined."""
        chunk.users += 1
        if chunk.array is None:
            chunk.array = self._room(chunk.shape)
            self._in_memory[chunk.key] = chunk
            self._bytes += chunk.array.nbytes
            if chunk.slot is not None:
                self._load(chunk)
            elif clear:
                chunk.array.fill(0)
        self._in_memory.move_to_end(chunk.key)
        return chunk.array

    def leave(self, chunk: PendingChunk) -> None:
        """A job is done with it; those that waited longest are spilled when there are too many."""
        chunk.users -= 1
        if self._bytes <= self._limit_bytes:
            return
        idle = (other for other in self._in_memory.values() if not other.users)
        while self._bytes > self._limit_bytes and (oldest := next(idle, None)) is not None:
            self._store(oldest)
            idle = (other for other in self._in_memory.values() if not other.users)

    def drop(self, chunk: PendingChunk) -> None:
        """It waits no more; its memory is used for others."""
        del self._chunks[chunk.key]
        if chunk.array is not None:
            self._forget(chunk)

    def _room(self, shape: Shape5) -> Voxels:
        spare = self._spare.get(prod(shape))
        return spare.pop().reshape(shape) if spare else np.empty(shape, self._dtype)

    def _forget(self, chunk: PendingChunk) -> None:
        assert chunk.array is not None
        del self._in_memory[chunk.key]
        self._bytes -= chunk.array.nbytes
        spare = self._spare.setdefault(chunk.array.size, [])
        if len(spare) < _MOST_SPARE:
            spare.append(chunk.array)
        chunk.array = None

    def _store(self, chunk: PendingChunk) -> None:
        assert chunk.array is not None
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115
        chunk.slot = self._free_slots.pop() if self._free_slots else self._slots
        self._slots = max(self._slots, chunk.slot + 1)
        left, offset = chunk.array.reshape(-1).view(np.uint8).data, chunk.slot * self._slot_bytes
        while left:
            written = os.pwrite(self._file.fileno(), left, offset)
            left, offset = left[written:], offset + written
        self._forget(chunk)

    def _load(self, chunk: PendingChunk) -> None:
        assert chunk.array is not None
        assert chunk.slot is not None
        flat = chunk.array.reshape(-1).view(np.uint8).data
        got = os.preadv(self._file.fileno(), [flat], chunk.slot * self._slot_bytes)
        if got != chunk.array.nbytes:
            raise OSError(f"the scratch file gave {got} of {chunk.array.nbytes} bytes back")
        self._free_slots.append(chunk.slot)
        chunk.slot = None
