"""Skeletons, meshes, points and tables as stored objects: a canonical file, and a view that Neuroglancer reads.

Inside, lengths are micrometres in (z, y, x). Canonical files say so in their column names. The views follow
Neuroglancer's precomputed format, whose axes are (x, y, z) and whose unit for skeletons and meshes is the nanometre.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pulvinar.errors import Invalid
from pulvinar.ingest.annotations import annotation_files
from pulvinar.ingest.canonical import (
    SEGMENT,
    GeometryFiles,
    check_places,
    extent,
    json_bytes,
    parquet,
    place_columns,
    segment_properties,
    xyz_nm,
)
from pulvinar.ingest.pictures import Picture, projection_pictures
from pulvinar.ingest.reader import (
    ConnectivityData,
    GeometryData,
    MeshData,
    PointsData,
    SkeletonData,
    TableColumn,
    TableData,
    TimeSeriesData,
    TractsData,
)
from pulvinar.ingest.signals import connectivity_files, time_series_files
from pulvinar.ingest.skeletons import skeleton_files
from pulvinar.ingest.tracts import tract_files
from pulvinar.storage.mesh_files import ply


def geometry_files(data: GeometryData, name: str) -> GeometryFiles:
    """What is stored of `data`; raises `Invalid` when places are not finite or rows point nowhere."""
    if isinstance(data, SkeletonData):
        return skeleton_files(data, name)
    if isinstance(data, TractsData):
        return tract_files(data, name)
    if isinstance(data, TimeSeriesData):
        return time_series_files(data)
    if isinstance(data, ConnectivityData):
        return connectivity_files(data)
    if isinstance(data, MeshData):
        return _mesh(data, name)
    if isinstance(data, PointsData):
        return _points(data)
    return _table(data)


def _mesh(data: MeshData, name: str) -> GeometryFiles:
    check_places(data.zyx_um, name)
    if data.faces.size and int(data.faces.max()) >= len(data.zyx_um):
        raise Invalid(f"{name}: a face names a vertex that does not exist")
    fragment = b"".join(
        (np.array([len(data.zyx_um)], "<u4").tobytes(), xyz_nm(data.zyx_um), data.faces.astype("<u4").tobytes())
    )
    files = {
        "mesh.ply": ply(data.zyx_um, data.faces),
        **({"vertices.parquet": parquet(data.columns)} if data.columns else {}),
        "precomputed/info": json_bytes({"@type": "neuroglancer_legacy_mesh", "segment_properties": "segments"}),
        f"precomputed/{SEGMENT}:0": json_bytes({"fragments": [f"{SEGMENT}.fragment"]}),
        f"precomputed/{SEGMENT}.fragment": fragment,
        "precomputed/segments/info": json_bytes(segment_properties({SEGMENT: name})),
        "quality/thumbnail.webp": projection_pictures(data.zyx_um, _draw_mesh(data)),
    }
    details = {
        **extent(data.zyx_um),
        "faces": len(data.faces),
        "columns": list(data.columns),
        "precomputed": "precomputed",
    }
    return GeometryFiles(files, details)


def _points(data: PointsData) -> GeometryFiles:
    kept = np.isfinite(data.zyx_um).all(axis=1)
    if not kept.any():
        raise Invalid("the table has no row with a place")
    places = data.zyx_um[kept]
    columns = {name: _rows(values, kept) for name, values in data.columns.items()}
    clash = {"z_um", "y_um", "x_um"}
    own = {name: values for name, values in data.columns.items() if name not in clash}
    files = {
        "points.parquet": parquet({**place_columns(data.zyx_um), **own}),
        **{f"precomputed/{path}": data for path, data in annotation_files(places, columns).items()},
        "quality/thumbnail.webp": projection_pictures(places, _draw_points),
    }
    details = {
        **extent(places),
        "rows_without_place": int(np.count_nonzero(~kept)),
        "columns": list(data.columns),
        "precomputed": "precomputed",
    }
    return GeometryFiles(files, details)


def _rows(column: TableColumn, kept: Any) -> TableColumn:
    return column[kept] if isinstance(column, np.ndarray) else column.filter(pa.array(kept))


def _table(data: TableData) -> GeometryFiles:
    rows = len(next(iter(data.columns.values()), []))
    return GeometryFiles({"table.parquet": parquet(data.columns)}, {"count": rows, "columns": list(data.columns)})


def _draw_mesh(data: MeshData) -> Any:
    """Vertices shaded by how the surface faces the viewer: the rim of a brain is bright, its front dim."""
    normals = _vertex_normals(data)
    flat = int(np.argmin(np.ptp(data.zyx_um, axis=0)))
    rim = np.abs(1 - np.abs(normals[:, flat]))

    def draw(places: npt.NDArray[Any], side: int) -> Picture:
        # shade between vertices by splatting each face's corners and middle
        corners = data.faces.astype(np.int64)
        spots = np.concatenate([places, *_inside_faces(places, corners)])
        light = np.concatenate([rim, *([rim[corners].mean(axis=1)] * 4)])
        return _splat(spots, light, side, np.array([0.55, 0.85, 1.0]), soft=True)

    return draw


def _inside_faces(places: npt.NDArray[Any], corners: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
    a, b, c = (places[corners[:, index]] for index in range(3))
    return [(a + b + c) / 3, (4 * a + b + c) / 6, (a + 4 * b + c) / 6, (a + b + 4 * c) / 6]


def _vertex_normals(data: MeshData) -> npt.NDArray[np.float64]:
    a, b, c = (data.zyx_um[data.faces[:, index]] for index in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(data.zyx_um)
    for index in range(3):
        np.add.at(normals, data.faces[:, index], faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = normals / np.where(length > 0, length, 1)
    return unit


def _draw_points(places: npt.NDArray[Any], side: int) -> Picture:
    return _splat(places, np.ones(len(places)), side, np.array([1.0, 0.8, 0.45]), soft=len(places) > 5000)


def _splat(
    places: npt.NDArray[Any], light: npt.NDArray[Any], side: int, tint: npt.NDArray[Any], *, soft: bool
) -> Picture:
    """Dots of light added up and compressed, so that dense places stay readable."""
    rows, columns = np.clip(places.round().astype(np.int64), 1, side - 2).T
    sky = np.zeros((side, side))
    reach = 1 if soft else 3
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down * down + right * right <= reach * reach + 0.5:
                at = np.clip(rows + down, 0, side - 1), np.clip(columns + right, 0, side - 1)
                np.add.at(sky, at, light)
    top = max(float(np.percentile(sky[sky > 0], 99)) if sky.any() else 1.0, 1e-9)
    shade = np.clip(sky / top, 0, 1) ** 0.6
    picture: Picture = (shade[..., None] * tint * 255).astype(np.uint8)
    return picture
