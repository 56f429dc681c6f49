"""The heaps of an HDF5 file, which hold its texts of any length, looked at before HDF5 itself walks them.

HDF5 goes from object to object by the sizes that they say, and one of free space that says 0 keeps it where it is for
ever. Source: the HDF5 file format specification 3.0, III.E, the global heap.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import IO

from pulvinar.errors import UnreadableFile

_HEAP = b"GCOL\x01\0\0\0"
_HEADER = 16
_SMALLEST = 4096
_LARGEST_HEAP = 64 << 20
_LARGEST_FILE = 1 << 30
"""A larger file is not searched: what it does to HDF5, the reader's time ends."""
_PIECE = 8 << 20
_REMEMBERED = 4096


def check_heaps(path: Path, name: str) -> None:
    """Raise `UnreadableFile` for a heap that has no end. A file is searched once, however many readers open it."""
    about = path.stat()
    if about.st_size <= _LARGEST_FILE:
        _search(path, name, about.st_mtime_ns)


@lru_cache(_REMEMBERED)
def _search(path: Path, name: str, changed_ns: int) -> None:
    with path.open("rb") as file:
        for place in _heaps(file):
            _check_heap(file, place, name)


def _heaps(file: IO[bytes]) -> list[int]:
    """Where the file has what may be a heap."""
    found, place, rest = [], 0, b""
    while piece := file.read(_PIECE):
        block = rest + piece
        at = block.find(_HEAP)
        while at >= 0:
            found.append(place - len(rest) + at)
            at = block.find(_HEAP, at + 1)
        place += len(piece)
        rest = block[-len(_HEAP) + 1 :]
    return found


def _check_heap(file: IO[bytes], place: int, name: str) -> None:
    file.seek(place)
    size = int.from_bytes(file.read(_HEADER)[8:], "little")
    if not _SMALLEST <= size <= _LARGEST_HEAP or size % 8:
        # these bytes are no heap, or HDF5 refuses it by itself
        return
    heap = file.read(size - _HEADER)
    at = 0
    while at + _HEADER <= len(heap):
        number = int.from_bytes(heap[at : at + 2], "little")
        said = int.from_bytes(heap[at + 8 : at + _HEADER], "little")
        # free space, which is number 0, counts its own header in
        step = said if number == 0 else _HEADER + -(-said // 8) * 8
        if step < _HEADER:
            raise UnreadableFile(
                f"{name} is damaged: the heap at byte {place} has no end", hint="copy the file again, or write it again"
            )
        at += step
