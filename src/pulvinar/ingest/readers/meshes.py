"""What the readers of meshes have in common: the unit that a format doesn't have, polygons, and the platform's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, MeshData, Options, Severity
from pulvinar.ingest.readers.places import Numbers, mirrors, places_zyx_um, step_um

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Whole = npt.NDArray[Any]
"""Whole numbers of any type."""
Faces = npt.NDArray[np.uint32]
MOST_CORNERS = 600_000_000
_ROWS_AT_ONCE = 20_000


def mesh_data(
    vertices: Numbers,
    faces: Faces,
    options: Options,
    stated_um: float = 1.0,
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
) -> MeshData:
    """A mesh of vertices (n, 3) in the file's x, y, z, whose unit is `stated_um` unless `--unit` says otherwise."""
    places = places_zyx_um(vertices, options, step_um(options, stated_um))
    turned = np.ascontiguousarray(faces[:, ::-1]) if mirrors(options) else faces
    return MeshData(places, turned, dict(columns or {}))


def unit_findings(format_name: str, vertices: Floats, options: Options) -> list[Finding]:
    """The doubt about the unit of a format that has none."""
    if options.unit:
        return []
    extent = " x ".join(f"{length:.4g}" for length in np.ptp(vertices, axis=0))
    text = f"{format_name} has no unit of length: µm is assumed, which makes the mesh {extent} µm"
    return [Finding(Severity.DOUBT, text, "--unit")]


def fans(corners: Whole, counts: Ints) -> tuple[Whole, Ints | slice]:
    """Polygons cut into triangles (m, 3) around their first corner, and what picks the polygon of each triangle.

    `corners` are the rows of all polygons one after the other, `counts` (at least 3) how many each has.
    """
    if (counts == 3).all():
        return corners.reshape(-1, 3), slice(None)
    triangles = counts - 2
    polygon = np.repeat(np.arange(len(counts)), triangles)
    at = (np.cumsum(counts) - counts)[polygon]
    turn = np.arange(len(polygon)) - (np.cumsum(triangles) - triangles)[polygon]
    faces = np.stack([corners[at], corners[at + turn + 1], corners[at + turn + 2]], axis=1)
    return faces, polygon


def checked_faces(faces: Whole, vertices: Numbers, name: str) -> Faces:
    """`faces` as the model has them; raises `UnreadableFile` for none, and where one names no vertex.

    `vertices` are finite (see `check_vertices`).
    """
    if not len(vertices) or not len(faces):
        raise UnreadableFile(f"{name} has {len(vertices)} vertices and {len(faces)} faces: it is no mesh")
    check_size(len(vertices), len(faces), name)
    if faces.dtype.kind == "i" and faces.dtype.itemsize == 4:
        # what is less than 0 becomes more than any count of vertices
        faces = faces.view(faces.dtype.str.replace("i", "u"))
    native = np.empty(faces.shape, np.uint32)
    for first in range(0, len(faces), _ROWS_AT_ONCE):
        # native numbers are compared many times faster, and while they lie in the processor's cache
        some = faces[first : first + _ROWS_AT_ONCE]
        some = some.astype(some.dtype.newbyteorder("="), copy=False)
        if int(some.max()) >= len(vertices) or (some.dtype.kind != "u" and int(some.min()) < 0):
            row = first + int(np.argmax(((some < 0) | (some >= len(vertices))).any(axis=1)))
            raise UnreadableFile(
                f"{name}: face {row + 1} names a vertex that is not one of the {len(vertices)}",
                hint="export the mesh again",
            )
        native[first : first + _ROWS_AT_ONCE] = some
    return native


def check_vertices(vertices: Numbers, name: str) -> None:
    """Raise `UnreadableFile`, naming the vertex, for a coordinate that is not finite."""
    if not np.isfinite(vertices).all():
        wrong = int(np.argmin(np.isfinite(vertices).all(axis=1)))
        raise UnreadableFile(
            f"{name}: vertex {wrong + 1} has a coordinate that is not finite", hint="export the mesh again"
        )


def check_size(vertices: int, faces: int, name: str) -> None:
    """Raise `TooLarge` for more than can be held."""
    if max(vertices, faces) * 3 > MOST_CORNERS:
        raise TooLarge(f"{name} has more than {MOST_CORNERS // 3} triangles", hint="simplify the mesh")
