"""The ZISRAW container of CZI files: segments, the directory of tiles, the XML metadata and the time stamps.

Only the directory, the metadata and the time stamps are read here, each bounded by the file; pixels are looked up
later, by window. Sources: what Zeiss publishes with its open libCZI of the layout of segments, and the OME consortium's
description of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile

MAGIC = b"ZISRAWFILE\0\0\0\0\0\0"
_SEGMENT = struct.Struct("<16sqq")
_HEADER = struct.Struct("<ii8x16s16siqqiq")
_DIRECTORY_HEAD, _METADATA_HEAD, _ATTACHMENT_HEAD = 128, 256, 256
_ENTRY = struct.Struct("<2siqiib5xi")
_DIMENSION = struct.Struct("<4siifi")
_SUBBLOCK = struct.Struct("<iiq")
_SUBBLOCK_HEAD = 256
_ATTACHMENT_ENTRY = struct.Struct("<2s10xqi16s8s80s")
_MOST_ATTACHMENTS = 10_000
_LARGEST_XML = 256 << 20


@dataclass(frozen=True)
class PixelType:
    """How a pixel is stored: `dtype` of one of its `samples`, which lie as blue, green, red(, alpha)."""

    dtype: str
    samples: int = 1


PIXEL_TYPES: Mapping[int, PixelType] = {
    0: PixelType("uint8"),
    1: PixelType("uint16"),
    2: PixelType("float32"),
    3: PixelType("uint8", 3),
    4: PixelType("uint16", 3),
    8: PixelType("float32", 3),
    9: PixelType("uint8", 4),
    12: PixelType("int32"),
    13: PixelType("float64"),
}


@dataclass(frozen=True)
class Tile:
    """One entry of the directory. `place` has its index along each dimension but X and Y; (y, x) `start` and `size` in
    pixels of full resolution, `stored` in pixels as they are stored."""

    position: int
    pixels: PixelType
    compression: int
    place: Mapping[str, int]
    start: tuple[int, int]
    size: tuple[int, int]
    stored: tuple[int, int]

    @property
    def is_full(self) -> bool:
        """Whether it is stored at full resolution, and so no part of a pyramid's coarser levels."""
        return self.size == self.stored

    @property
    def stored_bytes(self) -> int:
        """What its pixels take once unpacked."""
        return self.stored[0] * self.stored[1] * self.pixels.samples * np.dtype(self.pixels.dtype).itemsize


@dataclass(frozen=True)
class Container:
    """What a CZI file holds. `times_s` are its time stamps, of no length where it has none."""

    tiles: tuple[Tile, ...]
    xml: str
    times_s: npt.NDArray[np.float64]
    is_unfinished: bool


class CziBytes:
    """Positioned reads from a CZI file that say what is cut off."""

    def __init__(self, path: Path, name: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._file).st_size
        self.name = name

    def read(self, position: int, count: int, what: str) -> bytes:
        """`count` bytes from `position` on; raises `UnreadableFile` where the file has no such bytes."""
        if position < 0 or count < 0 or position + count > self.size:
            raise UnreadableFile(
                f"{self.name} is truncated: {what} would reach from byte {position} to {position + count}, "
                f"and the file ends at {self.size}",
                hint="copy it again",
            )
        parts = []
        while count:
            part = os.pread(self._file, min(count, 1 << 30), position)
            if not part:
                raise UnreadableFile(f"{self.name} is truncated: it ends at byte {position}", hint="copy it again")
            parts.append(part)
            position, count = position + len(part), count - len(part)
        return b"".join(parts)

    def segment(self, position: int, kind: str) -> int:
        """Where the content of the segment at `position` begins, which must be of `kind`."""
        name, _, _ = _SEGMENT.unpack(self.read(position, _SEGMENT.size, f"the segment {kind}"))
        if name.rstrip(b"\0") != kind.encode():
            raise UnreadableFile(
                f"{self.name} is damaged: at byte {position} should be {kind}, and is {name.rstrip(bytes(1))[:16]!r}",
                hint="copy it again",
            )
        return position + _SEGMENT.size

    def pixels_of(self, tile: Tile) -> tuple[int, int]:
        """Where the (packed) pixels of a tile begin, and how many bytes they are."""
        start = self.segment(tile.position, "ZISRAWSUBBLOCK")
        head = self.read(start, _SUBBLOCK.size + _ENTRY.size, "a tile")
        metadata, _, data = _SUBBLOCK.unpack_from(head)
        dimensions = _ENTRY.unpack_from(head, _SUBBLOCK.size)[-1]
        fixed = max(_SUBBLOCK_HEAD, _SUBBLOCK.size + _ENTRY.size + dimensions * _DIMENSION.size)
        if metadata < 0 or data < 0 or not 0 <= dimensions < 1000:
            raise UnreadableFile(f"{self.name} is damaged: the tile at byte {tile.position}", hint="copy it again")
        return start + fixed + metadata, data

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def read_container(path: Path, name: str) -> Container:
    """Everything of a CZI file but its pixels; raises `UnreadableFile` for one that is cut short or damaged."""
    file = CziBytes(path, name)
    try:
        start = file.segment(0, "ZISRAWFILE")
        major, _, _, _, part, directory, metadata, pending, attachments = _HEADER.unpack(
            file.read(start, _HEADER.size, "its header")
        )
        if major != 1:
            raise UnreadableFile(f"{name} is CZI of version {major}; 1 is read", hint="save it again with ZEN")
        if part != 0:
            raise UnreadableFile(
                f"{name} is part {part} of a CZI in several files", hint="save it as one file, in ZEN or CZI tools"
            )
        if not directory:
            raise UnreadableFile(
                f"{name} has no directory: its recording was not ended", hint="repair it with ZEN, then copy it again"
            )
        tiles = tuple(_tiles(file, directory))
        return Container(tiles, _xml(file, metadata), _times(file, attachments), bool(pending))
    finally:
        file.close()


def _tiles(file: CziBytes, position: int) -> Iterator[Tile]:
    start = file.segment(position, "ZISRAWDIRECTORY")
    (count,) = struct.unpack("<i", file.read(start, 4, "its directory"))
    start += _DIRECTORY_HEAD
    if count < 0 or start + count * _ENTRY.size > file.size:
        raise UnreadableFile(
            f"{file.name} is damaged: its directory lists {count} tiles, more than it has room for",
            hint="copy it again",
        )
    # an entry has dimensions by its kind; ten are defined
    listed = file.read(start, min(count * (_ENTRY.size + 16 * _DIMENSION.size), file.size - start), "its directory")
    at = 0
    for number in range(count):
        try:
            schema, pixel, where, part, compression, _, dimensions = _ENTRY.unpack_from(listed, at)
            at += _ENTRY.size
            if schema != b"DV" or not 0 < dimensions <= 16:
                raise ValueError(f"it is of the kind {schema!r} with {dimensions} dimensions")
            sides = [_DIMENSION.unpack_from(listed, at + index * _DIMENSION.size) for index in range(dimensions)]
            at += dimensions * _DIMENSION.size
            if part != 0 or pixel not in PIXEL_TYPES:
                what = f"pixels of type {pixel}" if part == 0 else f"tiles in part {part} of a CZI in several files"
                raise UnreadableFile(f"{file.name} has {what}, which are not read", hint="save it again with ZEN")
            yield _tile(PIXEL_TYPES[pixel], where, compression, sides)
        except (struct.error, ValueError) as error:
            raise UnreadableFile(
                f"{file.name} is damaged: tile {number + 1} of {count} in its directory: {error}", hint="copy it again"
            ) from error


def _tile(pixels: PixelType, position: int, compression: int, sides: list[tuple[bytes, int, int, float, int]]) -> Tile:
    found = {
        name.rstrip(b"\0").decode("ascii", "replace"): (start, size, stored) for name, start, size, _, stored in sides
    }
    if not {"X", "Y"} <= set(found):
        raise ValueError("it has no X and Y")
    (x, wide, stored_wide), (y, high, stored_high) = found["X"], found["Y"]
    if min(wide, high, stored_wide, stored_high) < 1:
        raise ValueError(f"it has {high} x {wide} pixels, of which {stored_high} x {stored_wide} are stored")
    place = {name: start for name, (start, _, _) in found.items() if name not in "XY"}
    return Tile(position, pixels, compression, place, (y, x), (high, wide), (stored_high, stored_wide))


def _xml(file: CziBytes, position: int) -> str:
    """The metadata; "" where there is none."""
    if not position:
        return ""
    start = file.segment(position, "ZISRAWMETADATA")
    (count,) = struct.unpack("<i", file.read(start, 4, "its metadata"))
    if not 0 <= count <= _LARGEST_XML:
        raise UnreadableFile(f"{file.name} is damaged: its metadata has {count} bytes", hint="copy it again")
    return file.read(start + _METADATA_HEAD, count, "its metadata").decode("utf-8", "replace").strip("\0").strip()


def _times(file: CziBytes, position: int) -> npt.NDArray[np.float64]:
    """The time stamps in seconds, one a time point (or several, one for each image taken)."""
    nothing = np.empty(0)
    if not position:
        return nothing
    start = file.segment(position, "ZISRAWATTDIR")
    (count,) = struct.unpack("<i", file.read(start, 4, "its list of attachments"))
    if not 0 <= count <= _MOST_ATTACHMENTS:
        raise UnreadableFile(f"{file.name} is damaged: it lists {count} attachments", hint="copy it again")
    listed = file.read(start + _ATTACHMENT_HEAD, count * _ATTACHMENT_ENTRY.size, "its list of attachments")
    for _, where, _, _, _, name in _ATTACHMENT_ENTRY.iter_unpack(listed):
        if name.rstrip(b"\0") != b"TimeStamps":
            continue
        content = file.segment(where, "ZISRAWATTACH") + _ATTACHMENT_HEAD
        _, stamps = struct.unpack("<ii", file.read(content, 8, "its time stamps"))
        if 0 < stamps < 1 << 24:
            return np.frombuffer(file.read(content + 8, 8 * stamps, "its time stamps"), "<f8")
    return nothing
