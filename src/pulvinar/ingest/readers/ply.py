"""PLY: meshes and clouds of points, as text and binary.

Vertices, faces and what is said of each vertex are read; normals, faces' own colours and textures are not, and no file
that a PLY names is ever opened. Polygons are cut into fans of triangles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    PointsData,
    Severity,
    SourceFile,
)
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.readers.meshes import Faces, check_vertices, checked_faces, fans, mesh_data, unit_findings
from pulvinar.ingest.readers.places import Numbers, places_zyx_um, step_um
from pulvinar.ingest.readers.ply_file import Element, PlyFile, is_ply, parse_ply
from pulvinar.ingest.readers.streams import content_of, start_of, stem_of
from pulvinar.ingest.readers.table_columns import Column
from pulvinar.model.dataset import AssetKind

_MOST_BYTES = 1 << 30
_CORNERS = ("vertex_indices", "vertex_index")
_AXES = ("x", "y", "z")
_NORMALS = ("nx", "ny", "nz")
_UNIT = re.compile(r"\bunits?\b[ :=]*([A-Za-zµμ]+)", re.IGNORECASE)


class PlyReader:
    """Reads a file as a mesh, or as points where it has no faces."""

    name: ClassVar[str] = "ply"
    priority: ClassVar[int] = 411

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` where rows and header don't fit."""
        for file in files:
            if is_ply(start_of(file.head)):
                yield self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a mesh or points."""
        raise Invalid(f"{asset.name} is a mesh, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The mesh with a column for each property of its vertices."""
        name = asset.files[0]
        ply = parse_ply(content_of(root / name, name, _MOST_BYTES), name)
        vertices, columns, unit_um = _vertices(ply, name), _columns(ply), _unit(ply)[0]
        if asset.kind is AssetKind.POINTS:
            return PointsData(places_zyx_um(vertices, options, step_um(options, unit_um)), columns)
        return mesh_data(vertices, _faces(ply, vertices, name), options, unit_um, columns)

    def _found(self, file: SourceFile, options: Options) -> FoundAsset:
        ply = parse_ply(content_of(file.path, file.name, _MOST_BYTES), file.name)
        vertices = _vertices(ply, file.name)
        is_mesh = _face_element(ply) is not None
        faces = len(_faces(ply, vertices, file.name)) if is_mesh else 0
        findings = [] if options.unit else _unit(ply)[1] or unit_findings("PLY", vertices, options)
        left_out = _left_out(ply)
        if left_out:
            text = f"what it says of faces or other elements is left out: {', '.join(left_out)}"
            findings.append(Finding(Severity.NOTE, text))
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.MESH if is_mesh else AssetKind.POINTS,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": _header(ply, len(vertices), faces)},
        )


def _header(ply: PlyFile, vertices: int, faces: int) -> dict[str, Any]:
    return {"vertices": vertices, "faces": faces, "columns": list(_columns(ply)), "comments": list(ply.comments)}


def _face_element(ply: PlyFile) -> Element | None:
    face = ply.elements.get("face")
    return face if face is not None and face.rows else None


def _vertices(ply: PlyFile, name: str) -> Numbers:
    """Places (n, 3) in the file's x, y, z."""
    if "tristrips" in ply.elements:
        raise UnreadableFile(f"{name} has triangle strips, which are not read", hint="export it with plain faces")
    element = ply.elements.get("vertex")
    if element is None or not element.rows or any(axis not in element.values for axis in _AXES):
        raise UnreadableFile(f"{name} has no vertices with x, y and z", hint="export it again")
    if any(axis in element.counts for axis in _AXES):
        raise UnreadableFile(f"{name}: the coordinates of its vertices are lists")
    vertices = element.side_by_side(_AXES)
    check_vertices(vertices, name)
    return vertices


def _columns(ply: PlyFile) -> dict[str, Column]:
    """The properties of vertices that are neither places nor normals, nor lists."""
    element = ply.elements["vertex"]
    left = [one for one in element.properties if one.name not in _AXES + _NORMALS and not one.counted]
    return {one.name: _column(element, one.name, whole_numbers=one.dtype[0] != "f") for one in left}


def _column(element: Element, title: str, *, whole_numbers: bool) -> Column:
    values = element.values[title]
    exact = whole_numbers and np.array_equal(values, np.rint(values))
    return values.astype(np.int64 if exact else np.float64)


def _faces(ply: PlyFile, vertices: Numbers, name: str) -> Faces:
    element = ply.elements["face"]
    title = next((one for one in _CORNERS if one in element.counts), "")
    if not title:
        raise UnreadableFile(f"{name}: its faces have no list of vertices (vertex_indices)", hint="export it again")
    corners, counts = element.values[title], element.counts[title]
    if (counts < 3).any():
        wrong = int(np.argmax(counts < 3))
        raise UnreadableFile(f"{name}: face {wrong + 1} has {counts[wrong]} corners: it needs three")
    if corners.dtype.kind == "f":
        if not (np.isfinite(corners) & (corners == np.rint(corners))).all():
            raise UnreadableFile(f"{name}: a face names a vertex by a number that is not whole")
        corners = np.clip(corners, -1, 2**53).astype(np.int64)
    triangles, _ = fans(corners, counts)
    return checked_faces(triangles, vertices, name)


def _unit(ply: PlyFile) -> tuple[float, list[Finding]]:
    """The length of the unit that a comment states, with the note that says so; 1 µm and no note where none does."""
    for comment in ply.comments:
        match = _UNIT.search(comment)
        length = micrometres(match[1]) if match else None
        if match and length is not None:
            return length, [Finding(Severity.NOTE, f"the file says that its unit is {match[1]}", "--unit")]
    return 1.0, []


def _left_out(ply: PlyFile) -> list[str]:
    others = [name for name, element in ply.elements.items() if name not in ("vertex", "face") and element.rows]
    face = _face_element(ply)
    own = [one.name for one in face.properties if one.name not in _CORNERS] if face is not None else []
    lists = [one.name for one in ply.elements["vertex"].properties if one.counted]
    return [*own, *lists, *others]
