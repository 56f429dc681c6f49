"""Matrices that may be larger than memory: where they are arrays, where they stay in their file, and what is which."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import ConnectivityData, GeometryData, Matrix, TimeSeriesData
from pulvinar.model.space import Window

LARGEST_TABLE_VALUES = 1 << 22
LARGEST_TABLE_COLUMNS = 1024
"""A table of more columns takes a program longer to open than to read."""


def fits_a_table(shape: tuple[int, ...]) -> bool:
    """Whether a matrix (rows, columns) is stored as a table, which every program opens, and not as an array."""
    return prod(shape) <= LARGEST_TABLE_VALUES and shape[1] <= LARGEST_TABLE_COLUMNS


def stays_in_its_file(data: GeometryData) -> Matrix | None:
    """The matrix of signals or connectivity that is read by window; None where all is in memory."""
    if not isinstance(data, TimeSeriesData | ConnectivityData) or isinstance(data.values, np.ndarray):
        return None
    return data.values


def whole(values: npt.NDArray[Any] | Matrix) -> npt.NDArray[Any]:
    """All values as an array."""
    if isinstance(values, np.ndarray):
        return values
    return window_of(values, slice(0, values.shape[0]), slice(0, values.shape[1]))


def window_of(matrix: Matrix, rows: slice, columns: slice) -> npt.NDArray[Any]:
    """The values of a window; both slices have a start and a stop."""
    out = np.empty((rows.stop - rows.start, columns.stop - columns.start), matrix.dtype)
    matrix.read_into(rows, columns, out)
    return out


@runtime_checkable
class Lender(Protocol):
    """A `Matrix` that shows values where they are."""

    def lend(self, rows: slice, columns: slice) -> AbstractContextManager[npt.NDArray[Any]]:
        """The values of a window, uncopied, until the context ends; not to be written to."""


def lent(matrix: Matrix, rows: slice, columns: slice) -> AbstractContextManager[npt.NDArray[Any]]:
    """The values of a window until the context ends: those of a `Lender` where they are, else a copy."""
    return matrix.lend(rows, columns) if isinstance(matrix, Lender) else nullcontext(window_of(matrix, rows, columns))


class ArrayMatrix:
    """An array in memory as a `Matrix`."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self._values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's."""
        return self._values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's."""
        return self._values.dtype

    def lend(self, rows: slice, columns: slice) -> AbstractContextManager[npt.NDArray[Any]]:
        """The array's own values."""
        return nullcontext(self._values[rows, columns])

    def read_into(self, rows: slice, columns: slice, out: npt.NDArray[Any]) -> None:
        """Fill `out`."""
        out[...] = self._values[rows, columns]

    def close(self) -> None:
        """Nothing: there is no file."""


class AsVolume:
    """A `Matrix` as an open volume: rows along t, columns along x."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape`."""
        rows, columns = (slice(window.start[axis], window.stop[axis]) for axis in (0, 4))
        self._matrix.read_into(rows, columns, out[:, 0, 0, 0, :])

    def close(self) -> None:
        """Let go of files."""
        self._matrix.close()
