"""The pixels of DICOM files, an image at a time: as they lie, in fragments, or compressed.

JPEG, JPEG-LS, JPEG 2000 and run lengths are decoded by imagecodecs. Source: DICOM PS3.5, annexes A and G.
"""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.dicom_file import DEFLATED, PixelPlace, inflated
from pulvinar.ingest.readers.dicom_frames import Frame
from pulvinar.ingest.readers.raw_volume import Voxels, as_labels
from pulvinar.model.space import Window
from pulvinar.model.text import plain

_CACHE_BYTES = 64 << 20
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_RUN_LENGTHS = "1.2.840.10008.1.2.5"
_CODECS = {
    "1.2.840.10008.1.2.4.50": "jpeg8", "1.2.840.10008.1.2.4.51": "jpeg", "1.2.840.10008.1.2.4.57": "jpeg",
    "1.2.840.10008.1.2.4.70": "jpeg", "1.2.840.10008.1.2.4.80": "jpegls", "1.2.840.10008.1.2.4.81": "jpegls",
    "1.2.840.10008.1.2.4.90": "jpeg2k", "1.2.840.10008.1.2.4.91": "jpeg2k",
}  # fmt: skip


def check_codec(pixels: PixelPlace, name: str) -> None:
    """Raise `UnreadableFile` for pixels that are compressed in a way that is not read."""
    if pixels.size is None and pixels.syntax not in (*_CODECS, _RUN_LENGTHS):
        raise UnreadableFile(
            f"{name} is compressed as {plain(pixels.syntax)}, which is not read", hint="save it uncompressed"
        )


def same_pixels(one: tuple[SourceFile, PixelPlace], other: tuple[SourceFile, PixelPlace]) -> bool:
    """Whether two files hold the same pixels, as they are stored."""
    digests = []
    for file, pixels in (one, other):
        digest = hashlib.sha256()
        # in a deflated file nothing is told apart, and its first bytes count too
        start = 0 if pixels.syntax == DEFLATED else pixels.offset
        left = file.size_bytes if pixels.size is None or pixels.syntax == DEFLATED else pixels.size
        with file.path.open("rb") as stream:
            stream.seek(start)
            while left > 0 and (piece := stream.read(min(left, 1 << 20))):
                digest.update(piece)
                left -= len(piece)
        digests.append(digest.digest())
    return digests[0] == digests[1]


class DicomVolume:
    """An `OpenVolume` over the images `cells[t][z]`; raises `UnreadableFile` where one is missing or damaged."""

    def __init__(self, root: Path, cells: Sequence[Sequence[Frame | None]], dtype: str, name: str) -> None:
        self._root, self._cells, self._name = root, cells, name
        self._dtype = np.dtype(dtype)
        self._images: OrderedDict[tuple[str, int], Voxels] = OrderedDict()
        self._fragments: dict[str, list[list[tuple[int, int]]]] = {}

    def read_into(self, window: Window, out: Voxels) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        samples, rows, columns = window.slices[1], window.slices[3], window.slices[4]
        for t in range(window.start[0], window.stop[0]):
            for z in range(window.start[2], window.stop[2]):
                frame = self._cells[t][z]
                if frame is None:
                    raise UnreadableFile(f"{self._name}: slice {z + 1} of volume {t + 1} is missing")
                image = self._image(frame)[samples, rows, columns]
                self._convert(image, frame, out[t - window.start[0], :, z - window.start[2]])

    def close(self) -> None:
        """Let go of what is held in memory."""
        self._images.clear()

    def _convert(self, image: Voxels, frame: Frame, out: Voxels) -> None:
        if frame.slope == 1 and frame.intercept == 0 and not (image.dtype.kind == "f" and out.dtype.kind in "iu"):
            out[...] = image
            return
        meant = image.astype(np.float64) * frame.slope + frame.intercept
        out[...] = as_labels(meant, self._dtype, self._name) if self._dtype.kind in "iu" else meant

    def _image(self, frame: Frame) -> Voxels:
        """The image of a frame, (samples, rows, columns), or its tile."""
        key = (frame.file, 0 if frame.tile else frame.number)
        if key in self._images:
            self._images.move_to_end(key)
        else:
            self._images[key] = self._read(frame, key[1])
            while sum(image.nbytes for image in self._images.values()) > _CACHE_BYTES and len(self._images) > 1:
                self._images.popitem(last=False)
        image = self._images[key]
        if frame.tile:
            tile = frame.tile
            return image[:, tile.top : tile.top + tile.rows, tile.left : tile.left + tile.columns]
        return image

    def _read(self, frame: Frame, number: int) -> Voxels:
        pixels = frame.pixels
        path = self._root / frame.file
        if pixels.size is None:
            values = self._decoded(path, frame, number)
        else:
            values = np.frombuffer(_stored(path, pixels, number, frame.file), pixels.dtype)
        if pixels.is_planar and pixels.samples > 1 and pixels.size is not None:
            image = values.reshape(pixels.samples, pixels.rows, pixels.columns)
        else:
            image = values.reshape(pixels.rows, pixels.columns, pixels.samples).transpose(2, 0, 1)
        if pixels.dtype[1] == "i" and pixels.bits < image.dtype.itemsize * 8:
            # the sign is the highest of the bits that are used
            spare = image.dtype.itemsize * 8 - pixels.bits
            image = (image << spare) >> spare
        return image

    def _decoded(self, path: Path, frame: Frame, number: int) -> Voxels:
        if frame.file not in self._fragments:
            self._fragments = {frame.file: fragments(path, frame.pixels, frame.file)}
        parts = self._fragments[frame.file][number]
        with path.open("rb") as file:
            data = b"".join(_piece(file, offset, size) for offset, size in parts)
        return decoded(data, frame.pixels, frame.file)


def _piece(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    piece: bytes = file.read(size)
    return piece


def _stored(path: Path, pixels: PixelPlace, number: int, name: str) -> bytes:
    """The bytes of one image that is not compressed by itself."""
    start = pixels.offset + number * pixels.frame_bytes
    if pixels.syntax == DEFLATED:
        data = inflated(path, name)[start : start + pixels.frame_bytes]
    else:
        with path.open("rb") as file:
            data = _piece(file, start, pixels.frame_bytes)
    if len(data) < pixels.frame_bytes:
        raise UnreadableFile(f"{name} is truncated: image {number + 1} is not whole", hint="copy the file again")
    return data


def fragments(path: Path, pixels: PixelPlace, name: str) -> list[list[tuple[int, int]]]:
    """Where the pieces of each compressed image lie: (offset, size). Raises `UnreadableFile` for what doesn't add up.

    Without a table of offsets each image must be one piece (PS3.5, A.4).
    """
    found: list[tuple[int, int]] = []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        position = pixels.offset
        while True:
            head = _piece(file, position, 8)
            if head[:4] == _END:
                break
            if len(head) < 8 or head[:4] != _ITEM:
                raise UnreadableFile(f"{name} is truncated: its pixels have no end", hint="copy the file again")
            size = struct.unpack("<I", head[4:])[0]
            if position + 8 + size > end:
                raise UnreadableFile(f"{name} is truncated: a piece of its pixels ends beyond it", hint="copy it again")
            found.append((position + 8, size))
            position += 8 + size
        table = _piece(file, *found[0]) if found else b""
    pieces = found[1:]
    if pixels.frames == 1 and pieces:
        return [pieces]
    if len(pieces) == pixels.frames:
        return [[piece] for piece in pieces]
    starts = np.frombuffer(table[: len(table) // 4 * 4], "<u4").tolist()
    if len(starts) == pixels.frames and pieces:
        bounds = [*starts, 1 << 62]
        base = pieces[0][0] - 8
        return [
            [piece for piece in pieces if bounds[index] <= piece[0] - 8 - base < bounds[index + 1]]
            for index in range(pixels.frames)
        ]
    raise UnreadableFile(
        f"{name}: its header declares {pixels.frames} images, its pixels are in {len(pieces)} pieces",
        hint="save it again",
    )


def decoded(data: bytes, pixels: PixelPlace, name: str) -> Voxels:
    """One compressed image as the values of its header, each once; raises `UnreadableFile` for another size or type."""
    size = stream_size(data)
    if size is not None and size != (pixels.rows, pixels.columns):
        raise UnreadableFile(
            f"{name}: its header says {pixels.rows} x {pixels.columns} pixels, its compressed image has "
            f"{size[0]} x {size[1]}",
            hint="save it again",
        )
    try:
        values = _codec(pixels)(data)
    except Exception as error:
        raise UnreadableFile(f"{name} is damaged: its image can't be decoded: {plain(error)[:300]}") from error
    expected = np.dtype(pixels.dtype).newbyteorder("=")
    count = pixels.rows * pixels.columns * pixels.samples
    if values.size != count or values.dtype.itemsize != expected.itemsize:
        raise UnreadableFile(
            f"{name}: its image has {values.size} values of {values.dtype}, its header says {count} of {expected}"
        )
    if values.dtype != expected:
        values = values.view(expected)
    return values.reshape(-1)


def _codec(pixels: PixelPlace) -> Callable[[bytes], Voxels]:
    import imagecodecs

    if pixels.syntax == _RUN_LENGTHS:
        return lambda data: _run_lengths(data, pixels)
    decode: Callable[[bytes], Voxels] = getattr(imagecodecs, f"{_CODECS[pixels.syntax]}_decode")
    return decode


def _run_lengths(data: bytes, pixels: PixelPlace) -> Voxels:
    """An image of run lengths, which has its samples one after the other (PS3.5, annex G)."""
    import imagecodecs

    dtype = np.dtype(pixels.dtype).newbyteorder("=")
    values = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    return np.ascontiguousarray(values.reshape(pixels.samples, -1).T)


def stream_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream declares; None when it is none.

    They are looked at before anything is decoded: a few bytes may declare gigabytes.
    """
    if data[:4] == b"\xff\x4f\xff\x51" and len(data) >= 24:
        width, height, left, top = struct.unpack(">4I", data[8:24])
        return height - top, width - left
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], struct.unpack(">H", data[position + 2 : position + 4])[0]
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns = struct.unpack(">HH", data[position + 5 : position + 9])
            return int(rows), int(columns)
        position += 2 + length
    return None
