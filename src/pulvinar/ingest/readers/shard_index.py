"""Where the chunks of a Zarr shard begin: the index at its start or end says it.

For each chunk, the last axis running fastest, it has offset and size, 64 bits each (Zarr specification 3, sharding
codec 1.0).
"""

from __future__ import annotations

from math import prod
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ShardIndex

_CHECKSUM_BYTES = 4
_ABSENT = (1 << 64) - 1


def chunk_offsets(array: ArrayNode, index: ShardIndex, stream: BinaryIO) -> npt.NDArray[np.int64] | None:
    """Where each chunk of an open shard begins, -1 for one that is not stored: (chunks,) int64, as the shard's own grid
    is ravelled. None for a shard that is too short for its index."""
    count = prod(array.grid) // prod(array.chunks)
    index_bytes = 16 * count + _CHECKSUM_BYTES * index.is_checked
    size_bytes = stream.seek(0, SEEK_END)
    if size_bytes < index_bytes:
        return None
    stream.seek(size_bytes - index_bytes if index.is_at_end else 0)
    offsets = np.frombuffer(stream.read(16 * count), "<u8").reshape(count, 2)[:, 0]
    # one beyond 2**63 lies behind any file's end, as much as the largest does
    places = np.minimum(offsets, np.uint64((1 << 63) - 1)).astype(np.int64)
    return np.where(offsets == _ABSENT, -1, places)


def stored_chunks(array: ArrayNode, index: ShardIndex, path: Path) -> npt.NDArray[np.bool_] | None:
    """Which chunks of the shard at `path` are stored, in the shard's own grid; None as of `chunk_offsets`."""
    with path.open("rb") as stream:
        offsets = chunk_offsets(array, index, stream)
    within = tuple(outer // inner for outer, inner in zip(array.grid, array.chunks, strict=True))
    return None if offsets is None else (offsets >= 0).reshape(within)
