"""GIFTI: surfaces, and what is known of each of their vertices (shape, functional values, labels, series).

A surface's places are RAS millimetres. Values of a file of the same stem and length beside a surface become its
columns, all others a table or a series of their own. Source: GIFTI Surface Data Format, version 1.0 (NITRC, 2011).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    MeshData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TableData,
    TimeSeriesData,
)
from pulvinar.ingest.readers.gifti_file import GiftiArray, GiftiFile, Label, read_gifti
from pulvinar.ingest.readers.meshes import Faces, Floats, check_vertices, checked_faces
from pulvinar.ingest.readers.places import world_zyx_um
from pulvinar.ingest.readers.streams import start_of
from pulvinar.ingest.readers.table_columns import Column, unique_names
from pulvinar.ingest.readers.xml_stream import first_element
from pulvinar.model.dataset import AssetKind

_STEM = re.compile(r"(?i)(\.(surf|shape|func|label|coord|topo|rgba|time|vector))?(\.gii)?(\.gz)?$")
_SERIES = "TIME_SERIES"
_CENTRE = ("VolGeomC_R", "VolGeomC_A", "VolGeomC_S")
_KNOWN_SPACES = ("SCANNER_ANAT", "ALIGNED_ANAT", "TALAIRACH", "MNI_152")


class GiftiReader:
    """Reads surfaces with their columns, tables of values a vertex, and time series."""

    name: ClassVar[str] = "gifti"
    priority: ClassVar[int] = 420

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file, or a surface with the tables beside it; raises `UnreadableFile` for damaged ones."""
        seen = [_summary(file) for file in files if first_element(start_of(file.head)) == "GIFTI"]
        surfaces: dict[str, list[_Summary]] = defaultdict(list)
        for one in seen:
            if one.kind is AssetKind.MESH:
                surfaces[_stem(one.name)].append(one)
        beside: dict[str, list[_Summary]] = defaultdict(list)
        for one in seen:
            owners = surfaces.get(_stem(one.name), [])
            if len(owners) == 1 and one.is_of_each_vertex and one.vertices == owners[0].vertices:
                beside[owners[0].name].append(one)
        taken = {one.name for group in beside.values() for one in group}
        for one in seen:
            if one.name not in taken:
                yield _found(self.name, [one, *beside[one.name]])

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: no asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a surface or a table, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The surface in micrometres with its columns; or a table with the column "vertex"; or a series a vertex."""
        name, *others = asset.files
        gifti = read_gifti(root / name, name)
        if asset.kind is AssetKind.MESH:
            vertices, faces = _surface(gifti, name)
            parts = [gifti, *(read_gifti(root / other, other) for other in others)]
            columns = _joined([_columns(part) for part in parts])
            if any(len(column) != len(vertices) for column in columns.values()):
                raise UnreadableFile(f"{', '.join(others)} has not one value a vertex of {name} any more")
            return MeshData(world_zyx_um(vertices), faces, columns)
        if asset.kind is AssetKind.TIME_SERIES:
            return _series(gifti, name, options)
        numbers = _vertex_numbers(gifti, name)
        return TableData({"vertex": numbers, **_columns(gifti, taken=("vertex",))})


@dataclass(frozen=True)
class _Summary:
    """What was found in a file; `vertices` is the number of its rows, of which `columns` says something each."""

    name: str
    kind: AssetKind
    vertices: int
    sparse: bool
    columns: tuple[str, ...]
    labels: tuple[Label, ...]
    findings: tuple[Finding, ...]
    header: dict[str, Any]

    @property
    def is_of_each_vertex(self) -> bool:
        """Whether it is a table with one row a vertex, in the order of its surface."""
        return self.kind is AssetKind.TABLE and not self.sparse


def _stem(name: str) -> str:
    """The file's folder and name without the endings of GIFTI."""
    return _STEM.sub("", name)


def _kind(gifti: GiftiFile) -> AssetKind:
    if gifti.of("POINTSET") or gifti.of("TRIANGLE"):
        return AssetKind.MESH
    values = _values(gifti)
    series = len(values) > 1 and all(array.intent == _SERIES for array in values)
    return AssetKind.TIME_SERIES if series else AssetKind.TABLE


def _values(gifti: GiftiFile) -> list[GiftiArray]:
    return [array for array in gifti.arrays if array.intent not in ("POINTSET", "TRIANGLE", "NODE_INDEX")]


def _surface(gifti: GiftiFile, name: str) -> tuple[Floats, Faces]:
    """Vertices (n, 3) in the file's millimetres, and triangles."""
    points, triangles = gifti.of("POINTSET"), gifti.of("TRIANGLE")
    if len(points) != 1 or len(triangles) != 1:
        raise UnreadableFile(
            f"{name} has {len(points)} sets of points and {len(triangles)} of triangles: a surface has one each",
            hint="save each surface as a file of its own (.surf.gii)",
        )
    for array in (points[0], triangles[0]):
        if array.values.ndim != 2 or array.values.shape[1] != 3:
            raise UnreadableFile(f"{name}: its {array.intent.lower()} has the shape {array.shape}, not three columns")
    if triangles[0].values.dtype.kind not in "iu":
        raise UnreadableFile(f"{name}: its triangles are no whole numbers")
    vertices = points[0].values.astype(np.float64)
    check_vertices(vertices, name)
    return vertices, checked_faces(triangles[0].values, vertices, name)


def _columns(gifti: GiftiFile, taken: Sequence[str] = ()) -> dict[str, Column]:
    """What the arrays say of each vertex; of labels, their names, and their numbers as "name key"."""
    named: list[tuple[str, Column]] = []
    names = {label.id: label.name for label in gifti.labels}
    for array in _values(gifti):
        title = array.metadata.get("Name", "").strip() or array.intent.replace("_", " ").lower()
        for part, values in enumerate(array.values.reshape(len(array.values), -1).T):
            own = title if array.values.ndim == 1 else f"{title} {part + 1}"
            if array.intent == "LABEL":
                named += label_columns(own, values, names)
            else:
                named.append((own, _column(values)))
    titles = unique_names([*taken, *(title for title, _ in named)])[len(taken) :]
    return dict(zip(titles, (column for _, column in named), strict=True))


def label_columns(title: str, keys: npt.NDArray[Any], names: dict[int, str]) -> list[tuple[str, Column]]:
    """The columns of a map of labels: their names ("" for a number that has none), and their numbers."""
    if not np.isfinite(keys).all() or (keys != np.rint(keys)).any() or np.abs(keys).max(initial=0) > 2**53:
        return [(title, _column(keys))]
    numbers = keys.astype(np.int64)
    present, row_of = np.unique(numbers, return_inverse=True)
    words = np.array([names.get(number, "") for number in present.tolist()] or [""], dtype=object)
    return [(title, words[row_of.reshape(-1)]), (f"{title} key", numbers)]


def nameless_labels(keys: npt.NDArray[Any], names: dict[int, str]) -> list[Finding]:
    """The doubt about labels that the table doesn't name."""
    nameless = sorted(set(np.unique(keys).tolist()) - set(names))
    if not nameless:
        return []
    shown = ", ".join(f"{number:g}" for number in nameless[:5])
    return [Finding(Severity.DOUBT, f"of its labels, {len(nameless)} are not in its table of names: {shown}")]


def said_of_labels(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """The table of labels as metadata, as the platform keeps those of volumes."""
    return [{"id": label.id, "name": label.name, "color": label.color} for label in labels]


def _column(values: npt.NDArray[Any]) -> Column:
    return np.ascontiguousarray(values, np.float64 if values.dtype.kind == "f" else np.int64)


def _joined(parts: Sequence[dict[str, Column]]) -> dict[str, Column]:
    titles = unique_names([title for part in parts for title in part])
    return dict(zip(titles, (column for part in parts for column in part.values()), strict=True))


def _vertex_numbers(gifti: GiftiFile, name: str) -> Column:
    """The vertex of each row: as the file says, else counted from 0."""
    lengths = {len(array.values) for array in _values(gifti)}
    if len(lengths) != 1:
        raise UnreadableFile(
            f"{name} has arrays of {sorted(lengths) or 'no'} values: they are not of the same vertices",
            hint="save them as files of their own",
        )
    (count,) = lengths
    numbers = gifti.of("NODE_INDEX")
    if not numbers:
        return np.arange(count, dtype=np.int64)
    if len(numbers) > 1 or numbers[0].values.shape != (count,) or numbers[0].values.dtype.kind not in "iu":
        raise UnreadableFile(f"{name}: its vertex numbers are not one for each of its {count} values")
    return numbers[0].values.astype(np.int64)


def _series(gifti: GiftiFile, name: str, options: Options) -> TimeSeriesData:
    numbers = _vertex_numbers(gifti, name)
    arrays = _values(gifti)
    if any(array.values.ndim != 1 for array in arrays):
        raise UnreadableFile(f"{name}: a frame of its series has more than one value a vertex")
    values = np.stack([array.values for array in arrays])
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    step = options.time_step_s or _time_step_s(gifti)
    times = np.arange(len(values), dtype=np.float64) * step if step else np.empty(0)
    names = np.array([str(number) for number in numbers.tolist()], dtype=object)
    return TimeSeriesData(values, times, np.empty((0, 3)), {"name": names, "vertex": numbers})


def _time_step_s(gifti: GiftiFile) -> float | None:
    """The step in seconds that the first frame's "TimeStep" gives (the standard says seconds), None where it's none."""
    told = _values(gifti)[0].metadata.get("TimeStep") or gifti.metadata.get("TimeStep", "")
    try:
        step = float(told)
    except ValueError:
        return None
    return step if 0 < step < 1e6 else None


def _summary(file: SourceFile) -> _Summary:
    """What there is to say of a file, without its values: a folder may have thousands."""
    gifti = read_gifti(file.path, file.name)
    kind = _kind(gifti)
    header: dict[str, Any] = {"structure": gifti.metadata.get("AnatomicalStructurePrimary", "")}
    columns: tuple[str, ...] = ()
    findings = _label_findings(gifti)
    if kind is AssetKind.MESH:
        vertices, faces = _surface(gifti, file.name)
        points = gifti.of("POINTSET")[0]
        count, columns = len(vertices), tuple(_columns(gifti))
        header |= {"faces": len(faces), "space": points.space, "surface": points.metadata.get("GeometricType", "")}
        header["structure"] = header["structure"] or points.metadata.get("AnatomicalStructurePrimary", "")
        findings += _space_findings(gifti, points)
    else:
        count = len(_vertex_numbers(gifti, file.name))
    if kind is AssetKind.TIME_SERIES:
        header["frames"] = len(_values(gifti))
        findings += _step_findings(gifti)
    elif kind is AssetKind.TABLE:
        columns = tuple(_columns(gifti, taken=("vertex",)))
    sparse = bool(gifti.of("NODE_INDEX"))
    return _Summary(file.name, kind, count, sparse, columns, tuple(gifti.labels), tuple(findings), header)


def _found(reader: str, parts: Sequence[_Summary]) -> FoundAsset:
    first = parts[0]
    header = {**first.header, "vertices": first.vertices}
    if first.kind is not AssetKind.TIME_SERIES:
        header["columns"] = unique_names([title for part in parts for title in part.columns])
    labels = [label for part in parts for label in part.labels]
    if labels:
        header["labels"] = said_of_labels(labels)
    return FoundAsset(
        reader,
        key=first.name,
        name=_stem(first.name).rsplit("/", 1)[-1],
        kind=first.kind,
        files=tuple(part.name for part in parts),
        findings=tuple(finding for part in parts for finding in part.findings),
        metadata={"header": header},
    )


def _label_findings(gifti: GiftiFile) -> list[Finding]:
    keys = [array.values.ravel() for array in gifti.of("LABEL")]
    return nameless_labels(np.concatenate(keys), {label.id: label.name for label in gifti.labels}) if keys else []


def _space_findings(gifti: GiftiFile, points: GiftiArray) -> list[Finding]:
    """What is doubtful of where a surface lies."""
    told = gifti.metadata | points.metadata
    centre = " ".join(told.get(key, "0") for key in _CENTRE)
    if points.space not in _KNOWN_SPACES and any(word.strip("-0.") for word in centre.split()):
        text = f"its coordinates are FreeSurfer's: the centre of its volume, {centre} mm, is not added to them"
        return [Finding(Severity.DOUBT, text)]
    if points.space not in _KNOWN_SPACES:
        text = "the file does not say in which space its coordinates lie: right, anterior and superior are taken, in mm"
        return [Finding(Severity.NOTE, text)]
    return []


def _step_findings(gifti: GiftiFile) -> list[Finding]:
    if _time_step_s(gifti) is None:
        return [Finding(Severity.DOUBT, "its time points have no step that is known", "--time-step")]
    return []
