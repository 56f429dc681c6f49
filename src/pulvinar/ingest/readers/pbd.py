"""Vaa3D's packing by bits of differences ("PBD"), for values of one or two bytes.

A byte says what follows. Of one-byte values: 0 to 32, that many and one as they are; 33 to 127, that many less 32 as
differences of 2 bits, lowest bits first (3 is -1); 128 to 255, one value that many less 127 times. Of two-byte values:
0 to 31, that many and one as they are; 32 to 79, 80 to 182 and 183 to 222, that many less 31, 79 and 182 as differences
of 3, 4 and 5 bits, highest bits first (those above 4, 8 and 16 are -1, -2 and so on); from 223 on, one value that many
less 222 times. Differences begin at a byte. Source: Vaa3D's loaders.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.raw_volume import RawLayout

MOST_PACKED = 64
"""Two bytes become at most 128 values."""
_BLOCK = 1 << 20
_LONGEST_STEP = 66
"""No step takes more bytes of input."""
_AS_THEY_ARE, _REPEATED = 0, -1
_ENDED, _CUT_OFF, _TOO_MUCH = 0, 1, 2
_BYTES = ((0, _AS_THEY_ARE), (33, 2), (128, _REPEATED))
_WORDS = ((0, _AS_THEY_ARE), (32, 3), (80, 4), (183, 5), (223, _REPEATED))
"""From which byte on which kind of step is meant: a number of bits is one of differences."""


def unpack_pbd(source: Path, target: Path, layout: RawLayout, name: str) -> RawLayout:
    """Write the voxels that `source` holds behind `layout.offset` into `target`, and say how they lie there.

    Raises `UnreadableFile` where the stream is damaged or holds another number of voxels than is declared, `TooLarge`
    where there is no room for them.
    """
    free = shutil.disk_usage(target.parent).free
    if layout.size_bytes > free:
        raise TooLarge(f"{name} unpacks to {layout.size_bytes} bytes, {free} are free", hint="give more scratch room")
    stored = np.dtype(layout.dtype)
    steps, is_swapped = _steps(stored.itemsize), stored.str[0] == ">"
    room = np.empty(_BLOCK * MOST_PACKED // stored.itemsize, stored.newbyteorder("="))
    left, prior, rest, more = layout.size_bytes // stored.itemsize, 0, b"", True
    with source.open("rb") as packed, target.open("wb") as file:
        packed.seek(layout.offset)
        while more:
            block = packed.read(_BLOCK - len(rest))
            more = bool(block)
            data = np.frombuffer(rest + block, np.uint8)
            used, made, prior, end = _decoder()(steps, data, more, room[:left], prior, is_swapped)
            if end == _TOO_MUCH:
                raise UnreadableFile(f"{name} is damaged: it holds more voxels than its header declares")
            file.write(room[:made].data)
            left, rest = left - made, data[used:].tobytes()
    if left or rest:
        raise UnreadableFile(f"{name} is truncated: {left} of its voxels are missing", hint="copy the file again")
    return replace(layout, dtype=room.dtype.str, offset=0)


def _steps(width: int) -> npt.NDArray[np.int64]:
    """What each byte says, rows of three: the kind of step, how many values it gives, how many bytes follow it."""
    found = np.empty((256, 3), np.int64)
    kinds = _BYTES if width == 1 else _WORDS
    for (start, kind), stop in zip(kinds, [start for start, _ in kinds[1:]] + [256], strict=True):
        for code in range(start, stop):
            count = code - start + 1
            size = {_AS_THEY_ARE: width * count, _REPEATED: width}.get(kind, (kind * count + 7) // 8)
            found[code] = kind, count, size
    return found


@cache
def _decoder() -> Callable[..., tuple[int, int, Any, int]]:
    """`_unpack`, compiled when it is first used."""
    import numba

    compiled: Callable[..., tuple[int, int, Any, int]] = numba.njit(_unpack, nogil=True)
    return compiled


def _unpack(
    steps: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    more: bool,
    room: npt.NDArray[Any],
    prior: Any,
    is_swapped: bool,
) -> tuple[int, int, Any, int]:
    """Unpack `data` into `room`, the value before being `prior`: the bytes used, the values made, the last of them, and
    how it ended. Where there is `more`, a step that may be cut off by the end of `data` waits."""
    width, at, made = room.itemsize, 0, 0
    low, high = (1, 0) if is_swapped else (0, 1)
    while at < len(data) - (_LONGEST_STEP if more else 0):
        kind, count, size = steps[data[at]]
        if at + 1 + size > len(data):
            return at, made, prior, _CUT_OFF
        if made + count > len(room):
            return at, made, prior, _TOO_MUCH
        for index in range(count):
            if kind > 0:
                bit = kind * index
                place = at + 1 + bit // 8
                if width == 1:
                    difference = np.int64(data[place]) >> bit % 8 & 3
                else:
                    pair = np.int64(data[place]) << 8
                    # differences of two-byte values may lie across bytes
                    if bit % 8 + kind > 8:
                        pair |= np.int64(data[place + 1])
                    difference = pair >> (16 - kind - bit % 8) & ((1 << kind) - 1)
                half = 1 << (kind - 1)
                prior = (prior + (difference if difference <= half else half - difference)) & ((1 << 8 * width) - 1)
            else:
                place = at + 1 + (width * index if kind == _AS_THEY_ARE else 0)
                prior = np.int64(data[place])
                if width == 2:
                    prior = np.int64(data[place + low]) | np.int64(data[place + high]) << 8
            room[made + index] = prior
        at, made = at + 1 + size, made + count
    return at, made, prior, _ENDED
