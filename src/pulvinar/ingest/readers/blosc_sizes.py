"""What chunks packed by blosc say they unpack to: blosc takes as much memory as a chunk says, so that is checked first.

A blosc stream has its unpacked size at byte 4 (C-Blosc, README_CHUNK_FORMAT).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import product
from math import prod
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.shard_index import chunk_offsets
from pulvinar.ingest.readers.zarr_nodes import ArrayNode


def check_blosc(array: ArrayNode, folder: Path, touched: Sequence[Iterable[int]]) -> None:
    """Raise `UnreadableFile`, naming the file, for a chunk that says it unpacks to more than a chunk has.

    The chunks of `array` lie below `folder`; `touched` are their numbers along each axis. Of arrays that are not
    packed by blosc nothing is read.
    """
    if array.blosc_at < 0:
        return
    counts = [outer // inner for outer, inner in zip(array.grid, array.chunks, strict=True)]
    within: dict[tuple[int, ...], list[int]] = {}
    for place in product(*touched):
        file = tuple(number // count for number, count in zip(place, counts, strict=True))
        inside = [number % count for number, count in zip(place, counts, strict=True)]
        within.setdefault(file, []).append(int(np.ravel_multi_index(inside, counts)))
    for file, numbers in within.items():
        # a chunk that is not there reads as fill
        with suppress(FileNotFoundError), (folder / array.key(file)).open("rb") as stream:
            size_bytes = stream.seek(0, SEEK_END)
            for start in _starts(array, stream, numbers):
                # what lies behind the end tensorstore names as damage
                if start < size_bytes:
                    _check(array, array.chunk_name(file), stream, start)


def _starts(array: ArrayNode, stream: BinaryIO, numbers: Sequence[int]) -> list[int]:
    """Where the chunks with these numbers begin in their file; those that are not stored are left out."""
    if array.shard_index is None:
        return [0]
    offsets = chunk_offsets(array, array.shard_index, stream)
    # of a shard that is cut off tensorstore says so
    return [] if offsets is None else [int(offsets[number]) for number in numbers if offsets[number] >= 0]


def _check(array: ArrayNode, name: str, stream: BinaryIO, start: int) -> None:
    size_bytes = prod(array.chunks) * np.dtype(array.dtype).itemsize
    stream.seek(start + array.blosc_at + 4)
    said = int.from_bytes(stream.read(4), "little")
    if said > size_bytes:
        raise UnreadableFile(
            f"{name} is damaged: it unpacks to {said} bytes, where a chunk has {size_bytes}",
            hint="copy that file again",
        )
