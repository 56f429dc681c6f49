"""Matrices of numbers in the files of NumPy and MATLAB: signals over time, connectivity, places, what MATLAB keeps in
structs and cell arrays; and what has more dimensions, as a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.matrices import LARGEST_TABLE_VALUES
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    Matrix,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TableData,
)
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.mat_files import MatVariable, is_mat, mat_variables, open_mat_matrix, read_mats
from pulvinar.ingest.readers.mat_tables import MatTable, mat_tables, said_of, vector_tables
from pulvinar.ingest.readers.mat_volumes import VOLUME, found_mat_volume, is_mat_volume, open_mat_volume
from pulvinar.ingest.readers.matrix_kinds import Shape, Values, data_of, kind_of, names_beside, read_names
from pulvinar.ingest.readers.numpy_files import MAGIC, is_npz, numpy_arrays, open_numpy_matrix, read_numpy
from pulvinar.ingest.readers.numpy_volumes import found_volume, is_volume, open_numpy_volume
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind

_MOST_NAMED = 10
_TABLE = "#table"
_BY_WINDOW = (AssetKind.TIME_SERIES, AssetKind.CONNECTIVITY)


@dataclass(frozen=True)
class _Array:
    """One array of a file: its name in it ("" where it is the file), its shape, and how it is read."""

    part: str
    shape: tuple[int, ...]
    type: str
    is_numeric: bool
    read: Callable[[], Values]
    open: Callable[[], Matrix] | None = None
    """How one too large for memory is read by window, where it lies so that it can be."""
    absence: Callable[[Options], list[Finding]] = lambda options: []
    """What is to be said of values that are not stored."""
    nested: bool = False
    """Whether it lies in a struct or a cell array, where many are none that a person would be asked of."""

    @property
    def is_matrix(self) -> bool:
        return self.is_numeric and len(self.shape) == 2 and min(self.shape) > 1


class MatrixReader:
    """Reads two-dimensional arrays of npy, npz and mat files, and tables of what structs and cells hold.

    Each is an asset, and what isn't one is named."""

    name: ClassVar[str] = "matrices"
    priority: ClassVar[int] = 130

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a matrix; raises `UnreadableFile` for a file without any."""
        for file in files:
            if file.head.startswith(MAGIC) or is_npz(file.head) or is_mat(file):
                yield from self._found(file, files, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """An array of three or more dimensions in an npy or mat file."""
        if asset.volume is None:
            raise Invalid(f"{asset.name} is a matrix, not a volume")
        if asset.key.endswith(VOLUME):
            return open_mat_volume(asset, root, options, scratch)
        return open_numpy_volume(asset, root, options)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The matrix as what it is taken for."""
        name = asset.files[0]
        if asset.key.endswith(_TABLE):
            return TableData(_table_of(root / name, asset).read(root / name, name))
        arrays = _arrays(root / name, name)
        array = next((one for one in arrays if _key(name, one) == asset.key), None)
        if array is None or not array.is_matrix:
            raise UnreadableFile(f"{name} has changed since it was found: {asset.key} is no matrix of it any more")
        names = names_of(root, asset.files[1:])
        values: Values | Matrix
        if array.open and asset.kind in _BY_WINDOW and prod(array.shape) > LARGEST_TABLE_VALUES:
            values = array.open()
        else:
            values = array.read()
        return data_of(values, asset.kind, _shape(name, array), names, options)

    def _found(self, file: SourceFile, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        if file.head.startswith(MAGIC):
            (whole,) = numpy_arrays(file.path, file.name)
            if is_volume(whole):
                yield found_volume(self.name, file, whole, options)
                return
        variables = mat_variables(file.path, file.name) if is_mat(file) else []
        arrays = _of_mat(variables, file.path, file.name) if variables else _arrays(file.path, file.name)
        tables, said, used = _beside(variables, file)
        volumes = [one for one in variables if one.name not in used and is_mat_volume(one)]
        used |= {one.name for one in volumes}
        matrices = [array for array in arrays if array.is_matrix]
        if not matrices and not tables and not volumes:
            tables = vector_tables(variables)
            used |= {one.name for table in tables for one in table.values}
        others = [array for array in arrays if not array.is_matrix and array.part not in used]
        if not matrices and not tables and not volumes:
            raise UnreadableFile(
                f"{file.name} holds no matrix of numbers: {_listed(others)}",
                hint="save the matrix as an array of two dimensions, or leave the file out",
            )
        made = [self._matrix(file, files, array, options) for array in matrices]
        made += [_found_table(self.name, file, table) for table in tables]
        made += [found_mat_volume(self.name, file, one, options) for one in volumes]
        if others:
            note = Finding(Severity.NOTE, f"what else the file holds is left out: {_listed(others)}")
            made[0] = replace(made[0], findings=(*made[0].findings, note))
        if said:
            header = {**made[0].metadata["header"], "values": said}
            made[0] = replace(made[0], metadata={**made[0].metadata, "header": header})
        yield from made

    def _matrix(self, file: SourceFile, files: Sequence[SourceFile], array: _Array, options: Options) -> FoundAsset:
        shape = _shape(file.name, array)
        decided = kind_of(shape, options, ask=not array.nested)
        if array.open is None or decided[0] not in _BY_WINDOW:
            shape.check()
        found = found_matrix(self.name, _key(file.name, array), shape, decided, file, files)
        return replace(found, findings=(*found.findings, *array.absence(options)))


def _beside(variables: Sequence[MatVariable], file: SourceFile) -> tuple[list[MatTable], dict[str, Any], set[str]]:
    """The tables and single values of MATLAB's structs and cells; and the names of all that are in either."""
    tables = mat_tables(variables)
    used = {one.name for table in tables for one in table.values}
    said, told = said_of([one for one in variables if one.name not in used], file.path, file.name)
    return tables, said, used | {one.name for one in told}


def _found_table(reader: str, file: SourceFile, table: MatTable) -> FoundAsset:
    return FoundAsset(
        reader,
        key=f"{file.name}#{table.part}{_TABLE}",
        name=f"{stem_of(file.name)} {table.part}",
        kind=AssetKind.TABLE,
        files=(file.name,),
        metadata={"header": {"values of": [one.name for one in table.values[:_MOST_NAMED]]}},
    )


def _table_of(path: Path, asset: FoundAsset) -> MatTable:
    name = asset.files[0]
    variables = mat_variables(path, name)
    for table in (*mat_tables(variables), *vector_tables(variables)):
        if asset.key == f"{name}#{table.part}{_TABLE}":
            return table
    raise UnreadableFile(f"{name} has changed since it was found: {asset.key} is not in it any more")


def found_matrix(
    reader: str,
    key: str,
    shape: Shape,
    decided: tuple[AssetKind, list[Finding]],
    file: SourceFile,
    files: Sequence[SourceFile],
) -> FoundAsset:
    """The asset of a matrix in `file`, as `kind_of` has decided; a file beside it that names its regions is its own."""
    kind, findings = decided
    counts = {AssetKind.CONNECTIVITY: (shape.rows,), AssetKind.TIME_SERIES: (shape.columns, shape.rows)}.get(kind, ())
    beside = ((count, names_beside(file, files, count)) for count in counts)
    count, named = next(((count, one) for count, one in beside if one is not None), (0, None))
    if named is not None:
        told = Finding(Severity.NOTE, f"the file {named.name} names its {count} regions")
        findings = [told] if kind is AssetKind.CONNECTIVITY else [*findings, told]
    return FoundAsset(
        reader,
        key=key,
        name=shape.name,
        kind=kind,
        files=(file.name,) if named is None else (file.name, named.name),
        findings=tuple(findings),
        metadata={"header": {"rows": shape.rows, "columns": shape.columns}},
    )


def names_of(root: Path, files: Sequence[str]) -> list[str]:
    """The names of regions that the file beside a matrix lists."""
    if not files:
        return []
    path = root / files[0]
    return read_names(SourceFile(path, files[0], path.stat().st_size, b""))


def _arrays(path: Path, name: str) -> list[_Array]:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(MAGIC) or is_npz(head):
        return [
            _Array(
                one.member,
                one.shape,
                str(one.dtype),
                one.is_numeric,
                partial(read_numpy, path, name, one),
                None if one.member else partial(open_numpy_matrix, path, name, one),
            )
            for one in numpy_arrays(path, name)
        ]
    return _of_mat(mat_variables(path, name), path, name)


def _of_mat(variables: Sequence[MatVariable], path: Path, name: str) -> list[_Array]:
    return [
        _Array(
            one.name,
            one.shape,
            one.type,
            one.is_numeric,
            partial(_read_mat, path, name, one),
            partial(open_mat_matrix, path, name, one) if one.opens else None,
            partial(_absence, one),
            one.inside is not None,
        )
        for one in variables
    ]


def _read_mat(path: Path, name: str, variable: MatVariable) -> Values:
    # what is not stored was asked for when the matrix was found
    return read_mats(path, name, [variable], sparse=True)[0]


def _absence(variable: MatVariable, options: Options) -> list[Finding]:
    what = f"{variable.absent} of its {variable.pieces} chunks are not stored"
    return [missing_pieces(what, "0", options)] if variable.absent else []


def _key(name: str, array: _Array) -> str:
    return f"{name}#{array.part}" if array.part else name


def _shape(name: str, array: _Array) -> Shape:
    rows, columns = array.shape
    return Shape(rows, columns, f"{stem_of(name)} {array.part}".strip())


def _listed(arrays: Sequence[_Array]) -> str:
    told = []
    for one in arrays[:_MOST_NAMED]:
        sides = " x ".join(map(str, one.shape)) or "one value"
        told.append(f"{one.part or 'an array'} ({sides}, {one.type})")
    more = f" and {len(arrays) - _MOST_NAMED} more" if len(arrays) > _MOST_NAMED else ""
    return (", ".join(told) or "nothing") + more
