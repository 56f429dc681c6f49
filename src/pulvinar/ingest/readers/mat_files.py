"""MATLAB's files: matrices of numbers of versions 4 to 7.3. What isn't one is named and left out.

SciPy reads what is older than 7.3, once the values of a variable are seen to be as many as its shape says.
Source: the MAT-File Format of MathWorks, and HDF5 for version 7.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.ingest.readers.hdf5_files import damage, dataset, is_hdf5, member, open_hdf5, text
from pulvinar.ingest.readers.hdf5_values import numbers_of

_HEADER = 128
_PACKED = 15
_MOST_PACKED = 1032
_MOST_VARIABLES = 10_000
_START = 4096
_COMPLEX = 0x0800
_NUMBERS = {
    "double": 8, "single": 4, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8,
    "uint64": 8, "logical": 1,
}  # fmt: skip


@dataclass(frozen=True)
class MatVariable:
    """A variable: its name, shape and MATLAB class ("double", "cell", ...)."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def is_numeric(self) -> bool:
        """Whether it is an array of real numbers that is stored whole."""
        return self.type in _NUMBERS

    @property
    def size_bytes(self) -> int:
        """Bytes of its values, once they are unpacked."""
        return prod(self.shape) * _NUMBERS.get(self.type, 1)


def is_mat(file: SourceFile) -> bool:
    """Whether the file is MATLAB's: by its first words, one of version 4 by its name and a header that can be."""
    if file.head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")):
        return True
    if not file.name.lower().endswith(".mat") or len(file.head) < 20:
        return False
    kind, rows, columns, imaginary, name = np.frombuffer(file.head[:20], "<i4").tolist()
    return 0 <= kind < 5000 and rows >= 0 and columns >= 0 and imaginary in (0, 1) and 0 < name < 64


def mat_variables(path: Path, name: str) -> list[MatVariable]:
    """The variables of a file, each checked against what the file can hold."""
    found = _of_hdf5(path, name) if _is_newest(path) else _of_scipy(path, name)
    holds = path.stat().st_size * _MOST_PACKED
    for one in found:
        if one.is_numeric and (any(side < 0 for side in one.shape) or one.size_bytes > holds):
            raise UnreadableFile(
                f"{name}: its variable {one.name} declares the shape {one.shape}, more than the file can hold",
                hint="copy the file again",
            )
    return found


def read_mat(path: Path, name: str, variable: MatVariable) -> npt.NDArray[Any]:
    """The values of a numeric variable, (rows, columns, ...) as MATLAB has them."""
    if _is_newest(path):
        with open_hdf5(path, name) as file, damage(name):
            data = dataset(file, variable.name, name)
            if data is None:
                raise UnreadableFile(f"{name} has no variable {variable.name} any more")
            # MATLAB's columns are HDF5's rows
            values = numbers_of(data, name).T
    else:
        import scipy.io

        with damage(name):
            values = scipy.io.loadmat(path, variable_names=[variable.name], squeeze_me=False)[variable.name]
    values = np.asarray(values)
    if values.shape != variable.shape or values.dtype.kind not in "iufb":
        raise UnreadableFile(f"{name}: its variable {variable.name} holds {values.dtype} of shape {values.shape}")
    values = values.astype(bool) if variable.type == "logical" else values
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _is_newest(path: Path) -> bool:
    with path.open("rb") as file:
        return is_hdf5(SourceFile(path, "", 0, file.read(4096)))


def _of_hdf5(path: Path, name: str) -> list[MatVariable]:
    with open_hdf5(path, name) as file, damage(name):
        keys = [key for key in list(file)[:_MOST_VARIABLES] if not key.startswith("#")]
        return [_variable(file, key, name) for key in keys]


def _variable(file: Any, key: str, name: str) -> MatVariable:
    """A variable of version 7.3; one that lies in another file is refused."""
    import h5py

    place = member(file, key, name)
    kind = "" if place is None else text(place.attrs.get("MATLAB_class", ""))
    if not isinstance(place, h5py.Dataset):
        return MatVariable(key, (), kind if kind not in _NUMBERS else "sparse")
    data = dataset(file, key, name)
    if "MATLAB_empty" in data.attrs:
        return MatVariable(key, (0, 0), kind)
    if data.dtype.kind not in "iufb" and kind in _NUMBERS:
        kind = f"complex {kind}"
    return MatVariable(key, data.shape[::-1], kind)


def _of_scipy(path: Path, name: str) -> list[MatVariable]:
    import scipy.io

    with damage(name):
        told = [MatVariable(key, tuple(map(int, shape)), kind) for key, shape, kind in scipy.io.whosmat(path)]
    if len(told) > _MOST_VARIABLES:
        raise UnreadableFile(f"{name} has {len(told)} variables, {_MOST_VARIABLES} are read")
    return [*_checked(path, told, name)] if _is_version_5(path) else told


def _is_version_5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(10) == b"MATLAB 5.0"


def _checked(path: Path, variables: list[MatVariable], name: str) -> Iterator[MatVariable]:
    """The variables, those of complex numbers called so; raises `UnreadableFile` for one whose values are said to take
    more bytes than its shape: a packed one would unpack to them."""
    left = path.stat().st_size - _HEADER
    with path.open("rb") as file:
        order: Literal["little", "big"] = "little" if file.read(_HEADER)[126:128] == b"IM" else "big"
        for variable in variables:
            tag = file.read(8)
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            left -= 8 + size
            if len(tag) < 8 or left < 0:
                raise UnreadableFile(f"{name} is truncated within its variable {variable.name}", hint="copy it again")
            begins = file.tell()
            start = file.read(min(size, _START))
            file.seek(begins + size)
            if not variable.is_numeric:
                yield variable
                continue
            if kind == _PACKED:
                # the tag of the matrix is packed with it
                start = zlib.decompressobj().decompress(start, _START)[8:]
            said, is_complex = _values_said(start, order)
            if said > variable.size_bytes:
                raise UnreadableFile(
                    f"{name}: its variable {variable.name} has the shape {variable.shape}, and {said} bytes of values",
                    hint="save the file again in MATLAB",
                )
            yield replace(variable, type=f"complex {variable.type}") if is_complex else variable


def _values_said(start: bytes, order: Literal["little", "big"]) -> tuple[int, bool]:
    """How many bytes the values of a matrix are said to take, and whether they are complex.

    `start` is what follows the matrix's own tag: flags, dimensions, name, and then the values, each with a tag of type
    and size. Of up to four bytes, type and size are in one word.
    """
    place, size = 0, 0
    flags = int.from_bytes(start[8:12], order)
    for _ in range(4):
        word = int.from_bytes(start[place : place + 4], order)
        small = word >> 16
        size = small or int.from_bytes(start[place + 4 : place + 8], order)
        place += 8 if small else 8 + -(-size // 8) * 8
    return size, bool(flags & _COMPLEX)
