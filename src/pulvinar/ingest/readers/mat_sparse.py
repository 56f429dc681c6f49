"""MATLAB's sparse matrices, made whole: only what isn't zero is stored, column by column.

Source: the MAT-File Format of MathWorks (2023), level 5, and how version 7.3 writes them in HDF5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.hdf5_files import dataset, text
from pulvinar.ingest.readers.hdf5_values import numbers_of
from pulvinar.ingest.readers.mat_nested import Forward, Order

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_BYTES = 2
_MOST_STORED_BYTES = 1 << 30

Values = npt.NDArray[Any]


def sparse_of_5(stream: Forward, order: Order, shape: tuple[int, int], name: str, *, logical: bool) -> Values:
    """A matrix of version 5, float64 (rows, columns); `stream` is where its rows begin."""
    rows, first = (_numbers(*_element(stream, order, name), order, name) for _ in range(2))
    kind, content = _element(stream, order, name)
    if logical and len(content) <= len(rows):
        # MATLAB calls truth values doubles, and writes a byte each
        kind = _BYTES
    return _whole(rows, first, _numbers(kind, content, order, name), shape, name)


def shape_of_7(group: Any, name: str) -> tuple[int, int]:
    """The shape of a matrix of version 7.3, which is a group; of no rows where it says none."""
    first = dataset(group, "jc", name)
    columns = len(first) - 1 if first is not None and first.ndim == 1 else 0
    return int(group.attrs.get("MATLAB_sparse", 0)), columns


def sparse_of_7(group: Any, shape: tuple[int, int], name: str) -> Values:
    """A matrix of version 7.3, float64 (rows, columns)."""
    parts = [dataset(group, part, name) for part in ("ir", "jc", "data")]
    # of a matrix without any value nothing but the columns is stored
    read = [np.empty(0, np.int64) if part is None else numbers_of(part, name) for part in parts]
    return _whole(read[0], read[1], read[2], shape, name)


def is_real_7(group: Any, name: str) -> bool:
    """Whether the values of a matrix of version 7.3 are real numbers."""
    values = dataset(group, "data", name)
    return (values is None or values.dtype.kind in "iufb") and text(group.attrs.get("MATLAB_class", "")) != ""


def _element(stream: Forward, order: Order, name: str) -> tuple[int, bytes]:
    tag = stream.read(8)
    word = int.from_bytes(tag[:4], order)
    if word >> 16:
        # up to four bytes stand in the tag
        kind, size = word & 0xFFFF, word >> 16
        content = tag[4 : 4 + size]
    else:
        kind, size = word, int.from_bytes(tag[4:], order)
        content = stream.read(size) if size <= _MOST_STORED_BYTES else b""
        stream.read(-size % 8)
    if len(content) != size:
        raise _damaged(name)
    return kind, content


def _numbers(kind: int, content: bytes, order: Order, name: str) -> Values:
    dtype = np.dtype(_NUMBERS.get(kind, "V0")).newbyteorder("<" if order == "little" else ">")
    if not dtype.itemsize or len(content) % dtype.itemsize:
        raise _damaged(name)
    return np.frombuffer(content, dtype)


def _whole(rows: Values, first: Values, values: Values, shape: tuple[int, int], name: str) -> Values:
    """`first` of each column says where in `rows` and `values` it begins; more may be stored than is used."""
    begins = first.astype(np.int64)
    count = int(begins[-1]) if len(begins) else 0
    rising = len(begins) == shape[1] + 1 and begins[0] == 0 and bool((np.diff(begins) >= 0).all())
    if not rising or count > min(len(rows), len(values)):
        raise _damaged(name)
    used = rows[:count].astype(np.int64)
    if count and not 0 <= int(used.min()) <= int(used.max()) < shape[0]:
        raise _damaged(name)
    made = np.zeros(shape)
    made[used, np.repeat(np.arange(shape[1]), np.diff(begins))] = values[:count]
    return made


def _damaged(name: str) -> UnreadableFile:
    return UnreadableFile(
        f"{name} is damaged: a sparse matrix has values at places that can't be", hint="save the file again in MATLAB"
    )
