"""MATLAB's files: matrices of numbers of versions 4 to 7.3. What isn't one is named and left out.

Versions 4 and 5 (up to 7.2) are taken apart here: what reads them usually can be made to crash by a damaged file.
Source: the MAT-File Format of MathWorks (2023), levels 4 and 5, and HDF5 for version 7.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.hdf5_files import damage, dataset, member, open_hdf5, text
from pulvinar.ingest.readers.hdf5_values import numbers_of
from pulvinar.ingest.readers.streams import mapped

_WORDS_5, _WORDS_7 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
_HEADER = 128
_MOST_VARIABLES = 10_000
_MOST_PACKED = 1032
_START = 4096
"""Bytes in which a matrix says what it is: its flags, up to 32 dimensions, and a name of at most 63 letters."""
_MATRIX, _PACKED = 14, 15
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single", 8: "int8", 9: "uint8",
    10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "function", 17: "opaque",
}  # fmt: skip
_MEANT = {
    "double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4",
    "uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "?",
}  # fmt: skip
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_STORED_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
_AGAIN = "save the file again in MATLAB"


@dataclass(frozen=True)
class MatVariable:
    """A variable: its name, shape and MATLAB class ("double", "cell", ...).

    The values of one that is read from versions 4 and 5 are `stored` numbers, `skip` bytes behind `place` in the file,
    packed or not; of version 7.3 they have the name of the variable.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    stored: str = ""
    place: int = 0
    skip: int = 0
    is_packed: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether it is an array of real numbers that is stored whole."""
        return self.type in _MEANT

    @property
    def size_bytes(self) -> int:
        """Bytes of its values as they are stored."""
        return prod(self.shape) * np.dtype(self.stored or _MEANT.get(self.type, "u1")).itemsize


def is_mat(file: SourceFile) -> bool:
    """Whether the file is MATLAB's: by its first words, one of version 4 by its name and a header that can be."""
    if file.head.startswith((_WORDS_5, _WORDS_7)):
        return True
    return file.name.lower().endswith(".mat") and _header_4(file.head[:20]) is not None


def mat_variables(path: Path, name: str) -> list[MatVariable]:
    """The variables of a file, each checked against what the file can hold."""
    with path.open("rb") as file:
        words = file.read(len(_WORDS_5))
    if words == _WORDS_7:
        found = _of_version_7(path, name)
    else:
        read = _of_version_5 if words == _WORDS_5 else _of_version_4
        with path.open("rb") as file:
            found = [variable for variable, _ in zip(read(file, name), range(_MOST_VARIABLES), strict=False)]
    holds = path.stat().st_size
    for one in found:
        packed = one.is_packed or words == _WORDS_7
        if one.is_numeric and (min(one.shape) < 0 or one.size_bytes > holds * (_MOST_PACKED if packed else 1)):
            raise UnreadableFile(
                f"{name}: its variable {one.name} declares the shape {one.shape}, more than the file can hold",
                hint="copy the file again",
            )
    return found


def read_mat(path: Path, name: str, variable: MatVariable) -> npt.NDArray[Any]:
    """The values of a numeric variable, (rows, columns, ...) as MATLAB has them."""
    if not variable.stored:
        with open_hdf5(path, name) as file, damage(name):
            data = dataset(file, variable.name, name)
            # MATLAB's columns are HDF5's rows
            values = numbers_of(data, name).T
    else:
        kept = _bytes_of(path, variable, name)
        values = np.frombuffer(kept, variable.stored).reshape(variable.shape, order="F")
    if values.shape != variable.shape or values.dtype.kind not in "iufb":
        raise UnreadableFile(f"{name}: its variable {variable.name} holds {values.dtype} of shape {values.shape}")
    return values.astype(_MEANT[variable.type], copy=False)


def _bytes_of(path: Path, variable: MatVariable, name: str) -> memoryview:
    """The bytes of a variable's values, unpacked no further than they go."""
    wanted = variable.size_bytes
    if variable.is_packed:
        with path.open("rb") as file, damage(name):
            file.seek(variable.place)
            out = memoryview(_unpacked(zlib.decompressobj(), file, variable.skip + wanted))[variable.skip :]
    else:
        begin = variable.place + variable.skip
        out = mapped(path)[begin : begin + wanted]
    if len(out) != wanted:
        raise UnreadableFile(f"{name} is truncated: {variable.name} has {len(out)} bytes of {wanted}", hint=_AGAIN)
    return out


def _unpacked(unpacker: Any, file: IO[bytes], wanted: int) -> bytes:
    pieces, total = [], 0
    while total < wanted and not unpacker.eof and (packed := file.read(1 << 20)):
        while packed and total < wanted:
            piece = unpacker.decompress(packed, wanted - total)
            packed = unpacker.unconsumed_tail
            pieces.append(piece)
            total += len(piece)
            if not piece and not packed:
                break
    return b"".join(pieces)


def _of_version_5(file: IO[bytes], name: str) -> Iterator[MatVariable]:
    header = file.read(_HEADER)
    order: Literal["little", "big"] = "little" if header[126:128] == b"IM" else "big"
    size_bytes = file.seek(0, 2)
    place = _HEADER
    while place < size_bytes:
        file.seek(place)
        tag = file.read(8)
        kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
        if len(tag) < 8 or place + 8 + size > size_bytes:
            raise UnreadableFile(f"{name} is truncated: a variable goes on behind its end", hint=_AGAIN)
        start = file.read(min(size, _START))
        if kind == _PACKED:
            with damage(name):
                start = zlib.decompressobj().decompress(start, _START)
            kind, start, lead = int.from_bytes(start[:4], order), start[8:], 8
        else:
            lead = 0
        if kind == _MATRIX:
            variable = _matrix(start, order, name)
            packed = int.from_bytes(tag[:4], order) == _PACKED
            # what MATLAB keeps for itself has no name
            if variable.name:
                yield _at(variable, place + 8, lead, packed=packed)
        place += 8 + size


def _at(variable: MatVariable, place: int, lead: int, *, packed: bool) -> MatVariable:
    return MatVariable(
        variable.name, variable.shape, variable.type, variable.stored, place, variable.skip + lead, packed
    )


def _matrix(start: bytes, order: Literal["little", "big"], name: str) -> MatVariable:
    """What a matrix says of itself before its values: flags, dimensions, name, and how the values are stored."""
    # elements that are not there are of no type and no size
    parts = [*islice(_elements(start, order), 4), *[(0, 0, 0)] * 4]
    flags, sides, letters = (start[begin : begin + size] for _, size, begin in parts[:3])
    word = int.from_bytes(flags[:4], order)
    kind = _CLASSES.get(word & 0xFF, "unknown")
    if kind in ("opaque", "unknown"):
        return MatVariable("an object", (), kind)
    label = letters.rstrip(b"\0").decode("latin-1")
    shape = tuple(int.from_bytes(sides[at : at + 4], order, signed=True) for at in range(0, len(sides), 4))
    if kind not in _MEANT:
        return MatVariable(label, shape, kind)
    stored, size, begin = parts[3]
    if stored not in _STORED or len(shape) < 2 or min(shape) < 0:
        raise UnreadableFile(f"{name} is damaged: its variable {label!r} has no values that can be", hint=_AGAIN)
    dtype = np.dtype(_STORED[stored]).newbyteorder("<" if order == "little" else ">")
    if size != prod(shape) * dtype.itemsize:
        raise UnreadableFile(
            f"{name}: its variable {label} has the shape {shape}, and {size} bytes of values", hint=_AGAIN
        )
    meant = "logical" if word & _LOGICAL else kind
    return MatVariable(label, shape, f"complex {meant}" if word & _COMPLEX else meant, dtype.str, skip=begin)


def _elements(start: bytes, order: Literal["little", "big"]) -> Iterator[tuple[int, int, int]]:
    """The type of each element, its size in bytes and where it begins; of up to four bytes, type and size are one
    word."""
    place = 0
    while place + 8 <= len(start):
        word = int.from_bytes(start[place : place + 4], order)
        if word >> 16:
            yield word & 0xFFFF, word >> 16, place + 4
            place += 8
        else:
            size = int.from_bytes(start[place + 4 : place + 8], order)
            yield word, size, place + 8
            place += 8 + -(-size // 8) * 8


@dataclass(frozen=True)
class _Header4:
    """The 20 bytes before a variable of version 4."""

    stored: str
    kind: int
    shape: tuple[int, int]
    is_complex: bool
    name_bytes: int


def _header_4(head: bytes) -> _Header4 | None:
    """A header of version 4; None of any other bytes. Its first number is, in digits, MOPT: the order of bytes, 0, the
    type of numbers, and what they are."""
    if len(head) < 20:
        return None
    for order in "<>":
        said, rows, columns, imaginary, letters = np.frombuffer(head[:20], f"{order}i4").tolist()
        machine, unused, number, kind = (said // 1000 % 10, said // 100 % 10, said // 10 % 10, said % 10)
        known = 0 <= said < 2000 and machine == "<>".index(order) and not unused and number < len(_STORED_4)
        if known and kind < 3 and min(rows, columns) >= 0 and imaginary in (0, 1) and 1 < letters <= 64:
            return _Header4(f"{order}{_STORED_4[number]}", kind, (rows, columns), bool(imaginary), letters)
    return None


def _of_version_4(file: IO[bytes], name: str) -> Iterator[MatVariable]:
    size_bytes = file.seek(0, 2)
    place = 0
    while place < size_bytes:
        file.seek(place)
        header = _header_4(file.read(20))
        if header is None:
            raise UnreadableFile(f"{name} is damaged: at byte {place} is no variable", hint=_AGAIN)
        label = file.read(header.name_bytes).rstrip(b"\0").decode("latin-1")
        begin = place + 20 + header.name_bytes
        meant = ("double", "char", "sparse")[header.kind]
        kind = f"complex {meant}" if header.is_complex else meant
        place = begin + prod(header.shape) * np.dtype(header.stored).itemsize * (1 + header.is_complex)
        if place > size_bytes:
            raise UnreadableFile(f"{name}: its variable {label!r} goes on behind the file's end", hint=_AGAIN)
        yield MatVariable(label, header.shape, kind, header.stored, begin)


def _of_version_7(path: Path, name: str) -> list[MatVariable]:
    with open_hdf5(path, name) as file, damage(name):
        keys = [key for key in list(file)[:_MOST_VARIABLES] if not key.startswith("#")]
        return [_variable_7(file, key, name) for key in keys]


def _variable_7(file: Any, key: str, name: str) -> MatVariable:
    """A variable of version 7.3; one that lies in another file is refused."""
    import h5py

    place = member(file, key, name)
    kind = "" if place is None else text(place.attrs.get("MATLAB_class", ""))
    if not isinstance(place, h5py.Dataset):
        return MatVariable(key, (), kind if kind not in _MEANT else "sparse")
    data = dataset(file, key, name)
    if "MATLAB_empty" in data.attrs:
        return MatVariable(key, (0, 0), kind)
    if data.dtype.kind not in "iufb" and kind in _MEANT:
        kind = f"complex {kind}"
    return MatVariable(key, data.shape[::-1], kind)
