"""MATLAB's files: numbers and text of versions 4 to 7.3, in structs and cell arrays too.

Versions 4 and 5 (up to 7.2) are taken apart here: what reads them usually can be made to crash by a damaged file.
Source: the MAT-File Format of MathWorks (2023), levels 4 and 5, and HDF5 for version 7.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Matrix, SourceFile
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Matrix
from pulvinar.ingest.readers.hdf5_files import absent_chunks, check_dataset, damage, dataset, member, open_hdf5, text
from pulvinar.ingest.readers.hdf5_values import is_group, numbers_of
from pulvinar.ingest.readers.mat_nested import Container, Forward, Order, held_5, held_7
from pulvinar.ingest.readers.mat_sparse import is_real_7, shape_of_7, sparse_of_5, sparse_of_7
from pulvinar.ingest.readers.open_matrices import BY_COLUMN, RawMatrix, Turned
from pulvinar.ingest.readers.raw_volume import DEFLATE_MOST, RawLayout

_WORDS_5, _WORDS_7 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
_HEADER = 128
_MOST_VARIABLES = 10_000
_PIECE = 1 << 20
_START = 4096
"""Bytes in which a matrix says what it is: its flags, up to 32 dimensions, and a name of at most 63 letters."""
_MATRIX, _PACKED = 14, 15
_MOST_LETTERS = 2000
_SPARSE = "sparse "
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
    packed or not; of version 7.3 they are the dataset at `path`. `inside` is the struct or cell that holds it, whose
    values are named by the path to them; `text` is that of a row of letters. Of version 7.3, `absent` of its `pieces`
    are not stored.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    stored: str = ""
    place: int = 0
    skip: int = 0
    is_packed: bool = False
    path: str = ""
    inside: Container | None = None
    text: str | None = None
    absent: int = 0
    pieces: int = 1

    @property
    def is_numeric(self) -> bool:
        """Whether it is an array of real numbers."""
        return self.meant != ""

    @property
    def is_sparse(self) -> bool:
        """Whether only what isn't zero is stored."""
        return self.type.startswith(_SPARSE)

    @property
    def meant(self) -> str:
        """NumPy's name of the type of its numbers, "" where they are none."""
        return _MEANT.get(self.type.removeprefix(_SPARSE), "")

    @property
    def opens(self) -> bool:
        """Whether it can be read by window: it is a matrix, and not one packed stream."""
        return len(self.shape) == 2 and not self.is_packed and not self.is_sparse

    @property
    def size_bytes(self) -> int:
        """Bytes of its values as they are stored."""
        return prod(self.shape) * np.dtype(self.stored or self.meant or "u1").itemsize


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
            found = _counted(read(file, name), name)
    holds = path.stat().st_size
    for one in found:
        packed = one.is_packed or words == _WORDS_7
        if (
            one.is_numeric
            and not one.is_sparse
            and (min(one.shape) < 0 or one.size_bytes > holds * (DEFLATE_MOST if packed else 1))
        ):
            raise UnreadableFile(
                f"{name}: its variable {one.name} declares the shape {one.shape}, more than the file can hold",
                hint="copy the file again",
            )
    return found


def _counted(variables: Iterator[MatVariable], name: str) -> list[MatVariable]:
    """All variables; raises `TooLarge` for more than are looked at, those in structs and cells included."""
    found = [*islice(variables, _MOST_VARIABLES + 1)]
    if len(found) > _MOST_VARIABLES:
        raise TooLarge(
            f"{name} has more than {_MOST_VARIABLES} variables and values in structs and cells",
            hint="save the matrices that matter in a file of their own",
        )
    return found


def read_mats(
    path: Path, name: str, variables: Sequence[MatVariable], *, sparse: bool = False
) -> list[npt.NDArray[Any]]:
    """The values of numeric variables, (rows, columns, ...) as MATLAB has them.

    Those of one packed variable are unpacked once, in their order. What is not stored reads as 0 where `sparse`; else
    it raises `UnreadableFile`.
    """
    is_7 = any(not one.stored for one in variables)
    found = _values_7(path, name, variables, sparse) if is_7 else _values_5(path, name, variables)
    for one, values in zip(variables, found, strict=True):
        if values.shape != one.shape or values.dtype.kind not in "iufb":
            raise UnreadableFile(f"{name}: its variable {one.name} holds {values.dtype} of shape {values.shape}")
    return [values.astype(one.meant, copy=False) for one, values in zip(variables, found, strict=True)]


def _values_7(path: Path, name: str, variables: Sequence[MatVariable], sparse: bool) -> list[npt.NDArray[Any]]:
    with open_hdf5(path, name) as file, damage(name):
        # MATLAB's columns are HDF5's rows; of an empty matrix its sides are stored
        return [
            sparse_of_7(file[one.path], _sides(one), name)
            if one.is_sparse
            else numbers_of(dataset(file, one.path, name), name, sparse=sparse).T
            if prod(one.shape)
            else np.empty(one.shape)
            for one in variables
        ]


def _sides(variable: MatVariable) -> tuple[int, int]:
    rows, columns = variable.shape
    return rows, columns


def _values_5(path: Path, name: str, variables: Sequence[MatVariable]) -> list[npt.NDArray[Any]]:
    made: dict[int, npt.NDArray[Any]] = {}
    stream: tuple[int, Forward] | None = None
    with path.open("rb") as opened:
        for at in sorted(range(len(variables)), key=lambda at: (variables[at].place, variables[at].skip)):
            one = variables[at]
            if stream is None or stream[0] != one.place:
                stream = (one.place, Forward(opened, one.place, 1 << 62, packed=one.is_packed))
            with damage(name):
                stream[1].skip_to(one.skip)
                if one.is_sparse:
                    order: Order = "little" if one.stored[0] == "<" else "big"
                    made[at] = sparse_of_5(stream[1], order, _sides(one), name, logical=one.meant == "?")
                    continue
                kept = stream[1].read(one.size_bytes)
            if len(kept) != one.size_bytes:
                raise UnreadableFile(f"{name} is truncated: {one.name} is not all there", hint=_AGAIN)
            made[at] = np.frombuffer(kept, one.stored).reshape(one.shape, order="F")
    return [made[at] for at in range(len(variables))]


def unpack_mat(path: Path, name: str, variable: MatVariable, into: Path) -> None:
    """Write the values of one packed variable of versions 4 and 5 to the file `into`, by column as they are stored."""
    left = variable.size_bytes
    with path.open("rb") as opened, into.open("wb") as out, damage(name):
        stream = Forward(opened, variable.place, 1 << 62, packed=True)
        stream.skip_to(variable.skip)
        while left and (piece := stream.read(min(left, _PIECE))):
            out.write(piece)
            left -= len(piece)
    if left:
        raise UnreadableFile(f"{name} is truncated: {variable.name} is not all there", hint=_AGAIN)


def open_mat_matrix(path: Path, name: str, variable: MatVariable) -> Matrix:
    """A numeric variable of two dimensions that `opens`, read by window: (rows, columns) as MATLAB has them."""
    rows, columns = variable.shape
    if variable.stored:
        layout = RawLayout((rows, 1, 1, 1, columns), variable.stored, variable.place + variable.skip, BY_COLUMN)
        return RawMatrix(path, layout, name)
    file = open_hdf5(path, name)
    try:
        with damage(name):
            # MATLAB's columns are HDF5's rows
            return Turned(Hdf5Matrix(dataset(file, variable.path, name), name, file=file))
    except BaseException:
        file.close()
        raise


def _of_version_5(file: IO[bytes], name: str) -> Iterator[MatVariable]:
    header = file.read(_HEADER)
    order: Order = "little" if header[126:128] == b"IM" else "big"
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
            if variable.name and variable.type in ("cell", "struct"):
                yield from _nested(file, (place, size), variable.name, order, name, packed=packed)
            elif variable.name:
                said = _text_5(start, order) if variable.type == "char" else None
                yield _at(replace(variable, text=said), place + 8, lead, packed=packed)
        place += 8 + size


def _nested(
    file: IO[bytes], element: tuple[int, int], root: str, order: Order, name: str, *, packed: bool
) -> Iterator[MatVariable]:
    """The values of a struct or cell array, in the element that begins at a place and has so many bytes."""
    place, size = element
    # what is packed has a tag of its own inside
    begin = place + 8 if packed else place
    with damage(name):
        for held in held_5(Forward(file, begin, size if packed else size + 8, packed=packed), order, root, name):
            one = _matrix(held.start, order, name)
            said = _text_5(held.start, order) if one.type == "char" else None
            named = replace(one, name=held.container.below, inside=held.container, text=said)
            yield _at(named, begin, held.at, packed=packed)


def _text_5(start: bytes, order: Order) -> str | None:
    """The letters of a row of them; None where they are not all there, or no row."""
    parts = [*islice(_elements(start, order), 4)]
    if len(parts) < 4 or parts[3][2] + parts[3][1] > len(start):
        return None
    sides = np.frombuffer(start[parts[1][2] : parts[1][2] + parts[1][1]], f"{'<' if order == 'little' else '>'}i4")
    if len(sides) != 2 or sides[0] > 1:
        # letters lie by column: those of several rows are mixed
        return None
    kind, size, begin = parts[3]
    encodings = {1: "utf-8", 2: "utf-8", 16: "utf-8", 4: f"utf-16-{order[0]}e", 17: f"utf-16-{order[0]}e"}
    return start[begin : begin + size].decode(encodings[kind], "replace") if kind in encodings else None


def _at(variable: MatVariable, place: int, lead: int, *, packed: bool) -> MatVariable:
    return replace(variable, place=place, skip=variable.skip + lead, is_packed=packed)


def _matrix(start: bytes, order: Order, name: str) -> MatVariable:
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
    sign: Literal["<", ">"] = "<" if order == "little" else ">"
    if kind == "sparse" and len(shape) == 2 and min(shape) >= 0 and parts[3][0]:
        meant = "logical" if word & _LOGICAL else "double"
        named = f"{_SPARSE}complex {meant}" if word & _COMPLEX else f"{_SPARSE}{meant}"
        # a tag has eight bytes, and begins at a multiple of them
        return MatVariable(label, shape, named, f"{sign}i4", skip=(parts[3][2] - 1) // 8 * 8)
    if kind not in _MEANT:
        return MatVariable(label, shape, kind)
    stored, size, begin = parts[3]
    if stored not in _STORED or len(shape) < 2 or min(shape) < 0:
        raise UnreadableFile(f"{name} is damaged: its variable {label!r} has no values that can be", hint=_AGAIN)
    dtype = np.dtype(_STORED[stored]).newbyteorder(sign)
    if size != prod(shape) * dtype.itemsize:
        raise UnreadableFile(
            f"{name}: its variable {label} has the shape {shape}, and {size} bytes of values", hint=_AGAIN
        )
    meant = "logical" if word & _LOGICAL else kind
    return MatVariable(label, shape, f"complex {meant}" if word & _COMPLEX else meant, dtype.str, skip=begin)


def _elements(start: bytes, order: Order) -> Iterator[tuple[int, int, int]]:
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
        keys = (key for key in file if not key.startswith("#"))
        return _counted((variable for key in keys for variable in _variables_7(file, key, name)), name)


def _variables_7(file: Any, key: str, name: str) -> Iterator[MatVariable]:
    """A variable of version 7.3, or the values in it; one that lies in another file is refused."""
    place = member(file, key, name)
    kind = "" if place is None else text(place.attrs.get("MATLAB_class", ""))
    if place is None:
        yield MatVariable(key, (), "missing")
    elif is_group(place) and kind in _MEANT:
        real = "" if is_real_7(place, name) else "complex "
        yield MatVariable(key, shape_of_7(place, name), f"{_SPARSE}{real}{kind}", path=key)
    elif is_group(place) or (kind == "cell" and "MATLAB_empty" not in place.attrs):
        for held in held_7(place, key, name):
            yield replace(_variable_7(held.data, held.container.below, held.path, name), inside=held.container)
    else:
        yield _variable_7(place, key, key, name)


def _variable_7(place: Any, label: str, path: str, name: str) -> MatVariable:
    kind = text(place.attrs.get("MATLAB_class", ""))
    check_dataset(place, name)
    if "MATLAB_empty" in place.attrs:
        return MatVariable(label, (0, 0), kind, path=path)
    if place.dtype.kind not in "iufb" and kind in _MEANT:
        kind = f"complex {kind}"
    said = None
    if kind == "char" and place.ndim == 2 and place.shape[1] == 1 and place.size <= _MOST_LETTERS:
        said = numbers_of(place, name).astype("<u2").tobytes().decode("utf-16-le", "replace")
    absent, pieces = absent_chunks(place)
    return MatVariable(label, place.shape[::-1], kind, path=path, text=said, absent=max(absent, 0), pieces=pieces)
