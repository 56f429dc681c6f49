"""AnnData: cells, genes and what was counted of each gene in each cell.

Cells are points where the file says where they lie, else a table, as genes are. A matrix is a table with a row for each
value that is not 0: the number of its cell, of its gene, and the value. Graphs of cells and genes are connectivity, or
such a table where they have too many nodes. What is in `uns` is named and never unpacked.
Source: the on-disk format of AnnData 0.7 and later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    ConnectivityData,
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    PointsData,
    Severity,
    SourceFile,
    TableData,
)
from pulvinar.ingest.readers.h5ad_frames import INDEX, CellMatrix, cell_matrix, frame_length, read_frame
from pulvinar.ingest.readers.hdf5_files import damage, dataset, is_hdf5, member, open_hdf5, text
from pulvinar.ingest.readers.hdf5_values import is_group, numbers_of, text_at
from pulvinar.ingest.readers.matrix_kinds import Shape, measure_of
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.ingest.readers.table_columns import Column, PlaceColumns, place_columns
from pulvinar.ingest.readers.tables import place_findings, zyx_um
from pulvinar.model.dataset import AssetKind

_MOST_VALUES = 1 << 25
_MOST_WIDE = 64
_PLACES = ("spatial", "X_spatial", "spatial_coordinates")
_MOST_NODES = 2048
_MOST_NAMED = 20
_EDGE = ("source", "target", "value")


@dataclass(frozen=True)
class _Part:
    """One table of an open file: its path, what it is called, how it is read and what is to be said of it."""

    path: str
    called: str
    kind: AssetKind
    read: Callable[[], GeometryData]
    findings: tuple[Finding, ...] = ()


class H5adReader:
    """Reads AnnData's HDF5 files."""

    name: ClassVar[str] = "h5ad"
    priority: ClassVar[int] = 125

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """The cells, the genes and each matrix of a file; other HDF5 files are passed over in silence."""
        for file in files:
            if is_hdf5(file) and _is_h5ad(file):
                yield from self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: no asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a table, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """A table, or the cells as points."""
        name = asset.files[0]
        with open_hdf5(root / name, name) as file, damage(name):
            wanted = asset.key.removeprefix(f"{name}#")
            for part in _parts(file, name, options, wanted)[0]:
                if part.path == wanted:
                    return part.read()
        raise UnreadableFile(f"{name} has changed since it was found: {asset.key} is not in it any more")

    def _found(self, file: SourceFile, options: Options) -> Iterator[FoundAsset]:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            parts, notes = _parts(opened, file.name, options)
            said = {"title": text_at(opened, "uns/title", file.name), "species": _species(opened, file.name)}
        for index, part in enumerate(parts):
            yield FoundAsset(
                self.name,
                key=f"{file.name}#{part.path}",
                name=f"{stem_of(file.name)} {part.called}",
                kind=part.kind,
                files=(file.name,),
                findings=(*part.findings, *(notes if index == 0 else ())),
                metadata={**{key: value for key, value in said.items() if value}, "header": {"path": part.path}},
            )


def _is_h5ad(file: SourceFile) -> bool:
    """Whether an HDF5 file is AnnData's; a damaged one is where its name says so."""
    try:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            said = text(opened.attrs.get("encoding-type", "")) == "anndata"
            return said or {"obs", "var", "X"} <= set(opened)
    except UnreadableFile:
        if file.name.lower().endswith(".h5ad"):
            raise
        return False


def _parts(file: Any, name: str, options: Options, wanted: str = "") -> tuple[list[_Part], list[Finding]]:
    """What the file holds, and what is to be said of it as a whole; of tables the one at `wanted` alone, if given."""
    parts = [_cells(file, name, options)] if wanted in ("", "obs") else []
    for path, called, wide in (("var", "genes", "varm"), ("raw/var", "raw genes", "raw/varm")):
        if wanted in ("", path) and member(file, path, name) is not None:
            parts.append(_frame(file, path, called, wide, name))
    notes = []
    for path, called in _matrices(file, name):
        matrix = cell_matrix(member(file, path, name), name)
        genes = "raw/var" if path.startswith("raw/") else "var"
        expected = tuple(frame_length(member(file, frame, name), name) for frame in ("obs", genes))
        if matrix is None or matrix.stored > _MOST_VALUES:
            notes.append(_left(path, matrix))
        else:
            _check_shape(matrix, expected, f"{expected[0]} cells and {expected[1]} genes", f"{name}: {path}")
            parts.append(_entries(path, called, matrix, options))
    graphs, doubts = _graphs(file, name, options)
    uns = member(file, "uns", name)
    if is_group(uns) and len(uns):
        kept = sorted(uns)
        more = f" and {len(kept) - _MOST_NAMED} more" if len(kept) > _MOST_NAMED else ""
        text = f"what the file keeps in uns is left out: {', '.join(kept[:_MOST_NAMED])}{more}"
        notes.append(Finding(Severity.NOTE, text))
    return [*parts, *graphs], [*notes, *doubts]


def _graphs(file: Any, name: str, options: Options) -> tuple[list[_Part], list[Finding]]:
    """The graphs between cells and between genes, and what is to be said of those that are left out."""
    parts, notes = [], []
    for folder, frame, called in (("obsp", "obs", "cells"), ("varp", "var", "genes")):
        group = member(file, folder, name)
        for key in group if is_group(group) else ():
            path, nodes = f"{folder}/{key}", frame_length(member(file, frame, name), name)
            matrix = cell_matrix(member(group, key, name), name)
            if matrix is None or matrix.stored > _MOST_VALUES:
                notes.append(_left(path, matrix))
            else:
                _check_shape(matrix, (nodes, nodes), f"{nodes} {called}", f"{name}: {path}")
                graph = _graph(file, path, f"{called} {key}", matrix, frame, name)
                parts.append(replace(graph, findings=(*graph.findings, *matrix.absence_findings(options))))
    return parts, notes


def _left(path: str, matrix: CellMatrix | None) -> Finding:
    """What is said of a matrix that is left out."""
    reason = "it is no matrix of numbers" if matrix is None else f"it has {matrix.stored} values"
    return Finding(Severity.DOUBT, f"{path} is left out: {reason}")


def _check_shape(matrix: CellMatrix, expected: tuple[int, ...], of: str, what: str) -> None:
    if matrix.shape != expected:
        raise UnreadableFile(f"{what} has the shape {matrix.shape} for {of}", hint="write it again with anndata")


def _graph(file: Any, path: str, called: str, matrix: CellMatrix, frame: str, name: str) -> _Part:
    count = matrix.shape[0]
    if count > _MOST_NODES:
        text = f"its {count} x {count} values are a table of those that are not 0: source, target, value"
        make = lambda: TableData(dict(zip(_EDGE, matrix.entries().values(), strict=True)))  # noqa: E731
        return _Part(path, called, AssetKind.TABLE, make, (Finding(Severity.NOTE, text),))

    def read() -> ConnectivityData:
        source, target, value = matrix.entries().values()
        values = np.zeros(matrix.shape)
        # what stands twice is the sum of both, as in SciPy
        np.add.at(values, (source, target), value)
        nodes = read_frame(member(file, frame, name), name)[0][INDEX]
        return ConnectivityData(values, nodes, nodes, measure_of(Shape(count, count, called)))

    return _Part(path, called, AssetKind.CONNECTIVITY, read)


def _matrices(file: Any, name: str) -> list[tuple[str, str]]:
    """The paths of the matrices that have a row a cell, and what they are called."""
    layers = member(file, "layers", name)
    found = [(f"layers/{key}", f"layer {key}") for key in layers] if is_group(layers) else []
    ours = [("X", "X"), *found, ("raw/X", "raw X")]
    return [(path, called) for path, called in ours if member(file, path, name) is not None]


def _entries(path: str, called: str, matrix: CellMatrix, options: Options) -> _Part:
    text = f"its {matrix.shape[0]} x {matrix.shape[1]} values are a table of those that are not 0: cell, gene, value"
    findings = (Finding(Severity.NOTE, text), *matrix.absence_findings(options))
    return _Part(path, called, AssetKind.TABLE, lambda: TableData(matrix.entries()), findings)


def _frame(file: Any, path: str, called: str, wide: str, name: str) -> _Part:
    columns, left_out = read_frame(member(file, path, name), name)
    more, too_wide = _embeddings(file, wide, len(columns[INDEX]), name)
    columns |= {key: column for key, column in more.items() if key not in columns}
    return _Part(path, called, AssetKind.TABLE, lambda: TableData(columns), tuple(_left_out([*left_out, *too_wide])))


def _cells(file: Any, name: str, options: Options) -> _Part:
    columns, left_out = read_frame(member(file, "obs", name), name)
    wide, too_wide = _embeddings(file, "obsm", len(columns[INDEX]), name)
    findings = list(_left_out([*left_out, *too_wide]))
    places = _places(file, wide, columns, name)
    columns |= {key: column for key, column in wide.items() if key not in columns}
    if places is None:
        return _Part("obs", "cells", AssetKind.TABLE, lambda: TableData(columns), tuple(findings))
    findings += place_findings(places, options)
    return _Part(
        "obs",
        "cells",
        AssetKind.POINTS,
        lambda: PointsData(zyx_um(columns, places, name, options), columns),
        tuple(findings),
    )


def _left_out(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        text = f"its columns {', '.join(names)} are left out: they hold more than a value a row"
        yield Finding(Severity.NOTE, text)


def _embeddings(file: Any, folder: str, rows: int, name: str) -> tuple[dict[str, Column], list[str]]:
    """What `obsm` holds of each cell, or `varm` of each gene, and the names of what is too wide or of another form."""
    found: dict[str, Column] = {}
    left_out = []
    group = member(file, folder, name)
    for key in group if is_group(group) else ():
        place = member(group, key, name)
        data = None if is_group(place) else dataset(group, key, name)
        if data is None or data.ndim != 2 or data.shape[1] > _MOST_WIDE or data.dtype.kind not in "iuf":
            left_out.append(key)
            continue
        if data.shape[0] != rows:
            raise UnreadableFile(f"{name}: {folder}/{key} has {data.shape[0]} rows for {rows}", hint="write it again")
        values = numbers_of(data, name).astype(np.float64)
        found |= {f"{key} {axis}": np.ascontiguousarray(values[:, axis]) for axis in range(values.shape[1])}
    return found, left_out


def _places(file: Any, wide: dict[str, Column], columns: dict[str, Column], name: str) -> PlaceColumns | None:
    """The columns that say where a cell lies: of `obsm`, else those of the table that are called so."""
    for key in _PLACES:
        parts = [column for column in wide if column.rpartition(" ")[0] == key]
        if len(parts) in (2, 3):
            # the places of spots are pixels of the image that the file keeps beside them
            unit = "pixels" if _has_image(file, name) else ""
            return PlaceColumns((parts[0],), (parts[1],), tuple(parts[2:3]), unit)
    return place_columns(list(columns), [key for key, column in columns.items() if column.dtype.kind in "if"])


def _has_image(file: Any, name: str) -> bool:
    libraries = member(file, "uns/spatial", name)
    found = [member(libraries, f"{key}/scalefactors", name) for key in libraries] if is_group(libraries) else []
    return any(one is not None for one in found)


def _species(file: Any, name: str) -> str:
    """The organism, where the file says one for all cells."""
    said = text_at(file, "uns/organism", name)
    return said or text_at(file, "obs/organism/categories", name)
