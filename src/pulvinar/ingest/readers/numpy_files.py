"""NumPy's files: arrays of numbers whose header is checked against the file before anything is read; never pickle.

Source: the NPY format 1.0 and 2.0 of NumPy's documentation.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.hdf5_files import damage
from pulvinar.ingest.readers.open_matrices import BY_COLUMN, BY_ROW, RawMatrix
from pulvinar.ingest.readers.raw_volume import DEFLATE_MOST, RawLayout

MAGIC = b"\x93NUMPY"
_MOST_MEMBERS = 10_000
_MOST_HEADER = 10_000
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class NumpyArray:
    """An array as its header tells it; `member` is its name in an npz, "" in an npy."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def is_numeric(self) -> bool:
        """Whether its values are real numbers or truth values."""
        return self.dtype.kind in "iufb"

    @property
    def size_bytes(self) -> int:
        """Bytes of its values."""
        return prod(self.shape) * self.dtype.itemsize


def is_npz(head: bytes) -> bool:
    """Whether a file begins as an npz does: a zip whose first member is an npy."""
    length = int.from_bytes(head[26:28], "little")
    return head.startswith(_ZIP_MAGIC) and head[30 : 30 + length].endswith(b".npy")


def numpy_arrays(path: Path, name: str) -> list[NumpyArray]:
    """The arrays of an npy or npz file; raises `UnreadableFile` for one that is damaged, or holds Python's objects."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return [_header(file, path.stat().st_size, "", name)]
    with _opened_zip(path, name) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if len(members) > _MOST_MEMBERS:
            raise UnreadableFile(f"{name} holds {len(members)} arrays, {_MOST_MEMBERS} are read")
        found = []
        for info in members:
            if info.file_size > info.compress_size * DEFLATE_MOST + _MOST_HEADER:
                raise UnreadableFile(f"{name}: {info.filename} declares {info.file_size} bytes", hint="save it again")
            with archive.open(info) as member:
                member.read(len(MAGIC))
                found.append(_header(member, info.file_size, info.filename.removesuffix(".npy"), name))
        return found


def read_numpy(path: Path, name: str, array: NumpyArray) -> npt.NDArray[Any]:
    """The values of an array, in native byte order."""
    out = bytearray(array.size_bytes)
    if array.member:
        with _opened_zip(path, name) as archive, archive.open(f"{array.member}.npy") as member:
            _fill(member, array, out, name)
            if member.read(1):
                raise UnreadableFile(f"{name}: {array.member} is longer than its header declares")
    else:
        with path.open("rb") as file:
            _fill(file, array, out, name)
    values = np.frombuffer(out, array.dtype).reshape(array.shape, order="F" if array.fortran else "C")
    return values.astype(array.dtype.newbyteorder("="), copy=False)


def open_numpy_matrix(path: Path, name: str, array: NumpyArray) -> RawMatrix:
    """An array of two dimensions in an npy file, read by window where it lies."""
    rows, columns = array.shape
    stored = "u1" if array.dtype.kind == "b" else array.dtype.str
    order = BY_COLUMN if array.fortran else BY_ROW
    return RawMatrix(path, RawLayout((rows, 1, 1, 1, columns), stored, array.offset, order), name)


def _fill(file: IO[bytes], array: NumpyArray, out: bytearray, name: str) -> None:
    file.seek(array.offset)
    view = memoryview(out)
    while view:
        piece = file.read(min(len(view), 1 << 20))
        if not piece:
            raise UnreadableFile(f"{name} is truncated: {len(view)} bytes are missing", hint="copy the file again")
        view[: len(piece)] = piece
        view = view[len(piece) :]


def _header(file: IO[bytes], size_bytes: int, member: str, name: str) -> NumpyArray:
    label = f"{name}: {member}" if member else name
    # NumPy reads the header as Python's literals: what is damaged there raises any of a parser's errors
    with damage(label):
        file.seek(0)
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise UnreadableFile(f"{label}: its version {version[0]}.{version[1]} is not known")
        shape, fortran, dtype = readers[version](file, max_header_size=_MOST_HEADER)
    array = NumpyArray(member, shape, dtype, bool(fortran), file.tell())
    if dtype.hasobject:
        raise UnreadableFile(
            f"{label} holds Python's objects, which are never unpacked", hint="save it as numbers, or as a table"
        )
    if any(side < 0 for side in shape) or array.offset + array.size_bytes != size_bytes:
        raise UnreadableFile(
            f"{label}: its header declares the shape {shape} of {dtype}, {array.size_bytes} bytes, "
            f"and {size_bytes - array.offset} follow",
            hint="copy the file again",
        )
    return array


@contextmanager
def _opened_zip(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    with damage(name), zipfile.ZipFile(path) as archive:
        yield archive
