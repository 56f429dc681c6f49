"""Matrices that are read by window where they lie in a file: as raw numbers, or turned by a quarter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.reader import Matrix
from pulvinar.ingest.readers.raw_volume import RawLayout, RawVolume, float_type, floats_of
from pulvinar.model.space import Window

_PIECE_BYTES = 8 << 20


BY_ROW, BY_COLUMN = "tczyx", "xczyt"
"""Orders of a `RawLayout` whose rows lie along t and columns along x: the values of a row, or of a column, are side by
side."""


class RawMatrix:
    """A `Matrix` of raw numbers in a file, whose layout is (rows, 1, 1, 1, columns) of the order `BY_ROW` or
    `BY_COLUMN`; raises `UnreadableFile` where the file ends too early."""

    def __init__(self, path: Path, layout: RawLayout, name: str) -> None:
        stored = np.dtype(layout.dtype)
        self.shape, self.dtype = (layout.shape[0], layout.shape[4]), float_type(stored)
        self._by_row, self._item, self._name = layout.order == BY_ROW, stored.itemsize, name
        # whole numbers are looked at before they become floats
        held = stored.newbyteorder("=") if layout.is_identity and stored.kind in "iu" else self.dtype
        self._volume, self._held = RawVolume(path, layout, held.name, name), held

    def read_into(self, rows: slice, columns: slice, out: npt.NDArray[Any]) -> None:
        """Fill `out` with the values of a window."""
        outer, inner = (rows, columns) if self._by_row else (columns, rows)
        goals = out if self._by_row else out.T
        step = max(1, _PIECE_BYTES // ((inner.stop - inner.start) * self._item))
        for first in range(outer.start, outer.stop, step):
            part = slice(first, min(first + step, outer.stop))
            goal = goals[part.start - outer.start : part.stop - outer.start]
            if self._by_row and self._held == self.dtype:
                self._read(part, columns, goal)
                continue
            # value by value into rows that lie apart would take twice as long
            piece = np.empty(goal.shape, self._held)
            if self._by_row:
                self._read(part, columns, piece)
            else:
                self._read(rows, part, piece.T)
            goal[...] = floats_of(piece, self._name)

    def _read(self, rows: slice, columns: slice, goal: npt.NDArray[Any]) -> None:
        window = Window((rows.start, 0, 0, 0, columns.start), (rows.stop, 1, 1, 1, columns.stop))
        self._volume.read_into(window, goal[:, None, None, None, :])

    def close(self) -> None:
        """Let go of the file."""
        self._volume.close()


class Turned:
    """A `Matrix` with its rows as columns."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    @property
    def shape(self) -> tuple[int, ...]:
        """Its own, turned."""
        return self._matrix.shape[::-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its own."""
        return self._matrix.dtype

    def read_into(self, rows: slice, columns: slice, out: npt.NDArray[Any]) -> None:
        """Fill `out` with the values of a window."""
        self._matrix.read_into(columns, rows, out.T)

    def close(self) -> None:
        """Let go of files."""
        self._matrix.close()


def turned(values: npt.NDArray[Any] | Matrix) -> npt.NDArray[Any] | Matrix:
    """An array or a `Matrix` with its rows as columns."""
    return values.T if isinstance(values, np.ndarray) else Turned(values)
