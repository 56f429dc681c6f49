"""Tables and matrices inside of an AnnData file, by the encodings that it states for each.

Source: the on-disk format of AnnData 0.7 and later.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers, texts
from pulvinar.ingest.readers.hdf5_files import absence_findings, check_stored, dataset, member, text
from pulvinar.ingest.readers.hdf5_values import is_group, numbers_of, path_of, target_of
from pulvinar.ingest.readers.parquet import MOST_COLUMNS
from pulvinar.ingest.readers.table_columns import Column, plain_numbers, unique_names

_EXACT = 2**53
_BLOCK_VALUES = 1 << 22
INDEX = "name"
"""The column that the names of rows come in."""


def read_frame(frame: Any, name: str) -> tuple[dict[str, Column], list[str]]:
    """The columns of a table, the names of its rows first, and the names of columns that are left out.

    Raises `UnreadableFile` for one that is written as before AnnData 0.7, or whose columns differ in length.
    """
    if not is_group(frame):
        raise UnreadableFile(
            f"{name}: {path_of(frame) or 'a table'} is written as before AnnData 0.7",
            hint="open it with anndata, and write it again",
        )
    index = text(frame.attrs.get("_index", "_index"))
    rows = _values(frame, index, name)
    if rows is None:
        raise UnreadableFile(f"{name}: {path_of(frame)} has no names of rows at {index}", hint="write it again")
    listed = np.ravel(frame.attrs.get("column-order", [])).tolist()
    if len(listed) > MOST_COLUMNS:
        raise UnreadableFile(f"{name}: {path_of(frame)} has {len(listed)} columns, {MOST_COLUMNS} are read")
    columns: dict[str, Column] = {INDEX: rows if rows.dtype == object else rows.astype(str).astype(object)}
    left_out = []
    keys = [text(key) for key in listed]
    for key, unique in zip(keys, unique_names([INDEX, *keys])[1:], strict=True):
        values = _values(frame, key, name)
        if values is None:
            left_out.append(key)
        elif values.shape != rows.shape:
            raise UnreadableFile(
                f"{name}: the column {key!r} of {path_of(frame)} has {len(values)} rows, the table has {len(rows)}"
            )
        else:
            columns[unique] = values
    return columns, left_out


def frame_length(frame: Any, name: str) -> int:
    """How many rows a table has, by the shape of their names."""
    if not is_group(frame):
        return 0
    index = member(frame, text(frame.attrs.get("_index", "_index")), name)
    parts = [member(index, key, name) for key in ("codes", "values")] if is_group(index) else [index]
    shapes = [part.shape for part in parts if part is not None and not is_group(part)]
    return int(shapes[0][0]) if shapes and len(shapes[0]) == 1 else 0


def _values(frame: Any, key: str, name: str) -> Column | None:
    """One column; None where it holds something else than one value a row."""
    place = member(frame, key, name)
    if place is None:
        raise UnreadableFile(f"{name}: {path_of(frame)} has no column {key!r}, which it lists", hint="write it again")
    if not is_group(place):
        return _plain(frame, key, name)
    kind = text(place.attrs.get("encoding-type", ""))
    if kind == "categorical":
        return _categorical(
            _whole(place, "codes", name), _plain(place, "categories", name), f"{name}: {path_of(place)}"
        )
    if kind.startswith("nullable-"):
        values, mask = _plain(place, "values", name), _plain(place, "mask", name)
        if values is None or mask is None or values.shape != mask.shape:
            raise UnreadableFile(f"{name}: {path_of(place)} has values and no mask that fits them")
        return _with_holes(values, mask.astype(bool))
    return None


def _plain(group: Any, key: str, name: str) -> Column | None:
    import h5py

    data = dataset(group, key, name)
    if data is None or data.ndim != 1:
        return None
    categories = target_of(data, data.attrs.get("categories"))
    if categories is not None:
        # as AnnData 0.7 wrote a column of categories
        folder, _, last = path_of(categories).rpartition("/")
        kept = _plain(data.file[folder], last, name) if folder else None
        return _categorical(numbers_of(data, name), kept, f"{name}: {path_of(data)}")
    if data.dtype.kind in "iufb":
        values = plain_numbers(numbers_of(data, name), f"{name}: {path_of(data)}")
        return values.astype(np.bool_) if data.dtype.kind == "b" else values
    if data.dtype.kind == "S" or h5py.check_string_dtype(data.dtype) is not None:
        return np.array(texts(data, name), dtype=object)
    return None


def _whole(group: Any, key: str, name: str) -> npt.NDArray[Any]:
    """Whole numbers in one row; raises `UnreadableFile` for anything else."""
    data = dataset(group, key, name)
    if data is None or data.ndim != 1 or data.dtype.kind not in "iu":
        raise UnreadableFile(f"{name}: {path_of(group)} has no {key} that are whole numbers", hint="write it again")
    return numbers_of(data, name)


def _categorical(codes: npt.NDArray[Any], categories: Column | None, what: str) -> Column:
    """Each row's category; a code of -1 says that there is none."""
    if categories is None or (codes.size and (int(codes.max()) >= len(categories) or int(codes.min()) < -1)):
        raise UnreadableFile(f"{what}: its codes name categories that are not there", hint="write it again")
    missing = codes < 0
    if not len(categories):
        return np.full(len(codes), "", dtype=object)
    return _with_holes(categories[np.where(missing, 0, codes)], missing)


def _with_holes(values: Column, missing: npt.NDArray[np.bool_]) -> Column:
    """`values` where they are not missing: as they are, as numbers with NaN, or as text with empty ones."""
    if not missing.any():
        return values
    exact = values.dtype.kind == "f" or (values.dtype.kind == "i" and bool((np.abs(values) < _EXACT).all()))
    if exact:
        return np.where(missing, np.nan, values.astype(np.float64))
    return np.array(
        ["" if hole else str(one) for one, hole in zip(values.tolist(), missing, strict=True)], dtype=object
    )


@dataclass(frozen=True)
class CellMatrix:
    """A matrix of cells (rows) and genes (columns), stored whole or by what isn't 0."""

    place: Any
    shape: tuple[int, int]
    encoding: str
    name: str

    @property
    def stored(self) -> int:
        """How many values are stored."""
        if self.encoding == "array":
            return self.shape[0] * self.shape[1]
        data = dataset(self.place, "data", self.name)
        return 0 if data is None else int(data.size)

    def absence_findings(self, options: Options) -> list[Finding]:
        """What is to be said of values that are not stored; raises `UnreadableFile` where only some of a sparse
        matrix are."""
        if self.encoding == "array":
            return absence_findings(self.place, self.name, options) if self.stored else []
        for key in ("indptr", "indices", "data"):
            if (data := dataset(self.place, key, self.name)) is not None:
                check_stored(data, self.name)
        return []

    def entries(self) -> dict[str, Column]:
        """A row for each value that isn't 0: the number of its cell and of its gene, from 0 on, and the value; ordered
        by cell and gene. Raises `UnreadableFile` for places outside of the matrix."""
        cell, gene, value = self._dense() if self.encoding == "array" else self._sparse()
        return {"cell": cell, "gene": gene, "value": plain_numbers(value, f"{self.name}: {path_of(self.place)}")}

    def _dense(self) -> tuple[Column, Column, Column]:
        parts = []
        rows = max(1, _BLOCK_VALUES // max(self.shape[1], 1))
        with closing(Hdf5Numbers(self.place, self.name)) as numbers:
            for first in range(0, self.shape[0], rows):
                last = min(first + rows, self.shape[0])
                values = numbers.read([slice(first, last), slice(0, self.shape[1])])
                cell, gene = np.nonzero(values)
                parts.append((cell + first, gene, values[cell, gene]))
        cells, genes, found = zip(*parts, strict=True)
        return np.concatenate(cells), np.concatenate(genes), np.concatenate(found)

    def _sparse(self) -> tuple[Column, Column, Column]:
        by_cell = self.encoding == "csr_matrix"
        ends, inner = (_whole(self.place, key, self.name).astype(np.int64) for key in ("indptr", "indices"))
        data = dataset(self.place, "data", self.name)
        values = np.empty(0) if data is None else numbers_of(data, self.name)
        outer_size, inner_size = self.shape if by_cell else self.shape[::-1]
        fits = len(ends) == outer_size + 1 and len(inner) == len(values) and ends[0] == 0 and ends[-1] == len(values)
        fits = fits and bool((np.diff(ends) >= 0).all())
        if not fits or (inner.size and not (int(inner.min()) >= 0 and int(inner.max()) < inner_size)):
            raise UnreadableFile(
                f"{self.name}: {path_of(self.place)} has values outside of its shape {self.shape}",
                hint="write it again",
            )
        outer = np.repeat(np.arange(outer_size), np.diff(ends))
        cell, gene = (outer, inner) if by_cell else (inner, outer)
        kept = np.flatnonzero(values != 0)
        order = kept[np.lexsort((gene[kept], cell[kept]))]
        return cell[order].astype(np.int64), gene[order].astype(np.int64), values[order]


def cell_matrix(place: Any, name: str) -> CellMatrix | None:
    """The matrix at `place`; None where it is none that is read."""
    if place is None:
        return None
    if not is_group(place):
        data = dataset(place.file, path_of(place), name)
        fits = data.ndim == 2 and data.dtype.kind in "iufb"
        return CellMatrix(data, (int(data.shape[0]), int(data.shape[1])), "array", name) if fits else None
    kind = text(place.attrs.get("encoding-type", place.attrs.get("h5sparse_format", "")))
    kind = kind if kind.endswith("_matrix") or not kind else f"{kind}_matrix"
    shape = np.ravel(place.attrs.get("shape", place.attrs.get("h5sparse_shape", [])))
    if kind not in ("csr_matrix", "csc_matrix") or shape.shape != (2,) or shape.dtype.kind not in "iu":
        return None
    return CellMatrix(place, (int(shape[0]), int(shape[1])), kind, name)
