"""Tables: CSV, TSV and Parquet, as points where columns hold places, else as plain tables.

Delimiter, header and the kind of each column are found by content. Nothing in a table is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    ColumnPlaces,
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    PointsData,
    Severity,
    SourceFile,
    TableColumn,
    TableData,
)
from pulvinar.ingest.readers.delimited import Dialect, find_dialect, read_delimited
from pulvinar.ingest.readers.parquet import column_names, numeric_columns, open_parquet, read_parquet
from pulvinar.ingest.readers.places import column_axes, places_of_columns, step_um
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.ingest.readers.table_columns import PlaceColumns, image_column, is_numeric, place_columns
from pulvinar.ingest.readers.text import encoding_findings
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Triple

_PARQUET = b"PAR1"


class TableReader:
    """Reads point tables and other tables; asked last, for text is the least telling content."""

    name: ClassVar[str] = "tables"
    priority: ClassVar[int] = 900

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for a table whose rows differ in length."""
        for file in files:
            if file.head.startswith(_PARQUET):
                opened = open_parquet(file.path, file.name)
                names = column_names(opened)
                places = place_columns(names, numeric_columns(opened))
                yield _found(self.name, file.name, names, places, options, [])
            elif (dialect := find_dialect(file)) is not None:
                names = list(dialect.names)
                yield _found(self.name, file.name, names, _places(dialect), options, _notes(dialect))

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a table."""
        raise Invalid(f"{asset.name} is a table, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Every column, and the places in micrometres where the table has them (NaN where a row has none)."""
        name = asset.files[0]
        path = root / name
        with path.open("rb") as file:
            head = file.read(4096)
        if head.startswith(_PARQUET):
            columns, names = read_parquet(path, name)
            places = place_columns(names, numeric_columns(open_parquet(path, name)))
        else:
            dialect = find_dialect(SourceFile(path, name, path.stat().st_size, head))
            if dialect is None:
                raise UnreadableFile(f"{name} is no table any more: it has changed since it was found")
            columns = read_delimited(path, name, dialect)
            places = _places(dialect)
        if places is None or _apart(list(columns), places, options):
            return TableData(columns)
        return PointsData(_placed(columns, places, name, options), columns)


def _places(dialect: Dialect) -> PlaceColumns | None:
    """The columns with places; a table without a header that is two or three numbers a row is one of places."""
    names = dialect.names
    if not dialect.has_header and len(names) in (2, 3) and len(dialect.numeric) == len(names):
        return PlaceColumns((names[0],), (names[1],), names[2:3])
    return place_columns(names, dialect.numeric)


def _notes(dialect: Dialect) -> list[Finding]:
    notes = []
    if not dialect.has_header:
        text = "the table has no header"
        if _places(dialect) is not None:
            text += f": its {len(dialect.names)} columns are taken as {', '.join('xyz'[: len(dialect.names)])}"
        notes.append(Finding(Severity.DOUBT, text, "--axes"))
    if dialect.has_types:
        notes.append(Finding(Severity.NOTE, "its second row names the types of columns and is left out"))
    if dialect.has_commas:
        notes.append(Finding(Severity.NOTE, "its numbers have decimal commas"))
    return notes + encoding_findings(dialect.encoding)


def _found(
    reader: str, name: str, names: list[str], places: PlaceColumns | None, options: Options, notes: list[Finding]
) -> FoundAsset:
    apart = _apart(names, places, options)
    asset = FoundAsset(
        reader,
        key=name,
        name=stem_of(name),
        kind=AssetKind.TABLE if places is None or apart else AssetKind.POINTS,
        files=(name,),
        findings=tuple(notes),
        metadata={"header": {"columns": names}},
    )
    if places is None:
        return asset
    if apart:
        text = f"its places lie in the images that the column {apart} names: a table; --axes takes them as one space"
        return replace(asset, findings=(*notes, Finding(Severity.NOTE, text, "--axes")))
    return replace(asset, findings=(*notes, *place_findings(places, options)))


def _apart(names: Sequence[str], places: PlaceColumns | None, options: Options) -> str | None:
    """The column that names the image of each flat place: such places share no space, unless a person says so."""
    return image_column(names) if places is not None and not places.z and not options.axes else None


def place_findings(places: PlaceColumns, options: Options) -> Iterator[Finding]:
    """What is assumed or to be asked of columns that are taken as places."""
    named = ", ".join("/".join(part) for part in (places.x, places.y, places.z) if part)
    yield Finding(Severity.NOTE, f"the columns {named} are taken as x, y{', z' if places.z else ''}", "--axes")
    if not places.z:
        yield Finding(Severity.NOTE, "its places are flat: z is 0")
    if places.anatomical:
        text = "ML, AP and DV are taken as rising to the right, to the front and upwards"
        yield Finding(Severity.DOUBT, text, "--orientation")
    if options.unit:
        return
    if not places.unit:
        yield Finding(Severity.DOUBT, "its columns have no unit of length: µm is assumed", "--unit")
    elif places.unit_um is None and options.voxel_size_um is None:
        text = f"its places are in {places.unit}: how large one is is not known"
        yield Finding(Severity.QUESTION, text, "--voxel-size")


def _placed(
    columns: Mapping[str, TableColumn], places: PlaceColumns, name: str, options: Options
) -> npt.NDArray[np.float64] | ColumnPlaces:
    """The places, or where they stand when each is a column as it is."""
    named = (places.z, places.y, places.x)
    if options.orientation or any(len(one) != 1 for one in named) or column_axes(options) != "xyz":
        return zyx_um(columns, places, name, options)
    for one in named:
        _middle(columns, one, name)
    (z,), (y,), (x,) = named
    return ColumnPlaces((z, y, x), _step(places, options))


def zyx_um(
    columns: Mapping[str, TableColumn], places: PlaceColumns, name: str, options: Options
) -> npt.NDArray[np.float64]:
    """The places of a table's rows in micrometres, float64 (n, 3), NaN where a row has none."""
    parts = [_middle(columns, part, name) for part in (places.x, places.y)]
    parts.append(_middle(columns, places.z, name) if places.z else np.zeros_like(parts[0]))
    return places_of_columns(parts, options, _step(places, options))


def _step(places: PlaceColumns, options: Options) -> Triple:
    if not options.unit and places.unit and places.unit_um is None:
        options = replace(options, unit="voxel")
    return step_um(options, places.unit_um or 1.0)


def _middle(columns: Mapping[str, TableColumn], names: tuple[str, ...], name: str) -> Any:
    """A column, or the middle of a lowest and a highest."""
    values = []
    for column in names:
        found = columns[column]
        if not is_numeric(found):
            raise UnreadableFile(
                f"{name}: the column {column!r} has places and words", hint="repair the column, or rename it"
            )
        values.append(found.astype(np.float64, copy=False))
    return np.mean(values, axis=0) if len(values) > 1 else values[0]
